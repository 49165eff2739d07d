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

// A SourceRoutedUplink is a way out of this host for packets whose source is one of the
// uplink's addresses: an interface, its gateway, a table with routes through them, and a
// rule for each address. The value is the wanted state. Use the same value to install
// the uplink, to repair it, and, even after a restart of the program, to remove it.
//
// For a single IPv4 address it installs what an administrator would type:
//
//	ip route add 192.168.2.0/24 dev eth1 src 192.168.2.2 table lan2 proto 210
//	ip route add default via 192.168.2.1 dev eth1 src 192.168.2.2 table lan2 proto 210
//	ip rule add from 192.168.2.2 lookup lan2 proto 210 pref 31000
//
// With an IPv6 gateway, the same is done for IPv6. If an interface has both families, use
// two values, which may have the same name and table.
type SourceRoutedUplink struct {
	// Name is what ip(8) shows instead of the table's number. [Install] registers it in
	// rt_tables. It must not contain a blank or #, and must not be a number or a name that
	// is built into ip(8). Empty: the table has only a number.
	Name string

	// Table is the table of the uplink's routes, from 1 to 2^32−1, except for the system
	// tables 252 to 255. Zero: the table that Name is registered for; otherwise the table
	// in which this uplink is installed; otherwise the lowest one that no route, rule or
	// name uses.
	Table rttables.ID

	// Interface is the name of the interface, or an alternative name (ip link
	// property). Required.
	Interface string

	// Gateway is the next router. It has to be in a subnet of the interface, unless it is
	// an IPv6 link-local address, or OnLink is set. An IPv6 gateway is used for IPv4
	// routes (RFC 5549) if Family or Sources are IPv4. Zero: there is no gateway, and all
	// destinations are on the link, as on a tunnel.
	Gateway netip.Addr

	// Family restricts the uplink to IPv4 or IPv6. It is needed if neither Sources nor
	// Gateway determine the family, as on a point-to-point link without a gateway. Zero:
	// the families of Sources; without Sources, that of Gateway; without a gateway, both.
	Family route.Family

	// Defaults are the default routes of the table, instead of the one through Gateway.
	// Use them if there are several default routes, or one with other properties than
	// Gateway and OnLink, such as Multipath, PrefSrc, Metrics (mtu), Preference, Encap, or
	// Src (from). Each route is used for every family that it can belong to. Install fills
	// in destination, type, table, protocol and interface, and sets a Priority of zero to
	// Metric. Packets take the default route with the lowest Priority, and no two can have
	// the same Priority. The destinations of Routes are reached through the same gateways.
	// Empty: the default route through Gateway.
	Defaults []route.Route

	// Sources are the addresses of this host whose packets take the uplink. An address
	// that is not on this host now, such as one that a cluster moves, gets its rules all
	// the same, so that no packet takes a wrong way when the address appears. In each
	// family, at least one of Sources has to be an address of this host. Empty: all global
	// addresses that the interface has at the time of the call, of the family of Family or
	// Gateway, or of both families if neither is set.
	Sources []netip.Addr

	// SourcePrefixes are networks behind this host whose packets take the uplink, in
	// addition to Sources, such as a prefix that the provider has delegated to a LAN. Each
	// prefix gets the same pair of rules as a rule of Also. So packets for which table
	// main has a more specific route than its default, such as packets to other hosts of
	// the LAN, use main. These rules come before the rules of Also of all uplinks. Two
	// uplinks cannot have overlapping prefixes.
	SourcePrefixes []netip.Prefix

	// SourceInterfaces are interfaces of this host whose networks take the uplink as
	// SourcePrefixes do: all global prefixes on their links at the time of the call, in
	// the families of the uplink. An interface that does not exist has no networks. If a
	// route of Defaults has a Src that is not a single address, that Src is also such a
	// network.
	SourceInterfaces []string

	// NoSources means that there are no rules from addresses of this host. Only
	// SourcePrefixes, SourceInterfaces and Also select the uplink's packets, and one of
	// them has to be set. This way, two interfaces with the same address can be two
	// uplinks that are selected by marks or by the selector oif in Also. Table or Name has
	// to be set, because nothing else identifies the uplink's table.
	NoSources bool

	// Priority is the priority of the first rule from the sources. With MainFirst and
	// Unreachable there are up to four rules for each source, at consecutive priorities.
	// All rules have to be between the rules for the tables local and main. If these leave
	// no room, as on a host with VRFs, all rules have to be before both, and after a rule
	// l3mdev. Each source and each rule of Also then has one more rule in front, which
	// looks up local and takes one more priority; see the package overview. Zero: Install
	// chooses a free priority, or keeps that of an installed rule.
	//
	// The rules of Also come right after those from the sources, at two or three
	// priorities each, if no rule from a source of another uplink comes later. Otherwise
	// they are among the rules of Also of the other uplinks. Install refuses a Priority
	// with which a rule from a source would come after a rule of Also of another uplink.
	Priority uint32

	// Protocol marks the rules and routes of the uplink. Install and Remove change and
	// delete only rules and routes with this protocol. Zero: [Protocol].
	Protocol route.Protocol

	// Subnets are prefixes on the link of the interface, in addition to those that Install
	// finds itself: the prefixes of the interface's addresses, and prefixes to which table
	// main has a route without a gateway (protocols kernel, ra and dhcp).
	Subnets []netip.Prefix

	// Routes are further destinations behind the gateway, besides the default route.
	Routes []netip.Prefix

	// Also are selectors for other traffic that takes the uplink: ports, marks, users.
	// Install fills in Table, Protocol, Family and Priority if they are not set.
	// [rule.Parse] sets the table main and a family: unset these two in its result.
	//
	// Traffic for which main has a more specific route than the default uses main: before
	// each rule of Also, Install adds a rule with the same selector that looks up main
	// with suppress_prefixlength 1, or 4 in IPv6. It does not add that rule if the rule of
	// Also sets Table, Priority, SuppressPrefixLength or To. Such a rule takes all packets
	// that it selects.
	//
	// The rules come after the rules from sources of all uplinks. If a rule of Also sets
	// Priority, Install adds it at that priority. If it comes before a rule from a source
	// of another uplink, it takes packets of that source, and package check reports it.
	Also []rule.Rule

	// MainFirst means that packets use table main if main has a more specific route for
	// them than its default route: packets to other networks of this host, to bridges, and
	// to destinations for which the administrator has added routes. Only packets that
	// would take main's default route, or one of the halves of a default route (see the
	// package overview), take the uplink. The uplink's own subnet and Routes always take
	// the uplink. Without MainFirst, all packets from the sources take the uplink.
	MainFirst bool

	// Unreachable means that packets from the sources never leave through another
	// interface, even while the link is down and the kernel has deleted the routes: their
	// senders get the error "unreachable". Without Unreachable, such packets use main. The
	// same applies to packets that SourcePrefixes and Also select: right behind each of
	// those rules, Install adds a rule with the same selector and the action unreachable,
	// but not behind a rule that sets Priority, SuppressPrefixLength or SuppressIfGroup.
	Unreachable bool

	// OnLink means that the gateway is on the link although no subnet of the interface
	// contains it (RTNH_F_ONLINK).
	OnLink bool

	// Metric is the priority of the routes within the table. Zero: 0 for IPv4 and 1024 for
	// IPv6, which are the kernel's defaults.
	Metric uint32

	// Etc is the directory with rt_tables. Empty: /etc/iproute2.
	Etc string
}

