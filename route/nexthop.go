package route

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A NextHopObject is a next hop, or a group of them, that stands in a table of
// its own and that routes name by its number, [Route.NextHopID]: "ip nexthop",
// struct nhmsg and the attributes NHA_* of linux/nexthop.h. Linux 5.3.
//
// To replace an object is to move all routes that name it in one step. To
// delete it is to delete them, without a word from the kernel.
//
// A [NextHop] is another thing: one of several next hops that stand inside one
// route. A field that is zero is unset, and then no attribute is sent; its
// comment names the word of ip-nexthop(8) and the attribute.
type NextHopObject struct {
	// ID is the object's number: id. Zero: [AddNextHop] has the kernel choose.
	// (NHA_ID)
	ID uint32
	// Family is inet or inet6, and none in a group. Zero: the verbs take it
	// from Gateway, and IPv4 where there is none. (nh_family)
	Family Family
	// Protocol says who made the object: proto. Zero: unspec, which ip(8)
	// sends. (nh_protocol)
	Protocol Protocol
	// Scope is the distance of the gateway. The kernel finds it by itself and
	// reports it; the verbs do not send it. (nh_scope)
	Scope Scope
	// Flags of the next hop: onlink. The others are the kernel's, and are not
	// written. (nh_flags)
	Flags Flags

	// Gateway is the next router: via. Zero: none, the destination is on the
	// link. (NHA_GATEWAY)
	Gateway netip.Addr
	// OIF is the index of the interface that packets leave by: dev. The object
	// goes, and its routes with it, when the interface does, is taken down or
	// loses its carrier: for good, and without an event. (NHA_OIF)
	OIF uint32
	// Blackhole drops the packets, instead of Gateway and OIF: blackhole.
	// (NHA_BLACKHOLE)
	Blackhole bool
	// FDB makes it an address of a bridge's forwarding table, the other end
	// of a VXLAN, which no route can name: fdb. Linux 5.8. (NHA_FDB)
	FDB bool

	// Group are the objects that packets are spread over, instead of a next
	// hop: group. An object that is deleted leaves its groups, the last one
	// takes the group along. (NHA_GROUP)
	Group []GroupMember
	// GroupType is how a group spreads packets: type. (NHA_GROUP_TYPE)
	GroupType GroupType
	// Resilient is what a group of the type GroupResilient has beside members.
	// (NHA_RES_GROUP)
	Resilient ResilientGroup

	// Unknown are the attributes that this package has no field for, as they
	// came, an encapsulation (NHA_ENCAP_TYPE, NHA_ENCAP) among them. They are
	// written back.
	Unknown Attributes
}

// A GroupMember is an entry of a group: struct nexthop_grp.
type GroupMember struct {
	// ID is the number of an object that is no group.
	ID uint32
	// Weight is the share of the flows that the object gets. Up to 256; from
	// Linux 6.12 on up to 65535. Zero: the verbs make it 1.
	Weight uint16
}

// A ResilientGroup is how a group of the type GroupResilient keeps flows where
// they are: it spreads them over a fixed number of buckets, and gives a bucket
// to another member only when no packet comes in it. Linux 5.13.
//
// The kernel is told times in units of 10 ms, and what is no multiple of that
// cannot be sent. It keeps them in ticks of its own, which may be such that 10
// ms become zero. A timer of more than 49 days would become a shorter one, and
// is refused by the verbs.
type ResilientGroup struct {
	// Buckets is their number, which cannot change: buckets. Zero: unset,
	// which only a replacement may have. (NHA_RES_GROUP_BUCKETS)
	Buckets uint16
	// IdleTimer is how long a bucket must be without packets to be moved:
	// idle_timer. Unset: 120 s, or as it was. (NHA_RES_GROUP_IDLE_TIMER)
	IdleTimer Opt[time.Duration]
	// UnbalancedTimer is how long the members may have other shares than
	// their weights say before buckets in use are moved as well:
	// unbalanced_timer. Zero: forever. Unset: zero, or as it was.
	// (NHA_RES_GROUP_UNBALANCED_TIMER)
	UnbalancedTimer Opt[time.Duration]
	// UnbalancedTime is how long they have had them: unbalanced_time. The
	// kernel reports it; the verbs do not send it.
	// (NHA_RES_GROUP_UNBALANCED_TIME)
	UnbalancedTime time.Duration
	// Unknown are the attributes that this package has no field for.
	Unknown Attributes
}

// A GroupType is how a group spreads packets: NEXTHOP_GRP_TYPE_* of
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

// String is mpath or resilient, else the number.
func (t GroupType) String() string {
	if t > 255 {
		return strconv.Itoa(int(t))
	}
	return groupTypes.Name(uint8(t))
}

// MarshalText returns what String does.
func (t GroupType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what String prints, or any number of 16 bits.
func (t *GroupType) UnmarshalText(text []byte) error {
	if n, ok := iptext.Uint[uint16](string(text), 16); ok {
		*t = GroupType(n)
		return nil
	}
	n, err := groupTypes.Unmarshal("route", "a type of group", text)
	if err == nil {
		*t = GroupType(n)
	}
	return err
}

// Equal reports whether n and o are the same in every field.
func (n NextHopObject) Equal(o NextHopObject) bool {
	return n.ID == o.ID && n.Family == o.Family && n.Protocol == o.Protocol && n.Scope == o.Scope &&
		n.Flags == o.Flags && n.Gateway == o.Gateway && n.OIF == o.OIF && n.Blackhole == o.Blackhole &&
		n.FDB == o.FDB && slices.Equal(n.Group, o.Group) && n.GroupType == o.GroupType &&
		n.Resilient == o.Resilient && n.Unknown == o.Unknown
}

// defaultIdleTimer is NH_RES_DEFAULT_IDLE_TIMER of net/ipv4/nexthop.c.
const defaultIdleTimer = 120 * time.Second

// Canonical returns n as the kernel reports an object that was added like
// this: the defaults of the verbs and the kernel's filled in, and what is the
// kernel's own (scope, flags, times) left out. Two objects are the same to the
// kernel if their canonical forms are Equal.
func (n NextHopObject) Canonical() NextHopObject {
	n.setDefaults()
	n.setOwn()
	n.Flags &= ownFlags
	if n.GroupType == GroupResilient {
		n.Resilient.IdleTimer = Some(n.Resilient.IdleTimer.Or(defaultIdleTimer))
		n.Resilient.UnbalancedTimer = Some(n.Resilient.UnbalancedTimer.Or(0))
	}
	return n
}

// setDefaults fills in what the verbs send for fields that are unset.
func (n *NextHopObject) setDefaults() {
	if n.Family == 0 {
		n.Family = n.family()
	}
	n.Group = slices.Clone(n.Group)
	for i := range n.Group {
		n.Group[i].Weight = max(n.Group[i].Weight, 1)
	}
}

// setOwn leaves out what the kernel reports and refuses to be told.
func (n *NextHopObject) setOwn() {
	n.Scope = 0
	n.Resilient.UnbalancedTime = 0
}

// family is that of the gateway. A group has none, and what else has no
// gateway is IPv4's.
func (n *NextHopObject) family() Family {
	switch {
	case n.Gateway.IsValid():
		return FamilyOf(n.Gateway)
	case len(n.Group) > 0:
		return 0
	}
	return IPv4
}
