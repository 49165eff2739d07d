package snapshot

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
)

// A Snapshot has all rules and routes of IPv4 and IPv6, of all tables, and the nexthop
// objects that routes name, as they were at one moment. [Take] reads a Snapshot from
// the kernel; [Parse] reads the text of a Snapshot. A Snapshot does not have values
// that change by themselves: flags that the kernel sets, use counters, and the
// remaining time of a route. So a route that expires is equal to a route that does not.
//
// The order of the objects is fixed. Nexthop objects are ordered by number, groups
// last. Routes are ordered by family, table and destination; the tables local, main and
// default come first. Within a table, routes without a gateway come before routes with
// a gateway, because the gateway may be reached through them. Rules are in the order in
// which the kernel looks at them.
type Snapshot struct {
	NextHops []nexthop.Object
	Routes   []route.Route
	Rules    []rule.Rule

	// Links are the interfaces of the network namespace. Routes refer to them by index;
	// text uses their names, or a word such as if5 if text cannot contain the name.
	Links *route.Links
}

// Equal reports whether s and o hold the same objects. Two interfaces are the same
// if they have the same name, even if their indexes differ.
func (s Snapshot) Equal(o Snapshot) bool { return s.String() == o.String() }

// textNames returns the names that text uses. Tables and protocols are numbers,
// except for those that ip(8) knows without a file, so that the text means the
// same on every host.
func textNames(l *route.Links) *route.Names {
	names := make(map[uint32]string)
	complete := true
	for index, name := range l.All() {
		if isWord(name) {
			names[index] = name
		} else {
			complete = false
		}
	}
	if complete {
		return &route.Names{Links: l}
	}
	return &route.Names{Links: route.MakeLinks(names)}
}

// isWord reports whether text can hold a name.
func isWord(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
}

// normalize brings the objects into the form and the order of a Snapshot.
func (s *Snapshot) normalize() {
	for i, n := range s.NextHops {
		s.NextHops[i] = n.Canonical()
	}
	for i, r := range s.Rules {
		r = r.Canonical()
		r.Flags = 0
		s.Rules[i] = r
	}
	for i, r := range s.Routes {
		s.Routes[i] = canonicalRoute(r)
	}
	slices.SortStableFunc(s.NextHops, compareNextHops)
	s.sortRoutes()
	slices.SortStableFunc(s.Rules, func(a, b rule.Rule) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Priority.Or(0), b.Priority.Or(0)))
	})
}

// canonicalRoute returns r without what the kernel counts. The kernel's own IPv6
// routes have the metric 0, which no other program can set; the metric stays.
func canonicalRoute(r route.Route) route.Route {
	metric := r.Priority
	r = r.Canonical()
	if r.Protocol == route.ProtoKernel {
		r.Priority = metric
	}
	return r
}

// Canonical returns s in the form in which [Take] and [Parse] return it: the canonical
// forms of the objects, in the order of a Snapshot.
func (s Snapshot) Canonical() Snapshot {
	s.NextHops, s.Routes, s.Rules = slices.Clone(s.NextHops), slices.Clone(s.Routes), slices.Clone(s.Rules)
	s.normalize()
	return s
}
