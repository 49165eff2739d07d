package check

import (
	"cmp"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/form"
)

// toListForm changes the routes of tables that uplinks can have from the form and order of
// a snapshot to the form and order in which the kernel lists them. Plans and errors then
// name the same routes in the same words as those of Install.
func toListForm(routes []route.Route) {
	for len(routes) > 0 {
		f, id := routes[0].Family, routes[0].Table
		n := slices.IndexFunc(routes, func(r route.Route) bool { return r.Family != f || r.Table != id })
		if n < 0 {
			n = len(routes)
		}
		if !form.IsSystemTable(id) {
			for i := range n {
				addReported(&routes[i])
			}
			slices.SortStableFunc(routes[:n], compareInList)
		}
		routes = routes[n:]
	}
}

// loopback is the index of the interface lo in every network namespace.
const loopback = 1

// addReported adds to an IPv6 route the attributes that the kernel reports for every route,
// and that a snapshot leaves out.
func addReported(r *route.Route) {
	if r.Family != route.IPv6 {
		return
	}
	if !r.Preference.IsSet() {
		r.Preference = route.Some(route.PrefMedium)
	}
	switch r.Type {
	case route.TypeBlackhole, route.TypeUnreachable, route.TypeProhibit, route.TypeThrow:
		r.OIF = loopback
	}
}

// compareInList orders the routes of one table and family as the kernel lists them. IPv4
// is listed by address. In IPv6 a subnet comes before the larger one that it is part of.
// A default route has no destination.
func compareInList(a, b route.Route) int {
	x, y := a.Dst, b.Dst
	switch {
	case x == y:
		return cmp.Or(cmp.Compare(b.TOS, a.TOS), cmp.Compare(a.Priority, b.Priority))
	case x.Addr() == y.Addr(), a.Family == route.IPv6 && (!x.IsValid() || !y.IsValid() || x.Overlaps(y)):
		return cmp.Compare(y.Bits(), x.Bits())
	}
	return x.Addr().Compare(y.Addr())
}
