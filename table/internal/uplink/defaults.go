package uplink

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// statedFamily returns the family that a default route has by Family or its addresses.
// Zero: it can have both. An IPv6 gateway does not decide the family, because IPv4 routes
// can have such a gateway.
func statedFamily(d *route.Route) route.Family {
	if d.Family != 0 {
		return d.Family
	}
	if f := route.FamilyOf(d.PrefSrc); f != 0 {
		return f
	}
	if f := route.FamilyOf(d.Src.Addr()); f != 0 {
		return f
	}
	for _, h := range form.NextHops(d) {
		if h.Gateway.Is4() {
			return route.IPv4
		}
	}
	return 0
}

// canBeIn reports whether a default route of Defaults can belong to a family.
func canBeIn(d *route.Route, f route.Family) bool {
	stated := statedFamily(d)
	return stated == 0 || stated == f
}

// firstHop returns the first next hop of a route.
func firstHop(r *route.Route) route.NextHop { return form.NextHops(r)[0] }

// Gateways returns the gateways of the uplink's default routes, each once.
func (u *Spec) Gateways() []netip.Addr {
	var all []netip.Addr
	for _, d := range u.templates() {
		for _, h := range form.NextHops(&d) {
			if h.Gateway.IsValid() && !slices.Contains(all, h.Gateway) {
				all = append(all, h.Gateway)
			}
		}
	}
	return all
}

// BestDefault returns the default route that packets of a family take, if no other one is
// for their DS field or source. The route has the values that the uplink fills in, except
// for a source address. If ok is false, there is none.
func (p *Policy) BestDefault(f route.Family) (best route.Route, ok bool) {
	for i, d := range p.defaults(f) {
		plain := d.TOS == 0 && !d.Src.IsValid()
		was := best.TOS == 0 && !best.Src.IsValid()
		if i == 0 || plain && !was || plain == was && d.Priority < best.Priority {
			best, ok = d, true
		}
	}
	return best, ok
}

// templates returns Defaults, or the default route that Gateway means.
func (u *Spec) templates() []route.Route {
	if len(u.Defaults) > 0 {
		return u.Defaults
	}
	d := route.Route{Gateway: u.Gateway}
	if u.OnLink {
		d.Flags = route.FlagOnLink
	}
	return []route.Route{d}
}

// addDefaults adds the default routes of a family, and before them the routes to Routes,
// which go the same ways.
func (p *Policy) addDefaults(f route.Family, sources []host.Address) {
	all := p.defaults(f)
	for i := range all {
		all[i].PrefSrc = p.defaultSource(&all[i], sources)
	}
	for _, dst := range p.Spec.Routes {
		if route.FamilyOf(dst.Addr()) != f {
			continue
		}
		for _, r := range all {
			r.Dst = dst
			p.AddRoute(r)
		}
	}
	for _, r := range all {
		p.AddRoute(r)
	}
}

// defaults returns the default routes of the uplink in a family, the best one first.
func (p *Policy) defaults(f route.Family) []route.Route {
	var all []route.Route
	for _, d := range p.Spec.templates() {
		if canBeIn(&d, f) {
			all = append(all, p.defaultRoute(f, d))
		}
	}
	return all
}

// defaultRoute returns a default route of Defaults with the values that the uplink fills
// in.
func (p *Policy) defaultRoute(f route.Family, d route.Route) route.Route {
	onLink := !form.HasGateway(&d)
	d.Family, d.Type, d.Table, d.Protocol = f, route.TypeUnicast, p.Table, p.Spec.Proto()
	d.Dst = netip.Prefix{}
	d.Flags &= route.FlagOnLink
	d.Expires, d.CacheInfo = route.Opt[uint32]{}, route.CacheInfo{}
	if d.Priority == 0 {
		d.Priority = p.Spec.Metric
	}
	if d.Multipath = slices.Clone(d.Multipath); len(d.Multipath) == 0 {
		d.OIF = p.Index
	}
	for i := range d.Multipath {
		d.Multipath[i].OIF = p.Index
		d.Multipath[i].Flags &= route.FlagOnLink
	}
	if onLink && d.Scope == route.ScopeGlobal {
		d = form.OnLink(d)
	}
	return d
}
