package uplink

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// defaultSource returns the address that packets without a source get from a default
// route: the route's own source, if it is a source of the uplink, or else the source that
// [Policy.chooseSource] finds for its gateway. If next hops need different sources, the
// result is invalid, and the kernel chooses for each.
func (p *Policy) defaultSource(d *route.Route, sources []host.Address) netip.Addr {
	if d.Src.IsValid() { // only packets from there take it
		sources = slices.DeleteFunc(slices.Clone(sources), func(a host.Address) bool { return !d.Src.Contains(a.Addr) })
	}
	for _, a := range sources {
		if a.Addr == d.PrefSrc {
			return d.PrefSrc
		}
	}
	var chosen netip.Addr
	for i, h := range form.NextHops(d) {
		a := p.chooseSource(d.Family, sources, func(a host.Address) bool { return isNear(a, h.Gateway) })
		if i > 0 && a != chosen {
			return netip.Addr{}
		}
		chosen = a
	}
	return chosen
}

// subnetSource returns the address that packets without a source get from the route to a
// subnet on the link: one in the subnet, if there is one. If IPv6 has several, the kernel
// chooses.
func (p *Policy) subnetSource(subnet netip.Prefix, sources []host.Address) netip.Addr {
	near := func(a host.Address) bool { return a.Index == p.Index && a.Subnet == subnet }
	if !slices.ContainsFunc(sources, near) { // the subnet comes from no address
		near = func(a host.Address) bool { return a.Index == p.Index && subnet.Contains(a.Addr) }
	}
	f, n := route.FamilyOf(subnet.Addr()), 0
	for _, a := range sources {
		if near(a) && !a.Deprecated {
			n++
		}
	}
	if f == route.IPv6 && n > 1 && p.kernelMayChoose() {
		return netip.Addr{}
	}
	return p.chooseSource(f, sources, near)
}

// kernelMayChoose reports whether every address that the kernel can choose on the
// interface is a source of the uplink.
func (p *Policy) kernelMayChoose() bool { return p.Spec.TakesAll() && !p.SharesInterface }

// isNear reports whether a gateway is in the subnet of an address.
func isNear(a host.Address, gateway netip.Addr) bool {
	return gateway.IsValid() && a.Subnet.IsValid() && a.Subnet.Contains(gateway)
}

// chooseSource returns the source of the uplink, in a family, that packets without a
// source get from a route. Near addresses, which are in the subnet that the route leads
// to first, come before others. The result is invalid if the kernel chooses better,
// because it knows the destination (RFC 6724).
func (p *Policy) chooseSource(f route.Family, sources []host.Address, near func(host.Address) bool) netip.Addr {
	all := slices.DeleteFunc(slices.Clone(sources), func(a host.Address) bool { return route.FamilyOf(a.Addr) != f })
	if len(all) == 0 {
		return netip.Addr{}
	}
	ranked := p.rank(all, near)
	if f == route.IPv4 {
		return ranked[0].Addr // as the kernel does, but without addresses of other uplinks
	}
	// Deprecated addresses are for connections that already have them.
	pool := keep(all, func(a host.Address) bool { return !a.Deprecated })
	if nearer := keep(pool, near); len(nearer) > 0 && len(nearer) < len(pool) {
		pool = nearer
	} else if len(pool) > 1 && p.kernelMayChoose() {
		return netip.Addr{}
	}
	return p.rank(pool, near)[0].Addr
}

// keep returns the addresses that match, or all of them if none does.
func keep(all []host.Address, match func(host.Address) bool) []host.Address {
	var kept []host.Address
	for _, a := range all {
		if match(a) {
			kept = append(kept, a)
		}
	}
	if len(kept) == 0 {
		return all
	}
	return kept
}

// rank returns addresses of one family, the best one first, and otherwise in their order.
func (p *Policy) rank(all []host.Address, near func(host.Address) bool) []host.Address {
	var preferences []func(host.Address) bool
	if all[0].Addr.Is4() {
		// The kernel takes the first primary address in the gateway's subnet, otherwise
		// the first primary address of the interface.
		preferences = append(preferences, near)
		if p.Spec.TakesAll() {
			preferences = append(preferences, func(a host.Address) bool { return a.Index == p.Index })
		}
		preferences = append(preferences, func(a host.Address) bool { return !a.Secondary })
	} else {
		preferences = []func(host.Address) bool{
			func(a host.Address) bool { return !a.Deprecated },
			near,
			func(a host.Address) bool { return !a.Addr.IsPrivate() }, // fc00::/7
			func(a host.Address) bool { return !a.Temporary },
		}
	}
	ranked := slices.Clone(all)
	slices.SortStableFunc(ranked, func(a, b host.Address) int {
		for _, prefers := range preferences {
			if x, y := prefers(a), prefers(b); x != y {
				if x {
					return -1
				}
				return 1
			}
		}
		return 0
	})
	return ranked
}

// Ranked returns addresses of a family, with the best one to send packets from first: the
// address that packets get from the uplink's default route, if the route has one.
func (p *Policy) Ranked(f route.Family, sources []host.Address) []netip.Addr {
	all := slices.DeleteFunc(slices.Clone(sources), func(a host.Address) bool { return route.FamilyOf(a.Addr) != f })
	if len(all) == 0 {
		return nil
	}
	best, _ := p.BestDefault(f)
	first := p.defaultSource(&best, all)
	var addrs []netip.Addr
	if first.IsValid() {
		addrs = append(addrs, first)
	}
	hops := form.NextHops(&best)
	for _, a := range p.rank(all, func(a host.Address) bool {
		return slices.ContainsFunc(hops, func(h route.NextHop) bool { return isNear(a, h.Gateway) })
	}) {
		if a.Addr != first {
			addrs = append(addrs, a.Addr)
		}
	}
	return addrs
}
