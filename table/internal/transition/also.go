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
		next = m.Spec.Priority + m.Height(p.family)
	}
	for also := m.Also; len(also) > 0; {
		n := form.NextGroup(also)
		group := also[:n]
		also = also[n:]
		if group[0].Family != p.family {
			continue
		}
		switch {
		case group[0].Priority.IsSet():
		case m.Spec.Priority != 0:
			group = slices.Clone(group)
			for k := range group {
				group[k].Priority = rule.Priority(next)
				next++
			}
		case form.SelectsSource(&group[0]):
			group = p.placeGroup(group, p.start(networksBelowMain))
		default:
			group = p.placeGroup(group, next)
		}
		for _, r := range group {
			if err := p.check(m, r); err != nil {
				return nil, err
			}
		}
		rules = append(rules, group...)
		p.take(group)
	}
	return rules, nil
}

// placeGroup returns the group of a rule of Also with priorities: those that they have,
// if they are installed and in their order; else free ones, from begin on.
func (p *priorities) placeGroup(group []rule.Rule, begin uint32) []rule.Rule {
	group = slices.Clone(group)
	if p.placeInstalled(group, begin) {
		return group
	}
	at := begin
	for k := range group {
		at = p.firstFree(at)
		group[k].Priority = rule.Priority(at)
		at++
	}
	return group
}

// placeInstalled gives the rules of a group the priorities that they have, and those that
// are missing priorities in between. It reports whether there are such.
func (p *priorities) placeInstalled(group []rule.Rule, begin uint32) bool {
	main := slices.IndexFunc(group, func(r rule.Rule) bool { return !form.IsCompanion(&r) })
	have, installed := p.find(group[main])
	// One that stands among the rungs, where a priority that was given had put it, gets
	// another.
	if installed = installed && p.isBetween(have) && have >= begin; installed {
		group[main].Priority = rule.Priority(have)
	}
	of := group[main].Priority
	found := installed
	for k := range group {
		if k == main {
			continue
		}
		if at, ok := p.findCompanion(group[k], of); ok && at >= begin {
			group[k].Priority, found = rule.Priority(at), true
		}
	}
	return found && p.fillIn(group, begin)
}

// fillIn gives priorities to rules of a group that have none: right before the next one,
// if they come before all others, or else the next free ones. It reports whether all are
// in their order then.
func (p *priorities) fillIn(group []rule.Rule, begin uint32) bool {
	first := slices.IndexFunc(group, func(r rule.Rule) bool { return r.Priority.IsSet() })
	for k := first - 1; k >= 0; k-- {
		at := group[k+1].Priority.Or(0)
		if at <= begin || !p.isFree(at-1, 1) {
			return false
		}
		group[k].Priority = rule.Priority(at - 1)
	}
	for k := first + 1; k < len(group); k++ {
		last := group[k-1].Priority.Or(0)
		if have, ok := group[k].Priority.Get(); ok {
			if have <= last {
				return false
			}
			continue
		}
		at := last + 1
		if form.RoleOf(&group[k]) != form.Closing {
			at = p.firstFree(max(begin, at)) // someone has deleted it
		} else if !p.isFree(at, 1) {
			return false
		}
		group[k].Priority = rule.Priority(at)
	}
	return true
}

// find looks for a rule that is like r except for its priority.
func (p *priorities) find(r rule.Rule) (uint32, bool) {
	for _, have := range p.rules.Of(r.Protocol).Alike(r) {
		return have.Priority.Or(0), true
	}
	return 0, false
}

// findCompanion looks for an installed companion of the rule at a priority, the last of
// several; without a priority, for one that belongs to no rule.
func (p *priorities) findCompanion(c rule.Rule, of route.Opt[uint32]) (at uint32, found bool) {
	own := p.rules.Of(c.Protocol)
	for _, have := range own.Alike(c) {
		if !p.isBetween(have.Priority.Or(0)) {
			continue
		}
		owner, ok := own.OwnerOf(have)
		if of.IsSet() && ok && owner.Priority == of || !of.IsSet() && !ok {
			at, found = have.Priority.Or(0), true
		}
	}
	return at, found
}
