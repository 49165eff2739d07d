package rule

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// Show is what "ip rule show" of iproute2 7.1 prints for r alone, without the
// newline at its end: a line of text, or JSON, an array of one object.
//
// Like ip(8), and unlike [Rule.String], it does not say everything: suppressors
// without a table, the protocol kernel, and attributes without a word are left
// out. r may be as it was decoded or in the form of [Rule.Canonical]; JSON has
// in both cases the masks of a plain port and a plain dscp, as from kernels
// since 6.15, which report them.
func (r Rule) Show(s route.Style) string {
	return strings.TrimSuffix(ShowList([]Rule{r}, s), "\n")
}

// ShowList is all that "ip rule show" prints for rules. See [Rule.Show].
func ShowList(rules []Rule, s route.Style) string {
	o := iptext.NewOut(s.JSON, s.Pretty)
	o.StartArray("")
	for i := range rules {
		v := shown{Rule: &rules[i], style: s, names: s.Names.FileNames()}
		o.StartObject("")
		for _, show := range members {
			show(o, &v)
		}
		o.EndObject()
		o.Newline()
	}
	o.EndArray()
	if s.JSON {
		o.Newline()
	}
	return o.String()
}

// A shown is a rule on its way to [Rule.Show].
type shown struct {
	*Rule
	style route.Style
	names *rttables.Names
}

// members are what a rule is shown with, in ip(8)'s order. Each writes text and
// JSON.
var members = [...]func(*iptext.Out, *shown){
	func(o *iptext.Out, r *shown) {
		o.Uint("priority", "", uint64(r.Priority.Or(0)))
		o.Text(":\t")
	},
	func(o *iptext.Out, r *shown) { showFlag(o, "not", "not ", r.Not) },
	func(o *iptext.Out, r *shown) {
		if !r.From.IsValid() {
			o.Str("src", "from ", "all")
			return
		}
		showPrefix(o, "src", "from ", r.From)
	},
	func(o *iptext.Out, r *shown) {
		if r.To.IsValid() {
			showPrefix(o, "dst", " to ", r.To)
		}
	},
	func(o *iptext.Out, r *shown) {
		if r.TOS != 0 {
			o.Str("tos", " tos ", r.dsField(r.TOS))
		}
	},
	showFwMark,
	func(o *iptext.Out, r *shown) { showIf(o, "iif", r.IIF, r.Flags&FlagIIFDetached != 0) },
	func(o *iptext.Out, r *shown) { showIf(o, "oif", r.OIF, r.Flags&FlagOIFDetached != 0) },
	func(o *iptext.Out, r *shown) { showFlag(o, "l3mdev", " lookup [l3mdev-table]", r.L3MDev) },
	func(o *iptext.Out, r *shown) {
		if r.UIDRange.IsSet() {
			o.Uint("uid_start", " uidrange ", uint64(r.UIDRange.First()))
			o.Uint("uid_end", "-", uint64(r.UIDRange.Last()))
		}
	},
	func(o *iptext.Out, r *shown) {
		if r.IPProto != 0 {
			o.Str("ipproto", " ipproto ", r.ipProto())
		}
	},
	func(o *iptext.Out, r *shown) { showPorts(o, "sport", r.SPort) },
	func(o *iptext.Out, r *shown) { showPorts(o, "dport", r.DPort) },
	func(o *iptext.Out, r *shown) {
		if n, ok := r.TunID.Get(); ok {
			o.Uint("tun_id", " tun_id ", n)
		}
	},
	showTable,
	func(o *iptext.Out, r *shown) {
		if r.Realms != (route.Realms{}) {
			showRealms(o, r)
		}
	},
	showAction,
	func(o *iptext.Out, r *shown) {
		if r.style.Details || r.Protocol != route.ProtoUnspec && r.Protocol != route.ProtoKernel {
			o.Str("protocol", " proto ", r.name(r.names.Protos(), uint32(r.Protocol)))
		}
	},
	showDSCP,
	showFlowLabel,
}

// showFlag writes a word that stands for itself.
func showFlag(o *iptext.Out, name, word string, set bool) {
	if set {
		o.Null(name, word)
	}
}

func showPrefix(o *iptext.Out, name, before string, p netip.Prefix) {
	o.Str(name, before, iptext.AddrText(p.Addr()))
	if !p.IsSingleIP() {
		o.Uint(name+"len", "/", uint64(p.Bits()))
	}
}

// showFwMark writes a mark with its mask, unless all bits count. Kernels report
// a mask without a mark for the mark 0.
func showFwMark(o *iptext.Out, r *shown) {
	if !r.FwMark.IsSet() {
		return
	}
	o.Hex("fwmark", " fwmark ", uint64(r.FwMark.Value()))
	if mask := r.FwMark.Mask(); mask != 1<<32-1 {
		o.Hex("fwmask", "/", uint64(mask))
	}
}

func showIf(o *iptext.Out, word, name string, detached bool) {
	if name == "" {
		return
	}
	o.Str(word, " "+word+" ", name)
	showFlag(o, word+"_detached", " [detached]", detached)
}

// showPorts writes one port, as text in hexadecimal if it has a mask that
// counts, or a range.
func showPorts(o *iptext.Out, word string, p Ports) {
	before, mask := " "+word+" ", uint16(1<<16-1)
	if p.hasMask {
		mask = p.mask
	}
	switch {
	case !p.set:
	case p.first != p.last:
		o.Uint(word+"_start", before, uint64(p.first))
		o.Uint(word+"_end", "-", uint64(p.last))
	case o.IsJSON():
		o.Uint(word, "", uint64(p.first))
		o.Hex(word+"_mask", "", uint64(mask))
	case mask == 1<<16-1:
		o.Text(before, iptext.Decimal(p.first))
	default:
		o.Text(before, iptext.AltHex(p.first), "/", iptext.AltHex(mask))
	}
}

