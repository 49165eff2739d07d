package table

import (
	"context"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// A SourceRoutedUplink is a way out of this host that is taken by packets whose
// source is one of its own addresses: an interface, its gateway, a table of
// routes by them, and a rule for each address. It is the wanted state, so that
// the same literal serves to install it, to change it and, also after a
// restart, to remove it.
//
// For a single IPv4 address it installs what an administrator would type:
//
//	ip route add 192.168.2.0/24 dev eth1 src 192.168.2.2 table lan2 proto 210
//	ip route add default via 192.168.2.1 dev eth1 src 192.168.2.2 table lan2 proto 210
//	ip rule add from 192.168.2.2 lookup lan2 proto 210 pref 31000
//
// IPv6 is the same with an IPv6 gateway. Both families of an interface are two
// values, which may share name and table.
type SourceRoutedUplink struct {
	// Name is what ip(8) shows instead of the table's number. [Install]
	// registers it in rt_tables. It has no blank and no #, is no number, and is
	// not a name that ip(8) has itself. Empty: the table stays a number.
	Name string

	// Table is where the routes stand, from 1 to 2^32−1 except those of the
	// system, 252 to 255. Zero: the table that Name is registered for; else
	// the one in which this uplink is installed; else the lowest that neither
	// a route, a rule nor a name uses.
	Table rttables.ID

	// Interface is the name of the interface, or an alternative name (ip link
	// property). Required.
	Interface string

	// Gateway is the next router. It has to be in a subnet of the interface, except
	// an IPv6 link-local one, or with OnLink. An IPv6 gateway can be that of IPv4
	// routes as well (RFC 5549): Family or Sources say so. Zero: there is none, all
	// destinations are on the link, as on a tunnel.
	Gateway netip.Addr

	// Family restricts the uplink to IPv4 or IPv6. It is needed where neither Sources
	// nor Gateway say the family, as on a point-to-point link without a gateway. Zero:
	// the families of Sources; without these, that of Gateway; without a gateway, both.
	Family route.Family

	// Defaults are the default routes of the table, in place of the one by Gateway:
	// several of them, or one that says more than Gateway and OnLink can, such as
	// Multipath, PrefSrc, Metrics (mtu), Preference, Encap, or Src (from). Each is for
	// the families that it can have. Destination, type, table, protocol and interface
	// are filled in, and a Priority that is zero is Metric. Of several, packets take the
	// one with the lowest Priority; no two can have the same. The destinations of Routes
	// go the same ways. None: the default route by Gateway.
	Defaults []route.Route

	// Sources are the addresses of this host whose packets take the uplink. An
	// address that is not on this host now, such as one that a cluster moves, has
	// its rules all the same, so that no packet goes astray when the address comes.
	// In each family one of Sources has to be there. None: all global addresses of
	// the interface that there are when Install looks, of the families that Family or
	// Gateway say, or of both.
	Sources []netip.Addr

	// SourcePrefixes are networks behind this host whose packets take the uplink,
	// beside Sources: a prefix that the provider has delegated and that a LAN has.
	// Each has the same pair of rules as one of Also. So packets to what table main
	// has a particular route for, such as other hosts of the LAN, stay with main.
	// The rules come before those of Also of all uplinks. Two uplinks cannot have
	// overlapping prefixes.
	SourcePrefixes []netip.Prefix

	// SourceInterfaces are interfaces of this host whose networks take the uplink as
	// SourcePrefixes do: all global prefixes that are on their links when Install
	// looks, in the families of the uplink. An interface that is not there has none.
	// The Src of a default route of Defaults, unless it is a single address, is such
	// a network as well.
	SourceInterfaces []string

	// NoSources says that no address of this host takes the uplink by being one:
	// only SourcePrefixes, SourceInterfaces and Also say what does, and one of them
	// has to. Two interfaces with the same address can be two uplinks this way, with
	// marks or with the selector oif in Also. Table or Name has to be set, because
	// nothing else tells whose the uplink's table is.
	NoSources bool

	// Priority is that of the rules from the sources, or of the first of them: with
	// MainFirst and Unreachable there are up to four for each source, at consecutive
	// priorities. All rules have to be between those for the tables local and main. Where
	// these leave no room, as on a host with VRFs, all have to be before both, and after a
	// rule l3mdev: the first rule for each source and the first for each of Also look up
	// local then, and take one more priority each; see the package overview. Zero: a free
	// one is chosen, or that which an installed rule has.
	//
	// The rules of Also come right after those from the sources, at two or three
	// priorities each, if no rule from a source of another uplink comes later. Otherwise
	// they are with the rules of Also of the other uplinks. Install refuses a Priority
	// with which a rule from a source would come after a rule of Also of another uplink.
	Priority uint32

	// Protocol marks rules and routes as ours: what is in the table with this
	// protocol is changed and removed, and nothing else. Zero: [Protocol].
	Protocol route.Protocol

	// Subnets are prefixes on the link of the interface, beside those of its
	// addresses and those that table main has a route to without a gateway
	// (protocols kernel, ra and dhcp): these are found when Install looks.
	Subnets []netip.Prefix

	// Routes are more destinations behind the gateway, other than everything.
	Routes []netip.Prefix

	// Also are selectors for other traffic that takes the uplink: ports,
	// marks, users. Table, Protocol, Family and Priority are filled in where
	// they are unset. For a rule from [rule.Parse], which fills in the table
	// main and a family, unset these two.
	//
	// What table main has a particular route for goes by that: before each rule
	// stands one with the same selector that looks in main, with
	// suppress_prefixlength 1, in IPv6 4. A rule that says its Table, Priority or
	// SuppressPrefixLength, or To, stands alone, and takes all that it selects.
	//
	// The rules come after the rules from sources of all uplinks. A rule that says its
	// Priority is where that says: before a rule from a source of another uplink it takes
	// packets of that source, and package check reports it.
	Also []rule.Rule

	// MainFirst says that what table main has a particular route for goes by
	// that: other networks of this host, bridges, routes that the administrator
	// has set. Only what would take main's default route takes the uplink, or one of
	// the halves of a default: see the package overview. Its own subnet and Routes
	// are the uplink's in any case. Without it, all packets from the sources take the
	// uplink.
	MainFirst bool

	// Unreachable says that packets from the sources never leave by another way,
	// also while the link is down and the kernel has taken the routes away:
	// their senders get "unreachable" then. Without it they go on by main. The same
	// holds for what SourcePrefixes and Also select: right behind each of those rules
	// stands one with the same selector and the action unreachable, except behind a
	// rule that says its Priority, SuppressPrefixLength or SuppressIfGroup.
	Unreachable bool

	// OnLink says that the gateway is on the link although no subnet of the
	// interface has it (RTNH_F_ONLINK).
	OnLink bool

	// Metric is the priority of the routes within the table. Zero: 0 for
	// IPv4, 1024 for IPv6, which is what the kernel makes of it.
	Metric uint32

	// Etc is the directory with rt_tables. Empty: /etc/iproute2.
	Etc string
}

// Protocol is the default owner's mark, 0xd2. It is a number that
// linux/rtnetlink.h has not given to anyone.
const Protocol route.Protocol = uplink.DefaultProtocol

// Install makes the kernel's state what u says. See the function [Install].
func (u SourceRoutedUplink) Install(ctx context.Context, c route.Conn) error {
	return Install(ctx, c, u)
}

// Remove deletes what there is of u. See the function [Remove].
func (u SourceRoutedUplink) Remove(ctx context.Context, c route.Conn) error {
	return Remove(ctx, c, u)
}

// Plan returns what Install would do now.
func (u SourceRoutedUplink) Plan(ctx context.Context, c route.Conn) (plan.Plan, error) {
	return PlanInstall(ctx, c, u)
}

// Validate reports what is wrong with u on any host: the first field that is
// missing or does not fit the others, as a [*plan.FieldError]. Install and Remove
// begin with it.
func (u SourceRoutedUplink) Validate() error {
	spec := uplink.Spec(u)
	return spec.Validate()
}

// String returns the name that errors use for u: its Name, or its interface and
// gateway.
func (u SourceRoutedUplink) String() string {
	spec := uplink.Spec(u)
	return spec.String()
}

// specsOf returns uplinks as the planner takes them.
func specsOf(uplinks []SourceRoutedUplink) []uplink.Spec {
	specs := make([]uplink.Spec, len(uplinks))
	for i, u := range uplinks {
		specs[i] = uplink.Spec(u)
	}
	return specs
}
