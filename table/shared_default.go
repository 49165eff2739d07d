package table

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A SharedDefault is a default route that several uplinks share, for packets that
// have no source yet when their route is looked up, those that take no uplink's
// rule, and those of others that this host forwards. [Maintain] keeps it: a route
// for each family, with a next hop for each uplink that has a Weight:
//
//	ip route replace default proto 210 metric 50
//		nexthop via 192.168.1.1 dev eth0 weight 3 nexthop via 192.168.2.1 dev eth1 weight 1
//
// An uplink has a next hop while it is complete, and unless it is unhealthy and is
// to be withdrawn. Any change is one request that replaces the route. A last uplink
// is not taken away: when all of them are unhealthy, those that were healthy last
// stay, as there is no better way; if they are pending, all others that are not. When
// all are pending, what there is of the route stays.
//
// The kernel shares out flows and not packets: what a flow is, addresses or ports
// as well, is said by net.ipv4.fib_multipath_hash_policy and that of net.ipv6. A
// socket without an address gets one of the interface that its flow leaves by, and
// from then on the rule of that uplink has it: also when weights change, and when
// the uplink is unhealthy.
//
// IPv6 has no next hops without a gateway beside others: an uplink without a Gateway
// has a share of IPv4 only. And IPv6 makes one route of those with the same metric,
// so that a next hop which someone adds to ours is taken for ours, and goes.
type SharedDefault struct {
	// Table is where the route stands. Zero: main. Another one needs rules that
	// lead to it, which are the caller's: it may be none of an uplink's, and none
	// of the system's but main and default. [Sync] deletes what there is in one
	// that is neither, and Maintain brings it back.
	Table rttables.ID

	// Metric is the priority of the route. Of several default routes in a table
	// the kernel takes that with the lowest. Zero: 50, which is before those that
	// network managers, DHCP clients and router advertisements put there, except
	// for one without a metric, 0 for IPv4: that has to get one, or go.
	Metric uint32

	// Protocol marks the route as ours, and has to be that of the uplinks: what
	// else is a default route of the table with this protocol is deleted, and what
	// has another one is left alone. One with the same metric is a conflict, and
	// one with a lower metric is reported. Zero: [Protocol].
	Protocol route.Protocol
}

// sharedMetric is the default of Metric.
const sharedMetric = 50

// defaultName is what events and errors call a shared default.
const defaultName = "(default)"

// Remove deletes the routes. It does not need to be known what uplinks there were.
// Errors are those of the function [Remove].
func (d SharedDefault) Remove(ctx context.Context, c route.Conn) error {
	d = d.withDefaults()
	return locked(ctx, c, func() error {
		p, err := d.planRemove(ctx, c, bothFamilies[:]...)
		if err != nil {
			return err
		}
		return p.apply(ctx, c)
	})
}

// withDefaults fills in what is left open.
func (d SharedDefault) withDefaults() SharedDefault {
	if d.Table == 0 {
		d.Table = rttables.Main
	}
	if d.Metric == 0 {
		d.Metric = sharedMetric
	}
	if d.Protocol == 0 {
		d.Protocol = Protocol
	}
	return d
}

// check refuses a route that cannot be, or not with some uplinks.
func (d *SharedDefault) check(uplinks []MaintainedUplink) error {
	if reserved(d.Table) && d.Table != rttables.Main && d.Table != rttables.Default {
		return &FieldError{Uplink: defaultName, Field: "Table", Reason: fmt.Sprintf("%s is a table of the system", d.Table)}
	}
	weight := 0
	for _, u := range uplinks {
		switch {
		case u.Table == d.Table:
			return u.field("Table", "%d is also that of the shared default", uint32(d.Table))
		case u.protocol() != d.Protocol:
			return u.field("Protocol", "%d is not that of the shared default, %d", u.protocol(), d.Protocol)
		}
		weight += u.Weight
	}
	if weight == 0 && len(uplinks) > 0 {
		return &FieldError{Uplink: uplinks[0].String(), Field: "Weight", Reason: "no uplink has one for the shared default"}
	}
	return nil
}

// checkWeight refuses a weight that the kernel has no room for.
func (u *MaintainedUplink) checkWeight() error {
	if u.Weight < 0 || u.Weight > maxWeight {
		return u.field("Weight", "%d is not between 0 and %d", u.Weight, maxWeight)
	}
	if u.Weight > 0 && !slices.ContainsFunc(u.forFamilies(), u.shares) {
		return u.field("Weight", "IPv6 needs a Gateway for that")
	}
	return nil
}

