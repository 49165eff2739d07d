package rule

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A Rule is a rule of the routing policy database: struct fib_rule_hdr and the
// attributes FRA_* of linux/fib_rules.h. The kernel looks at the rules in the
// order of their priorities. The first rule whose selectors all match a packet,
// and whose table has a route for it, decides.
//
// A field that is zero is unset: it selects any packet, and no attribute is
// sent. Where zero is a value of its own, a function with the name of the field,
// such as [SuppressPrefixLength], sets it. The comment of a field names the word
// of ip-rule(8) and the attribute. Rules compare with ==.
type Rule struct {
	// Family is inet or inet6. Default: the family of the addresses, or IPv4 if
	// there are none. (family)
	Family route.Family
	// Priority is the rule's place, from 0, the first, to 2^32−1: priority, or pref. See
	// the function [Priority]. Unset: the kernel chooses one less than the priority of the
	// second rule, which can give 0, directly after the rule for the table local. Rules
	// from a listing always have a priority. (FRA_PRIORITY)
	Priority route.Opt[uint32]
	// Not makes the rule match packets that the selectors do not match: not.
	// (FIB_RULE_INVERT)
	Not bool
	// From is the source: from. Bits beyond its length are kept, and distinguish
	// one rule from another. (src_len, FRA_SRC)
	From netip.Prefix
	// To is the destination: to. (dst_len, FRA_DST)
	To netip.Prefix
	// IIF is the interface on which a packet came in, lo for packets of this host: iif.
	// The kernel compares names, and the interface need not exist. The kernel resolves an
	// alternative name when the rule is added, but not again when the interface is created
	// again or renamed. (FRA_IIFNAME)
	IIF string
	// OIF is the interface that the packet's socket is bound to: oif.
	// (FRA_OIFNAME)
	OIF string
	// FwMark is the packet's firewall mark: fwmark. See the function [FwMark].
	// (FRA_FWMARK, FRA_FWMASK)
	FwMark Mark
	// TOS is the packet's DS field, whose lowest two bits must be zero: tos.
	// (tos)
	TOS uint8
	// DSCP is the upper six bits of the packet's DS field: dscp. See the function
	// [DSCP]. The kernel refuses it together with TOS. Linux 6.12, with a mask
	// 6.15. (FRA_DSCP, FRA_DSCP_MASK)
	DSCP CodePoint
	// FlowLabel is the flow label of an IPv6 packet: flowlabel. See the function
	// [FlowLabel]. Linux 6.14. (FRA_FLOWLABEL, FRA_FLOWLABEL_MASK)
	FlowLabel Label
	// IPProto is the protocol above IP: ipproto. Linux 4.17. (FRA_IP_PROTO)
	IPProto route.IPProto
	// SPort and DPort are the ports: sport, dport. See the functions [Port] and
	// [PortRange]. Linux 4.17, with a mask 6.15. (FRA_SPORT_RANGE,
	// FRA_DPORT_RANGE, FRA_SPORT_MASK, FRA_DPORT_MASK)
	SPort, DPort Ports
	// UIDRange is a range of user IDs; packets from sockets of these users match:
	// uidrange. See the functions [UID] and [UIDRange]. The kernel refuses users that the
	// caller's user namespace does not have. Linux 4.10. (FRA_UID_RANGE)
	UIDRange UIDs
	// TunID is the key of the tunnel through which a packet came in: tun_id. See
	// the function [TunID]. Linux 4.3. (FRA_TUN_ID)
	TunID route.Opt[uint64]
	// L3MDev looks the packet up in the table of the VRF that it belongs to:
	// l3mdev. The kernel refuses it together with Table. Linux 4.8. (FRA_L3MDEV)
	L3MDev bool

	// Action is what the rule does with a packet. Default: [ActionGoto] if Goto
	// is set, else [ActionLookup]. The kernel's action 0 is [ActionNone]. (action)
	Action Action
	// Table is the table in which to look the packet up: lookup, or table. Unset
	// is an error for ActionLookup without L3MDev. (table, FRA_TABLE)
	Table rttables.ID
	// Goto is the priority of the rule to go on with, which must be higher than
	// this rule's: goto. Zero: none. (FRA_GOTO)
	Goto uint32
	// SuppressPrefixLength makes the rule ignore a route if its prefix is of this
	// length or shorter: suppress_prefixlength. 0 ignores the default route. See
	// the function [SuppressPrefixLength]. Linux 3.12. (FRA_SUPPRESS_PREFIXLEN)
	SuppressPrefixLength route.Opt[uint32]
	// SuppressIfGroup makes the rule ignore a route if its interface is in this
	// group: suppress_ifgroup. See the function [SuppressIfGroup]. Linux 3.12.
	// (FRA_SUPPRESS_IFGROUP)
	SuppressIfGroup route.Opt[uint32]
	// Realms are given to the packet: realms. For IPv4 only: the kernel ignores
	// the realms of an IPv6 rule. (FRA_FLOW)
	Realms route.Realms
	// Protocol says who made the rule: protocol. Zero: unspec. Linux 4.17.
	// (FRA_PROTOCOL)
	Protocol route.Protocol

	// Flags are the flags that the kernel reports. They are not written.
	Flags Flags
	// Unknown are the attributes that this package has no field for, as the kernel sent
	// them. They are sent back, so that such a rule can be deleted. Unknown also holds
	// attributes with the value zero, such as ipproto 0, if a zero field means unset.
	Unknown route.Attributes
}

