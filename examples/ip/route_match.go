package main

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
)

// dumpFamily returns the family of the dump. For one table the default is IPv4.
func (f *routeFilter) dumpFamily() route.Family {
	if f.p.family == 0 && f.table != 0 {
		return route.IPv4
	}
	return f.p.family
}

// matches reports whether f selects r.
func (f *routeFilter) matches(r *route.Route) bool {
	var packet route.Packet
	if r.Packet != nil {
		packet = *r.Packet
	}
	types := f.types == 0 || r.Type < 64 && f.types&(1<<r.Type) != 0
	return (f.p.family == 0 || f.p.family == r.Family) &&
		f.cloned == (r.Flags&route.FlagCloned != 0) && types &&
		matchesNonZero(f.table, r.Table) &&
		matchesOpt(f.protocol, r.Protocol) && matchesOpt(f.scope, r.Scope) && matchesOpt(f.tos, r.TOS) &&
		matchesOpt(f.mark, packet.Mark) && matchesOpt(f.metric, r.Priority) &&
		f.leavesBy(r) && matchesOpt(f.iif, packet.IIF) &&
		(!f.dstRealm || f.realms.Dst == r.Realms.Dst) && (!f.srcRealm || f.realms.Src == r.Realms.Src) &&
		f.via.hasAddr(r.Family, r.Gateway) && f.src.hasAddr(r.Family, r.PrefSrc) &&
		f.dst.contains(r, r.Dst) && f.from.contains(r, r.Src)
}

// leavesBy reports whether a route, or one of its next hops, has the interface.
func (f *routeFilter) leavesBy(r *route.Route) bool {
	return matchesOpt(f.oif, r.OIF) || r.OIF == 0 && slices.ContainsFunc(r.Multipath, func(nh route.NextHop) bool {
		return matchesOpt(f.oif, nh.OIF)
	})
}

func matchesOpt[T comparable](wanted route.Opt[T], value T) bool {
	w, ok := wanted.Get()
	return !ok || w == value
}

// hasAddr reports whether an address of a route is in the prefix. A zero prefix has all
// addresses. As in ip(8), a missing address counts as the address of zeros.
func (n prefix) hasAddr(f route.Family, a netip.Addr) bool {
	if a.IsValid() {
		f = route.FamilyOf(a)
	}
	switch {
	case n.family == 0:
		return true
	case n.family != f:
		return false
	case !a.IsValid():
		a = zeroAddr(f)
	}
	return sameBits(n.addr, a, n.bits)
}

// contains reports whether p, the destination or the source of r, is in the range.
func (a prefixRange) contains(r *route.Route, p netip.Prefix) bool {
	bits, addr := max(p.Bits(), 0), p.Addr()
	if label, ok := labelOf(r); ok {
		return (a.root.family == 0 || a.root.label == label) && (a.match.family == 0 || a.match.label == label)
	}
	return (a.root.isAny() ||
		matchesNonZero(a.root.family, r.Family) && a.root.bits <= bits && sameBits(a.root.addr, addr, a.root.bits)) &&
		(a.match.isAny() ||
			matchesNonZero(a.match.family, r.Family) && a.match.bits >= bits && sameBits(a.match.addr, addr, bits))
}

func labelOf(r *route.Route) (label uint32, ok bool) {
	if r.MPLS != nil {
		label, ok = r.MPLS.Label.Get()
	}
	return label, ok
}

// isAny reports whether the prefix selects any route.
func (n prefix) isAny() bool { return n.family == 0 && !n.length }

func zeroAddr(f route.Family) netip.Addr {
	if f == route.IPv6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// sameBits reports whether the first bits of two addresses are the same. An invalid Addr
// counts as the address of zeros.
func sameBits(a, b netip.Addr, bits int) bool {
	switch {
	case bits == 0:
		return true
	case !a.IsValid() && !b.IsValid():
		return true
	case !a.IsValid():
		a = zeroAddr(route.FamilyOf(b))
	case !b.IsValid():
		b = zeroAddr(route.FamilyOf(a))
	}
	p, err := a.Prefix(bits)
	return err == nil && p.Contains(b)
}

// omission returns what ip(8) does not print because it is the same for all selected routes.
func (f *routeFilter) omission() (o show.Omission) {
	for _, x := range []struct {
		fixed bool
		part  show.Omission
	}{
		{f.table != 0, show.OmitTable},
		{f.tos.IsSet(), show.OmitTOS},
		{f.via.isHost(), show.OmitVia},
		{f.oif.IsSet(), show.OmitDev},
		{f.protocol.IsSet(), show.OmitProto},
		{f.scope.IsSet(), show.OmitScope},
		{f.src.isHost(), show.OmitSrc},
		{f.metric.IsSet(), show.OmitMetric},
		{f.srcRealm && f.dstRealm, show.OmitRealms},
		{f.iif.IsSet(), show.OmitIIF},
	} {
		if x.fixed {
			o |= x.part
		}
	}
	return o
}

// isHost reports whether the prefix is a single address.
func (n prefix) isHost() bool { return n.addr.IsValid() && n.bits == n.addr.BitLen() }
