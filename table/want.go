package table

import (
	"context"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// wanted is what there should be of an uplink.
type wanted struct {
	uplink *SourceRoutedUplink
	index  uint32 // of the interface
	table  rttables.ID
	// claimed: the table is a new one, that no one else may take meanwhile.
	claimed bool
	// detour: it is only there within a transaction.
	detour bool
	// given is the priority that a detour is on its way to, if not a chosen one.
	given uint32
	// former are the tables that the uplink is moved from.
	former []rttables.ID
	// families are those that the uplink is about.
	families []route.Family
	sources  []netip.Addr
	routes   []route.Route // in the order in which they are installed
	also     []rule.Rule
}

// owns reports whether an object of a family with a protocol, in a table, is
// one of the uplink's.
func (w *wanted) owns(f route.Family, t rttables.ID, p route.Protocol) bool {
	return w.uses(t) && p == w.uplink.protocol() && slices.Contains(w.families, f)
}

// self is whose a rule is, whatever the rule.
func (w *wanted) self(rule.Rule) *wanted { return w }

// want works out what there should be of u in state s, but for the priorities
// of rules.
func (s *state) want(u *SourceRoutedUplink) (*wanted, error) {
	if err := u.Validate(); err != nil {
		return nil, err
	}
	index, ok := s.link(u.Interface)
	if !ok {
		return nil, u.field("Interface", "there is no interface %q", u.Interface)
	}
	if u.Gateway.IsValid() && s.local(u.Gateway) {
		return nil, u.field("Gateway", "%s is an address of this host", u.Gateway)
	}
	sources, err := s.sources(u, index)
	if err != nil {
		return nil, err
	}
	w := &wanted{uplink: u, index: index}
	for _, a := range sources {
		w.sources = append(w.sources, a.addr)
		if f := route.FamilyOf(a.addr); !slices.Contains(w.families, f) {
			w.families = append(w.families, f)
		}
	}
	if w.table, err = s.table(u, w.sources); err != nil {
		return nil, err
	}
	for _, f := range w.families {
		w.addFamily(s, f, index, sources)
	}
	for _, r := range w.also {
		if isRung(r) && slices.Contains(w.sources, r.From.Addr()) {
			return nil, u.field("Also", "from %s is a source already", r.From.Addr())
		}
	}
	return w, nil
}

// link is the index of an interface. Unlike Links.Index it does not take if9 for
// one that has no other name.
func (s *state) link(name string) (uint32, bool) {
	for index, have := range s.names.known.Links.All() {
		if have == name {
			return index, true
		}
	}
	return 0, false
}

// sources are the addresses whose packets take the uplink.
func (s *state) sources(u *SourceRoutedUplink, index uint32) ([]address, error) {
	var found []address
	for k, want := range u.Sources {
		if slices.Contains(u.Sources[:k], want) {
			continue
		}
		i := slices.IndexFunc(s.addrs, func(a address) bool { return a.addr == want })
		if i < 0 {
			return nil, u.field("Sources", "%s is not an address of this host", want)
		}
		found = append(found, s.addrs[i])
	}
	if len(u.Sources) == 0 {
		f := u.family()
		for _, a := range s.addrs {
			if a.index == index && a.global && slices.Contains(u.families(), route.FamilyOf(a.addr)) {
				found = append(found, a)
			}
		}
		if len(found) == 0 {
			what := "global address"
			if f != 0 {
				what = "global " + ipName(f) + " address"
			}
			return nil, u.field("Interface", "%s has no %s", u.Interface, what)
		}
	}
	for _, a := range found {
		if a.tentative {
			return nil, u.field("Sources", "%s is tentative: its duplicate address detection has not succeeded", a.addr)
		}
	}
	return found, nil
}

func ipName(f route.Family) string {
	if f == route.IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// addFamily adds the routes and the rules of Also of one family.
func (w *wanted) addFamily(s *state, f route.Family, index uint32, sources []address) {
	u := w.uplink
	base := route.Route{
		Family: f, Type: route.TypeUnicast, Table: w.table, Protocol: u.protocol(),
		OIF: index, Priority: u.Metric,
	}
	for _, a := range sources {
		if route.FamilyOf(a.addr) != f {
			continue
		}
		if !base.PrefSrc.IsValid() {
			base.PrefSrc = a.addr
		}
		if a.index == index && a.subnet.IsValid() {
			r := base
			r.Dst, r.PrefSrc = a.subnet, a.addr
			w.addRoute(onLink(r))
		}
	}
	out := onLink(base)
	if u.Gateway.IsValid() {
		out = base
		out.Gateway = u.Gateway
		if u.OnLink {
			out.Flags |= route.FlagOnLink
		}
	}
	for _, dst := range u.Routes {
		if route.FamilyOf(dst.Addr()) == f {
			r := out
			r.Dst = dst
			w.addRoute(r)
		}
	}
	w.addRoute(out)
	for _, r := range u.Also {
		if r.Family == 0 && alsoFamily(&r) == 0 {
			r.Family = f
		}
		if r.Family == f || r.Family == 0 && alsoFamily(&r) == f {
			r.Family = f
			w.also = append(w.also, w.pair(r)...)
		}
	}
}

// onLink is a route without a gateway.
func onLink(r route.Route) route.Route {
	if r.Family == route.IPv4 {
		r.Scope = route.ScopeLink
	}
	return r
}

// addRoute adds a route, unless there is one to the same destination.
func (w *wanted) addRoute(r route.Route) {
	if !slices.ContainsFunc(w.routes, func(o route.Route) bool { return keyOf(o) == keyOf(r) }) {
		w.routes = append(w.routes, r)
	}
}

// alsoFamily is the family that the addresses of a rule tell, or zero.
func alsoFamily(r *rule.Rule) route.Family {
	if f := route.FamilyOf(r.From.Addr()); f != 0 {
		return f
	}
	return route.FamilyOf(r.To.Addr())
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// A routeKey is what tells one route of a table from another.
type routeKey struct {
	family   route.Family
	table    rttables.ID
	dst      netip.Prefix
	tos      uint8
	priority uint32
}

func keyOf(r route.Route) routeKey {
	r = r.Canonical()
	return routeKey{r.Family, r.Table, r.Dst, r.TOS, r.Priority}
}

// setTable puts the table that was found into routes and rules.
func (w *wanted) setTable() {
	for i := range w.routes {
		w.routes[i].Table = w.table
	}
	for i := range w.also {
		if !isNearer(w.also[i]) {
			w.also[i].Table = w.table
		}
	}
}

// wantAll works out what there should be of several uplinks.
func (s *state) wantAll(ctx context.Context, c route.Conn, uplinks []SourceRoutedUplink) ([]*wanted, error) {
	var all []*wanted
	named := make(map[string]rttables.ID)
	for i := range uplinks {
		u := &uplinks[i]
		want := s.want
		if s.maintained != nil {
			want = s.maintained
		}
		w, err := want(u)
		if err != nil {
			return nil, err
		}
		if w.table == 0 {
			w.table = named[u.Name]
		}
		if w.table == 0 {
			if w.table, err = s.claim(ctx, c, all); err != nil {
				return nil, err
			}
			w.claimed = true
		}
		if u.Name != "" {
			named[u.Name] = w.table
		}
		w.setTable()
		if err := w.distinct(all); err != nil {
			return nil, err
		}
		if err := s.readRoutes(ctx, c, w.table); err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	for _, w := range all {
		if err := s.checkForeign(w); err != nil {
			return nil, err
		}
		if err := s.findFormer(ctx, c, w, w.sources, func(r rule.Rule) error {
			if s.alone && !slices.ContainsFunc(all, func(o *wanted) bool { return o.table == r.Table }) {
				w.former = append(w.former, r.Table)
				return nil
			}
			return w.conflict(r, "the source is that of an uplink by another interface, which has to be removed first")
		}); err != nil {
			return nil, err
		}
		for _, o := range all {
			if slices.Contains(w.former, o.table) {
				return nil, w.uplink.field("Table", "%d is where it is installed, and is to be that of uplink %s",
					uint32(o.table), o.uplink)
			}
		}
	}
	return all, nil
}

// findFormer finds other tables in which the sources are looked up by rungs of
// ours, and by the same interface: there the uplink is installed so far. With
// another interface it is another uplink, which other is called with.
func (s *state) findFormer(
	ctx context.Context, c route.Conn, w *wanted, sources []netip.Addr, other func(rule.Rule) error,
) error {
	for _, r := range s.rules {
		if r.Protocol != w.uplink.protocol() || !isRung(r) || reserved(r.Table) || w.uses(r.Table) ||
			!slices.Contains(w.families, r.Family) || !slices.Contains(sources, r.From.Addr()) {
			continue
		}
		if err := s.readRoutes(ctx, c, r.Table); err != nil {
			return err
		}
		if slices.ContainsFunc(s.routes[r.Table], func(have route.Route) bool {
			return have.Protocol == r.Protocol && have.Type == route.TypeUnicast && have.OIF != w.index
		}) {
			if err := other(r); err != nil {
				return err
			}
			continue
		}
		w.former = append(w.former, r.Table)
	}
	return nil
}
