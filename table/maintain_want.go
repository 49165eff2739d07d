package table

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/health"
)

// A kept is an uplink with what is known of it.
type kept struct {
	MaintainedUplink
	gateway netip.Addr   // the last one that was learned
	sources []netip.Addr // those that it had when it was looked at last
	taken   []netip.Addr // those that are Sources of other uplinks
	table   rttables.ID  // the one that it was planned for last, zero: none
	// former is the table that it is to be moved from. Zero: none.
	former rttables.ID
	// recalled: what an earlier Maintain has left was looked at.
	recalled bool
	// waits is what keeps it from being complete. Empty: nothing.
	waits string
	// said is what was last reported of it, and why.
	said       EventKind
	saidReason string
	failures   int // in a row
	// withheld are families whose routes are left as they are, for one plan.
	withheld []route.Family

	live []netip.Addr // sources that can be used now
	// prober probes the uplink while stopProber, which stops it, is set. A prober
	// that was stopped is continued by the next one.
	prober     *health.Prober
	stopProber context.CancelFunc
	unhealthy  bool // what was reported
}

// family is that of the uplink, zero for both.
func (k *kept) family() route.Family {
	if families := k.forFamilies(); len(families) == 1 {
		return families[0]
	}
	return 0
}

// uplink is the value that is installed. A gateway that is not known yet is the
// unspecified address of its family.
func (k *kept) uplink() SourceRoutedUplink {
	u := k.SourceRoutedUplink
	if k.withdrawn() {
		u.Also = nil
	}
	if k.Learn == 0 {
		return u
	}
	u.Gateway = k.gateway
	if !u.Gateway.IsValid() {
		u.Gateway = netip.IPv4Unspecified()
		if k.Learn == route.IPv6 {
			u.Gateway = netip.IPv6Unspecified()
		}
	}
	return u
}

// Resolve is the uplink as it can be installed now: with Learn, its gateway is
// the one that [Maintain] would learn. Without one, the error is a [*FieldError].
func (u MaintainedUplink) Resolve(ctx context.Context, c route.Conn) (SourceRoutedUplink, error) {
	if u.Learn == 0 {
		return u.SourceRoutedUplink, nil
	}
	if err := checkMaintained([]MaintainedUplink{u}); err != nil {
		return u.SourceRoutedUplink, err
	}
	s, err := readState(ctx, c, u.Etc)
	if err != nil {
		return u.SourceRoutedUplink, err
	}
	k := &kept{MaintainedUplink: u}
	if err := k.learn(ctx, c, s); err != nil {
		return u.SourceRoutedUplink, err
	}
	if !k.gateway.IsValid() {
		return u.SourceRoutedUplink, u.field("Learn", "%s", k.unlearned())
	}
	return k.uplink(), nil
}

// unlearned says that there is no gateway.
func (k *kept) unlearned() string {
	return fmt.Sprintf("table main has no %s default route by %s to learn the gateway from", ipName(k.Learn), k.Interface)
}

// learn finds the gateway of the default route in main by the uplink's interface.
// Without one, and without one from before, it is that with which the uplink is
// installed.
func (k *kept) learn(ctx context.Context, c route.Conn, s *state) error {
	index, ok := s.link(k.Interface)
	if k.Learn == 0 || !ok {
		return nil
	}
	// The kernel sends those by the interface alone: main may have a million.
	main, err := route.List(ctx, c, route.Filter{Family: k.Learn, Table: rttables.Main, Type: route.TypeUnicast, OIF: index})
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	gateway := k.defaultBy(main, index, false)
	if gateway.IsValid() || k.gateway.IsValid() {
		k.gateway = cmp.Or(gateway, k.gateway)
		return nil
	}
	id, err := s.table(&k.SourceRoutedUplink, k.Sources)
	if err != nil || id == 0 {
		return nil // to plan is to find that out again, and to say it
	}
	if err := s.readRoutes(ctx, c, id); err != nil {
		return err
	}
	k.gateway = k.defaultBy(s.routes[id], index, true)
	return nil
}

// defaultBy is the gateway of the default route by an interface with the lowest
// metric, among those of our own protocol or among the others.
func (k *kept) defaultBy(routes []route.Route, index uint32, own bool) netip.Addr {
	var gateway netip.Addr
	var metric uint32
	for i := range routes {
		r := &routes[i]
		if r.Family != k.Learn || r.Type != route.TypeUnicast || r.Canonical().Dst.Bits() > 0 || r.TOS != 0 ||
			(r.Protocol == k.protocol()) != own {
			continue
		}
		if a := gatewayBy(r, index); a.IsValid() && (!gateway.IsValid() || r.Priority < metric) {
			gateway, metric = a, r.Priority
		}
	}
	return gateway
}

// gatewayBy is the gateway of a route by an interface, if it is of the route's family.
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

