package host

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
)

// IsLinkRoute reports whether a route of main leads to a link without a gateway, whoever
// made it. The kernel takes an address that such a route leads to for a gateway.
func IsLinkRoute(r *route.Route) bool {
	return r.Table == rttables.Main && r.Type == route.TypeUnicast && r.OIF != 0 && !form.HasGateway(r)
}

// ReadLinkRoutes reads the routes of main by an interface, in one family, that have no
// gateway, unless they are known. The kernel selects them: main may have a million others.
func (s *State) ReadLinkRoutes(ctx context.Context, c route.Conn, index uint32, f route.Family) error {
	at := linkFamily{index, f}
	if _, known := s.onLink.routes[at]; known || index == 0 || s.Knows(rttables.Main) {
		return nil
	}
	found := []netip.Prefix{}
	for r, err := range route.All(ctx, c, route.Filter{Family: f, Table: rttables.Main, Type: route.TypeUnicast, OIF: index}) {
		if err != nil {
			return fmt.Errorf("table: %w", err)
		}
		if IsLinkRoute(&r) {
			found = append(found, destination(&r))
		}
	}
	s.onLink.routes[at] = found
	return nil
}

// destination returns the destination of a route, also if that is every address.
func destination(r *route.Route) netip.Prefix {
	switch {
	case r.Dst.IsValid():
		return r.Dst
	case r.Family == route.IPv6:
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// HasLinkRoute reports whether main has a route to an address by an interface that has no
// gateway. The result known is false if these routes were not read.
func (s *State) HasLinkRoute(index uint32, a netip.Addr) (has, known bool) {
	if s.Knows(rttables.Main) {
		for i := range s.routes[rttables.Main] {
			r := &s.routes[rttables.Main][i]
			if r.Family == route.FamilyOf(a) && r.OIF == index && IsLinkRoute(r) && destination(r).Contains(a) {
				return true, true
			}
		}
		return false, true
	}
	prefixes, known := s.onLink.routes[linkFamily{index, route.FamilyOf(a)}]
	for _, p := range prefixes {
		if p.Contains(a) {
			return true, true
		}
	}
	return false, known
}
