package route

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/rttables"
)

// A Route is a route message, RTM_NEWROUTE and its kin: struct rtmsg and the
// attributes RTA_* of linux/rtnetlink.h. A field that is zero is unset, and
// then no attribute is sent.
//
// The comment of a field names the word of ip-route(8) and the attribute.
type Route struct {
	// Family is inet or inet6. Zero: the verbs take it from the addresses,
	// and IPv4 where there are none. (rtm_family)
	Family Family
	// Type says what becomes of the packet. Zero: the verbs send unicast, and
	// the Scope that ip(8) would unless one is set. (rtm_type)
	Type Type
	// TOS restricts the route to packets with this DS field, whose lowest two
	// bits are not looked at: tos. Zero: any. (rtm_tos)
	TOS uint8
	// Protocol says who made the route. Zero: unspec, except in [Parse], which
	// like ip(8) makes it boot. (rtm_protocol)
	Protocol Protocol
	// Scope is the distance of the destination. (rtm_scope)
	Scope Scope
	// Preference ranks default routes from router advertisements: pref.
	// Unset: medium, which the kernel reports for every IPv6 route. (RTA_PREF)
	Preference Opt[Preference]
	// Table is where the route stands. Zero: the verbs use main. (rtm_table,
	// RTA_TABLE)
	Table rttables.ID
	// Flags of the route or, where it has only one next hop, of that: onlink.
	// Most are the kernel's, and are not written. (rtm_flags)
	Flags Flags
	// Dst is the destination. Zero: every one, which ip(8) calls default.
	// (rtm_dst_len, RTA_DST)
	Dst netip.Prefix
	// Src restricts the route to packets from these addresses: from, for IPv6
	// only. Zero: any. (rtm_src_len, RTA_SRC)
	Src netip.Prefix

	// Gateway is the next router: via. It may be of another family than the
	// route, and is then RTA_VIA instead of RTA_GATEWAY. Zero: none, the
	// destination is on the link.
	Gateway netip.Addr
	// PrefSrc is the source that unbound sockets get: src. Zero: the kernel
	// chooses. (RTA_PREFSRC)
	PrefSrc netip.Addr
	// OIF is the index of the interface that packets leave by: dev. Zero: the
	// kernel finds it by the gateway. (RTA_OIF)
	OIF uint32
	// Priority orders routes to the same destination, the lowest first:
	// metric. Zero: for IPv4 zero itself, for IPv6 the kernel makes it 1024.
	// (RTA_PRIORITY)
	Priority uint32
	// NextHopID names a nexthop object instead of Gateway and OIF: nhid. Zero:
	// none. Linux 5.3. (RTA_NH_ID)
	NextHopID uint32
	// Realms are those of source and destination. Zero: none. (RTA_FLOW)
	Realms Realms
	// Expires is the time after which the kernel deletes the route, in seconds:
	// expires. IPv6 only, and of a route that refuses packets the kernel
	// ignores it. Unset: never. It is only written; what is left of it is in
	// CacheInfo, which [Add] goes by if Expires is unset. Linux 4.5.
	// (RTA_EXPIRES)
	Expires Opt[uint32]
	// CacheInfo are ages and counters that the kernel reports. (RTA_CACHEINFO)
	CacheInfo CacheInfo

	// Multipath are several next hops, instead of Gateway and OIF: nexthop.
	// (RTA_MULTIPATH)
	Multipath []NextHop
	// Encap is what packets are wrapped into: encap. Nil: nothing. Linux 4.3.
	// (RTA_ENCAP_TYPE, RTA_ENCAP)
	Encap Encap
	// Metrics are what the route tells TCP and others: mtu, rtt and so on. Nil,
	// which is the same as a pointer to the zero Metrics: none. (RTA_METRICS)
	Metrics *Metrics
	// MPLS is what only MPLS routes have. Nil, which is the same as a pointer
	// to the zero MPLSRoute: nothing.
	MPLS *MPLSRoute
	// Packet is what is said of a packet that is looked up, beside its
	// addresses. Routes in a table have none. Nil, which is the same as a
	// pointer to the zero Packet: nothing.
	Packet *Packet
	// Unknown are the attributes that this package has no field for, as they
	// came. They are written back, so that a route which carries them can be
	// deleted.
	Unknown Attributes
}

