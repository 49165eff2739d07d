package nexthop

import (
	"net/netip"
	"slices"
	"time"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// An Object is a nexthop object: a next hop, or a group of them, that the
// kernel keeps in a table apart from the routes. Routes name it by its ID, in
// [route.Route.NextHopID]. It is struct nhmsg and the attributes NHA_* of
// linux/nexthop.h. Linux 5.3.
//
// Replacing an object changes all routes that refer to it in one step. Deleting an
// object deletes these routes; for IPv4 routes there is no event.
//
// Do not confuse an Object with a [route.NextHop], which is one of several next hops
// inside one route.
//
// A field that is zero is unset, and no attribute is sent for it. The comment
// of a field names the word of ip-nexthop(8) and the attribute.
type Object struct {
	// ID is the number of the object: id. Zero: [Add] lets the kernel choose.
	// (NHA_ID)
	ID uint32
	// Family is inet or inet6. A group has no family. Zero: the verbs take the
	// family of Gateway, and IPv4 if there is no gateway. (nh_family)
	Family route.Family
	// Protocol says who made the object: proto. Zero: unspec, which is what
	// ip(8) sends. (nh_protocol)
	Protocol route.Protocol
	// Scope is the distance of the gateway. The kernel finds and reports it;
	// the verbs do not send it. (nh_scope)
	Scope route.Scope
	// Flags are the flags of the next hop: onlink. The kernel sets and reports
	// the other flags; they are not sent. (nh_flags)
	Flags route.Flags

	// Gateway is the next router: via. Zero: none, the destination is on the
	// link. (NHA_GATEWAY)
	Gateway netip.Addr
	// OIF is the index of the interface that packets leave by: dev. When the
	// interface is deleted, is set down or loses its carrier, the kernel
	// deletes the object and its routes, without an event. (NHA_OIF)
	OIF uint32
	// Blackhole makes an object that drops packets and has neither Gateway nor
	// OIF: blackhole. (NHA_BLACKHOLE)
	Blackhole bool
	// FDB makes an object for the forwarding table of a bridge, the remote end
	// of a VXLAN: fdb. No route can name it. Linux 5.8. (NHA_FDB)
	FDB bool

	// Group lists the objects that packets are spread over: group. A group has
	// no next hop of its own. The kernel takes a deleted object out of its
	// groups, and deletes a group with its last member. (NHA_GROUP)
	Group []Member
	// GroupType says how the group spreads packets: type. (NHA_GROUP_TYPE)
	GroupType GroupType
	// Resilient has the further settings of a group of type GroupResilient.
	// (NHA_RES_GROUP)
	Resilient ResilientGroup

	// Unknown holds the attributes that this package has no field for,
	// including an encapsulation (NHA_ENCAP_TYPE, NHA_ENCAP). They are sent as
	// they came.
	Unknown route.Attributes
}

// A Member is an entry of a group: struct nexthop_grp.
type Member struct {
	// ID is the number of an object that is not a group.
	ID uint32
	// Weight is the member's share of the flows, up to 256, and up to 65535
	// since Linux 6.12. Zero: the verbs send 1.
	Weight uint16
}

// ResilientGroup has the settings of a group of type [GroupResilient]. Such a group
// distributes flows over a fixed number of buckets. It gives a bucket to another member
// only while no packets use the bucket, so flows keep their member when the group
// changes. Linux 5.13.
//
// Messages have times in units of 10 ms; a time that is not a multiple of 10 ms cannot
// be sent. The kernel stores times in its own clock ticks, which can be so long that 10
// ms becomes zero. [Add] and [Replace] refuse a timer of more than 49 days, because the
// kernel would truncate it.
type ResilientGroup struct {
	// Buckets is the number of buckets, which cannot change: buckets. Zero: unset, which
	// is allowed only in Replace. A message with 0 buckets, which the kernel refuses, has
	// the attribute in Unknown. (NHA_RES_GROUP_BUCKETS)
	Buckets uint16
	// IdleTimer is how long a bucket must be without packets before it can
	// move: idle_timer. Unset: 120 s, or no change. (NHA_RES_GROUP_IDLE_TIMER)
	IdleTimer route.Opt[time.Duration]
	// UnbalancedTimer is how long shares can differ from the weights before
	// the kernel moves buckets that are in use: unbalanced_timer. Zero:
	// forever. Unset: zero, or no change. (NHA_RES_GROUP_UNBALANCED_TIMER)
	UnbalancedTimer route.Opt[time.Duration]
	// UnbalancedTime is how long shares have differed from the weights:
	// unbalanced_time. The kernel reports it; the verbs do not send it.
	// (NHA_RES_GROUP_UNBALANCED_TIME)
	UnbalancedTime time.Duration
	// Unknown holds the attributes that this package has no field for.
	Unknown route.Attributes
}

// A GroupType says how a group spreads packets: NEXTHOP_GRP_TYPE_* of
// linux/nexthop.h.
type GroupType uint16

// The types of groups, in the words of ip-nexthop(8).
const (
	GroupMpath     GroupType = uapi.NEXTHOP_GRP_TYPE_MPATH // by hash, as multipath routes do
	GroupResilient GroupType = uapi.NEXTHOP_GRP_TYPE_RES   // by buckets, which keep their flows
)

var groupTypes = iptext.Enum{
	{N: uapi.NEXTHOP_GRP_TYPE_MPATH, Name: "mpath"},
	{N: uapi.NEXTHOP_GRP_TYPE_RES, Name: "resilient"},
}

// String returns mpath or resilient, or the number of another type.
func (t GroupType) String() string { return iptext.NameOf(groupTypes, t) }

// MarshalText returns what String does.
func (t GroupType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what String returns, or any number of 16 bits.
func (t *GroupType) UnmarshalText(text []byte) error {
	return iptext.UnmarshalName(groupTypes, 16, "nexthop", "a type of group", text, t)
}

// Equal reports whether n and o are the same in every field.
func (n Object) Equal(o Object) bool {
	return n.ID == o.ID && n.Family == o.Family && n.Protocol == o.Protocol && n.Scope == o.Scope &&
		n.Flags == o.Flags && n.Gateway == o.Gateway && n.OIF == o.OIF && n.Blackhole == o.Blackhole &&
		n.FDB == o.FDB && slices.Equal(n.Group, o.Group) && n.GroupType == o.GroupType &&
		n.Resilient == o.Resilient && n.Unknown == o.Unknown
}

// defaultIdleTimer is NH_RES_DEFAULT_IDLE_TIMER of net/ipv4/nexthop.c.
const defaultIdleTimer = 120 * time.Second

// sentFlags are the flags that are sent.
const sentFlags = route.FlagOnLink | route.FlagPervasive

// Canonical returns n as the kernel reports it after [Add]: with the defaults
// of the verbs and of the kernel, and without what only the kernel sets (scope,
// flags, times). Two objects are the same to the kernel if their canonical
// forms are Equal.
func (n Object) Canonical() Object {
	n.setDefaults()
	n.clearReported()
	n.Flags &= sentFlags
	if n.GroupType == GroupResilient {
		n.Resilient.IdleTimer = route.Some(n.Resilient.IdleTimer.Or(defaultIdleTimer))
		n.Resilient.UnbalancedTimer = route.Some(n.Resilient.UnbalancedTimer.Or(0))
	}
	return n
}

// setDefaults fills in what the verbs send for unset fields.
func (n *Object) setDefaults() {
	if n.Family == 0 {
		n.Family = n.defaultFamily()
	}
	n.Group = slices.Clone(n.Group)
	for i := range n.Group {
		n.Group[i].Weight = max(n.Group[i].Weight, 1)
	}
}

// clearReported unsets what the kernel reports and refuses to be sent.
func (n *Object) clearReported() {
	n.Scope = 0
	n.Resilient.UnbalancedTime = 0
}

// defaultFamily returns the family of the gateway. It is zero for a group, and
// IPv4 for any other object without a gateway.
func (n *Object) defaultFamily() route.Family {
	switch {
	case n.Gateway.IsValid():
		return route.FamilyOf(n.Gateway)
	case len(n.Group) > 0:
		return 0
	}
	return route.IPv4
}
