package transition

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// also returns the rules of Also of an uplink, in their order, with their priorities:
// those that they have, if they are installed, and else free ones.
func (p *priorities) also(m *move) ([]rule.Rule, error) {
	var rules []rule.Rule
	next := p.start(alsoBelowMain)
	if m.Spec.Priority != 0 {
		next = m.Spec.Priority + m.Spec.Height()
	}
	for i := 0; i < len(m.Also); i++ {
		pair := m.Also[i : i+1]
		if form.IsMainFirst(&pair[0]) {
			pair = m.Also[i : i+2]
			i++
		}
		if pair[0].Family != p.family {
			continue
		}
		switch {
		case pair[0].Priority.IsSet():
		case m.Spec.Priority != 0:
			pair = slices.Clone(pair)
			for k := range pair {
				pair[k].Priority = rule.Priority(next)
				next++
			}
		case form.SelectsSource(&pair[0]):
			pair = p.placePair(pair, p.start(networksBelowMain))
		default:
			pair = p.placePair(pair, next)
		}
		for _, r := range pair {
			if err := p.check(m, r); err != nil {
				return nil, err
			}
		}
		rules = append(rules, pair...)
		p.take(pair)
	}
	return rules, nil
}

// placePair returns a rule of Also, and its main-first rule if it has one, with
// priorities: from begin on, unless they are installed.
func (p *priorities) placePair(pair []rule.Rule, begin uint32) []rule.Rule {
	pair = slices.Clone(pair)
	r := &pair[len(pair)-1]
	have, installed := p.find(*r)
	// One that stands among the rungs, where a priority that was given had put it, gets
	// another.
	installed = installed && p.isBetween(have) && have >= begin
	if installed {
		r.Priority = rule.Priority(have)
	}
	if len(pair) == 1 {
		if !installed {
			r.Priority = rule.Priority(p.firstFree(begin))
		}
		return pair
	}
	first := &pair[0]
	if at, ok := p.findMainFirst(*first, r.Priority); ok && at >= begin {
		first.Priority = rule.Priority(at)
		if !installed { // someone has deleted it
			r.Priority = rule.Priority(p.firstFree(max(begin, at+1)))
		}
		return pair
	}
	if installed && have > begin && p.isFree(have-1, 1) {
		first.Priority = rule.Priority(have - 1)
		return pair
	}
	at := p.firstFree(begin)
	first.Priority, r.Priority = rule.Priority(at), rule.Priority(p.firstFree(at+1))
	return pair
}

// find looks for a rule that is like r except for its priority.
func (p *priorities) find(r rule.Rule) (uint32, bool) {
	for _, have := range p.rules.Of(r.Protocol).Alike(r) {
		return have.Priority.Or(0), true
	}
	return 0, false
}

// findMainFirst looks for an installed main-first rule of the rule at a priority, the
// last of several; without a priority, for one that belongs to no rule.
func (p *priorities) findMainFirst(first rule.Rule, of route.Opt[uint32]) (at uint32, found bool) {
	own := p.rules.Of(first.Protocol)
	for _, have := range own.Alike(first) {
		if !p.isBetween(have.Priority.Or(0)) {
			continue
		}
		pair, ok := own.PairOf(have)
		if of.IsSet() && ok && pair.Priority == of || !of.IsSet() && !ok {
			at, found = have.Priority.Or(0), true
		}
	}
	return at, found
}
