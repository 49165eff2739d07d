package snapshot

import (
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
)

// A Change is one of the commands that lead from one Snapshot to another. One of
// NextHop, Route and Rule is set.
type Change struct {
	Verb    string // add, append, replace or del
	NextHop *nexthop.Object
	Route   *route.Route // refers to interfaces of Links
	Rule    *rule.Rule

	// Links are the interfaces of the Snapshot that has the object.
	Links *route.Links
}

// String returns the command of ip(8). The command is in a comment if the kernel
// refuses it from every program, as for IPv6 routes without a metric, which the kernel
// adds together with an address.
func (c Change) String() string { return c.text(textNames(c.Links)) }

func (c *Change) text(names *route.Names) string {
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
	impossible := c.Verb != "del" && c.Route.Family == route.IPv6 && c.Route.Priority == 0
	return commentIf(impossible) + routeCommand(c.Verb, *c.Route, names)
}

// Changes are the commands that lead from one Snapshot to another, in this order.
type Changes []Change

// String returns the commands, one a line. It returns an empty string if there are
// no changes.
func (c Changes) String() string {
	var b strings.Builder
	names := make(map[*route.Links]*route.Names)
	for i := range c {
		x := &c[i]
		if names[x.Links] == nil {
			names[x.Links] = textNames(x.Links)
		}
		b.WriteString(x.text(names[x.Links]) + "\n")
	}
	return b.String()
}

// Diff returns the changes that lead from a to b. If a and b each have exactly one
// route with the same table, destination, source, TOS and metric, Diff replaces the
// route. Otherwise Diff adds objects before it deletes others, and adds rules after the
// routes in the tables that they look up. It deletes first only if this is necessary
// for the order of routes with the same destination, or of rules with the same
// priority.
func Diff(a, b Snapshot) Changes {
	d := differ{a: &a, b: &b, aNames: textNames(a.Links), bNames: textNames(b.Links)}
	objects := d.nextHops()
	var routes, rules edits
	oldRoutes, newRoutes := groupBy(a.Routes, placeOfRoute), groupBy(b.Routes, placeOfRoute)
	for _, place := range placesOf(b.Routes, a.Routes, placeOfRoute) {
		d.routes(&routes, oldRoutes[place], newRoutes[place])
	}
	oldRules, newRules := groupBy(a.Rules, placeOfRule), groupBy(b.Rules, placeOfRule)
	for _, place := range placesOf(b.Rules, a.Rules, placeOfRule) {
		d.rules(&rules, oldRules[place], newRules[place])
	}
	return slices.Concat(objects.add, routes.add, rules.add, rules.del, routes.del, objects.del)
}

// A differ finds the changes from a to b.
type differ struct {
	a, b           *Snapshot
	aNames, bNames *route.Names
}

// Edits are the changes of one kind of object. Those in add come before those in
// del; add may begin with deletions that have to come first.
type edits struct{ add, del Changes }

func (e *edits) put(del, add Changes, delFirst bool) {
	if delFirst {
		e.add = append(e.add, del...)
	} else {
		e.del = append(e.del, del...)
	}
	e.add = append(e.add, add...)
}

func (d *differ) nextHops() (e edits) {
	find := func(s *Snapshot, id uint32) *nexthop.Object {
		i := slices.IndexFunc(s.NextHops, func(n nexthop.Object) bool { return n.ID == id })
		if i < 0 {
			return nil
		}
		return &s.NextHops[i]
	}
	for i := range d.b.NextHops {
		n := &d.b.NextHops[i]
		old := find(d.a, n.ID)
		switch {
		case old == nil:
			e.add = append(e.add, Change{Verb: "add", NextHop: n, Links: d.b.Links})
		case old.Text(d.aNames) != n.Text(d.bNames):
			e.add = append(e.add, Change{Verb: "replace", NextHop: n, Links: d.b.Links})
		}
	}
	for i := range slices.Backward(d.a.NextHops) {
		if n := &d.a.NextHops[i]; find(d.b, n.ID) == nil {
			e.del = append(e.del, Change{Verb: "del", NextHop: n, Links: d.a.Links})
		}
	}
	return e
}

