package table

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// A laid is where the rungs of an uplink are to be in one family, and how they
// get there from those that there are.
type laid struct {
	w    *wanted
	have []rule.Rule
	want []rule.Rule
	// opens and closes are the rungs to uncover and to hide; without rungs
	// inside there is nothing to do.
	opens, closes gating
	// mends: what differs is one rule, which is added or deleted where it is.
	mends bool
	// detour: the wanted priorities are those of other rungs of the uplink. It
	// has to get out of its own way first.
	detour bool
}

// lay finds priorities for the rungs of an uplink, of which there are some: those
// that it has, if all that differs are sources that come or go, and else others,
// beside which it can change over in one step.
func (p *prioritizer) lay(w *wanted, f route.Family, have []rule.Rule) (laid, error) {
	l := laid{w: w, have: have}
	if len(w.ladder(f, 0)) == 0 {
		l.split(f)
		return l, nil
	}
	if w.uplink.Priority != 0 {
		return l, p.layAt(&l, f, w.uplink.Priority)
	}
	if prio, ok := p.guess(w, f, have); ok {
		kept := l
		if p.layAt(&kept, f, prio) == nil && !kept.detour {
			return kept, nil
		}
	}
	if w.given != 0 {
		// It makes way for itself.
		p.reserve(w.given-1, w.given+w.uplink.height())
	}
	for prio := range p.places(w, have) {
		l.want = w.ladder(f, prio)
		l.split(f)
		if p.fits(&l) {
			return l, nil
		}
	}
	return l, w.uplink.field("Priority", "there is no room for the rules between those for local, %d, and for main, %d",
		p.local, p.main)
}

// places yields where rungs could begin: from the usual place on, and then before
// those that there are, as a rule of Also may stand right behind them. For a
// detour of rungs with a given priority it is the other way round. Between two
// generations of rungs is room for END, which those of other uplinks may need.
func (p *prioritizer) places(w *wanted, have []rule.Rule) iter.Seq[uint32] {
	begin, height := p.first(sourcesBelowMain), w.uplink.height()
	lo, _ := span(have)
	if w.detour {
		begin = p.first(detourBelowMain)
	}
	up := func(yield func(uint32) bool) bool {
		for prio := begin; p.between(prio); prio++ {
			at, ok := prio, p.free(prio, height)
			if len(have) > 0 {
				ok = p.free(prio, height+1)
				if prio > lo {
					at++
				}
			}
			if ok && !yield(at) {
				return false
			}
		}
		return true
	}
	down := func(yield func(uint32) bool) bool {
		from := begin
		if len(have) > 0 {
			from = lo
		}
		if w.given != 0 {
			from = min(from, w.given-1)
		}
		for prio := from; prio > p.local+height+1; prio-- {
			if at := prio - height - 1; p.free(at, height+1) && !yield(at) {
				return false
			}
		}
		return true
	}
	return func(yield func(uint32) bool) {
		if w.given != 0 {
			_ = down(yield) && up(yield)
		} else {
			_ = up(yield) && down(yield)
		}
	}
}

// reserve keeps priorities free that will be needed.
func (p *prioritizer) reserve(from, to uint32) {
	for prio := from; prio <= to; prio++ {
		p.taken[prio] = true
	}
}

// layAt lays the rungs at given priorities.
func (p *prioritizer) layAt(l *laid, f route.Family, prio uint32) error {
	l.want = l.w.ladder(f, prio)
	for _, r := range l.want {
		if err := p.claim(l.w, r); err != nil {
			return err
		}
	}
	added, deleted := without(l.want, l.have), without(l.have, l.want)
	if len(added)+len(deleted) == 1 {
		l.mends = true
		return nil
	}
	l.split(f)
	l.detour = overlap(l.opens.inside, l.opens.beyond) || overlap(l.closes.inside, l.closes.beyond)
	for _, g := range []gating{l.opens, l.closes} {
		if l.detour || len(g.inside) < 2 || !g.opens && len(g.beyond) == 0 {
			continue // what only goes can go in any case
		}
		if err := g.refuse(p); err != nil {
			// An old rule of Also is about to go elsewhere.
			if r, _ := g.place(p); l.w.detour || !l.w.ownsAlso(f, r, p.rules) {
				return err
			}
			l.detour = true
		}
	}
	return nil
}

// refuse says why gates have no room.
func (g *gating) refuse(p *prioritizer) error {
	r, ok := g.place(p)
	if ok || g.land(p) && (len(g.sources) == 1 || g.owners[0].uplink.Priority != 0) {
		return nil
	}
	if r != (rule.Rule{}) {
		return g.owners[0].conflict(r, "a rule that may match the same packets leaves no room for the one that hides ours until all are there")
	}
	lo, hi := span(g.inside)
	return g.owners[0].uplink.field("Priority", "no other is free just before or after those of the rules, %d to %d", lo, hi)
}

// overlap reports whether the priorities of some rules are among those of others.
func overlap(a, b []rule.Rule) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	alo, ahi := span(a)
	blo, bhi := span(b)
	return alo <= bhi && blo <= ahi
}

// guess finds where the rungs begin that there are.
func (p *prioritizer) guess(w *wanted, f route.Family, have []rule.Rule) (uint32, bool) {
	for _, want := range w.ladder(f, 0) {
		for _, r := range have {
			prio, k := r.Priority.Or(0), want.Priority.Or(0)
			r.Priority = want.Priority
			if prio > k && bare(r) == bare(want) {
				return prio - k, true
			}
		}
	}
	return 0, false
}

// fits reports whether gates have room, where they are needed.
func (p *prioritizer) fits(l *laid) bool {
	for _, g := range []gating{l.opens, l.closes} {
		if overlap(g.inside, g.beyond) {
			return false
		}
		if len(g.inside) < 2 || !g.opens && len(g.beyond) == 0 {
			continue // what only goes can go in any case
		}
		if _, ok := g.place(p); !ok {
			return false
		}
	}
	return true
}

// split sorts sources by what becomes of their rungs. New sources are uncovered,
// and sources that go are hidden. For the others both generations of rungs are
// there for a while: the one with the lower priorities decides. So the new one
// is uncovered if it is before the old, and else the old one is hidden.
func (l *laid) split(f route.Family) {
	l.opens = gating{family: f, opens: true}
	l.closes = gating{family: f}
	var sources []netip.Addr
	for _, r := range slices.Concat(l.want, l.have) {
		if a := r.From.Addr(); !slices.Contains(sources, a) {
			sources = append(sources, a)
		}
	}
	wlo, _ := span(l.want)
	hlo, _ := span(l.have)
	for _, a := range sources {
		g := gating{sources: []netip.Addr{a}, owners: []*wanted{l.w}, inside: of(l.want, a), beyond: of(l.have, a)}
		if len(without(g.inside, g.beyond))+len(without(g.beyond, g.inside)) == 0 {
			continue
		}
		if len(g.inside) > 0 && (len(g.beyond) == 0 || wlo < hlo) {
			l.opens.add(g)
			continue
		}
		g.inside, g.beyond = g.beyond, g.inside
		l.closes.add(g)
	}
}