// Protocol is the default protocol of uplinks, 0xd2. This number is not assigned in
// linux/rtnetlink.h.
const Protocol route.Protocol = uplink.DefaultProtocol

// Install changes rules, routes and names to those that u declares. See the function
// [Install].
func (u SourceRoutedUplink) Install(ctx context.Context, c route.Conn) error {
	return Install(ctx, c, u)
}

// Remove deletes the rules and routes of u. See the function [Remove].
func (u SourceRoutedUplink) Remove(ctx context.Context, c route.Conn) error {
	return Remove(ctx, c, u)
}

// Plan returns what Install would do now.
func (u SourceRoutedUplink) Plan(ctx context.Context, c route.Conn) (plan.Plan, error) {
	return PlanInstall(ctx, c, u)
}

// Validate reports what is wrong with u on any host. The error is a [*plan.FieldError]
// about the first field that is missing or contradicts the others. Install and Remove
// begin with Validate.
func (u SourceRoutedUplink) Validate() error {
	spec := uplink.Spec(u)
	return spec.Validate()
}

// String returns the name that errors use for u: its Name, or its interface and gateway.
func (u SourceRoutedUplink) String() string {
	spec := uplink.Spec(u)
	return spec.String()
}

// specsOf returns uplinks in the type of the planner.
func specsOf(uplinks []SourceRoutedUplink) []uplink.Spec {
	specs := make([]uplink.Spec, len(uplinks))
	for i, u := range uplinks {
		specs[i] = uplink.Spec(u)
	}
	return specs
}