// routes adds to e the changes of the routes at one place.
func (d *differ) routes(e *edits, from, to []route.Route) {
	texts := func(routes []route.Route, names *route.Names) (t []string) {
		for _, r := range routes {
			t = append(t, routeCommand("", r, names))
		}
		return t
	}
	fromTexts, toTexts := texts(from, d.aNames), texts(to, d.bNames)
	if len(from) == 1 && len(to) == 1 && fromTexts[0] != toTexts[0] {
		e.add = append(e.add, Change{Verb: "replace", Route: &to[0], Links: d.b.Links})
		return
	}
	toDelete, kept := editList(fromTexts, toTexts)
	var del, add Changes
	for _, i := range toDelete {
		del = append(del, Change{Verb: "del", Route: &from[i], Links: d.a.Links})
	}
	for i := kept; i < len(to); i++ {
		verb := "add"
		if i > 0 {
			verb = "append"
		}
		add = append(add, Change{Verb: verb, Route: &to[i], Links: d.b.Links})
	}
	e.put(del, add, len(del) > 0 && len(add) > 0)
}

// rules adds to e the changes of the rules of one family and priority.
func (d *differ) rules(e *edits, from, to []rule.Rule) {
	texts := func(rules []rule.Rule) (t []string) {
		for _, r := range rules {
			t = append(t, ruleCommand("", r))
		}
		return t
	}
	fromTexts, toTexts := texts(from), texts(to)
	toDelete, kept := editList(fromTexts, toTexts)
	var del, add Changes
	addedAgain := false
	for _, i := range toDelete {
		del = append(del, Change{Verb: "del", Rule: &from[i], Links: d.a.Links})
		addedAgain = addedAgain || slices.Contains(toTexts[kept:], fromTexts[i])
	}
	for i := kept; i < len(to); i++ {
		add = append(add, Change{Verb: "add", Rule: &to[i], Links: d.b.Links})
	}
	e.put(del, add, addedAgain)
}

// editList turns one list of commands into another, if additions go to the end. It
// returns the indexes in from of the commands to delete. The first kept commands of to
// remain.
//
// The kernel deletes the first object that has all words of a command. If that would be
// an object to keep, editList keeps none.
func editList(from, to []string) (toDelete []int, kept int) {
	for i, x := range from {
		if kept < len(to) && x == to[kept] {
			kept++
		} else {
			toDelete = append(toDelete, i)
		}
	}
	for _, i := range toDelete {
		for j, x := range from[:i] {
			if !slices.Contains(toDelete, j) && hasWords(x, from[i]) {
				return indexes(len(from)), 0
			}
		}
	}
	return toDelete, kept
}

// hasWords reports whether a command has all words of another one.
func hasWords(s, words string) bool {
	have := iptext.Fields(s)
	for _, w := range iptext.Fields(words) {
		if w != "all" && !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

// indexes returns the numbers from 0 to n-1.
func indexes(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// groupBy splits a list, in which objects at one place are neighbors, by place.
func groupBy[T any, P comparable](list []T, place func(*T) P) map[P][]T {
	groups := make(map[P][]T)
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && place(&list[end]) == place(&list[start]) {
			end++
		}
		groups[place(&list[start])] = list[start:end:end]
		start = end
	}
	return groups
}

// placesOf returns the places of two lists, those of the first one first.
func placesOf[T any, P comparable](first, second []T, place func(*T) P) (places []P) {
	seen := make(map[P]bool)
	for _, list := range [][]T{first, second} {
		for i := range list {
			if p := place(&list[i]); !seen[p] {
				seen[p] = true
				places = append(places, p)
			}
		}
	}
	return places
}
