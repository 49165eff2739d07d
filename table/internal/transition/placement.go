package transition

import (
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A placement has the wanted rungs of an uplink in one family, and how to get to them
// from the existing rungs.
type placement struct {
	move   *move
	family route.Family
	have   []rule.Rule
	want   []rule.Rule
	// added are the rungs of want that are not among have, deleted those of have that
	// are not among want.
	added, deleted []rule.Rule
	// uncover has new rungs, and hide has old ones. A group without rungs inside has
	// nothing to do.
	uncover, hide gateGroup
	// oneRule means that only one rule differs, which can be added or deleted at its
	// priority.
	oneRule bool
	// blocked means that other rungs of the uplink have the wanted priorities, and have to
	// be deleted first.
	blocked bool
}

// changes reports whether any rung is added or deleted.
func (l *placement) changes() bool { return len(l.added)+len(l.deleted) > 0 }

// placeLadder finds priorities for the rungs of an installed uplink. If only sources
// are added or removed, the rungs keep their priorities. Otherwise they get priorities
// that allow the uplink to switch from the old rungs to the new ones in one step.
func (p *priorities) placeLadder(m *move, have []rule.Rule) (placement, error) {
	l := placement{move: m, family: p.family, have: have}
	ladder := m.Ladder(p.family, 0)
	if len(ladder) == 0 {
		l.setWant(nil)
		return l, nil
	}
	if prio := m.Spec.Priority; prio != 0 {
		l.setWant(m.Ladder(p.family, prio))
		if err := p.judge(&l); err != nil {
			return l, err
		}
		return l, p.checkOrder(m, l.want)
	}
	if prio, ok := findLadder(ladder, have); ok {
		kept := l
		kept.setWant(m.Ladder(p.family, prio))
		if p.keepsOrder(m, kept.want) && p.judge(&kept) == nil && !kept.blocked {
			return kept, nil
		}
	}
	if m.target != 0 {
		p.takeRange(m.target-1, m.target+m.Height(p.family))
	}
	lowest, _ := form.Span(have)
	noneBehind := false // no place behind the present rungs will do
	s := search{priorities: p, move: m, have: have, height: m.Height(p.family), limit: p.limitOf(m, p.rules.Before)}
	for prio := range s.places() {
		behind := len(have) > 0 && prio > lowest
		if behind && noneBehind {
			continue
		}
		l.setWant(m.Ladder(p.family, prio))
		if p.fits(&l) {
			return l, nil
		}
		noneBehind = noneBehind || behind && p.isObstructed(&l.hide)
	}
	return l, p.noRoom(m)
}

// noRoom returns the error for an uplink whose rungs have no room.
func (p *priorities) noRoom(m *move) error {
	limit := p.limitOf(m, p.rules.Before)
	if limit == p.rules.Before {
		return m.Spec.FieldError("Priority", "there are too few priorities between %s", p.rules.Bounds())
	}
	return m.Spec.OrderError("Priority",
		"there is no room for the %d priorities of the rules from its sources between %s, before the rules of Also, from %d on: "+
			"%smove rules of other programs, or the rule for main, out of the way",
		m.Height(p.family), p.rules.Bounds(), limit, p.together())
}

// placeWithoutStale is placeLadder for the case that unused rungs take all the room: rungs behind a
// complete generation, which a transaction without gates has left, and rungs that someone has put
// behind main. It returns these rungs, which are to be deleted first, or none if there is no room
// either.
func (p *priorities) placeWithoutStale(m *move, have []rule.Rule) (placement, []rule.Rule) {
	var used, stale []rule.Rule
	by, sources := form.BySource(have)
	for _, a := range sources {
		first, later := splitGenerations(by[a])
		stale = append(stale, later...)
		for _, r := range first {
			if p.rules.AreBehindMain(r.Priority.Or(0)) {
				stale = append(stale, r)
			} else {
				used = append(used, r)
			}
		}
	}
	if len(stale) == 0 {
		return placement{}, nil
	}
	l, err := p.placeLadder(m, used)
	if err != nil {
		return placement{}, nil
	}
	l.have = have
	return l, stale
}

// findLadder finds the priority at which the existing rungs begin.
func findLadder(ladder, have []rule.Rule) (uint32, bool) {
	if len(have) == 0 {
		return 0, false
	}
	at := make(map[rule.Rule][]uint32, len(have))
	for _, r := range have {
		like := form.Like(r)
		at[like] = append(at[like], r.Priority.Or(0))
	}
	for _, want := range ladder {
		k := want.Priority.Or(0)
		for _, prio := range at[form.Like(want)] {
			if prio > k {
				return prio - k, true
			}
		}
	}
	return 0, false
}

// setWant sets the rungs that are wanted, and sorts sources by what becomes of their
// rungs. New sources are uncovered, and sources that go are hidden. For the others
// both generations of rungs are there for a while: the one with the lower priorities
// decides. So the new one is uncovered if it is before the old, and else the old one
// is hidden.
func (l *placement) setWant(want []rule.Rule) {
	l.want = want
	l.added, l.deleted = form.Without(want, l.have), form.Without(l.have, want)
	l.uncover = gateGroup{family: l.family, uncovers: true}
	l.hide = gateGroup{family: l.family}
	if !l.changes() {
		return
	}
	wantLow, _ := form.Span(want)
	haveLow, _ := form.Span(l.have)
	wanted, sources := form.BySource(want)
	present, others := form.BySource(l.have)
	for _, a := range others {
		if wanted[a] == nil {
			sources = append(sources, a)
		}
	}
	added, _ := form.BySource(l.added)
	deleted, _ := form.BySource(l.deleted)
	for _, a := range sources {
		switch {
		case len(added[a])+len(deleted[a]) == 0:
		case len(wanted[a]) > 0 && (len(present[a]) == 0 || wantLow < haveLow):
			l.uncover.add(a, l.move, wanted[a], present[a])
		default:
			l.hide.add(a, l.move, present[a], wanted[a])
		}
	}
}

// judge decides how the rungs can get to the wanted priorities: with one rule, with
// gates, or only after other rungs have been deleted. The error names the rule that is
// in the way.
func (p *priorities) judge(l *placement) error {
	for _, r := range l.want {
		if err := p.check(l.move, r); err != nil {
			return err
		}
	}
	if len(l.added)+len(l.deleted) == 1 {
		l.oneRule = true
		return nil
	}
	l.blocked = l.uncover.overlaps() || l.hide.overlaps()
	if l.blocked {
		return nil
	}
	for _, g := range []*gateGroup{&l.uncover, &l.hide} {
		if !g.needsGates() {
			continue
		}
		r, err := p.refuseGates(g)
		switch {
		case err == nil:
		case l.move.isTemporary || !l.move.OwnsAlso(p.now, p.family, r):
			return err
		default:
			l.blocked = true // by an old rule of Also, which is about to go elsewhere
			return nil
		}
	}
	return nil
}

// fits reports whether gates have room, where they are needed.
func (p *priorities) fits(l *placement) bool {
	for _, g := range []*gateGroup{&l.uncover, &l.hide} {
		if g.overlaps() {
			return false
		}
		if !g.needsGates() {
			continue
		}
		if _, _, ok := p.placeGates(g); !ok {
			return false
		}
	}
	return true
}

// isObstructed reports whether another program's rule is in the way of the gates of a
// group.
func (p *priorities) isObstructed(g *gateGroup) bool {
	if !g.needsGates() {
		return false
	}
	_, r, ok := p.placeGates(g)
	return !ok && r != rule.Rule{}
}
