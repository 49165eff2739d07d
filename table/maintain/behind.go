package maintain

import (
	"cmp"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/form"
)

// behind returns the spare routes behind the shared default, the first one first. If the
// shared default leaves by several interfaces, each of them has one: the default route of its
// uplink with the highest weight. The routes have no metrics yet.
//
// When a device is unregistered, fib_sync_down_dev marks an IPv4 route with a next hop by it
// as dead as a whole, and fib_table_lookup goes on to the next route of the table. In IPv6
// each next hop is a route of its own in the kernel, and fib6_ifdown deletes only that one.
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
// route of another program has. It returns the routes for which there is a metric.
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
