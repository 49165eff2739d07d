package maintain

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// A reading is the host as it was read once, for all uplinks: its state, and the
// default routes in table main that gateways are learned from.
type reading struct {
	conn route.Conn
	now  *host.State
	// defaults are main's default routes by an interface, once they were asked for.
	defaults map[linkFamily][]route.Route
}

// A linkFamily is the index of an interface, in one family.
type linkFamily struct {
	index  uint32
	family route.Family
}

func newReading(c route.Conn, now *host.State) *reading {
	return &reading{conn: c, now: now, defaults: make(map[linkFamily][]route.Route)}
}

// readHost reads rules, addresses and links, each once.
func readHost(ctx context.Context, c route.Conn, etc string) (*reading, error) {
	now, err := host.Read(ctx, c, etc)
	if err != nil {
		return nil, err
	}
	return newReading(c, now), nil
}

// with returns the reading with another state of the host, which follows from the first
// one. The default routes of main are the same.
func (r *reading) with(now *host.State) *reading {
	return &reading{conn: r.conn, now: now, defaults: r.defaults}
}

// isUp reports whether the interface with an index is up.
func (r *reading) isUp(index uint32) bool { return r.now.Links.Flags(index)&uapi.IFF_UP != 0 }

// isElsewhere reports whether an interface other than dev has an address. Addresses are
// read before links: an interface that is not among the links has been deleted since, and
// may have been dev.
func (r *reading) isElsewhere(a netip.Addr, dev string) bool {
	have, ok := r.now.Address(a)
	if !ok {
		return false
	}
	index, ok := r.now.Link(dev)
	if ok && have.Index == index {
		return false
	}
	link, ok := r.now.Link(r.now.Links.Name(have.Index))
	return ok && link == have.Index
}

// learnGateway returns the gateway of main's default route by the interface of u. If
// there is no such route it returns the last gateway, and without one the gateway with
// which u is installed. The address is invalid if there is none.
func (r *reading) learnGateway(ctx context.Context, u *Uplink, last netip.Addr) (netip.Addr, error) {
	index, ok := r.now.Link(u.Interface)
	if u.Learn == 0 || !ok {
		return last, nil
	}
	proto := u.protocol()
	main, err := r.mainDefaults(ctx, linkFamily{index, u.Learn})
	if err != nil {
		return last, err
	}
	gateway := bestGateway(main, index, func(r *route.Route) bool { return r.Protocol != proto })
	if gateway.IsValid() || last.IsValid() {
		return cmp.Or(gateway, last), nil
	}
	id, err := uplink.FindTable(r.now, u.spec(), u.Sources)
	if err != nil || id == 0 {
		return last, nil // the planner finds the error again, and reports it
	}
	if err := r.now.ReadRoutes(ctx, r.conn, id); err != nil {
		return last, err
	}
	return bestGateway(r.now.Routes(id), index, func(r *route.Route) bool {
		return r.Protocol == proto && r.Family == u.Learn
	}), nil
}

// mainDefaults returns the default routes of main by an interface. It reads them once.
func (r *reading) mainDefaults(ctx context.Context, by linkFamily) ([]route.Route, error) {
	if routes, ok := r.defaults[by]; ok {
		return routes, nil
	}
	var routes []route.Route
	// The kernel selects the routes of one interface: main may have a million others.
	for have, err := range route.All(ctx, r.conn, route.Filter{
		Family: by.family, Table: rttables.Main, Type: route.TypeUnicast, OIF: by.index,
	}) {
		if err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		if form.IsDefault(&have) {
			routes = append(routes, have)
		}
	}
	r.defaults[by] = routes
	return routes, nil
}

// bestGateway returns the gateway of the default route by an interface with the lowest
// metric, among the routes that match.
func bestGateway(routes []route.Route, index uint32, match func(*route.Route) bool) netip.Addr {
	var best netip.Addr
	var metric uint32
	for i := range routes {
		r := &routes[i]
		if r.Type != route.TypeUnicast || !form.IsDefault(r) || r.TOS != 0 || !match(r) {
			continue
		}
		if a := gatewayBy(r, index); a.IsValid() && (!best.IsValid() || r.Priority < metric) {
			best, metric = a, r.Priority
		}
	}
	return best
}

// gatewayBy returns the gateway of a route by an interface, if it is of the route's
// family.
func gatewayBy(r *route.Route, index uint32) netip.Addr {
	if r.OIF == index && route.FamilyOf(r.Gateway) == r.Family {
		return r.Gateway
	}
	for _, hop := range r.Multipath {
		if hop.OIF == index && route.FamilyOf(hop.Gateway) == r.Family {
			return hop.Gateway
		}
	}
	return netip.Addr{}
}
