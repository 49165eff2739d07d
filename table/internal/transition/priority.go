package transition

import (
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// Where priorities are chosen, counted down from the rule that looks up main, at 32766
// unless someone moved it: rungs from 31000 on, rules of Also from 32000 on. A packet from
// a source of one uplink must not meet the rules of Also of another, so all rungs have to
// come before all of Also. Rungs of temporary tables are from 31900 on. Rules of Also that
// select nothing but a source are from 31950 on: they are for networks behind this host,
// whose packets must not meet the rules of Also of another uplink either. Where local and
// main leave no room in between, these places are before local as well. If there is less
// room, each kind has a share of it. If all priorities of a kind are taken, several
// uplinks share priorities. This is harmless, because rules from different sources do not
// match the same packets.
const (
	rungsBelowMain     = 1766
	temporaryBelowMain = 866
	networksBelowMain  = 816
	alsoBelowMain      = 766
	// leastForRungs is how many places rungs have to have if the others are those above.
	leastForRungs = 100
)

// sharesBefore are the percentages of the room between local and main that come before each
// kind of rules, where there is little room.
var sharesBefore = map[uint32]uint32{
	rungsBelowMain: 0, temporaryBelowMain: 45, networksBelowMain: 55, alsoBelowMain: 70,
}

// priorities chooses the priorities of the rules of one family.
type priorities struct {
	family route.Family
	rules  *host.Rules // that there are
	taken  map[uint32]bool
	// planned is how many rules there will be at a priority that the transaction wants to
	// be there, or adds.
	planned map[uint32]int
	// lowest is the first priority from the key on that may be free.
	lowest map[uint32]uint32
	// foreign has the rules of other programs, by priority.
	foreign map[priorityOfOwner]*rule.Rule
	// gates are priorities that gates of the transaction have, and nothing else has.
	// Those of another group may share them: they have other sources. None of them is for
	// all packets.
	gates map[uint32]bool
	// ends are priorities that are kept for END between two generations of rungs.
	ends map[uint32]bool
	// leaving are rungs that the transaction deletes: a gate must not lead to one.
	leaving form.Set
	// ladders are the priorities that wanted rungs take, with their protocol, and networks
	// those that wanted rules for networks behind this host take.
	ladders  map[uint32]route.Protocol
	networks map[uint32][]rule.Rule
	order    order
	now      *host.State
}

// A priorityOfOwner is a priority at which a protocol has a rule, or will have one.
type priorityOfOwner struct {
	priority uint32
	protocol route.Protocol
}

func newPriorities(now *host.State, f route.Family) *priorities {
	return &priorities{
		family: f, rules: now.Rules(f), now: now,
		taken: make(map[uint32]bool), lowest: make(map[uint32]uint32), foreign: make(map[priorityOfOwner]*rule.Rule),
		planned: make(map[uint32]int), gates: make(map[uint32]bool), ends: make(map[uint32]bool), leaving: form.MakeSet(),
		ladders: make(map[uint32]route.Protocol), networks: make(map[uint32][]rule.Rule),
	}
}

// isTaken reports whether a rule has a priority or will have it, or a goto leads there.
func (p *priorities) isTaken(prio uint32) bool { return p.rules.Taken(prio) || p.taken[prio] }

// take notes the priorities of rules that will exist.
func (p *priorities) take(rules []rule.Rule) {
	for i := range rules {
		prio := rules[i].Priority.Or(0)
		p.taken[prio] = true
		p.planned[prio]++
		delete(p.ends, prio)
	}
}

// giveBack undoes take of rules whose priorities nothing else takes.
func (p *priorities) giveBack(rules []rule.Rule) {
	for i := range rules {
		prio := rules[i].Priority.Or(0)
		if p.planned[prio]--; p.planned[prio] == 0 {
			delete(p.taken, prio)
		}
	}
}

// keepEnd keeps the priority of END free, where it has to be between two generations of
// rungs: a gate of another group could need the same.
func (p *priorities) keepEnd(g *gateGroup) {
	if len(g.beyond) == 0 || !g.needsGates() {
		return
	}
	if at, _, ok := p.placeGates(g); ok {
		p.taken[at.end], p.ends[at.end] = true, true
	}
}

// takeGates notes the priorities of gates and of their END. A gate of another group to
// this END would be open.
func (p *priorities) takeGates(at gatePlaces) {
	p.taken[at.gate] = true
	p.planned[at.gate]++
	if !at.forAll {
		p.gates[at.gate] = true
	}
	if !at.foreignEnd {
		p.taken[at.end] = true
		p.planned[at.end]++
		delete(p.ends, at.end)
	}
}

// leave notes rungs that the transaction deletes.
func (p *priorities) leave(rules []rule.Rule) {
	for _, r := range rules {
		p.leaving[form.Bare(r)] = struct{}{}
	}
}

// takeRange keeps priorities free that will be needed.
func (p *priorities) takeRange(from, to uint32) {
	for prio := from; prio <= to; prio++ {
		p.taken[prio] = true
	}
}

// start returns the priority to begin with, so many below main. If there is less room,
// each kind of rules has a share of it.
func (p *priorities) start(belowMain uint32) uint32 {
	after, before := p.rules.After, p.rules.Before
	switch {
	case p.rules.Main > after+temporaryBelowMain+leastForRungs:
		return max(after+1, p.rules.Main-min(belowMain, p.rules.Main))
	case before <= after+1:
		return after + 1
	}
	room := before - after - 1
	return after + 1 + room*sharesBefore[belowMain]/100
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

// isBetween reports whether a rule of ours can be at prio: after the rule for local and
// before the one for main, or where there is no room before both.
func (p *priorities) isBetween(prio uint32) bool {
	return prio > p.rules.After && prio < p.rules.Before
}

// check refuses a priority outside of the allowed range, and one that a rule of another
// program has.
func (p *priorities) check(m *move, r rule.Rule) error {
	prio := r.Priority.Or(0)
	if !p.isBetween(prio) {
		return m.Spec.FieldError("Priority", "%d is not between %s", prio, p.rules.Bounds())
	}
	have, reason := p.foreignAt(prio, m.Spec.Proto()), "another program's rule has the priority of one of the uplink's rules: give the uplink another priority"
	if have == nil {
		have, reason = p.gotoTo(prio, m.Spec.Proto()), "another program's goto rule has the priority of one of the uplink's rules as its target: give the uplink another priority"
	}
	if have == nil || p.rules.Of(r.Protocol).Has(r) {
		return nil
	}
	return &uplink.RuleConflictError{Owner: m.Owner, Family: p.family, Err: m.Spec.Conflict(*have, reason)}
}

// gotoTo returns the first rule goto that leads to a priority and has another protocol.
func (p *priorities) gotoTo(prio uint32, proto route.Protocol) *rule.Rule {
	for _, r := range p.rules.Gotos() {
		if r.Goto == prio && r.Protocol != proto {
			return r
		}
	}
	return nil
}

// foreignAt returns the first rule at a priority that has another protocol.
func (p *priorities) foreignAt(prio uint32, proto route.Protocol) *rule.Rule {
	at := priorityOfOwner{prio, proto}
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
