package maintain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// learnTable returns the table that default routes are learned from.
func (u *Uplink) learnTable() rttables.ID { return cmp.Or(u.LearnTable, rttables.Main) }

// noDefault says that there is no default route to learn. If the uplink has no table of
// its own, LearnTable may have been meant as that table.
func (u *Uplink) noDefault() string {
	reason := fmt.Sprintf("table %s has no %s default route by %s to learn from",
		u.learnTable(), form.FamilyName(u.Learn), u.Interface)
	if u.LearnTable != 0 && u.Table == 0 {
		reason += fmt.Sprintf("; if %d is to be the uplink's own table, write it before learn", uint32(u.LearnTable))
	}
	return reason
}

// withLearned returns the uplink with the default routes that were learned, if it learns
// them. Without any, only their family is known.
func (u *Uplink) withLearned(defaults []route.Route) table.SourceRoutedUplink {
	s := u.SourceRoutedUplink
	if u.Learn != 0 {
		s.Family, s.Defaults = u.Learn, defaults
	}
	return s
}

// Resolve returns the uplink in the form in which it can be installed now: if Learn is
// set, Defaults has the routes that Run would learn. If there are no such routes, the
// error is a [*plan.FieldError].
func (u Uplink) Resolve(ctx context.Context, c route.Conn) (table.SourceRoutedUplink, error) {
	if u.Learn == 0 {
		return u.SourceRoutedUplink, nil
	}
	if err := u.Validate(); err != nil {
		return u.SourceRoutedUplink, err
	}
	now, err := host.ReadRules(ctx, c, u.Etc)
	if err == nil {
		err = now.ReadLink(ctx, c, u.Interface)
	}
	if err == nil {
		err = now.ReadAddresses(ctx, c, u.Learn)
	}
	if err != nil {
		return u.SourceRoutedUplink, err
	}
	if _, ok := now.Link(u.Interface); !ok {
		return u.SourceRoutedUplink, u.fieldError("Interface", "the interface %q does not exist", u.Interface)
	}
	defaults, err := newReading(c, now).learnDefaults(ctx, &u, nil)
	switch {
	case err != nil:
		return u.SourceRoutedUplink, err
	case len(defaults) == 0:
		return u.SourceRoutedUplink, u.fieldError("Learn", "%s", u.noDefault())
	}
	return u.withLearned(defaults), nil
}

// learnDefaults returns the default routes that u learns: those by its interface in the
// table that it learns from, the best one first. If there is no such route, it returns the
// last learned ones, or else the ones with which u is installed. Routes whose gateway is
// this host count only if there are no others at all, and routes for a tos only beside one
// for all packets.
func (r *reading) learnDefaults(ctx context.Context, u *Uplink, last []route.Route) ([]route.Route, error) {
	index, ok := r.now.Link(u.Interface)
	if u.Learn == 0 || !ok {
		return last, nil
	}
	proto := u.protocol()
	routes, err := r.defaultsBy(ctx, interfaceTable{index, u.Learn, u.learnTable()})
	if err != nil {
		return last, err
	}
	isTheirs := func(have *route.Route) bool { return have.Protocol != proto }
	learned := u.templates(routes, index, func(have *route.Route) bool { return isTheirs(have) && !r.leadsHere(have) })
	switch {
	case slices.ContainsFunc(learned, func(t route.Route) bool { return t.TOS == 0 }):
		return learned, nil
	case len(last) > 0:
		return last, nil
	}
	id, err := uplink.FindTable(r.now, u.spec(), u.Sources)
	if err == nil && id != 0 { // the planner finds the error again, and reports it
		if err := r.now.ReadRoutes(ctx, r.conn, id); err != nil {
			return nil, err
		}
		installed := u.templates(r.now.Routes(id), index, func(have *route.Route) bool {
			return have.Protocol == proto && have.Family == u.Learn
		})
		if len(installed) > 0 {
			return installed, nil
		}
	}
	// The planner refuses a gateway that is this host, and says so.
	return u.templates(routes, index, func(have *route.Route) bool { return isTheirs(have) && have.TOS == 0 }), nil
}

// leadsHere reports whether a gateway of a route is this host itself, which the kernel
// permits. Other routes stay valid beside such a route.
func (r *reading) leadsHere(have *route.Route) bool {
	return slices.ContainsFunc(form.NextHops(have), func(h route.NextHop) bool { return r.now.IsLocal(h.Gateway) })
}

// An interfaceTable is an interface in one family, and a table.
type interfaceTable struct {
	index  uint32
	family route.Family
	table  rttables.ID
}

// defaultsBy returns the default routes of a table by an interface, with the next hops of
// nexthop objects. It reads the routes once.
func (r *reading) defaultsBy(ctx context.Context, by interfaceTable) ([]route.Route, error) {
	if routes, ok := r.defaults[by]; ok {
		return routes, nil
	}
	var routes []route.Route
	// The kernel selects the routes of one interface: main may have a million others.
	for have, err := range route.All(ctx, r.conn, route.Filter{
		Family: by.family, Table: by.table, Type: route.TypeUnicast, OIF: by.index,
	}) {
		if err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		if form.IsDefault(&have) {
			routes = append(routes, have)
		}
	}
	for i := range routes {
		if err := r.resolveObject(ctx, &routes[i]); err != nil {
			return nil, err
		}
	}
	r.defaults[by] = routes
	return routes, nil
}

