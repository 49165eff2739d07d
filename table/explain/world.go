package explain

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A World is the state of a network namespace on which the way of packets depends. [Take]
// reads a World from a host, and [Parse] reads one from text. The zero World is a host
// without rules and interfaces, which sends no packets.
type World struct {
	// Rules are the rules of both families. The rules of a family that have the same
	// priority are in the order in which the kernel looks at them.
	Rules []rule.Rule
	// Routes are the routes of both families and all tables. Routes to the same
	// destination in one table, with the same TOS and metric, are in the order in
	// which the kernel has them.
	Routes []route.Route
	// NextHops are the nexthop objects that routes name.
	NextHops []nexthop.Object
	// Links are the interfaces, in the order of their indexes.
	Links []Link
	// Addresses are the addresses of the interfaces, in the kernel's order.
	Addresses []Address
	// Neighbours are the entries of the neighbour tables: ARP and neighbour discovery.
	Neighbours []Neighbour
	// Sysctls are the settings of the kernel.
	Sysctls Sysctls
}

// A Link is an interface.
type Link struct {
	Index    uint32
	Name     string
	AltNames []string // alternative names, which rules and commands can use as well
	// Kind is the type of the interface, as in ip-link(8), such as veth, bridge or vrf. It
	// is empty for hardware and for lo. (IFLA_INFO_KIND)
	Kind string
	// Flags are IFF_* of linux/if.h. The text of a World has FlagUp, FlagCarrier,
	// FlagLoopback, FlagPointToPoint, FlagNoARP, FlagBroadcast and FlagMulticast, and no
	// other flags.
	Flags LinkFlags
	// Group is the group of the interface, which suppress_ifgroup of a rule names.
	// (IFLA_GROUP)
	Group uint32
	// Master is the index of the bridge, bond or VRF that the interface belongs to. Zero
	// means none. (IFLA_MASTER)
	Master uint32
	// Table is the table of a VRF. Zero means that the interface is not a VRF.
	// (IFLA_VRF_TABLE)
	Table rttables.ID
}

// LinkFlags are flags of an interface: IFF_* of linux/if.h.
type LinkFlags uint32

// An Address is an address of this host: struct ifaddrmsg and IFA_* of
// linux/if_addr.h.
type Address struct {
	Index uint32 // of the interface
	Addr  netip.Addr
	Peer  netip.Addr // the other end of a point-to-point link; zero means none
	Bits  uint8      // the prefix length of the subnet of Peer or, without Peer, of Addr
	Scope route.Scope
	Flags AddressFlags
}

// AddressFlags are flags of an address: IFA_F_* of linux/if_addr.h.
type AddressFlags uint32

// A Neighbour is an entry of a neighbour table: struct ndmsg of linux/neighbour.h.
type Neighbour struct {
	Index uint32 // of the interface
	Addr  netip.Addr
	State NeighbourState
}

// A NeighbourState says whether a neighbour answers: NUD_* of linux/neighbour.h.
type NeighbourState uint16