// An MPLSRoute is what only MPLS routes have. Linux 4.1.
type MPLSRoute struct {
	// Label is the destination, 20 bits, instead of Dst. Unset: none. (RTA_DST)
	Label Opt[uint32]
	// TTLPropagate says whether the route copies the TTL of the label into the
	// packet: ttl-propagate. Unset: as net.mpls.ip_ttl_propagate says. Linux
	// 4.12. (RTA_TTL_PROPAGATE)
	TTLPropagate Opt[bool]
	// NewDst are the labels that the route puts in the place of its own: as.
	// Empty: it takes the label off. (RTA_NEWDST)
	NewDst Labels
}

// A Packet is what is said of a packet that is looked up; see [Lookup].
type Packet struct {
	// IIF is the interface that it came in by: iif. Zero: none. (RTA_IIF)
	IIF uint32
	// Mark is its firewall mark: mark. Zero: none. (RTA_MARK)
	Mark uint32
	// UID is the user who sends it: uid. Unset: none. (RTA_UID)
	UID Opt[uint32]
	// FlowLabel is that of an IPv6 packet: flowlabel, 20 bits. Unset: none.
	// Linux 6.14. (RTA_FLOWLABEL)
	FlowLabel Opt[uint32]
	// SPort and DPort are its ports: sport, dport. Zero: none. (RTA_SPORT,
	// RTA_DPORT)
	SPort, DPort uint16
	// IPProto is its protocol: ipproto. Zero: none. (RTA_IP_PROTO)
	IPProto IPProto
}

// A NextHop is one of several next hops of a route: struct rtnexthop.
type NextHop struct {
	// Gateway is the router: via. Zero: none. (RTA_GATEWAY, or RTA_VIA if it is
	// of another family than the route)
	Gateway netip.Addr
	// OIF is the index of the interface: dev. (rtnh_ifindex)
	OIF uint32
	// Weight is the share of the flows that the next hop gets, from 1 to 256:
	// weight. Zero: the verbs make it 1. (rtnh_hops, which is Weight − 1)
	Weight uint16
	// Flags of the next hop: onlink. (rtnh_flags)
	Flags Flags
	// Realms are those of source and destination. Zero: none. (RTA_FLOW)
	Realms Realms
	// Encap is what packets are wrapped into: encap. Nil: nothing. Linux 4.3.
	// (RTA_ENCAP_TYPE, RTA_ENCAP)
	Encap Encap
	// NewDst are the labels that an MPLS route puts in the place of its own: as.
	// Linux 4.1. (RTA_NEWDST)
	NewDst Labels
	// Unknown are the attributes that this package has no field for.
	Unknown Attributes
}

// CacheInfo is struct rta_cacheinfo, with which the kernel describes a route's
// use. Times are in ticks of USER_HZ, of which a second has 100.
type CacheInfo struct {
	ClntRef uint32 // references
	LastUse uint32 // ticks since the last use
	Expires int32  // ticks until the route ends; zero: it does not
	Error   uint32 // the error that packets meet, a positive errno
	Used    uint32 // times used
	ID      uint32 // of the peer's address
	TS      uint32 // a TCP timestamp of the peer
	TSAge   uint32 // its age
}

// Equal reports whether r and o are the same in every field.
func (r Route) Equal(o Route) bool {
	return r.Family == o.Family && r.Type == o.Type && r.Dst == o.Dst && r.Src == o.Src &&
		r.TOS == o.TOS && r.Table == o.Table && r.Protocol == o.Protocol &&
		r.Scope == o.Scope && r.Flags == o.Flags &&
		r.Gateway == o.Gateway && r.OIF == o.OIF && r.PrefSrc == o.PrefSrc &&
		r.Priority == o.Priority && slices.Equal(r.Multipath, o.Multipath) &&
		r.NextHopID == o.NextHopID && r.Preference == o.Preference && r.Realms == o.Realms &&
		r.Encap == o.Encap && r.Expires == o.Expires && r.CacheInfo == o.CacheInfo &&
		value(r.Metrics) == value(o.Metrics) && value(r.MPLS) == value(o.MPLS) &&
		value(r.Packet) == value(o.Packet) && r.Unknown == o.Unknown
}

// value is what p points at: nothing, if it is nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// unlessZero is p, or nil if there is nothing in what it points at.
func unlessZero[T comparable](p *T) *T {
	var zero T
	if p != nil && *p == zero {
		return nil
	}
	return p
}

