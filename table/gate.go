package table

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// A gating hides rungs from the packets of their sources, or uncovers them, in
// one step. Before the rungs each source has a gate, the rule
//
//	from A goto END
//
// and after them stands END, a rule that does nothing. While END is there the
// gates lead past the rungs; without it they lead nowhere, and the kernel goes on
// with the next rule. So END is the one switch of all gates: to delete it
// uncovers the rungs of all sources, to add it hides them.
type gating struct {
	family  route.Family
	sources []netip.Addr
	owners  []*wanted // of the sources
	// opens: inside is new, and is uncovered at the end. Otherwise inside is
	// old, and is hidden.
	opens  bool
	inside []rule.Rule
	// beyond are rungs of the same sources that have to come after END.
	beyond []rule.Rule

	gate, end uint32 // priorities, once placed
	// lands: END is a rule that is there anyway.
	lands bool
}

// add makes one gating of two.
func (g *gating) add(o gating) {
	g.sources = slices.Concat(g.sources, o.sources)
	g.owners = slices.Concat(g.owners, o.owners)
	g.inside = slices.Concat(g.inside, o.inside)
	g.beyond = slices.Concat(g.beyond, o.beyond)
}

// owner is whose rung or gate a rule is. END is the first one's.
func (g *gating) owner(r rule.Rule) *wanted {
	if i := slices.Index(g.sources, r.From.Addr()); i >= 0 {
		return g.owners[i]
	}
	return g.owners[0]
}

// place finds the priorities of the gates and of END. Between them there may be
// no rule but those inside that says anything about the sources. If there is, it
// returns it; the zero Rule says that there is no room.
func (g *gating) place(p *prioritizer) (inTheWay rule.Rule, ok bool) {
	_, hi := span(g.inside)
	limit := p.main
	if len(g.beyond) > 0 {
		limit, _ = span(g.beyond)
	}
	for g.end = hi + 1; g.end < limit && p.taken[g.end]; g.end++ {
	}
	g.lands = false
	inTheWay, ok = g.placeGates(p)
	return inTheWay, ok && g.end < limit
}

// land is place with the next rule that there is for END. It cannot be added or
// deleted, so that each gate is a switch of its own.
func (g *gating) land(p *prioritizer) bool {
	_, hi := span(g.inside)
	g.end, g.lands = p.main, true
	if len(g.beyond) > 0 {
		g.end, _ = span(g.beyond)
	}
	for _, r := range p.rules {
		if prio := r.Priority.Or(0); prio > hi && prio < g.end {
			g.end = prio
		}
	}
	_, ok := g.placeGates(p)
	return ok && g.end > hi
}

// placeGates finds the priority of the gates, where that of END is known.
func (g *gating) placeGates(p *prioritizer) (inTheWay rule.Rule, ok bool) {
	lo, _ := span(g.inside)
	for g.gate = lo - 1; g.gate > p.local && p.taken[g.gate]; g.gate-- {
	}
	for _, r := range p.rules {
		prio := r.Priority.Or(0)
		if prio <= g.gate || prio >= g.end || contains(g.inside, r) {
			continue
		}
		if slices.ContainsFunc(g.sources, func(a netip.Addr) bool { return mayMatch(r, a) }) {
			return r, false
		}
	}
	return rule.Rule{}, g.gate > p.local
}

// mayMatch reports whether a rule says anything about packets from a.
func mayMatch(r rule.Rule, a netip.Addr) bool {
	if r.Action == rule.ActionNop {
		return false
	}
	return r.Not || !r.From.IsValid() || r.From.Masked().Contains(a)
}

func (g *gating) endRule() rule.Rule {
	return rule.Rule{
		Family: g.family, Priority: rule.Priority(g.end), Action: rule.ActionNop, Protocol: g.owners[0].uplink.protocol(),
	}
}

func (g *gating) gateRules() []rule.Rule {
	var gates []rule.Rule
	for _, a := range g.sources {
		gates = append(gates, rule.Rule{
			Family: g.family, Priority: rule.Priority(g.gate), From: host(a), Action: rule.ActionGoto, Goto: g.end,
			Protocol: g.owners[0].uplink.protocol(),
		})
	}
	return gates
}

// one reports whether the change is a single step without any gate: one rung is
// added before those beyond, or deleted before them.
func (g *gating) one() bool { return len(g.inside) == 1 }