// showTable writes the table, and the suppressors of a rule that has one. To
// ip(8) suppressors are signed, as their −1 for none is.
func showTable(o *iptext.Out, r *shown) {
	if r.Table == 0 {
		return
	}
	table := r.names.Name(r.Table)
	if r.style.Numeric {
		table = iptext.Decimal(r.Table)
	}
	o.Str("table", " lookup ", table)
	if n := r.SuppressPrefixLength.Or(unsetU32); n != unsetU32 {
		o.Int("suppress_prefixlen", " suppress_prefixlength ", int64(int32(n)))
	}
	if n := r.SuppressIfGroup.Or(unsetU32); n != unsetU32 {
		group := r.name(r.names.Groups(), n)
		if int32(n) < 0 {
			group = strconv.Itoa(int(int32(n)))
		}
		o.Str("suppress_ifgroup", " suppress_ifgroup ", group)
	}
}

func showRealms(o *iptext.Out, r *shown) {
	realms := r.names.Realms()
	if r.Realms.Src == 0 {
		o.Text(" realms ")
	} else {
		o.Str("flow_from", " realms ", r.name(realms, uint32(r.Realms.Src)))
		o.Text("/")
	}
	o.Str("flow_to", "", r.name(realms, uint32(r.Realms.Dst)))
}

// showAction writes what the rule does, unless it looks the packet up. To ip(8)
// an action other than these is a type of routes: unreachable is both.
func showAction(o *iptext.Out, r *shown) {
	switch r.Action {
	case ActionLookup:
	case ActionGoto:
		showGoto(o, r)
	case ActionNop:
		o.Null("nop", " nop")
	case actionNAT:
		showNAT(o, r)
	default:
		action := route.Type(r.Action).String()
		if r.style.Numeric {
			action = iptext.Decimal(r.Action)
		}
		o.Str("action", " ", action)
	}
}

func showGoto(o *iptext.Out, r *shown) {
	if r.Goto == 0 {
		o.Str("goto", " goto ", "none")
	} else {
		o.Uint("goto", " goto ", uint64(r.Goto))
	}
	showFlag(o, "unresolved", " [unresolved]", r.Flags&FlagUnresolved != 0)
}

// actionNAT is an action of Linux 2.2 to 2.6. Kernels still accept it.
const actionNAT = Action(route.TypeNAT)

// withoutNAT are attributes as kernels report them, which drop the address of
// actionNAT.
func withoutNAT(unknown route.Attributes) route.Attributes {
	var b []byte
	for num, p := range unknown.All() {
		if num != uint16(uapi.FRA_UNUSED2) {
			b = attr.Append(b, num, p)
		}
	}
	return route.Attributes(b)
}

// showNAT writes what actionNAT translates to: an address, which had the number
// that FRA_UNUSED2 has now and which kernels no longer keep.
func showNAT(o *iptext.Out, r *shown) {
	for num, p := range r.Unknown.All() {
		a, ok := netip.AddrFromSlice(p)
		if num == uint16(uapi.FRA_UNUSED2) && ok && r.Family.Has(a) {
			o.Str("nat_gateway", " map-to ", iptext.AddrText(a))
			return
		}
	}
	o.Null("masquerade", " masquerade")
}

// showDSCP writes a code point by its name, or in hexadecimal if it has a mask
// that counts, in JSON by its name in any case.
func showDSCP(o *iptext.Out, r *shown) {
	m, mask := r.DSCP.m, uint32(allDSCP)
	if !m.set {
		return
	}
	if m.hasMask {
		mask = m.mask
	}
	switch {
	case o.IsJSON():
		o.Str("dscp", "", r.codePoint())
		o.Hex("dscp_mask", "", uint64(mask))
	case mask == allDSCP:
		o.Text(" dscp ", r.codePoint())
	default:
		o.Text(" dscp ", iptext.AltHex(m.value), "/", iptext.AltHex(mask))
	}
}

// showFlowLabel writes a flow label and its mask, which text has unless all
// bits count. Kernels report both or neither.
func showFlowLabel(o *iptext.Out, r *shown) {
	m := r.FlowLabel.m
	if !m.set || !m.hasMask {
		return
	}
	o.Hex("flowlabel", " flowlabel ", uint64(m.value))
	if o.IsJSON() || m.mask != allLabel {
		o.Hex("flowlabel_mask", "/", uint64(m.mask))
	}
}

// Names of numbers.

// name is the name of a number, or, with -N, the number.
func (r *shown) name(db rttables.DB, n uint32) string {
	if r.style.Numeric {
		return iptext.Decimal(n)
	}
	return db.Name(n)
}

// dsField is the name of a value of the DS field, which is else in hexadecimal
// with two digits.
func (r *shown) dsField(n uint8) string {
	if r.style.Numeric {
		return fmt.Sprintf("0x%02x", n)
	}
	return r.names.DSFields().Name(uint32(n))
}

// allDSCP is the mask for which all bits of a code point count.
const allDSCP = 0x3f

// codePoint is the name of the DS field with the rule's code point, else that
// in decimal.
func (r *shown) codePoint() string {
	n := r.DSCP.Value()
	if n > allDSCP || r.style.Numeric {
		return iptext.Decimal(n)
	}
	fields := r.names.DSFields()
	name := fields.Name(uint32(n) << 2)
	if _, ok := fields.Lookup(name); !ok {
		return iptext.Decimal(n)
	}
	return name
}

// ipProto is the name of the rule's protocol above IP.
func (r *shown) ipProto() string {
	n := iptext.Decimal(r.IPProto)
	if name := r.IPProto.String(); name != n && !r.style.Numeric {
		return name
	}
	return "ipproto-" + n
}
