package main

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
)

// dumpFamily is the family of the listing: of one table, IPv4's if none was
// said.
func (f *routeFilter) dumpFamily() route.Family {
	if f.p.family == 0 && f.table != 0 {
		return route.IPv4
	}
	return f.p.family
}

// match reports whether r is selected.
func (f *routeFilter) match(r *route.Route) bool {
	var packet route.Packet
	if r.Packet != nil {
		packet = *r.Packet
	}
	types := f.types == 0 || r.Type < 64 && f.types&(1<<r.Type) != 0
	return (f.p.family == 0 || f.p.family == r.Family) &&
		f.cloned == (r.Flags&route.FlagCloned != 0) && types &&
		zeroOr(f.table, r.Table) &&
		unsetOr(f.protocol, r.Protocol) && unsetOr(f.scope, r.Scope) && unsetOr(f.tos, r.TOS) &&
		unsetOr(f.mark, packet.Mark) && unsetOr(f.metric, r.Priority) &&
		unsetOr(f.oif, r.OIF) && unsetOr(f.iif, packet.IIF) &&
		(!f.dstRealm || f.realms.Dst == r.Realms.Dst) && (!f.srcRealm || f.realms.Src == r.Realms.Src) &&
		f.via.hasAddr(r.Family, r.Gateway) && f.src.hasAddr(r.Family, r.PrefSrc) &&
		f.dst.contains(r, r.Dst) && f.from.contains(r, r.Src)
}

func unsetOr[T comparable](wanted route.Opt[T], value T) bool {
	w, ok := wanted.Get()
	return !ok || w == value
}

// hasAddr reports whether an address of a route is in the prefix, if there is
// one. ip(8) takes an address that is missing for that of zeros.
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
		a = zeros(f)
	}
	return sameBits(n.addr, a, n.bits)
}

// contains reports whether p, the destination or the source of r, is in the area.
func (a area) contains(r *route.Route, p netip.Prefix) bool {
	bits, addr := max(p.Bits(), 0), p.Addr()
	if label, ok := labelOf(r); ok {
		return (a.root.family == 0 || a.root.label == label) && (a.match.family == 0 || a.match.label == label)
	}
	return (a.root.any() ||
		zeroOr(a.root.family, r.Family) && a.root.bits <= bits && sameBits(a.root.addr, addr, a.root.bits)) &&
		(a.match.any() ||
			zeroOr(a.match.family, r.Family) && a.match.bits >= bits && sameBits(a.match.addr, addr, bits))
}

func labelOf(r *route.Route) (label uint32, ok bool) {
	if r.MPLS != nil {
		label, ok = r.MPLS.Label.Get()
	}
	return label, ok
}

// any reports whether the prefix selects any route.
func (n prefix) any() bool { return n.family == 0 && !n.length }

func zeros(f route.Family) netip.Addr {
	if f == route.IPv6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// sameBits reports whether the first bits of two addresses are the same. A zero
// Addr has zeros.
func sameBits(a, b netip.Addr, bits int) bool {
	switch {
	case bits == 0:
		return true
	case !a.IsValid() && !b.IsValid():
		return true
	case !a.IsValid():
		a = zeros(route.FamilyOf(b))
	case !b.IsValid():
		b = zeros(route.FamilyOf(a))
	}
	p, err := a.Prefix(bits)
	return err == nil && p.Contains(b)
}

// omit is what ip(8) does not show because all that is selected has it alike.
func (f *routeFilter) omit() (o show.Omission) {
	for _, x := range []struct {
		fixed bool
		part  show.Omission
	}{
		{f.table != 0, show.OmitTable},
		{f.tos.IsSet(), show.OmitTOS},
		{f.via.host(), show.OmitVia},
		{f.oif.IsSet(), show.OmitDev},
		{f.protocol.IsSet(), show.OmitProto},
		{f.scope.IsSet(), show.OmitScope},
		{f.src.host(), show.OmitSrc},
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

// host reports whether the prefix is one address.
func (n prefix) host() bool { return n.addr.IsValid() && n.bits == n.addr.BitLen() }
