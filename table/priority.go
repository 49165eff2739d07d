package table

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// Where priorities are chosen, counted down from the rule that looks up main,
// at 32766 unless someone moved it: sources from 31000 on, Also from 32000 on.
// A packet from one of an uplink's sources has no choice of uplink left, so all
// rules from sources have to come before all of Also.
const (
	sourcesBelowMain = 1766
	alsoBelowMain    = 766
)

// A prioritizer gives rules of one family their priorities.
type prioritizer struct {
	rules       []rule.Rule // those that there are
	local, main uint32
	taken       map[uint32]bool
}

func newPrioritizer(s *state, f route.Family) *prioritizer {
	p := &prioritizer{taken: make(map[uint32]bool), main: 32766}
	foundLocal, foundMain := false, false
	for _, r := range s.rules {
		if r.Family != f {
			continue
		}
		p.rules = append(p.rules, r)
		prio := r.Priority.Or(0)
		p.taken[prio] = true
		switch r {
		case everything(f, rttables.Local, r):
			if !foundLocal {
				p.local, foundLocal = prio, true
			}
		case everything(f, rttables.Main, r):
			if !foundMain {
				p.main, foundMain = prio, true
			}
		}
	}
	return p
}

// everything is a rule that looks up a table for every packet, at the place and
// with the owner of like.
func everything(f route.Family, t rttables.ID, like rule.Rule) rule.Rule {
	return rule.Rule{
		Family: f, Priority: like.Priority, Action: rule.ActionLookup, Table: t,
		Protocol: like.Protocol, Flags: like.Flags,
	}
}

// assign gives the rules of an uplink their priorities.
func (p *prioritizer) assign(w *wanted, f route.Family) error {
	u := w.uplink
	next := u.Priority
	if next == 0 {
		next = p.free(sourcesBelowMain)
	}
	if err := p.sources(w, f, next); err != nil {
		return err
	}
	if u.Priority != 0 {
		next = u.Priority + 1
	} else {
		next = p.free(alsoBelowMain)
	}
	return p.also(w, f, next)
}

// sources puts the rules from sources at one priority: that of u, or of those
// that are installed, or a free one.
func (p *prioritizer) sources(w *wanted, f route.Family, prio uint32) error {
	if w.uplink.Priority == 0 {
		for _, r := range w.rules {
			if have, ok := p.find(r); ok && r.Family == f && p.between(have) {
				prio = have
				break
			}
		}
	}
	for i := range w.rules {
		r := &w.rules[i]
		if r.Family != f {
			continue
		}
		r.Priority = rule.Pref(prio)
		if err := p.claim(w, *r); err != nil {
			return err
		}
	}
	p.taken[prio] = true
	return nil
}

// also gives each rule of Also a priority of its own, in their order.
func (p *prioritizer) also(w *wanted, f route.Family, next uint32) error {
	for i := range w.also {
		r := &w.also[i]
		if r.Family != f {
			continue
		}
		if !r.Priority.IsSet() {
			have, installed := p.find(*r)
			switch {
			case w.uplink.Priority != 0:
				r.Priority = rule.Pref(next)
				next++
			case installed && p.between(have):
				r.Priority = rule.Pref(have)
			default:
				for p.taken[next] {
					next++
				}
				r.Priority = rule.Pref(next)
			}
		}
		if err := p.claim(w, *r); err != nil {
			return err
		}
		p.taken[r.Priority.Or(0)] = true
	}
	return nil
}

// find looks for a rule that is like r but for its priority.
func (p *prioritizer) find(r rule.Rule) (uint32, bool) {
	want := bare(r)
	for _, have := range p.rules {
		want.Priority = have.Priority
		if bare(have) == want {
			return have.Priority.Or(0), true
		}
	}
	return 0, false
}

// bare is r in the form in which rules are compared.
func bare(r rule.Rule) rule.Rule {
	r = r.Canonical()
	r.Flags = 0
	return r
}

// free is the lowest priority that nothing has, from so many below main on.
func (p *prioritizer) free(belowMain uint32) uint32 {
	prio := p.local + 1
	if p.main > belowMain {
		prio = max(prio, p.main-belowMain)
	}
	for p.taken[prio] {
		prio++
	}
	return prio
}

// between reports whether a rule at prio is looked at after local and before
// main.
func (p *prioritizer) between(prio uint32) bool { return prio > p.local && prio < p.main }

// claim refuses a priority that is out of place, or where someone else's rule
// stands.
func (p *prioritizer) claim(w *wanted, r rule.Rule) error {
	prio := r.Priority.Or(0)
	if !p.between(prio) {
		return w.uplink.field("Priority", "%d is not between those of the rules for local, %d, and for main, %d",
			prio, p.local, p.main)
	}
	if slices.ContainsFunc(p.rules, func(have rule.Rule) bool { return bare(have) == bare(r) }) {
		return nil // it is installed
	}
	for _, have := range p.rules {
		if have.Priority == r.Priority && have.Protocol != w.uplink.protocol() {
			return &ConflictError{
				Uplink: w.uplink.String(), Object: have.String(),
				Reason: "someone else's rule is at the priority of one of ours",
			}
		}
	}
	return nil
}
