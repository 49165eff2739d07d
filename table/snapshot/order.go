package snapshot

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// compareNextHops sorts a group after the objects that it may be made of.
func compareNextHops(a, b nexthop.Object) int {
	return cmp.Or(compareBool(len(a.Group) > 0, len(b.Group) > 0), cmp.Compare(a.ID, b.ID))
}

// A routePlace is the place of a route in its table. Routes with the same place are
// in the order in which they were added, and the kernel uses the first.
type routePlace struct {
	family   route.Family
	table    rttables.ID
	dst, src netip.Prefix
	tos      uint8
	metric   uint32
}

func placeOfRoute(r *route.Route) routePlace {
	return routePlace{r.Family, r.Table, r.Dst, r.Src, r.TOS, r.Priority}
}

// A rulePlace is the place of a rule among all rules. Rules with the same place are
// in the order in which they were added, and the kernel looks at the first first.
type rulePlace struct {
	family   route.Family
	priority uint32
}

func placeOfRule(r *rule.Rule) rulePlace { return rulePlace{r.Family, r.Priority.Or(0)} }

// sortRoutes sorts the routes. Those with the same place stay in their order.
func (s *Snapshot) sortRoutes() {
	gateway := make(map[routePlace]bool)
	for i := range s.Routes {
		r := &s.Routes[i]
		if r.Gateway.IsValid() || len(r.Multipath) > 0 || r.NextHopID != 0 {
			gateway[placeOfRoute(r)] = true
		}
	}
	slices.SortStableFunc(s.Routes, func(r, o route.Route) int {
		a, b := placeOfRoute(&r), placeOfRoute(&o)
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

// compareBool sorts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// tableRank sorts tables. The kernel looks for the gateways and the source
// addresses of other tables' routes in the first three.
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