// Priority returns a set [Rule.Priority]:
//
//	rule.Rule{Priority: rule.Priority(1000), Table: 20}
func Priority(n uint32) route.Opt[uint32] { return route.Some(n) }

// TunID returns a set [Rule.TunID].
func TunID(n uint64) route.Opt[uint64] { return route.Some(n) }

// SuppressPrefixLength returns a set [Rule.SuppressPrefixLength]:
//
//	rule.Rule{SuppressPrefixLength: rule.SuppressPrefixLength(0), Table: rttables.Main}
func SuppressPrefixLength(n uint32) route.Opt[uint32] { return route.Some(n) }

// SuppressIfGroup returns a set [Rule.SuppressIfGroup].
func SuppressIfGroup(n uint32) route.Opt[uint32] { return route.Some(n) }

// Canonical returns r in the form in which List would return it after [Add]. The
// defaults of [Add] are filled in, except for the priority, which the kernel chooses.
// If a selector has several encodings, the result has the one that List uses. Two rules
// are the same to the kernel if their canonical forms are equal.
func (r Rule) Canonical() Rule {
	r.setDefaults()
	r.normalize()
	if r.Action == actionNAT {
		r.Unknown = "" // the address, which kernels do not keep
	}
	return r
}

// bare returns the canonical form of r without Flags, in which rules are compared.
func (r Rule) bare() Rule {
	r = r.Canonical()
	r.Flags = 0
	return r
}

// normalize chooses one of several encodings with the same meaning. Kernels from
// 6.15 on report a mask for a plain port and a plain dscp.
func (r *Rule) normalize() {
	// Fields are examined in place and written only if they change: copying them
	// for each rule of a listing would take as long as reading the rule.
	for _, p := range [...]*netip.Prefix{&r.From, &r.To} {
		if p.Bits() <= 0 && p.Addr().IsValid() {
			*p = netip.Prefix{} // it matches any address, whatever its own
		}
	}
	if r.FwMark.m.set || r.FwMark.m.hasMask {
		r.FwMark = r.FwMark.canonical()
	}
	if r.FlowLabel.Mask() == 0 {
		r.FlowLabel = Label{} // every packet matches; kernels report neither
	}
	if r.DSCP.m.hasMask {
		r.DSCP = r.DSCP.canonical()
	}
	if r.SPort.hasMask {
		r.SPort = r.SPort.canonical()
	}
	if r.DPort.hasMask {
		r.DPort = r.DPort.canonical()
	}
	for _, o := range [...]*route.Opt[uint32]{&r.SuppressPrefixLength, &r.SuppressIfGroup} {
		if n, ok := o.Get(); ok && n == unsetU32 {
			*o = route.Opt[uint32]{}
		}
	}
	if n, ok := r.TunID.Get(); ok && n == 0 {
		r.TunID = route.Opt[uint64]{}
	}
	if r.Unknown != "" {
		r.Unknown = route.Attributes(codec.WithoutZeros(string(withoutNAT(r.Unknown))))
	}
	if r.Family == route.IPv6 && r.Realms != (route.Realms{}) {
		r.Realms = route.Realms{}
	}
}

// unsetU32 is −1, by which the kernel reports that there is no suppressor.
const unsetU32 = 1<<32 - 1

// setDefaults fills in the values that the verbs send for unset fields.
func (r *Rule) setDefaults() {
	if r.Family == 0 {
		r.Family = r.family()
	}
	if r.Action == 0 {
		r.Action = ActionLookup
		if r.Goto != 0 {
			r.Action = ActionGoto
		}
	}
}

// family returns the family of the addresses, IPv4 if there are none.
func (r *Rule) family() route.Family {
	for _, p := range [...]netip.Prefix{r.From, r.To} {
		if p.IsValid() {
			return route.FamilyOf(p.Addr())
		}
	}
	return route.IPv4
}