// trim makes the pointers nil behind which there is nothing.
func (r *Route) trim() {
	r.Metrics, r.MPLS, r.Packet = unlessZero(r.Metrics), unlessZero(r.MPLS), unlessZero(r.Packet)
}

// defaultMetric6 is IP6_RT_PRIO_USER of linux/ipv6_route.h, which the kernel
// gives to an IPv6 route without a priority.
const defaultMetric6 = 1024

// Canonical returns r as the kernel reports a route that it was given: the
// defaults of the verbs filled in, host bits cleared, a default destination
// unset, and what is the kernel's own (flags, ages) left out. Two routes are
// the same to the kernel if their canonical forms are Equal.
func (r Route) Canonical() Route {
	r.setDefaults()
	r.Dst, r.Src = canonicalPrefix(r.Dst), canonicalPrefix(r.Src)
	r.Flags &= ownFlags
	r.CacheInfo = CacheInfo{}
	r.Expires = Opt[uint32]{}
	r.Metrics = r.Metrics.canonical()
	r.Encap = canonicalEncap(r.Encap)
	if r.MPLS != nil && r.Family != MPLS {
		mpls := *r.MPLS
		mpls.TTLPropagate = Opt[bool]{}
		r.MPLS = &mpls
	}
	r.trim()
	if r.Family == IPv6 {
		r.canonical6()
	}
	if r.Preference == Some(PrefMedium) {
		r.Preference = Opt[Preference]{}
	}
	r.Multipath = slices.Clone(r.Multipath)
	for i := range r.Multipath {
		r.Multipath[i].Flags &= ownFlags
		r.Multipath[i].Encap = canonicalEncap(r.Multipath[i].Encap)
	}
	return r
}

// canonical6 is what is particular to IPv6.
func (r *Route) canonical6() {
	r.Scope = ScopeGlobal // it has none
	if r.Priority == 0 {
		r.Priority = defaultMetric6
	}
	if r.Protocol == ProtoUnspec {
		r.Protocol = ProtoBoot
	}
	switch r.Type {
	case TypeBlackhole, TypeUnreachable, TypeProhibit, TypeThrow:
		r.OIF = 0 // the kernel always makes it that of lo
	}
}

func canonicalPrefix(p netip.Prefix) netip.Prefix {
	if p.Bits() <= 0 {
		return netip.Prefix{}
	}
	return p.Masked()
}

// setDefaults fills in what the verbs send for fields that are unset. A route
// whose Type is set is taken to be complete, so that scope global can be asked
// for where ip(8) would choose another.
func (r *Route) setDefaults() {
	if r.Family == 0 {
		r.Family = r.family()
	}
	if r.Type == 0 {
		r.Type = TypeUnicast
		if r.Scope == ScopeGlobal {
			r.Scope = r.defaultScope()
		}
	}
	r.setTarget()
}

// setTarget fills in what a route of any type needs.
func (r *Route) setTarget() {
	if r.Table == 0 {
		r.Table = rttables.Main
	}
	if r.NextHopID != 0 {
		// The kernel reports the object's gateway and the like, and refuses
		// them beside its number.
		r.Gateway, r.OIF, r.Multipath, r.Encap = netip.Addr{}, 0, nil, nil
		if r.Type == TypeBlackhole { // the object's, which the kernel reports
			r.Type = TypeUnicast
		}
	}
	if left := r.CacheInfo.Expires; left > 0 && !r.Expires.IsSet() {
		r.Expires.Set((uint32(left) + userHZ - 1) / userHZ)
	}
	if len(r.Multipath) > 0 {
		r.Multipath = slices.Clone(r.Multipath)
		for i := range r.Multipath {
			r.Multipath[i].Weight = max(r.Multipath[i].Weight, 1)
		}
	}
}

// userHZ is USER_HZ of asm/param.h, the ticks of a second in CacheInfo.
const userHZ = 100

// family is that of the addresses; IPv4 if there are none.
func (r *Route) family() Family {
	if r.MPLS != nil && (r.MPLS.Label.IsSet() || r.MPLS.NewDst != "") {
		return MPLS
	}
	for _, a := range []netip.Addr{r.Dst.Addr(), r.Src.Addr(), r.PrefSrc, r.Gateway} {
		if a.IsValid() {
			return FamilyOf(a)
		}
	}
	for _, nh := range r.Multipath {
		if nh.Gateway.IsValid() {
			return FamilyOf(nh.Gateway)
		}
	}
	return IPv4
}
