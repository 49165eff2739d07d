package maintain

import (
	"cmp"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/form"
)

// behind returns the routes that stand behind the shared default, the first one first: of
// each interface that it leaves by, if they are several, the default route of the uplink with
// the highest weight. They have no metrics yet.
//
// When a device is unregistered, fib_sync_down_dev takes all of an IPv4 route with a next hop
// by it for dead, and fib_table_lookup goes on to the next route of the table. In IPv6
// each next hop is a route of its own in the kernel, and fib6_ifdown deletes only that.
func (d *Default) behind(shared *route.Route, shares []share) []route.Route {
	if shared.Family != route.IPv4 {
		return nil
	}
	byWeight := slices.Clone(shares)
	slices.SortStableFunc(byWeight, func(a, b share) int { return cmp.Compare(b.weight, a.weight) })
	var routes []route.Route
	seen := make(map[uint32]bool, len(shares))
	for _, s := range byWeight {
		if index := form.NextHops(&s.best)[0].OIF; !seen[index] {
			seen[index] = true
			routes = append(routes, d.route(shared.Family, []share{s}))
		}
	}
	if len(routes) < 2 {
		return nil
	}
	return routes
}

// placeBehind gives the routes behind the shared default the next metrics that no default
// route of others has. It returns those for which there is one.
func (d *Default) placeBehind(behind, there []route.Route) []route.Route {
	taken := make(map[uint32]bool)
	for i := range there {
		if there[i].Protocol != d.Protocol {
			taken[there[i].Priority] = true
		}
	}
	metric := d.Metric
	for i := range behind {
		for metric++; taken[metric]; metric++ {
		}
		if metric <= d.Metric { // there is no higher one
			return behind[:i]
		}
		behind[i].Priority = metric
	}
	return behind
}
