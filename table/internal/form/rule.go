package form

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// Bare returns r in the form in which rules are compared: canonical, without the values
// that only the kernel reports.
func Bare(r rule.Rule) rule.Rule {
	r = r.Canonical()
	r.Flags = 0
	return r
}

// Like returns r without its priority, so that rules which differ only in their
// priorities are equal.
func Like(r rule.Rule) rule.Rule {
	r = Bare(r)
	r.Priority = route.Opt[uint32]{}
	return r
}

// NoDefault returns the suppress_prefixlength that leaves out the default route of a
// table, and shorter prefixes than any network has, which VPNs use to take all traffic
// without touching the default: 0.0.0.0/1 and 128.0.0.0/1; in IPv6 also 2000::/3 and its
// halves.
func NoDefault(f route.Family) route.Opt[uint32] {
	if f == route.IPv6 {
		return route.Some(uint32(4))
	}
	return route.Some(uint32(1))
}

// leavesOutDefault reports whether a rule has the suppress_prefixlength of [NoDefault],
// or 0, which earlier versions gave to such rules. wg-quick deletes rules that look up
// main with 0, even those of other programs.
func leavesOutDefault(r *rule.Rule) bool {
	return r.SuppressPrefixLength == NoDefault(r.Family) || r.SuppressPrefixLength == route.Some(uint32(0))
}

// Current returns a rule of ours as this version makes it. Other versions gave it
// another suppress_prefixlength.
func Current(r rule.Rule) rule.Rule {
	if leavesOutDefault(&r) {
		r.SuppressPrefixLength = NoDefault(r.Family)
	}
	return r
}

// IsRung reports whether a rule has the form of a rung.
func IsRung(r *rule.Rule) bool {
	if !r.From.IsSingleIP() || *r != (rule.Rule{
		Family: r.Family, Priority: r.Priority, From: r.From, Action: r.Action, Table: r.Table,
		SuppressPrefixLength: r.SuppressPrefixLength, Protocol: r.Protocol, Flags: r.Flags,
	}) {
		return false
	}
	switch {
	case r.Action == rule.ActionUnreachable:
		return r.Table == rttables.Unspec && !r.SuppressPrefixLength.IsSet()
	case r.Action != rule.ActionLookup:
		return false
	case r.Table == rttables.Main:
		return leavesOutDefault(r)
	case r.Table == rttables.Local:
		return !r.SuppressPrefixLength.IsSet()
	}
	return !IsSystemTable(r.Table) && (leavesOutDefault(r) || !r.SuppressPrefixLength.IsSet())
}

// Gate returns the rule that leads packets from a past all rules before END.
func Gate(a netip.Addr, priority, end uint32, protocol route.Protocol) rule.Rule {
	return rule.Rule{
		Family: route.FamilyOf(a), Priority: rule.Priority(priority), From: HostPrefix(a),
		Action: rule.ActionGoto, Goto: end, Protocol: protocol,
	}
}

// GateForAll returns the rule that leads all packets of a family past all rules before
// END.
func GateForAll(f route.Family, priority, end uint32, protocol route.Protocol) rule.Rule {
	return rule.Rule{
		Family: f, Priority: rule.Priority(priority), Action: rule.ActionGoto, Goto: end, Protocol: protocol,
	}
}

// IsGate reports whether a rule has the form of a gate, of one source or for all.
func IsGate(r *rule.Rule) bool {
	return r.Action == rule.ActionGoto && (r.From.IsSingleIP() || !r.From.IsValid()) && *r == rule.Rule{
		Family: r.Family, Priority: r.Priority, From: r.From, Action: rule.ActionGoto, Goto: r.Goto,
		Protocol: r.Protocol, Flags: r.Flags,
	}
}

// End returns the rule that gates lead to.
func End(f route.Family, priority uint32, protocol route.Protocol) rule.Rule {
	return rule.Rule{Family: f, Priority: rule.Priority(priority), Action: rule.ActionNop, Protocol: protocol}
}

// IsEnd reports whether a rule has the form of END.
func IsEnd(r *rule.Rule) bool {
	return r.Action == rule.ActionNop && *r == rule.Rule{
		Family: r.Family, Priority: r.Priority, Action: rule.ActionNop, Protocol: r.Protocol, Flags: r.Flags,
	}
}

// LooksUpForAll reports whether a rule looks up a table for every packet, whoever
// made it.
func LooksUpForAll(r *rule.Rule, table rttables.ID) bool {
	return r.Table == table && *r == rule.Rule{
		Family: r.Family, Priority: r.Priority, Action: rule.ActionLookup, Table: table,
		Protocol: r.Protocol, Flags: r.Flags,
	}
}

// MayMatchSource reports whether a rule can decide about packets from a.
func MayMatchSource(r *rule.Rule, a netip.Addr) bool {
	if r.Action == rule.ActionNop {
		return false
	}
	return r.Not || !r.From.IsValid() || r.From.Masked().Contains(a)
}
