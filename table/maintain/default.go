package maintain

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// A Default is a default route that several uplinks share. It is for packets that have no source
// yet when their route is looked up, for packets that match no rule of an uplink, and for packets
// that this host forwards. [Run] maintains one such route for each family, with a next hop for each
// uplink that has a Weight:
//
//	ip route replace default proto 210 metric 50
//		nexthop via 192.168.1.1 dev eth0 weight 3 nexthop via 192.168.2.1 dev eth1 weight 1
//
// An uplink has a next hop while it is complete, unless it is unhealthy and its Health has
// Withdraw. Each change is one request that replaces the route. The route never loses its last next
// hop: if all uplinks are unhealthy, those that were healthy last keep their next hops. If those
// uplinks are pending, all uplinks that are not pending have a next hop. If all uplinks are
// pending, the existing route is left unchanged.
//
// The kernel distributes flows, not packets. The sysctls net.ipv4.fib_multipath_hash_policy and
// net.ipv6.fib_multipath_hash_policy decide whether a flow is defined by addresses alone, or also
// by ports. A socket without an address gets an address of the interface that its flow leaves by.
// From then on its packets match the rule of that uplink, even if weights change or the uplink
// becomes unhealthy.
//
// When an interface is deleted, as at the end of a PPP session, the kernel deletes every IPv4 route
// that has a next hop through it. So it deletes the whole shared route. Until Run has added the
// route again, packets use a backup route: if the next hops use several interfaces, Run also
// maintains a default route through each single interface, with a metric above Metric. The route of
// the uplink with the highest weight has the lowest of these metrics. IPv6 needs no such routes,
// because the kernel deletes only the next hop.
//
// The next hops of an uplink are those of its best default route. If there are several, they share
// the weight of the uplink. In IPv6, a route with several next hops cannot contain one without a
// gateway. On a point-to-point link, and on other links where the kernel does not resolve the
// gateway, Run gives such a next hop a link-local gateway: the peer's address or fe80::1. On a
// link like Ethernet, an uplink without a gateway gets no next hop if there are others. Also in
// IPv6, the kernel merges several routes with the same metric into one. So if another program adds
// a next hop to the route, Run cannot tell it from its own, and deletes it.
type Default struct {
	// Table is the table of the route. Of the system tables it can be main or default. It cannot be
	// the table of an uplink. For a table other than main, the caller has to add rules that look it
	// up. [table.Sync] deletes the route from a table other than main and default, and Run then
	// adds it again. Zero: main.
	Table rttables.ID

	// Metric is the priority of the route. Of several default routes in a table the kernel takes
	// the one with the lowest metric. Zero: 50, which is lower than the metrics of network
	// managers, DHCP clients and router advertisements. An IPv4 route that was added without a
	// metric has the metric 0, which is lower still: give that route a metric, or delete it.
	//
	// The backup routes (see above) have the next higher metrics that no other default route of
	// the table has: 51, 52 and so on. If no higher metric is free, there is no backup route.
	Metric uint32

	// Protocol marks the route as one that Run maintains. It has to be the protocol of the uplinks.
	// Run deletes other default routes of the table with this protocol. It leaves default routes
	// with another protocol alone: a route with the same metric is a conflict, and Run reports a
	// route with a lower metric. Zero: [table.Protocol].
	Protocol route.Protocol
}

// defaultLabel is the name of a [Default] in events and errors.
const defaultLabel = "(default)"

// Remove deletes the routes of both families, and their backup routes. It works without the
// uplinks. Its errors are those of [table.Remove].
func (d Default) Remove(ctx context.Context, c route.Conn) error {
	d = d.withDefaults()
	return plan.Lock(ctx, c, func() error {
		var steps []plan.Step
		names, err := readLinkNames(ctx, c)
		for _, f := range form.Families {
			if err != nil {
				return err
			}
			var p plan.Plan
			p, err = d.planRemove(ctx, c, names, f)
			steps = append(steps, p.Steps...)
		}
		if err != nil {
			return err
		}
		return makeDefaultPlan(steps, names).ApplyLocked(ctx, c)
	})
}