// resolveObject replaces the nexthop object of a route by its next hops. The kernel
// reports them with the route, unless net.ipv4.nexthop_compat_mode is 0.
func (r *reading) resolveObject(ctx context.Context, have *route.Route) error {
	id := have.NextHopID
	have.NextHopID = 0
	if id == 0 || have.OIF != 0 || len(have.Multipath) > 0 {
		return nil
	}
	object, err := nexthop.Get(ctx, r.conn, id)
	members := object.Group
	if len(members) == 0 {
		members = []nexthop.Member{{ID: id}}
	}
	for _, m := range members {
		if err == nil && m.ID != id {
			object, err = nexthop.Get(ctx, r.conn, m.ID)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // it went with its routes
			return nil
		case err != nil:
			return fmt.Errorf("table: %w", err)
		}
		have.Multipath = append(have.Multipath, route.NextHop{
			Gateway: object.Gateway, OIF: object.OIF, Flags: object.Flags, Weight: m.Weight,
		})
	}
	return nil
}

// templates returns default routes by an interface as values for Defaults, the best one
// first. Of a route by several interfaces it takes the next hops by this one.
//
// The order is that in which the kernel takes the routes: by metric, in IPv6 then by the
// preference that a router has announced, and otherwise as the kernel lists them. The
// uplink's own metrics keep that order. In a table of an uplink, IPv6 routes with the same
// metric would be one route by several gateways, whatever their preference.
func (u *Uplink) templates(routes []route.Route, index uint32, match func(*route.Route) bool) []route.Route {
	var all []route.Route
	for i := range routes {
		if have := &routes[i]; have.Type == route.TypeUnicast && form.IsDefault(have) && match(have) {
			if t, ok := template(have, index); ok {
				all = append(all, t)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b route.Route) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), -comparePreference(a.Preference, b.Preference))
	})
	return u.distinct(all)
}

// distinct returns templates without those that packets can never take, because an earlier
// one goes the same way, and gives the rest metrics that keep their order.
func (u *Uplink) distinct(all []route.Route) []route.Route {
	type selector struct {
		tos uint8
		src netip.Prefix
	}
	before := make(map[selector][]route.Route)
	var kept []route.Route
	for _, t := range all {
		at := selector{t.TOS, t.Src}
		n := len(before[at])
		last := u.baseMetric() > math.MaxUint32-uint32(n) // there is no metric behind it
		if last || slices.ContainsFunc(before[at], func(o route.Route) bool { return goSameWay(&o, &t) }) {
			continue
		}
		if t.Priority = 0; n > 0 { // zero is Metric
			t.Priority = u.baseMetric() + uint32(n)
		}
		before[at] = append(before[at], t)
		kept = append(kept, t)
	}
	return kept
}

// baseMetric returns the metric that the kernel gives to routes with the uplink's.
func (u *Uplink) baseMetric() uint32 {
	if u.Metric == 0 && u.Learn == route.IPv6 {
		return 1024 // IP6_RT_PRIO_USER of linux/ipv6_route.h
	}
	return u.Metric
}

// goSameWay reports whether packets that take two routes have the same next hops.
func goSameWay(a, b *route.Route) bool {
	return slices.Equal(form.NextHops(a), form.NextHops(b))
}

// template returns a route by an interface as a value for Defaults, without the values
// that the uplink fills in and those that only the kernel knows. If ok is false, the route
// is not by that interface.
func template(have *route.Route, index uint32) (t route.Route, ok bool) {
	t = *have
	t.Table, t.Protocol, t.OIF, t.Dst, t.Multipath = 0, 0, 0, netip.Prefix{}, nil
	t.Flags &= route.FlagOnLink
	t.Expires, t.CacheInfo = route.Opt[uint32]{}, route.CacheInfo{}
	for _, h := range have.Multipath {
		if h.OIF == index {
			h.OIF = 0
			h.Flags &= route.FlagOnLink
			t.Multipath = append(t.Multipath, h)
		}
	}
	if len(t.Multipath) == 1 {
		h := t.Multipath[0]
		t.Gateway, t.Flags, t.Realms, t.Encap, t.Multipath = h.Gateway, h.Flags, h.Realms, h.Encap, nil
	}
	return t, form.LeavesBy(have, index)
}

// comparePreference orders preferences, low before medium before high.
func comparePreference(a, b route.Opt[route.Preference]) int {
	rank := func(p route.Opt[route.Preference]) int {
		switch p.Or(route.PrefMedium) {
		case route.PrefHigh:
			return 1
		case route.PrefLow:
			return -1
		}
		return 0
	}
	return cmp.Compare(rank(a), rank(b))
}
