package explain

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// addImplied adds the addresses of lo, and the routes that the kernel makes for
// addresses and interfaces.
func (w *World) addImplied() {
	for _, a := range []Address{
		{Index: lo, Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Bits: 8, Scope: route.ScopeHost},
		{Index: lo, Addr: netip.IPv6Loopback(), Bits: 128, Scope: route.ScopeHost},
	} {
		has := func(b Address) bool { return b.Index == lo && b.Addr.Is4() == a.Addr.Is4() }
		if !slices.ContainsFunc(w.Addresses, has) {
			w.Addresses = append(w.Addresses, a)
		}
	}
	up := make(map[uint32]*Link)
	for i := range w.Links {
		if w.Links[i].Flags&FlagUp != 0 {
			up[w.Links[i].Index] = &w.Links[i]
		}
	}
	var routes []route.Route
	for i := range w.Addresses {
		a := &w.Addresses[i]
		l := up[a.Index]
		switch {
		case l == nil:
		case a.Addr.Is4():
			routes = append(routes, w.implied4(a, l)...)
		default:
			routes = append(routes, w.implied6(a, l)...)
		}
	}
	for i := range w.Links {
		l := &w.Links[i]
		has6 := slices.ContainsFunc(w.Addresses, func(a Address) bool { return a.Index == l.Index && a.Addr.Is6() })
		if l.Flags&FlagUp != 0 && l.Index != lo && has6 {
			routes = append(routes, route.Route{
				Family: route.IPv6, Type: route.TypeMulticast, Dst: netip.MustParsePrefix("ff00::/8"), OIF: l.Index,
				Table: w.tableOf(l, rttables.Local), Protocol: route.ProtoKernel, Priority: 256,
			})
		}
	}
	w.Routes = append(routes, w.Routes...)
}

// tableOf returns the table for the kernel's routes of an interface: that of its VRF, or
// another one.
func (w *World) tableOf(l *Link, otherwise rttables.ID) rttables.ID {
	if l.Table != 0 {
		return l.Table
	}
	for i := range w.Links {
		if m := &w.Links[i]; m.Index == l.Master && m.Table != 0 {
			return m.Table
		}
	}
	return otherwise
}

// implied4 returns the routes of an IPv4 address: fib_add_ifaddr of
// net/ipv4/fib_frontend.c.
func (w *World) implied4(a *Address, l *Link) []route.Route {
	local := route.Route{
		Family: route.IPv4, Type: route.TypeLocal, Dst: netip.PrefixFrom(a.Addr, 32), OIF: a.Index,
		Table: w.tableOf(l, rttables.Local), Protocol: route.ProtoKernel, Scope: route.ScopeHost, PrefSrc: a.Addr,
	}
	if a.Flags&FlagSecondary != 0 {
		local.PrefSrc = w.primary(a)
		return []route.Route{local}
	}
	routes := []route.Route{local}
	subnet := netip.PrefixFrom(a.Addr, int(a.Bits)).Masked()
	if a.Peer.IsValid() {
		subnet = netip.PrefixFrom(a.Peer, int(a.Bits)).Masked()
	}
	link := local
	link.Dst = subnet
	switch {
	case subnet.Addr().As4()[0] == 0 || subnet.Bits() == 32 && subnet.Addr() == a.Addr:
		return routes
	case l.Flags&FlagLoopback != 0:
		routes = append(routes, link)
	case a.Flags&FlagNoPrefixRoute == 0:
		link.Type, link.Scope, link.Table = route.TypeUnicast, route.ScopeLink, w.tableOf(l, rttables.Main)
		routes = append(routes, link)
	}
	if a.Bits < 31 {
		b := keyOf(subnet.Addr()).or(maskOf(int(a.Bits)).not()).addr(true)
		broadcast := local
		broadcast.Type, broadcast.Scope, broadcast.Dst = route.TypeBroadcast, route.ScopeLink, netip.PrefixFrom(b, 32)
		routes = append(routes, broadcast)
	}
	return routes
}

// primary returns the first address of the subnet of a secondary one.
func (w *World) primary(a *Address) netip.Addr {
	for i := range w.Addresses {
		p := &w.Addresses[i]
		if p.Index == a.Index && p.Flags&FlagSecondary == 0 && p.Addr.Is4() && p.Bits == a.Bits && p.contains(keyOf(a.Addr)) {
			return p.Addr
		}
	}
	return a.Addr
}

// implied6 returns the routes of an IPv6 address: net/ipv6/addrconf.c.
func (w *World) implied6(a *Address, l *Link) []route.Route {
	local := route.Route{
		Family: route.IPv6, Type: route.TypeLocal, Dst: netip.PrefixFrom(a.Addr, 128), OIF: a.Index,
		Table: w.tableOf(l, rttables.Local), Protocol: route.ProtoKernel,
	}
	routes := []route.Route{local}
	link := local
	link.Type, link.Table, link.Priority = route.TypeUnicast, w.tableOf(l, rttables.Main), 256
	link.Dst = netip.PrefixFrom(a.Addr, int(a.Bits)).Masked()
	if a.Peer.IsValid() {
		link.Dst = netip.PrefixFrom(a.Peer, int(a.Bits)).Masked()
	}
	if a.Flags&FlagNoPrefixRoute == 0 && l.Flags&FlagLoopback == 0 {
		routes = append(routes, link)
	}
	return routes
}

// deriveAddresses adds the addresses that the kernel's local routes are of.
func (w *World) deriveAddresses() {
	for i := range w.Routes {
		r := &w.Routes[i]
		if r.Type != route.TypeLocal || r.Protocol != route.ProtoKernel || !r.Dst.IsSingleIP() || r.OIF == 0 {
			continue
		}
		a := Address{Index: r.OIF, Addr: r.Dst.Addr(), Bits: uint8(r.Dst.Bits()), Scope: defaultScope(r.Dst.Addr())}
		if r.PrefSrc.IsValid() && r.PrefSrc != a.Addr {
			a.Flags |= FlagSecondary
		}
		for j := range w.Routes {
			s := &w.Routes[j]
			if s.OIF == r.OIF && s.Protocol == route.ProtoKernel && s.Type != route.TypeMulticast && s != r && !s.Gateway.IsValid() &&
				s.Dst.Contains(a.Addr) && !s.Dst.IsSingleIP() && s.PrefSrc == r.PrefSrc {
				a.Bits = uint8(s.Dst.Bits())
			}
		}
		w.Addresses = append(w.Addresses, a)
	}
}
