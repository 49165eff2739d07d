package host

import (
	"slices"
	"sort"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A ruleList is the rules of one family, and the events since they were put in order. On a host
// with many rules of other programs most events do not matter, and the rules after them are not
// needed.
type ruleList struct {
	now    *Rules
	events []ruleEvent
}

// A ruleEvent is a rule that was added or deleted.
type ruleEvent struct {
	rule    rule.Rule
	deleted bool
}

// fewEvents is the smallest number of events that are kept before the rules are put in order.
const fewEvents = 256

// see takes an event.
func (l *ruleList) see(r rule.Rule, deleted bool) {
	l.events = append(l.events, ruleEvent{r, deleted})
	if len(l.events) > fewEvents+len(l.now.All)/8 {
		l.rules()
	}
}

// has reports whether a rule exists.
func (l *ruleList) has(r rule.Rule) bool {
	bare := form.Bare(r)
	return slices.ContainsFunc(l.rules().At(r.Priority.Or(0)), func(have rule.Rule) bool { return form.Bare(have) == bare })
}

// rules returns the rules as they are after the events.
func (l *ruleList) rules() *Rules {
	if len(l.events) > 0 {
		l.now = newRules(afterEvents(l.now.All, l.events))
		l.events = nil
	}
	return l.now
}

// oneByOne is the number of events up to which they are applied one by one, because moving rules
// takes less time than comparing them all.
const oneByOne = 8

// afterEvents returns the rules after some events. The kernel deletes the first of several equal
// rules, and puts a new rule behind those with its priority.
func afterEvents(before []rule.Rule, events []ruleEvent) []rule.Rule {
	if len(events) > oneByOne {
		return afterManyEvents(before, events)
	}
	all := append(make([]rule.Rule, 0, len(before)+len(events)), before...)
	for i := range events {
		r := &events[i].rule
		from, to := bounds(all, r.Priority.Or(0))
		if !events[i].deleted {
			all = slices.Insert(all, to, *r)
			continue
		}
		bare := form.Bare(*r)
		k := slices.IndexFunc(all[from:to], func(have rule.Rule) bool { return form.Bare(have) == bare })
		if k >= 0 {
			all = slices.Delete(all, from+k, from+k+1)
		}
	}
	return all
}

// bounds returns where the rules with a priority begin and end.
func bounds(all []rule.Rule, prio uint32) (from, to int) {
	from = sort.Search(len(all), func(i int) bool { return all[i].Priority.Or(0) >= prio })
	to = from + sort.Search(len(all)-from, func(i int) bool { return all[from+i].Priority.Or(0) > prio })
	return from, to
}

// afterManyEvents is afterEvents that compares each rule once.
func afterManyEvents(before []rule.Rule, events []ruleEvent) []rule.Rule {
	deleted := make(map[rule.Rule]int) // by [form.Bare], how many times
	at := make(map[uint32]bool)        // priorities of rules that were deleted
	var added []rule.Rule
	for i := range events {
		if r := &events[i].rule; events[i].deleted {
			deleted[form.Bare(*r)]++
			at[r.Priority.Or(0)] = true
		} else {
			added = append(added, *r)
		}
	}
	isDeleted := func(r *rule.Rule) bool {
		if !at[r.Priority.Or(0)] {
			return false
		}
		bare := form.Bare(*r)
		n := deleted[bare]
		if n == 1 {
			delete(deleted, bare)
		} else if n > 1 {
			deleted[bare] = n - 1
		}
		return n > 0
	}
	all := make([]rule.Rule, 0, len(before)+len(added))
	slices.SortStableFunc(added, ComparePriority)
	for i := range before {
		for len(added) > 0 && ComparePriority(added[0], before[i]) < 0 {
			all, added = append(all, added[0]), added[1:]
		}
		if !isDeleted(&before[i]) {
			all = append(all, before[i])
		}
	}
	all = append(all, added...)
	if len(deleted) == 0 {
		return all
	}
	// Rules that came and went since.
	return slices.DeleteFunc(all, func(r rule.Rule) bool { return isDeleted(&r) })
}