// want works out what there should be of the uplink in state s now, and what it
// waits for. Rules are for all its sources, also those that are not there. Routes
// are what can be installed; where nothing can, those that there are.
func (k *kept) want(
	ctx context.Context, c route.Conn, s *state, links map[string]linkState, u *SourceRoutedUplink,
) (*wanted, error) {
	k.waits, k.live = "", nil
	if u.Gateway.IsValid() && s.local(u.Gateway) {
		return nil, u.field("Gateway", "%s is an address of this host", u.Gateway)
	}
	w := &wanted{uplink: u, index: links[u.Interface].index}
	usable := make(map[route.Family][]address)
	sources := make(map[route.Family][]netip.Addr)
	for _, f := range k.forFamilies() {
		sources[f], usable[f] = k.sourcesOf(s, f, links)
		w.sources = append(w.sources, sources[f]...)
	}
	var err error
	if w.table, err = s.table(u, w.sources); err != nil {
		return nil, err
	}
	// A table that was chosen stays the uplink's if all its sources change.
	w.table = cmp.Or(w.table, k.table)
	if k.former != 0 && k.former != w.table {
		w.former = []rttables.ID{k.former}
		if err := s.readRoutes(ctx, c, k.former); err != nil {
			return nil, err
		}
	}
	for _, f := range k.forFamilies() {
		// Without a source there is nothing to be done, but for rules from
		// addresses that another interface has got.
		if len(sources[f]) > 0 || slices.ContainsFunc(s.rules, func(r rule.Rule) bool {
			return r.Family == f && w.uses(r.Table) && r.Protocol == u.protocol() && isRung(r)
		}) {
			w.families = append(w.families, f)
		}
	}
	whole, absent := 0, ""
	for _, f := range k.forFamilies() {
		why := k.lacks(links, u, f, sources[f], usable[f])
		if why == "" && slices.Contains(k.withheld, f) {
			why = "the kernel refuses its routes"
		}
		if why == "" {
			w.addFamily(s, f, w.index, usable[f])
			for _, a := range usable[f] {
				k.live = append(k.live, a.addr)
			}
			whole++
			continue
		}
		if k.waits == "" {
			k.waits = why
		}
		if err := k.hold(ctx, c, s, w, f); err != nil {
			return nil, err
		}
		// Of both families, one that the interface never had is none to wait for.
		if len(sources[f]) == 0 && len(k.forFamilies()) > 1 && k.waits == why && why == noAddress(u.Interface, f) {
			absent = why
		}
	}
	if whole > 0 && k.waits == absent {
		k.waits = ""
	}
	k.sources = w.sources
	return w, nil
}

// hold adds the rules of a family whose routes cannot be installed, and the routes
// that there are.
func (k *kept) hold(ctx context.Context, c route.Conn, s *state, w *wanted, f route.Family) error {
	if !slices.Contains(w.families, f) {
		return nil
	}
	rules := &wanted{uplink: w.uplink, table: w.table}
	rules.addFamily(s, f, w.index, nil)
	w.also = append(w.also, rules.also...)
	if w.table == 0 {
		return nil
	}
	if err := s.readRoutes(ctx, c, w.table); err != nil {
		return err
	}
	for _, r := range s.routes[w.table] {
		if w.owns(f, r.Table, r.Protocol) && r.Family == f && !isClaim(r) {
			w.routes = append(w.routes, r)
		}
	}
	return nil
}

// sourcesOf are the sources of a family, and those of them that can be used. The
// last ones stay while the interface has no others, and also while it is down,
// when the kernel is taking its addresses away one by one.
func (k *kept) sourcesOf(s *state, f route.Family, links map[string]linkState) (all []netip.Addr, usable []address) {
	link := links[k.Interface]
	for _, a := range s.addrs {
		own := a.index == link.index && link.index != 0 && a.global && !slices.Contains(k.taken, a.addr)
		if len(k.Sources) > 0 {
			own = slices.Contains(k.Sources, a.addr)
		}
		if !own || route.FamilyOf(a.addr) != f || slices.Contains(all, a.addr) {
			continue
		}
		all = append(all, a.addr)
		if !a.tentative {
			usable = append(usable, a)
		}
	}
	held := k.Sources
	if len(held) == 0 && (len(all) == 0 || link.flags&uapi.IFF_UP == 0) {
		// What another interface has got meanwhile is no source of this one.
		held = slices.DeleteFunc(slices.Clone(k.sources), func(a netip.Addr) bool {
			return slices.Contains(k.taken, a) || k.elsewhere(s, links, a)
		})
	}
	for _, a := range held {
		if route.FamilyOf(a) == f && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all, usable
}

// elsewhere reports whether another interface has an address. Addresses are read
// before interfaces: one of an interface that is not there was that of one which has
// been deleted meanwhile.
func (k *kept) elsewhere(s *state, links map[string]linkState, addr netip.Addr) bool {
	return slices.ContainsFunc(s.addrs, func(a address) bool {
		if a.addr != addr {
			return false
		}
		for name, link := range links {
			if link.index == a.index {
				return name != k.Interface
			}
		}
		return false
	})
}

// lacks is what keeps the routes of a family from being installed.
func (k *kept) lacks(
	links map[string]linkState, u *SourceRoutedUplink, f route.Family, sources []netip.Addr, usable []address,
) string {
	link, ok := links[u.Interface]
	switch {
	case !ok:
		return fmt.Sprintf("there is no interface %s", u.Interface)
	case link.flags&uapi.IFF_UP == 0:
		return fmt.Sprintf("the interface %s is down", u.Interface)
	case len(usable) == 0 && len(k.Sources) > 0:
		return fmt.Sprintf("%s cannot be used as a source: it is not there, or its duplicate address detection "+
			"has not succeeded", sources[0])
	case len(usable) == 0:
		return noAddress(u.Interface, f)
	case u.Gateway.IsUnspecified():
		return k.unlearned()
	}
	return ""
}

func noAddress(dev string, f route.Family) string {
	return fmt.Sprintf("the interface %s has no global %s address that can be used", dev, ipName(f))
}
