package table

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A Snapshot is every rule and route of IPv4 and IPv6, of all tables, and the
// nexthop objects that routes name, as they were at one moment. [TakeSnapshot]
// reads one, [ParseSnapshot] reads the text of one. What the kernel counts or
// lets age is not part of it: flags of its own, uses, and what is left of a
// route's lifetime, so that a route which ends by itself is one like others.
//
// Objects are in a canonical order: nexthop objects by number, groups last;
// routes by family, table and destination, the tables local, main and default
// first, and in a table those without a gateway first, which those with one may
// need; rules in the order in which they are looked at.
type Snapshot struct {
	NextHops []nexthop.Object
	Routes   []route.Route
	Rules    []rule.Rule
	// Links are the interfaces that routes have by index. Text has their names.
	Links *route.Links
}

// Equal reports whether both have the same objects. Interfaces are the same if
// their names are, also where indexes differ.
func (s Snapshot) Equal(o Snapshot) bool { return s.String() == o.String() }

// names are those that text has. Tables and protocols are numbers, but for
// those that ip(8) knows without a file, so that text means the same anywhere.
func (s *Snapshot) names() *route.Names { return &route.Names{Links: s.Links} }

// normalize brings the objects into the form and the order of a snapshot.
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

// canonicalRoute is r without what the kernel counts. The kernel's own IPv6
// routes have the metric 0, which nobody else can give: it stays.
func canonicalRoute(r route.Route) route.Route {
	metric := r.Priority
	r = r.Canonical()
	if r.Protocol == route.ProtoKernel {
		r.Priority = metric
	}
	return r
}

// compareNextHops puts groups after what they may be made of.
func compareNextHops(a, b nexthop.Object) int {
	return cmp.Or(compareBool(len(a.Group) > 0, len(b.Group) > 0), cmp.Compare(a.ID, b.ID))
}

// A routePlace is where in a table a route stands. Several at one place are in
// the order in which they were added, and the kernel takes the first.
type routePlace struct {
	family   route.Family
	table    rttables.ID
	dst, src netip.Prefix
	tos      uint8
	metric   uint32
}

func placeOf(r *route.Route) routePlace {
	return routePlace{r.Family, r.Table, r.Dst, r.Src, r.TOS, r.Priority}
}

// sortRoutes leaves those at one place in their order.
func (s *Snapshot) sortRoutes() {
	gateway := make(map[routePlace]bool)
	for i := range s.Routes {
		r := &s.Routes[i]
		if r.Gateway.IsValid() || len(r.Multipath) > 0 || r.NextHopID != 0 {
			gateway[placeOf(r)] = true
		}
	}
	slices.SortStableFunc(s.Routes, func(r, o route.Route) int {
		a, b := placeOf(&r), placeOf(&o)
		return cmp.Or(
			cmp.Compare(a.family, b.family),
			cmp.Compare(tableRank(a.table), tableRank(b.table)),
			compareBool(gateway[a], gateway[b]),
			a.dst.Addr().Compare(b.dst.Addr()), cmp.Compare(a.dst.Bits(), b.dst.Bits()),
			a.src.Addr().Compare(b.src.Addr()), cmp.Compare(a.src.Bits(), b.src.Bits()),
			cmp.Compare(a.tos, b.tos), cmp.Compare(a.metric, b.metric),
		)
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// tableRank orders tables: a gateway or a source of any table is looked for in
// the first three.
func tableRank(id rttables.ID) uint64 {
	switch id {
	case rttables.Local:
		return 0
	case rttables.Main:
		return 1
	case rttables.Default:
		return 2
	}
	return 3 + uint64(id)
}

// kernelMadeRoute reports whether a route is one that comes and goes with
// addresses and interfaces. Others may say as well that they are the kernel's.
func kernelMadeRoute(r *route.Route) bool {
	plain := route.Route{
		Family: r.Family, Type: r.Type, Dst: r.Dst, Table: r.Table, Protocol: route.ProtoKernel, Scope: r.Scope,
		OIF: r.OIF, PrefSrc: r.PrefSrc, Priority: r.Priority, Preference: r.Preference,
	}
	return r.Equal(plain)
}

// kernelMadeRule reports whether a rule is one of those that a namespace begins
// with, or that for VRFs which comes with the first of them.
func kernelMadeRule(r *rule.Rule) bool {
	made := func(prio uint32, id rttables.ID) bool {
		return *r == rule.Rule{
			Family: r.Family, Priority: rule.Priority(prio), Action: rule.ActionLookup, Table: id,
			L3MDev: id == 0, Protocol: route.ProtoKernel,
		}
	}
	return made(0, rttables.Local) || made(32766, rttables.Main) || made(32767, rttables.Default) || made(1000, 0)
}

// namedLinks leaves out the names that text cannot hold. They are then if5.
func namedLinks(l *route.Links) *route.Links {
	names := make(map[uint32]string)
	for index, name := range l.All() {
		if printable(name) {
			names[index] = name
		}
	}
	return route.MakeLinks(names)
}

func printable(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
}
