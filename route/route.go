package route

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/rttables"
)

// A Route is a route of a routing table. It is struct rtmsg and the attributes RTA_*
// of linux/rtnetlink.h. A field that is zero is unset, and no attribute is sent for
// it.
//
// The comment of a field names the word of ip-route(8) and the attribute.
type Route struct {
	// Family is inet or inet6. Zero: the verbs take the family of the addresses,
	// and IPv4 if there are none. (rtm_family)
	Family Family
	// Type says what happens to the packet. Zero: the verbs send unicast, and, if
	// Scope is zero, the scope that ip(8) would send. (rtm_type)
	Type Type
	// TOS restricts the route to packets with this DS field, without its lowest two bits:
	// tos. Zero: any. (rtm_tos)
	TOS uint8
	// Protocol says who made the route: proto. Zero: unspec. [Parse] makes it
	// boot, as ip(8) does. (rtm_protocol)
	Protocol Protocol
	// Scope is the distance of the destination: scope. (rtm_scope)
	Scope Scope
	// Preference ranks default routes from router advertisements: pref.
	// Unset: medium. The kernel reports it for every IPv6 route. (RTA_PREF)
	Preference Opt[Preference]
	// Table is the table of the route: table. Zero: the verbs use main.
	// (rtm_table, RTA_TABLE)
	Table rttables.ID
	// Flags are the flags of the route and, if it has only one next hop, of the
	// next hop: onlink. Most are set by the kernel and not sent. (rtm_flags)
	Flags Flags
	// Dst is the destination. Zero: every destination, which ip(8) calls
	// default. (rtm_dst_len, RTA_DST)
	Dst netip.Prefix
	// Src restricts the route to packets from these addresses: from, for IPv6
	// only. Zero: any. (rtm_src_len, RTA_SRC)
	Src netip.Prefix

	// Gateway is the next router: via. Its family can differ from that of the route. Zero:
	// there is none, because the destination is on the link. (RTA_GATEWAY, or RTA_VIA for
	// another family)
	Gateway netip.Addr
	// PrefSrc is the source address for sockets that are not bound to one: src.
	// Zero: the kernel chooses. (RTA_PREFSRC)
	PrefSrc netip.Addr
	// OIF is the index of the interface that packets leave through: dev. Zero: the kernel
	// finds the interface from the gateway. (RTA_OIF)
	OIF uint32
	// Priority orders routes to the same destination, the lowest first: metric.
	// Zero: the kernel makes it 1024 for IPv6, and leaves it zero for IPv4.
	// (RTA_PRIORITY)
	Priority uint32
	// NextHopID is the ID of a nexthop object, in place of Gateway and OIF: nhid.
	// Zero: none. Linux 5.3. (RTA_NH_ID)
	NextHopID uint32
	// Realms are the realms of source and destination: realms. Zero: none.
	// (RTA_FLOW)
	Realms Realms
	// Expires is the time after which the kernel deletes the route, in seconds: expires.
	// IPv6 only; the kernel ignores it for a route that refuses packets. Unset: never. The
	// kernel reports the remaining time in CacheInfo.Expires. If Expires is unset, [Add]
	// sends that time. Linux 4.5. (RTA_EXPIRES)
	Expires Opt[uint32]
	// CacheInfo has the times and counters that the kernel reports.
	// (RTA_CACHEINFO)
	CacheInfo CacheInfo

	// Multipath lists several next hops, in place of Gateway and OIF: nexthop.
	// (RTA_MULTIPATH)
	Multipath []NextHop
	// Encap is the encapsulation that packets get: encap. Nil: none. Linux 4.3.
	// (RTA_ENCAP_TYPE, RTA_ENCAP)
	Encap Encap
	// Metrics are settings for TCP and other protocols: mtu, rtt and so on. Nil
	// and a pointer to the zero Metrics are the same: none. (RTA_METRICS)
	Metrics *Metrics
	// MPLS has the fields of MPLS routes. Nil and a pointer to the zero MPLSRoute
	// are the same.
	MPLS *MPLSRoute
	// Packet has further properties of the packet that a lookup asks about. For a route in
	// a table it is nil. Nil and a pointer to the zero Packet mean the same.
	Packet *Packet
	// Unknown holds the attributes that this package has no field for. They are sent back
	// unchanged, so that such a route can be deleted. Unknown also holds attributes with
	// the value zero, such as nhid 0, if a zero field means unset.
	Unknown Attributes
}

// An MPLSRoute has the fields of MPLS routes. Linux 4.1.
type MPLSRoute struct {
	// Label is the destination, a label of 20 bits, in place of Dst. Unset: none.
	// (RTA_DST)
	Label Opt[uint32]
	// TTLPropagate says whether the route copies the TTL of the label into the
	// packet: ttl-propagate. Unset: as set by net.mpls.ip_ttl_propagate. Linux
	// 4.12. (RTA_TTL_PROPAGATE)
	TTLPropagate Opt[bool]
	// NewDst has the labels that replace the label of the packet: as. Empty: the label is
	// removed. (RTA_NEWDST)
	NewDst Labels
}

// A Packet holds the properties of the packet that a lookup asks about, besides its
// addresses. See [Lookup].
type Packet struct {
	// IIF is the index of the interface that the packet came in through: iif. Zero: none.
	// (RTA_IIF)
	IIF uint32
	// Mark is the firewall mark: mark. Zero: none. (RTA_MARK)
	Mark uint32
	// UID is the user who sends the packet: uid. Unset: none. (RTA_UID)
	UID Opt[uint32]
	// FlowLabel is the IPv6 flow label of 20 bits: flowlabel. Unset: none.
	// Linux 6.14. (RTA_FLOWLABEL)
	FlowLabel Opt[uint32]
	// SPort and DPort are the ports: sport, dport. Zero: none. (RTA_SPORT,
	// RTA_DPORT)
	SPort, DPort uint16
	// IPProto is the protocol above IP: ipproto. Zero: none. (RTA_IP_PROTO)
	IPProto IPProto
}

