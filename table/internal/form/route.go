package form

import (
	"math"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A RouteKey identifies a route: the kernel replaces a route by one with the same key.
type RouteKey struct {
	Family   route.Family
	Table    rttables.ID
	Dst, Src netip.Prefix
	TOS      uint8
	Priority uint32
}

// KeyOf returns the key of a route.
func KeyOf(r *route.Route) RouteKey {
	c := r.Canonical()
	return RouteKey{c.Family, c.Table, c.Dst, c.Src, c.TOS, c.Priority}
}

// SameRoute reports whether two routes are the same to the kernel.
func SameRoute(a, b *route.Route) bool { return a.Canonical().Equal(b.Canonical()) }

// SharedMetric is the metric of the default route that uplinks share, unless another one is
// given.
const SharedMetric = 50

// IsDefault reports whether a route is to every destination.
func IsDefault(r *route.Route) bool { return r.Canonical().Dst.Bits() <= 0 }

// NextHops returns the next hops of a route: those of Multipath, or the only one.
func NextHops(r *route.Route) []route.NextHop {
	if len(r.Multipath) > 0 {
		return r.Multipath
	}
	return []route.NextHop{{Gateway: r.Gateway, OIF: r.OIF, Flags: r.Flags & route.FlagOnLink, Realms: r.Realms, Encap: r.Encap}}
}

// HasGateway reports whether packets that take a route go to a gateway, by one of its
// next hops at least.
func HasGateway(r *route.Route) bool {
	return r.Gateway.IsValid() || slices.ContainsFunc(r.Multipath, func(h route.NextHop) bool { return h.Gateway.IsValid() })
}

// LeavesBy reports whether packets that take a route leave by the interface with an
// index, by one of its next hops at least.
func LeavesBy(r *route.Route, index uint32) bool {
	return r.OIF == index || slices.ContainsFunc(r.Multipath, func(h route.NextHop) bool { return h.OIF == index })
}

// OnLink returns r as a route without a gateway: IPv4 wants the scope link.
func OnLink(r route.Route) route.Route {
	if r.Family == route.IPv4 {
		r.Scope = route.ScopeLink
	}
	return r
}

// Claim returns the route that reserves a table:
//
//	throw default metric 4294967295
//
// It changes nothing: a packet that finds no other route in the table goes on
// with the next rule, as it would without. The kernel has one such route a table,
// and gives it to the first who asks. A claim is always an IPv4 route, so that the
// uplinks of both families see each other's.
func Claim(table rttables.ID, protocol route.Protocol) route.Route {
	return route.Route{
		Family: route.IPv4, Type: route.TypeThrow, Table: table, Priority: math.MaxUint32, Protocol: protocol,
	}
}

// IsClaim reports whether a route has the form of a claim.
func IsClaim(r *route.Route) bool {
	return r.Family == route.IPv4 && r.Type == route.TypeThrow && r.Priority == math.MaxUint32 && IsDefault(r)
}
