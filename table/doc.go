// Package table installs what several routes and rules do together.
//
// A [SourceRoutedUplink] is one of several ways out of a host. Packets from its
// addresses leave by its gateway, so that a connection is answered by the way
// it came in:
//
//	lan2 := table.SourceRoutedUplink{
//		Name: "lan2", Table: 20,
//		Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"),
//	}
//	err := lan2.Install(ctx, c)
//
// This is what administrators type as
//
//	echo '20 lan2' >>/etc/iproute2/rt_tables
//	ip route add 192.168.2.0/24 dev eth1 src 192.168.2.2 table lan2
//	ip route add default via 192.168.2.1 dev eth1 src 192.168.2.2 table lan2
//	ip rule add from 192.168.2.2 lookup lan2
//
// with four differences. It can be repeated: a second Install changes nothing,
// and one of a changed value makes the difference. It is all or nothing: a
// failure at any step undoes the steps before. It owns what it makes, by the
// protocol number of routes and rules, and touches nothing else. And it says
// beforehand what it would do: [PlanInstall].
//
// # What happens in which order
//
// [Install] reads interfaces, addresses, rules, and the routes of its tables.
// It then refuses what cannot be, before anything is changed, and sends one
// request for each difference: routes first and rules last. A rule never leads
// into a table without its routes, so that the packets of an address go by the
// old way until the one request that adds its rule, and from then on by the
// new. A changed gateway is one request that replaces the route. [Remove] goes
// the other way: rules first, then routes.
//
// Several uplinks in one call are undone together, but take effect one rule
// after the other, as do the two families of one uplink. A dump by someone else
// meanwhile may see parts. What a killed process leaves is complete objects of
// ours; the next Install or Remove of the same value deals with them.
//
// # Ports, marks and users
//
// The rules from an uplink's addresses catch packets that have a source: those
// of accepted connections, and of sockets that are bound. A socket that is not
// bound has none when its route is looked up, takes no such rule, and goes by
// the table main. Field Also of an uplink has rules for those: mail to port 25 by
// one way, the web by another. The address that the socket then gets is the
// uplink's own.
//
// A UDP server on a wildcard socket is such a socket as well, unless it uses
// IP_PKTINFO: its answers leave by main whatever the address they answer for.
// Bind it to the address, or add a rule with SPort to Also.
//
// # Looking at a host
//
// [TakeSnapshot] reads all rules and routes as they are at one moment, which a
// listing does not. A [Snapshot] is compared with another one by Equal, and
// printed as the commands of ip(8) that would make it; [Diff] of two is the
// commands that lead from one to the other.
//
// [Check] says whether uplinks are as they should be, and what around them will
// hurt: other programs, filters, servers, the order of rules. Each [Finding] has
// a code that does not change, and says what cures it.
package table