// A NextHop is one of several next hops of a route: struct rtnexthop.
type NextHop struct {
	// Gateway is the next router: via. Zero: none. (RTA_GATEWAY, or RTA_VIA if
	// its family differs from that of the route)
	Gateway netip.Addr
	// OIF is the index of the interface: dev. (rtnh_ifindex)
	OIF uint32
	// Weight is the share of the flows that the next hop gets, from 1 to 256:
	// weight. Zero: the verbs make it 1. (rtnh_hops, which is Weight − 1)
	Weight uint16
	// Flags are the flags of the next hop: onlink. (rtnh_flags)
	Flags Flags
	// Realms are the realms of source and destination: realms. Zero: none.
	// (RTA_FLOW)
	Realms Realms
	// Encap is what packets are wrapped into: encap. Nil: none. Linux 4.3.
	// (RTA_ENCAP_TYPE, RTA_ENCAP)
	Encap Encap
	// NewDst has the labels with which an MPLS route replaces the label of the packet: as.
	// Linux 4.1. (RTA_NEWDST)
	NewDst Labels
	// Unknown holds the attributes that this package has no field for.
	Unknown Attributes
}

// CacheInfo is struct rta_cacheinfo, in which the kernel reports the use of a route.
// Times are in ticks of USER_HZ, 100 a second.
type CacheInfo struct {
	ClntRef uint32 // references
	LastUse uint32 // ticks since the last use
	Expires int32  // ticks until the route is deleted; zero: it stays
	Error   uint32 // the error for packets that take the route, a positive errno
	Used    uint32 // times used
	ID      uint32 // the IP ID of the peer
	TS      uint32 // a TCP timestamp of the peer
	TSAge   uint32 // the age of TS
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
		deref(r.Metrics) == deref(o.Metrics) && deref(r.MPLS) == deref(o.MPLS) &&
		deref(r.Packet) == deref(o.Packet) && r.Unknown == o.Unknown
}

// deref returns what p points to, or the zero value if p is nil.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// nilIfZero returns p, or nil if p points to the zero value.
func nilIfZero[T comparable](p *T) *T {
	var zero T
	if p != nil && *p == zero {
		return nil
	}
	return p
}

// trim replaces pointers to zero values by nil.
func (r *Route) trim() {
	r.Metrics, r.MPLS, r.Packet = nilIfZero(r.Metrics), nilIfZero(r.MPLS), nilIfZero(r.Packet)
}

// defaultMetric6 is IP6_RT_PRIO_USER of linux/ipv6_route.h, the priority that the
// kernel gives to an IPv6 route without one.
const defaultMetric6 = 1024

// Canonical returns r as the kernel reports it after [Add]: with the defaults of the
// verbs, without host bits, with a default destination unset, and without what only
// the kernel sets (flags, times). Two routes are the same to the kernel if their
// canonical forms are Equal.
func (r Route) Canonical() Route {
	r.setDefaults()
	r.Dst, r.Src = canonicalPrefix(r.Dst), canonicalPrefix(r.Src)
	r.Flags &= sentFlags
	r.CacheInfo = CacheInfo{}
	r.Expires = Opt[uint32]{}
	r.Metrics = r.Metrics.canonical()
	r.Encap = canonicalEncap(r.Encap)
	r.Unknown = Attributes(codec.WithoutZeros(string(r.Unknown)))
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
		r.Multipath[i].Flags &= sentFlags
		r.Multipath[i].Encap = canonicalEncap(r.Multipath[i].Encap)
		r.Multipath[i].Unknown = Attributes(nextHopCodec.WithoutZeros(string(r.Multipath[i].Unknown)))
	}
	return r
}

// canonical6 does what only IPv6 routes need.
func (r *Route) canonical6() {
	r.Scope = ScopeGlobal // IPv6 routes have no scope
	if r.Priority == 0 {
		r.Priority = defaultMetric6
	}
	if r.Protocol == ProtoUnspec {
		r.Protocol = ProtoBoot
	}
	switch r.Type {
	case TypeBlackhole, TypeUnreachable, TypeProhibit, TypeThrow:
		r.OIF = 0 // the kernel always sets it to lo
	}
}

func canonicalPrefix(p netip.Prefix) netip.Prefix {
	if p.Bits() <= 0 {
		return netip.Prefix{}
	}
	return p.Masked()
}

// setDefaults fills in what the verbs send for unset fields. It leaves the scope of a
// route whose Type is set, so that a route can have scope global where ip(8) would
// choose another.
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
	r.setCommonDefaults()
}

// setCommonDefaults fills in the defaults that all verbs need.
func (r *Route) setCommonDefaults() {
	if r.Table == 0 {
		r.Table = rttables.Main
	}
	if r.NextHopID != 0 {
		// The kernel reports the gateway and other fields of the object, and
		// refuses them together with the ID.
		r.Gateway, r.OIF, r.Multipath, r.Encap = netip.Addr{}, 0, nil, nil
		if r.Type == TypeBlackhole { // reported for a blackhole object
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

// userHZ is USER_HZ of asm/param.h, the number of ticks in a second.
const userHZ = 100

// family returns the family of the addresses, or IPv4 if there are none.
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