// readLinkNames reads the names of interfaces.
func readLinkNames(ctx context.Context, c route.Conn) (*host.Names, error) {
	links, err := route.ListLinks(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	return host.NewNames("", links), nil
}

func makeDefaultPlan(steps []plan.Step, names *host.Names) plan.Plan {
	return plan.Make(steps, names.All, "")
}

// withDefaults returns d with the defaults of fields that are not set.
func (d Default) withDefaults() Default {
	if d.Table == 0 {
		d.Table = rttables.Main
	}
	if d.Metric == 0 {
		d.Metric = form.SharedMetric
	}
	if d.Protocol == 0 {
		d.Protocol = table.Protocol
	}
	return d
}

// validate refuses a route that is not possible, or not together with the uplinks.
func (d *Default) validate(uplinks []Uplink) error {
	if form.IsSystemTable(d.Table) && d.Table != rttables.Main && d.Table != rttables.Default {
		return d.fieldError(fmt.Sprintf("%s is a system table", d.Table))
	}
	weight := 0
	for i := range uplinks {
		u := &uplinks[i]
		switch {
		case u.Table == d.Table:
			return u.fieldError("Table", "%d is also the table of the shared default", uint32(d.Table))
		case u.protocol() != d.Protocol:
			return u.fieldError("Protocol", "%d differs from the protocol of the shared default, %d", u.protocol(), d.Protocol)
		}
		weight += u.Weight
	}
	if weight == 0 && len(uplinks) > 0 {
		return uplinks[0].fieldError("Weight", "no uplink has a weight, so no uplink shares the default route")
	}
	return nil
}

// fieldError returns an error about the table of the route.
func (d *Default) fieldError(reason string) error {
	return &plan.FieldError{Uplink: defaultLabel, Field: "Table", Reason: reason}
}

// A defaultPlan has the steps to a default route.
type defaultPlan struct {
	plan plan.Plan
	// preferred reports a route of another program with a lower metric, which packets
	// take instead.
	preferred error
}

// plan returns the steps from the existing routes to the wanted one, and to those behind it.
func (d *Default) plan(
	ctx context.Context, c route.Conn, names *host.Names, want route.Route, behind []route.Route,
) (defaultPlan, error) {
	routes, err := d.read(ctx, c, want.Family)
	if err != nil {
		return defaultPlan{}, err
	}
	var p defaultPlan
	for i := range routes {
		r := &routes[i]
		switch {
		case r.TOS != 0 || r.Protocol == d.Protocol:
		case r.Priority == d.Metric:
			return defaultPlan{}, d.conflict(names, r, "another program's default route has the same metric: delete it, or set another Metric")
		case r.Priority < d.Metric:
			p.preferred = d.conflict(names, r, "another program's default route comes first, because its metric is lower: delete it, or set a lower Metric")
		}
	}
	wanted := append([]route.Route{want}, d.placeBehind(behind, routes)...)
	stays := make(map[form.RouteKey]bool, len(wanted))
	var steps []plan.Step
	for i := range wanted {
		stays[form.KeyOf(&wanted[i])] = true
		if step := d.stepTo(&wanted[i], routes); step.Op != 0 {
			steps = append(steps, step)
		}
	}
	for _, step := range d.deletes(routes) {
		if !stays[form.KeyOf(&step.Route)] {
			steps = append(steps, step)
		}
	}
	p.plan = makeDefaultPlan(steps, names)
	return p, nil
}

// stepTo returns the step from the existing routes to the wanted one. If the wanted one exists, the
// step's Op is zero.
func (d *Default) stepTo(want *route.Route, routes []route.Route) plan.Step {
	step := plan.Step{Op: plan.AddRoute, Route: *want, Uplink: defaultLabel, Owner: plan.NoOwner}
	for _, r := range routes {
		switch {
		case r.Protocol != d.Protocol || form.KeyOf(&r) != form.KeyOf(want):
		case hasSameHops(r, *want):
			step.Op = 0
		default:
			step.Op, step.Replaced = plan.ReplaceRoute, &r
		}
	}
	return step
}

// planRemove returns the plan that deletes our default routes of a family.
func (d *Default) planRemove(ctx context.Context, c route.Conn, names *host.Names, f route.Family) (plan.Plan, error) {
	routes, err := d.read(ctx, c, f)
	if err != nil {
		return plan.Plan{}, err
	}
	return makeDefaultPlan(d.deletes(routes), names), nil
}

// deletes returns the steps that delete our default routes.
func (d *Default) deletes(routes []route.Route) []plan.Step {
	var steps []plan.Step
	for _, r := range routes {
		if r.Protocol == d.Protocol && !form.IsClaim(&r) {
			steps = append(steps, plan.Step{Op: plan.DeleteRoute, Route: r, Uplink: defaultLabel, Owner: plan.NoOwner})
		}
	}
	return steps
}

// read reads the default routes of a family in the table.
func (d *Default) read(ctx context.Context, c route.Conn, f route.Family) ([]route.Route, error) {
	var routes []route.Route
	for r, err := range route.All(ctx, c, route.Filter{Family: f, Table: d.Table}) {
		if err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		if form.IsDefault(&r) {
			routes = append(routes, r)
		}
	}
	return routes, nil
}

func (d *Default) conflict(names *host.Names, r *route.Route, reason string) error {
	return &plan.ConflictError{Uplink: defaultLabel, Object: r.Text(names.All()), Owner: r.Protocol, Reason: reason}
}

// hasSameHops reports whether two routes are the same except for the order of their next
// hops.
func hasSameHops(a, b route.Route) bool {
	a, b = a.Canonical(), b.Canonical()
	for _, r := range []*route.Route{&a, &b} {
		r.Multipath = slices.Clone(r.Multipath)
		slices.SortFunc(r.Multipath, func(x, y route.NextHop) int {
			return cmp.Or(cmp.Compare(x.OIF, y.OIF), x.Gateway.Compare(y.Gateway))
		})
	}
	return a.Equal(b)
}
