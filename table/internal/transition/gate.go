package transition

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A gateGroup is a group of rungs that are hidden from the packets of their sources, or
// uncovered, in one step. Each source has a gate in front of its rungs, the rule
//
//	from A goto END
//
// and after all rungs comes END, a rule that does nothing. While END exists, the gates
// make the kernel skip the rungs. Without END, the kernel ignores the gates and
// continues with the next rule. So END switches all gates: deleting it uncovers the
// rungs of all sources, and adding it hides them.
//
// If only the rungs of several sources are between the gates and END, a single gate for
// all packets is enough:
//
//	from all goto END
//
// Other packets match none of the rules that this gate skips. So the gate itself is the
// switch: deleting it uncovers the rungs, and adding it hides them. END is the mark of the
// transaction: it is added before the gate and deleted after the gate. A single gate is
// also faster. While a rule goto exists, the kernel goes through all rules for each rule
// that is deleted. For each rule that is added, it goes through the rules before it, and
// most of these would be gates of many sources.
type gateGroup struct {
	family  route.Family
	sources []netip.Addr
	owners  map[netip.Addr]*move // by source
	// uncovers says that the rungs inside are new, and are uncovered at the end.
	// Otherwise they are old, and are hidden.
	uncovers bool
	inside   []rule.Rule
	// beyond are rungs of the same sources that have to come after END.
	beyond []rule.Rule
}

// gatePlaces are the priorities of the gates and of END.
type gatePlaces struct {
	gate, end uint32
	// foreignEnd means that an existing rule is used as END. The transaction cannot add or
	// delete it, so each gate switches only its own source.
	foreignEnd bool
	// forAll means that a single gate for all packets is enough.
	forAll bool
}

// add adds a source with its rungs.
func (g *gateGroup) add(a netip.Addr, owner *move, inside, beyond []rule.Rule) {
	if g.owners == nil {
		g.owners = make(map[netip.Addr]*move)
	}
	g.sources = append(g.sources, a)
	g.owners[a] = owner
	g.inside = append(g.inside, inside...)
	g.beyond = append(g.beyond, beyond...)
}

// first returns the move of the first source, whose protocol END has.
func (g *gateGroup) first() *move { return g.owners[g.sources[0]] }

// owner returns the move that a rung or a gate belongs to. END belongs to the move of
// the first source.
func (g *gateGroup) owner(r rule.Rule) *move {
	if m := g.owners[r.From.Addr()]; m != nil {
		return m
	}
	return g.first()
}

// overlaps reports whether rungs inside and beyond have priorities in common.
func (g *gateGroup) overlaps() bool { return form.Overlap(g.inside, g.beyond) }

// needsGates reports whether gates are needed to uncover or hide the rungs in one step.
// A single rung needs none. Rungs that are deleted without new ones can be deleted one
// by one.
func (g *gateGroup) needsGates() bool {
	return len(g.inside) > 1 && (g.uncovers || len(g.beyond) > 0)
}

// placeGates finds priorities for the gates and END. Between them there may be no rule
// but those inside that can decide about a packet of the sources. If there is one,
// placeGates returns it; the zero Rule says that there is no room.
func (p *priorities) placeGates(g *gateGroup) (at gatePlaces, inTheWay rule.Rule, ok bool) {
	return p.placeGatesFrom(g, 0)
}

// placeGatesFrom is placeGates with an END that is not before a priority.
func (p *priorities) placeGatesFrom(g *gateGroup, end uint32) (at gatePlaces, inTheWay rule.Rule, ok bool) {
	lowest, highest := form.Span(g.inside)
	limit := p.endLimit(g)
	for at.end = max(end, highest+1); at.end < limit && p.isTaken(at.end) && !p.ends[at.end]; at.end++ {
	}
	at.gate = p.gateBefore(lowest)
	inTheWay, found := p.inTheWay(g, at)
	return at, inTheWay, !found && at.gate > p.gateFloor(lowest) && at.end < limit
}

// placeGatesToForeignEnd is placeGates with an existing rule as END: the next rule that
// will not be deleted, or otherwise the next rule.
func (p *priorities) placeGatesToForeignEnd(g *gateGroup) (at gatePlaces, ok bool) {
	lowest, highest := form.Span(g.inside)
	limit := p.endLimit(g)
	at.gate, at.foreignEnd = p.gateBefore(lowest), true
	next, staying := limit, limit
	if limit > highest+1 {
		between := p.rules.Between(highest+1, limit-1)
		if len(between) > 0 {
			next = between[0].Priority.Or(0)
		}
		if i := slices.IndexFunc(between, func(r rule.Rule) bool { return !p.leaving.Has(r) }); i >= 0 {
			staying = between[i].Priority.Or(0)
		}
	}
	for _, at.end = range []uint32{staying, next} {
		if _, found := p.inTheWay(g, at); !found && at.gate > p.gateFloor(lowest) && at.end > highest {
			return at, true
		}
	}
	return at, false
}

// endLimit returns the priority that END has to be before. No gate may lead past the rule
// for local from rungs that someone has put that rule behind.
func (p *priorities) endLimit(g *gateGroup) uint32 {
	limit := p.rules.Before
	if len(g.beyond) > 0 {
		limit, _ = form.Span(g.beyond)
	}
	if _, highest := form.Span(g.inside); highest < p.rules.After {
		limit = min(limit, p.rules.After)
	}
	return limit
}

