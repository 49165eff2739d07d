package table

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// rungs are the rules of one source, in the order of their priorities, which
// are still unset:
//
//	from A lookup T    suppress_prefixlength 0    MainFirst: what is behind the uplink in particular
//	from A lookup main suppress_prefixlength 0    MainFirst: all that main knows but the default route
//	from A lookup T
//	from A unreachable                            Unreachable
//
// The last rung is a rule and not a route of T: that would also stop what the
// first rung lets pass while the link is down.
func (w *wanted) rungs(a netip.Addr) []rule.Rule {
	lookup := rule.Rule{
		Family: route.FamilyOf(a), From: host(a), Action: rule.ActionLookup, Table: w.table,
		Protocol: w.uplink.protocol(),
	}
	var rungs []rule.Rule
	if w.uplink.MainFirst {
		own := lookup
		own.SuppressPrefixLength = noDefault
		main := own
		main.Table = rttables.Main
		rungs = append(rungs, own, main)
	}
	rungs = append(rungs, lookup)
	if w.uplink.Unreachable {
		last := lookup
		last.Action, last.Table = rule.ActionUnreachable, rttables.Unspec
		rungs = append(rungs, last)
	}
	return rungs
}

// noDefault suppresses the default route of a table.
var noDefault = route.Some(uint32(0))

// height is how many priorities the rungs take.
func (u *SourceRoutedUplink) height() uint32 {
	n := uint32(1)
	if u.MainFirst {
		n += 2
	}
	if u.Unreachable {
		n++
	}
	return n
}

// ladder are the rungs of the sources of a family, at consecutive priorities
// from prio on.
func (w *wanted) ladder(f route.Family, prio uint32) []rule.Rule {
	var all []rule.Rule
	for k := range w.uplink.height() {
		for _, a := range w.sources {
			if route.FamilyOf(a) == f {
				r := w.rungs(a)[k]
				r.Priority = rule.Priority(prio + k)
				all = append(all, r)
			}
		}
	}
	return all
}

// isRung reports whether a rule has the form of a rung.
func isRung(r rule.Rule) bool {
	plain := rule.Rule{
		Family: r.Family, Priority: r.Priority, From: r.From, Action: r.Action, Table: r.Table,
		SuppressPrefixLength: r.SuppressPrefixLength, Protocol: r.Protocol, Flags: r.Flags,
	}
	if r != plain || !r.From.IsSingleIP() {
		return false
	}
	switch {
	case r.Action == rule.ActionUnreachable:
		return r.Table == rttables.Unspec && !r.SuppressPrefixLength.IsSet()
	case r.Action != rule.ActionLookup:
		return false
	case r.Table == rttables.Main:
		return r.SuppressPrefixLength == noDefault
	}
	return !reserved(r.Table) && (r.SuppressPrefixLength == noDefault || !r.SuppressPrefixLength.IsSet())
}

// isGate reports whether a rule has the form of a gate: from A goto END.
func isGate(r rule.Rule) bool {
	return r.From.IsSingleIP() && r == rule.Rule{
		Family: r.Family, Priority: r.Priority, From: r.From, Action: rule.ActionGoto, Goto: r.Goto,
		Protocol: r.Protocol, Flags: r.Flags,
	}
}

// isEnd reports whether a rule has the form of the END of gates.
func isEnd(r rule.Rule) bool {
	return r == rule.Rule{
		Family: r.Family, Priority: r.Priority, Action: rule.ActionNop, Protocol: r.Protocol, Flags: r.Flags,
	}
}

// installed are the rungs of an uplink that there are in a family. Those that
// look up its table, or one that it is moved from, say themselves whose they
// are; the others have the source of one of them, or a wanted one.
func (s *state) installed(w *wanted, f route.Family) []rule.Rule {
	sources := slices.Clone(w.sources)
	for _, r := range s.rules {
		if w.ownsRule(f, r) && isRung(r) && !w.isAlso(r) {
			sources = append(sources, r.From.Addr())
		}
	}
	var rungs []rule.Rule
	for _, r := range s.rules {
		if r.Family != f || r.Protocol != w.uplink.protocol() || !isRung(r) || w.isAlso(r) {
			continue
		}
		shared := r.Table == rttables.Main || r.Table == rttables.Unspec
		if w.ownsRule(f, r) || shared && slices.Contains(sources, r.From.Addr()) {
			rungs = append(rungs, r)
		}
	}
	return rungs
}

// isAlso reports whether a rule is one of Also: they can have the form of rungs.
func (w *wanted) isAlso(r rule.Rule) bool {
	return slices.ContainsFunc(w.also, func(o rule.Rule) bool {
		o.Priority, o.Table = r.Priority, r.Table
		return bare(o) == bare(r)
	})
}

// ownsRule reports whether a rule leads to a table of the uplink's, and is ours.
func (w *wanted) ownsRule(f route.Family, r rule.Rule) bool {
	return r.Family == f && r.Protocol == w.uplink.protocol() && slices.Contains(w.families, f) && w.uses(r.Table)
}

// uses reports whether a table is the uplink's, or one that it is moved from.
func (w *wanted) uses(t rttables.ID) bool {
	return t != 0 && (t == w.table || slices.Contains(w.former, t))
}

// of are the rules whose source is a.
func of(rules []rule.Rule, a netip.Addr) []rule.Rule {
	var found []rule.Rule
	for _, r := range rules {
		if r.From.Addr() == a {
			found = append(found, r)
		}
	}
	return found
}

// without are the rules that are not among others.
func without(rules, others []rule.Rule) []rule.Rule {
	var left []rule.Rule
	for _, r := range rules {
		if !contains(others, r) {
			left = append(left, r)
		}
	}
	return left
}

// span are the lowest and the highest priority of rules.
func span(rules []rule.Rule) (lo, hi uint32) {
	for i, r := range rules {
		prio := r.Priority.Or(0)
		if i == 0 || prio < lo {
			lo = prio
		}
		hi = max(hi, prio)
	}
	return lo, hi
}
