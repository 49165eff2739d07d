package table

import (
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
)

// A Change is one of the commands that lead from one snapshot to another. One
// of NextHop, Route and Rule is set.
type Change struct {
	Verb    string // add, append, replace or del
	NextHop *nexthop.Object
	Route   *route.Route // interfaces have the index of the snapshot that it is from
	Rule    *rule.Rule
	// Links are those of the snapshot that the object is from.
	Links *route.Links
}

// String is the command of ip(8). It is a comment where the kernel does not let
// anyone do that: its own IPv6 routes without a metric come with the address.
func (c Change) String() string {
	names := &route.Names{Links: c.Links}
	switch {
	case c.NextHop != nil && c.Verb == "del":
		return nextHopCommand(c.Verb, nexthop.Object{ID: c.NextHop.ID, Family: route.IPv4}, nil)
	case c.NextHop != nil:
		return nextHopCommand(c.Verb, *c.NextHop, names)
	case c.Rule != nil:
		return ruleCommand(c.Verb, *c.Rule)
	case c.Route == nil:
		return ""
	}
	text := routeCommand(c.Verb, *c.Route, names)
	if c.Verb != "del" && c.Route.Family == route.IPv6 && c.Route.Priority == 0 {
		text = kernelComment + text
	}
	return text
}

// Changes lead from one snapshot to another, in this order.
type Changes []Change

// String is the commands, one a line; empty if there are none.
func (c Changes) String() string {
	var b strings.Builder
	for _, x := range c {
		b.WriteString(x.String() + "\n")
	}
	return b.String()
}

// Diff returns the changes that lead from a to b. Where both have something at
// one place, a route is replaced. What is added comes before what is deleted,
// and rules come after the routes that they lead to, unless an order among
// routes at one place, or among rules of one priority, can only be had by
// deleting first.
func Diff(a, b Snapshot) Changes {
	objects := diffObjects(a, b)
	var routes, rules edits
	from, to := group(a.Routes, placeOf), group(b.Routes, placeOf)
	for _, place := range places(a.Routes, b.Routes, placeOf) {
		routes.diffRoutes(&a, &b, from[place], to[place])
	}
	oldRules, newRules := group(a.Rules, priorityOf), group(b.Rules, priorityOf)
	for _, place := range places(a.Rules, b.Rules, priorityOf) {
		rules.diffRules(&a, &b, oldRules[place], newRules[place])
	}
	return slices.Concat(objects.add, routes.add, rules.add, rules.del, routes.del, objects.del)
}

// Edits are the changes of one kind of object.
type edits struct{ add, del Changes }

func diffObjects(a, b Snapshot) (e edits) {
	find := func(s *Snapshot, id uint32) *nexthop.Object {
		i := slices.IndexFunc(s.NextHops, func(n nexthop.Object) bool { return n.ID == id })
		if i < 0 {
			return nil
		}
		return &s.NextHops[i]
	}
	for i := range b.NextHops {
		n := &b.NextHops[i]
		have := find(&a, n.ID)
		switch {
		case have == nil:
			e.add = append(e.add, Change{Verb: "add", NextHop: n, Links: b.Links})
		case have.Text(a.names()) != n.Text(b.names()):
			e.add = append(e.add, Change{Verb: "replace", NextHop: n, Links: b.Links})
		}
	}
	for i := range slices.Backward(a.NextHops) {
		if n := &a.NextHops[i]; find(&b, n.ID) == nil {
			e.del = append(e.del, Change{Verb: "del", NextHop: n, Links: a.Links})
		}
	}
	return e
}

// diffRoutes is about the routes at one place.
func (e *edits) diffRoutes(a, b *Snapshot, from, to []route.Route) {
	texts := func(s *Snapshot, routes []route.Route) (t []string) {
		for _, r := range routes {
			t = append(t, routeCommand("", r, s.names()))
		}
		return t
	}
	old, wanted := texts(a, from), texts(b, to)
	if len(from) == 1 && len(to) == 1 && old[0] != wanted[0] {
		e.add = append(e.add, Change{Verb: "replace", Route: &to[0], Links: b.Links})
		return
	}
	del, kept := edit(old, wanted)
	var dels, adds Changes
	for _, i := range del {
		dels = append(dels, Change{Verb: "del", Route: &from[i], Links: a.Links})
	}
	for i := kept; i < len(to); i++ {
		verb := "add"
		if i > 0 {
			verb = "append"
		}
		adds = append(adds, Change{Verb: verb, Route: &to[i], Links: b.Links})
	}
	e.put(dels, adds, len(dels) > 0 && len(adds) > 0)
}

// diffRules is about the rules of one family and priority.
func (e *edits) diffRules(a, b *Snapshot, from, to []rule.Rule) {
	texts := func(rules []rule.Rule) (t []string) {
		for _, r := range rules {
			t = append(t, ruleCommand("", r))
		}
		return t
	}
	old, wanted := texts(from), texts(to)
	del, kept := edit(old, wanted)
	var dels, adds Changes
	first := false // one is added again
	for _, i := range del {
		dels = append(dels, Change{Verb: "del", Rule: &from[i], Links: a.Links})
		first = first || slices.Contains(wanted[kept:], old[i])
	}
	for i := kept; i < len(to); i++ {
		adds = append(adds, Change{Verb: "add", Rule: &to[i], Links: b.Links})
	}
	e.put(dels, adds, first)
}

func (e *edits) put(dels, adds Changes, delFirst bool) {
	if delFirst {
		e.add = append(e.add, dels...)
	} else {
		e.del = append(e.del, dels...)
	}
	e.add = append(e.add, adds...)
}

// edit says how to make one list of commands of another if what is added goes
// to the end: what to delete of from, and how many of to are then there.
//
// The kernel deletes the first that has all words of a command. Where that
// would be one to be kept, none is.
func edit(from, to []string) (del []int, kept int) {
	for i, x := range from {
		if kept < len(to) && x == to[kept] {
			kept++
		} else {
			del = append(del, i)
		}
	}
	for _, i := range del {
		for j, x := range from[:i] {
			if !slices.Contains(del, j) && hasWords(x, from[i]) {
				return sequence(len(from)), 0
			}
		}
	}
	return del, kept
}

// hasWords reports whether a command has all words of another.
func hasWords(s, words string) bool {
	have := strings.Fields(s)
	for w := range strings.FieldsSeq(words) {
		if w != "all" && !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

type rulePlace struct {
	family   route.Family
	priority uint32
}

func priorityOf(r *rule.Rule) rulePlace { return rulePlace{r.Family, r.Priority.Or(0)} }

// group is the objects by their places, which are in a row.
func group[T any, P comparable](all []T, place func(*T) P) map[P][]T {
	groups := make(map[P][]T)
	for start := 0; start < len(all); {
		end := start + 1
		for end < len(all) && place(&all[end]) == place(&all[start]) {
			end++
		}
		groups[place(&all[start])] = all[start:end:end]
		start = end
	}
	return groups
}

// places are those of both lists, those of the second one first.
func places[T any, P comparable](a, b []T, place func(*T) P) (found []P) {
	seen := make(map[P]bool)
	for _, all := range [][]T{b, a} {
		for i := range all {
			if p := place(&all[i]); !seen[p] {
				seen[p] = true
				found = append(found, p)
			}
		}
	}
	return found
}