// gateFloor returns the priority that the gates of rungs have to be after. Rungs that are
// before others that ours have to be after, as someone has moved these, have their gates
// there as well.
func (p *priorities) gateFloor(lowest uint32) uint32 {
	if lowest <= p.rules.After {
		return 0
	}
	return p.rules.After
}

// gateBefore returns the next priority before lowest that nothing but gates has.
func (p *priorities) gateBefore(lowest uint32) uint32 {
	prio, floor := lowest-1, p.gateFloor(lowest)
	for prio > floor && p.isTaken(prio) && !p.gates[prio] {
		prio--
	}
	return prio
}

// inTheWay returns a rule between the gates and END, other than those inside, that can
// decide about a packet of the sources; or a rule goto that can lead such a packet past
// the gates.
func (p *priorities) inTheWay(g *gateGroup, at gatePlaces) (rule.Rule, bool) {
	last := at.end - 1
	if len(g.beyond) > 0 {
		last, _ = form.Span(g.beyond)
	}
	for _, r := range p.rules.Gotos() {
		if r.Priority.Or(0) <= at.gate && r.Goto > at.gate && r.Goto <= last && len(p.rules.At(r.Goto)) > 0 &&
			r.Protocol != g.first().Spec.Proto() && g.mayMatch(r) {
			return *r, true
		}
	}
	if at.end <= at.gate+1 {
		return rule.Rule{}, false
	}
	between := p.rules.Between(at.gate+1, at.end-1)
	if len(between) == 0 {
		return rule.Rule{}, false
	}
	inside := form.MakeSet(g.inside...)
	for i := range between {
		r := &between[i]
		if g.mayMatch(r) && !inside.Has(*r) && !p.isPassed(r) {
			return *r, true
		}
	}
	return rule.Rule{}, false
}

// standsAlone reports whether nothing is between the gates and END of several sources, and
// nothing will be, but the rungs inside.
func (p *priorities) standsAlone(g *gateGroup, at gatePlaces) bool {
	if len(g.sources) < 2 {
		return false
	}
	last := at.end
	if at.foreignEnd {
		last--
	}
	planned := 0
	for prio := at.gate; prio <= last; prio++ {
		planned += p.planned[prio]
	}
	if g.uncovers {
		planned -= len(g.inside)
	}
	if planned != 0 {
		return false
	}
	between := p.rules.Between(at.gate, last)
	if len(between) == 0 {
		return true
	}
	inside := form.MakeSet(g.inside...)
	return !slices.ContainsFunc(between, func(r rule.Rule) bool { return !inside.Has(r) })
}

// isPassed reports whether a rule between gates and END is the one for local or l3mdev, which
// ours have to be after. There are rungs before that rule then, which take its packets anyway.
func (p *priorities) isPassed(r *rule.Rule) bool {
	return r.Priority.Or(0) <= p.rules.After && (r.L3MDev || form.LooksUpForAll(r, rttables.Local))
}

// mayMatch reports whether a rule can decide about a packet of one of the sources.
func (g *gateGroup) mayMatch(r *rule.Rule) bool {
	if r.From.IsSingleIP() && !r.Not {
		return g.owners[r.From.Addr()] != nil && form.MayMatchSource(r, r.From.Addr())
	}
	return slices.ContainsFunc(g.sources, func(a netip.Addr) bool { return form.MayMatchSource(r, a) })
}

// refuseGates says why gates have no room. If another rule is in the way, refuseGates
// returns it as well.
func (p *priorities) refuseGates(g *gateGroup) (rule.Rule, error) {
	_, r, ok := p.placeGates(g)
	if ok {
		return r, nil
	}
	// With a foreign END, each source switches by itself. That is good enough for a single
	// source, or if there is no choice.
	if len(g.sources) == 1 || g.first().Spec.Priority != 0 {
		if _, ok := p.placeGatesToForeignEnd(g); ok {
			return r, nil
		}
	}
	spec := g.first().Spec
	if r != (rule.Rule{}) {
		return r, spec.Conflict(r, "this rule may match the same packets, and leaves no priority for the temporary rule in front of the uplink's rules: move that rule, or give the uplink another priority")
	}
	lowest, highest := form.Span(g.inside)
	return r, spec.FieldError("Priority", "no priority is free just before or just after the rules at %d to %d", lowest, highest)
}

// end returns the rule END.
func (g *gateGroup) end(at gatePlaces) rule.Rule {
	return form.End(g.family, at.end, g.first().Spec.Proto())
}

// gates returns the gate of each source, or the one for all.
func (g *gateGroup) gates(at gatePlaces) []rule.Rule {
	if at.forAll {
		return []rule.Rule{form.GateForAll(g.family, at.gate, at.end, g.first().Spec.Proto())}
	}
	gates := make([]rule.Rule, 0, len(g.sources))
	for _, a := range g.sources {
		gates = append(gates, form.Gate(a, at.gate, at.end, g.first().Spec.Proto()))
	}
	return gates
}

// merge makes one group of several, where one END can serve them.
func (p *priorities) merge(groups []gateGroup) []gateGroup {
	if len(groups) < 2 {
		return groups
	}
	one := gateGroup{family: groups[0].family, uncovers: groups[0].uncovers}
	for i := range groups {
		g := &groups[i]
		if g.first().Spec.Proto() != groups[0].first().Spec.Proto() {
			return groups
		}
		inside, _ := form.BySource(g.inside)
		beyond, _ := form.BySource(g.beyond)
		for _, a := range g.sources {
			one.add(a, g.owners[a], inside[a], beyond[a])
		}
	}
	if _, _, ok := p.placeGates(&one); !ok {
		return groups
	}
	return []gateGroup{one}
}
