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
// rules from sources have to come before all of Also. Rules from sources that are
// there only within a transaction are from 31900 on.
const (
	sourcesBelowMain = 1766
	detourBelowMain  = 866
	alsoBelowMain    = 766
)

// A prioritizer gives rules of one family their priorities.
type prioritizer struct {
	rules       []rule.Rule // those that there are
	local, main uint32
	// taken are the priorities that rules have, or gotos lead to: a rule there
	// would turn those on.
	taken map[uint32]bool
}

func newPrioritizer(s *state, f route.Family) *prioritizer {
	p := &prioritizer{taken: make(map[uint32]bool), main: 32766, rules: make([]rule.Rule, 0, len(s.rules))}
	foundLocal, foundMain := false, false
	for _, r := range s.rules {
		if r.Family != f {
			continue
		}
		p.rules = append(p.rules, r)
		prio := r.Priority.Or(0)
		p.taken[prio] = true
		if r.Goto != 0 {
			p.taken[r.Goto] = true
		}
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

// take notes the priorities of rules that there will be.
func (p *prioritizer) take(rules []rule.Rule) {
	for _, r := range rules {
		p.taken[r.Priority.Or(0)] = true
	}
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

// first is the priority to begin with, so many below main.
func (p *prioritizer) first(belowMain uint32) uint32 {
	if p.main > belowMain {
		return max(p.local+1, p.main-belowMain)
	}
	return p.local + 1
}

// free reports whether nothing has n priorities from prio on.
func (p *prioritizer) free(prio, n uint32) bool {
	for k := range n {
		if p.taken[prio+k] || !p.between(prio+k) {
			return false
		}
	}
	return true
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
	if contains(p.rules, r) {
		return nil // it is installed
	}
	i := slices.IndexFunc(p.rules, func(have rule.Rule) bool {
		return have.Priority == r.Priority && have.Protocol != w.uplink.protocol()
	})
	if i >= 0 {
		return w.conflict(p.rules[i], "someone else's rule is at the priority of one of ours")
	}
	return nil
}

// conflict is an error about someone else's rule.
func (w *wanted) conflict(r rule.Rule, reason string) error {
	return &ConflictError{Uplink: w.uplink.String(), Object: r.String(), Owner: r.Protocol, Reason: reason}
}
