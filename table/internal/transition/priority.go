package transition

import (
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/host"
)

// Where priorities are chosen, counted down from the rule that looks up main, at 32766
// unless someone moved it: rungs from 31000 on, rules of Also from 32000 on. A packet
// from a source of one uplink must not meet the rules of Also of another, so all rungs
// have to come before all of Also. Rungs of temporary tables are from 31900 on.
const (
	rungsBelowMain     = 1766
	temporaryBelowMain = 866
	alsoBelowMain      = 766
)

// Priorities give rules of one family their places.
type priorities struct {
	family route.Family
	rules  *host.Rules // that there are
	taken  map[uint32]bool
	// lowest is the first priority from the key on that may be free.
	lowest map[uint32]uint32
	// foreign are rules of others at a priority.
	foreign map[owned]*rule.Rule
	now     *host.State
}

// An owned priority is one at which a protocol has, or wants, a rule.
type owned struct {
	priority uint32
	protocol route.Protocol
}

func newPriorities(now *host.State, f route.Family) *priorities {
	return &priorities{
		family: f, rules: now.Rules(f), now: now,
		taken: make(map[uint32]bool), lowest: make(map[uint32]uint32), foreign: make(map[owned]*rule.Rule),
	}
}

// isTaken reports whether a rule has a priority or will have it, or a goto leads there.
func (p *priorities) isTaken(prio uint32) bool { return p.rules.Taken(prio) || p.taken[prio] }

// take notes the priorities of rules that there will be.
func (p *priorities) take(rules []rule.Rule) {
	for i := range rules {
		p.taken[rules[i].Priority.Or(0)] = true
	}
}

// takeRange keeps priorities free that will be needed.
func (p *priorities) takeRange(from, to uint32) {
	for prio := from; prio <= to; prio++ {
		p.taken[prio] = true
	}
}

// start returns the priority to begin with, so many below main.
func (p *priorities) start(belowMain uint32) uint32 {
	if p.rules.Main > belowMain {
		return max(p.rules.Local+1, p.rules.Main-belowMain)
	}
	return p.rules.Local + 1
}

// firstFree returns the first priority from begin on that is not taken.
func (p *priorities) firstFree(begin uint32) uint32 {
	prio := max(begin, p.lowest[begin])
	for p.isTaken(prio) {
		prio++
	}
	p.lowest[begin] = prio
	return prio
}

// isFree reports whether nothing has n priorities from prio on.
func (p *priorities) isFree(prio, n uint32) bool {
	for k := range n {
		if p.isTaken(prio+k) || !p.isBetween(prio+k) {
			return false
		}
	}
	return true
}

// isBetween reports whether a rule at prio is looked at after the one for local and
// before the one for main.
func (p *priorities) isBetween(prio uint32) bool { return prio > p.rules.Local && prio < p.rules.Main }

// check refuses a priority that is out of place, or where a rule of another program
// stands.
func (p *priorities) check(m *move, r rule.Rule) error {
	prio := r.Priority.Or(0)
	if !p.isBetween(prio) {
		return m.Spec.FieldError("Priority", "%d is not between those of the rules for local, %d, and for main, %d",
			prio, p.rules.Local, p.rules.Main)
	}
	have := p.foreignAt(prio, m.Spec.Proto())
	if have == nil || p.rules.Of(r.Protocol).Has(r) {
		return nil
	}
	return m.Spec.Conflict(*have, "someone else's rule is at the priority of one of ours")
}

// foreignAt returns the first rule at a priority that has another protocol.
func (p *priorities) foreignAt(prio uint32, proto route.Protocol) *rule.Rule {
	at := owned{prio, proto}
	found, known := p.foreign[at]
	if !known {
		for _, r := range p.rules.At(prio) {
			if r.Protocol != proto {
				found = &r
				break
			}
		}
		p.foreign[at] = found
	}
	return found
}