// maxWeight is what struct rtnexthop can say.
const maxWeight = 256

// shares reports whether an uplink can have a share in the route of a family.
func (u *MaintainedUplink) shares(f route.Family) bool {
	return u.Weight > 0 && slices.Contains(u.forFamilies(), f) &&
		(f == route.IPv4 || u.Gateway.IsValid() || u.Learn != 0)
}

// route is the default route of a family over next hops.
func (d *SharedDefault) route(f route.Family, hops []route.NextHop) route.Route {
	r := route.Route{
		Family: f, Type: route.TypeUnicast, Table: d.Table, Protocol: d.Protocol, Priority: d.Metric,
	}
	switch {
	case len(hops) > 1:
		r.Multipath = hops
	case hops[0].Gateway.IsValid():
		r.Gateway, r.OIF, r.Flags = hops[0].Gateway, hops[0].OIF, hops[0].Flags
	default:
		r.OIF = hops[0].OIF
		r = onLink(r)
	}
	return r
}

// plan adds what leads from the routes that there are to the one that is wanted.
// What is there already is nothing. The second result is a route of others that
// comes before it.
func (d *SharedDefault) plan(ctx context.Context, c route.Conn, want route.Route) (p Plan, before error, err error) {
	s, err := d.read(ctx, c, want.Family)
	if err != nil {
		return p, nil, err
	}
	step := Step{Op: AddRoute, Route: want, Uplink: defaultName, names: s.names}
	for _, r := range s.routes[d.Table] {
		switch {
		case r.Family != want.Family || r.Canonical().Dst.Bits() > 0 || r.TOS != 0:
		case r.Protocol != d.Protocol && r.Priority == d.Metric:
			return Plan{}, nil, d.conflict(s, r, "someone else's default route has the same metric")
		case r.Protocol != d.Protocol && r.Priority < d.Metric:
			before = d.conflict(s, r, "someone else's default route goes before it, with a lower metric")
		case r.Protocol != d.Protocol || keyOf(r) != keyOf(want):
		case sameHops(r, want):
			step.Op = 0
		default:
			step.Op, step.Replaced = ReplaceRoute, r
		}
	}
	if step.Op != 0 {
		p.Steps = append(p.Steps, step)
	}
	for _, step := range d.deletes(s) {
		if keyOf(step.Route) != keyOf(want) {
			p.Steps = append(p.Steps, step)
		}
	}
	return p, before, nil
}

// planRemove deletes our default routes of some families.
func (d *SharedDefault) planRemove(ctx context.Context, c route.Conn, families ...route.Family) (p Plan, err error) {
	for _, f := range families {
		s, err := d.read(ctx, c, f)
		if err != nil {
			return p, err
		}
		p.Steps = append(p.Steps, d.deletes(s)...)
	}
	return p, nil
}

// deletes are the steps that delete our default routes.
func (d *SharedDefault) deletes(s *state) []Step {
	var steps []Step
	for _, r := range s.routes[d.Table] {
		if r.Protocol == d.Protocol && r.Canonical().Dst.Bits() <= 0 && !isClaim(r) {
			steps = append(steps, Step{Op: DeleteRoute, Route: r, Uplink: defaultName, names: s.names})
		}
	}
	return steps
}

// read reads the routes of a family in the table, and the names of interfaces.
func (d *SharedDefault) read(ctx context.Context, c route.Conn, f route.Family) (*state, error) {
	links, err := route.ListLinks(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	routes, err := route.List(ctx, c, route.Filter{Family: f, Table: d.Table})
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	return &state{
		names:  &names{known: route.Names{Links: links}},
		routes: map[rttables.ID][]route.Route{d.Table: routes},
	}, nil
}

func (d *SharedDefault) conflict(s *state, r route.Route, reason string) error {
	return &ConflictError{Uplink: defaultName, Object: r.Text(s.names.get()), Owner: r.Protocol, Reason: reason}
}

// sameHops reports whether two routes are the same but for the order of next hops.
func sameHops(a, b route.Route) bool {
	a, b = a.Canonical(), b.Canonical()
	for _, r := range []*route.Route{&a, &b} {
		slices.SortFunc(r.Multipath, func(x, y route.NextHop) int {
			return cmp.Or(cmp.Compare(x.OIF, y.OIF), x.Gateway.Compare(y.Gateway))
		})
	}
	return a.Equal(b)
}
