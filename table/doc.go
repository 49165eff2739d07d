// Package table installs groups of routes and rules that belong together.
//
// A [SourceRoutedUplink] is one of several ways out of a host. Packets from its
// addresses leave through its gateway, so each reply leaves through the interface that
// its request came in on:
//
//	lan2 := table.SourceRoutedUplink{
//		Name: "lan2", Table: 20,
//		Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"),
//	}
//	err := lan2.Install(ctx, c)
//
// The equivalent commands that administrators type are
//
//	echo '20 lan2' >>/etc/iproute2/rt_tables
//	ip route add 192.168.2.0/24 dev eth1 src 192.168.2.2 table lan2
//	ip route add default via 192.168.2.1 dev eth1 src 192.168.2.2 table lan2
//	ip rule add from 192.168.2.2 lookup lan2
//
// with four differences:
//
//   - Install can be repeated. A second Install changes nothing. Installing a changed
//     value applies only the difference.
//   - Install is a transaction. At every instant, a packet takes the old way or the new
//     one. If a step fails, Install undoes the steps before it.
//   - Install marks its rules and routes with a protocol number, and changes no others.
//   - [PlanInstall] shows what Install would do.
//
// By default the sources of an uplink are the addresses of its interface. SourcePrefixes
// and SourceInterfaces add networks behind this host, such as a prefix that a provider has
// delegated to a LAN. With NoSources there are no rules from addresses, and only the
// selectors of Also, such as marks, choose the uplink. Use NoSources for two modems that
// give this host the same address. Three kinds of prefixes are on the link of an uplink:
// those of its addresses, those to which table main has a route without a gateway, and
// Subnets.
//
// The packages below this one do related work. Package plan has the steps of a change.
// Package check finds problems with uplinks. Package maintain keeps uplinks installed.
// Package reply makes replies leave through the uplink that the request came in on.
// Package explain says where a packet goes, and why. Package snapshot compares all rules
// and routes of a host with earlier ones. Package health probes whether the Internet can
// be reached through a gateway. Package discover finds uplinks that a host already uses,
// without a declaration.
//
// # Guarantees
//
//   - At every instant, each packet of a source is routed either completely by the old
//     policy or completely by the new one. For each address family, one step switches
//     all sources of all uplinks of the call to the new policy. That [plan.Step] has
//     Commit set.
//   - If a step fails, or the context ends, the steps that were done are undone, newest
//     first. Rules, routes and rt_tables are then as they were before, except that two
//     rules of different sources with the same priority may have changed places. If undoing
//     a step fails as well, the [*plan.StepError] lists the steps that are still in effect,
//     and the steps that may still be in effect: after an error that is not a refusal by
//     the kernel, it is unknown whether the step was done.
//   - If the process is killed at any step, packets follow the old policy or the new
//     one. The next Install or Remove cleans up, and so does [Recover]. After Recover
//     the uplink is in its old state, in its new state, or removed. If the uplink was
//     to move to another table, its rules of Also may still look up the old table. The
//     next Install corrects that.
//   - Rules and routes with another protocol number are neither changed nor deleted. If
//     one of them is in the way, Install changes nothing, and the error is a
//     [*plan.ConflictError].
//   - Processes that use this package wait for each other, but other processes cannot
//     make them wait for long: see [plan.Lock].
//
// # Limits
//
//   - IPv4 and IPv6 do not switch in the same instant, because the kernel has no
//     request for that. They switch in two steps, one right after the other.
//   - The rules of Also do not belong to that single step. Each takes effect by itself.
//     Install adds the new ones before it deletes the old ones. All of them come after
//     the rules from sources.
//   - If an update removes a source from an uplink and adds a rule of Also to the uplink,
//     it does so in two steps. Between the two steps, a packet from that source can use
//     table main if only the new rule selects the packet.
//   - If an uplink sets Priority, one call may have to move rules of Also of one uplink
//     behind the rules from sources of another uplink. Install then changes the rules from
//     sources first. If the process is killed in between, the order of the rules is wrong
//     until the next Install of either uplink. Package check reports this, and package
//     maintain repairs it.
//   - Rules of other programs can prevent a single step. If such rules are between the
//     rules of several uplinks, each uplink switches by itself. If such a rule comes right
//     after the rules of an uplink, and another one is among the rules of the uplink, each
//     source switches by itself. If such a rule comes right before the rules of an uplink,
//     Install chooses another priority, or refuses the Priority of the uplink if it is set;
//     Remove deletes the rules of the uplink one by one, the last one first.
//   - An uplink may need one step for new sources and another one for sources that it
//     loses. The two steps affect different packets.
//   - Routes that someone has deleted from an uplink are added again one by one,
//     because there is no complete old policy in this case.
//   - A change of a gateway is one request that replaces the route. Adopt also replaces
//     each route with one request. During about one of several thousand such requests,
//     Linux 6.18 finds no route for a packet that it looks up in the same instant. The
//     kernel then continues with the next rule for this packet.
//   - A program that binds its socket to an interface (SO_BINDTODEVICE, which takes no
//     privilege) sends through that interface, with any address of the host. Routes
//     through other interfaces do not match such packets. With Unreachable, such IPv6
//     packets are refused. For such IPv4 packets, Linux assumes that the destination is on
//     the link, and sends ARP requests for it. Only a packet filter can stop these
//     packets.
//   - Another program that lists rules during a change may see intermediate states.
//   - A program that does not take the lock, such as ip(8), can change the state that a
//     transaction is based on. The transaction reads back its own changes before it
//     switches packets to the new policy. It does not see later changes of other
//     programs.
//   - Only the names in rt_tables survive a reboot. Remove deletes them. Names are written
//     and deleted last, so that rules and routes never wait for a file. So if Install is
//     killed, a table can be without its name, and if Remove is killed, a name can be left
//     without its table.
//
// # Compatibility
//
// Before v1.0.0 the API of this module can change with each minor version. The protocol
// number 210, the text of rules and routes, and the codes of package check do not
// change.
//
// # Adoption
//
// [Adopt] installs uplinks in place of rules and routes that scripts have made for them.
// No packet is lost. Adopt replaces the rules from the uplinks' addresses and the routes in
// their tables. [PlanAdopt] shows what Adopt would do.
//
// # Choice of a table
//
// An uplink without a table gets the lowest one that no route, rule or name uses. To
// reserve that table, Install first adds a route that has no effect, and that the
// kernel accepts only once:
//
//	ip route add throw default metric 4294967295 table 5
//
// So if several processes choose the same table, only one of them gets it, and the
// others choose the next one. Install deletes this route when the table has its own
// routes.
//
// # Ports, marks and users
//
// The rules from an uplink's addresses match packets that have a source: packets of
// accepted connections and of bound sockets. For a socket that is not bound to an address,
// the kernel looks up the route before it chooses the source. Packets of such a socket
// match no rule from an address, and use table main.
//
// Field Also has rules for these sockets, for example to send mail to port 25 through
// one uplink and web traffic through another. The socket then gets the uplink's address.
// Before each rule of Also, Install adds another rule with the same selector. Because of
// this rule, packets use table main if main has a route for them other than its default
// route, for example to a mail server in the LAN:
//
//	from all dport 25 lookup main suppress_prefixlength 1
//	from all dport 25 lookup T
//
// Because of suppress_prefixlength 1, the first rule ignores the default route, and also
// the routes to 0.0.0.0/1 and 128.0.0.0/1 with which VPNs override the default route. In
// IPv6 the number is 4, because there VPNs use 2000::/3 or its halves. No network has a
// prefix that short. The number is not 0, because wg-quick deletes every rule that looks
// up main with suppress_prefixlength 0, even if another program has made it. Install
// replaces rules of uplinks that still have 0.
//
// A UDP server that is bound to the wildcard address has the same problem, unless it uses
// IP_PKTINFO: its replies use table main, whatever address the request was sent to. Package
// reply sends these replies through the uplink of that address. It also keeps connections
// to published ports, and other forwarded connections, on one uplink.
//
// # Order of rules
//
// The kernel starts with the rule for the table local, at 0. The rule for main is at 32766.
// All rules of uplinks are between these two. So packets from this host to its own
// addresses do not leave the host, not even packets from an address of one uplink to an
// address of another.
//
// On a host with VRFs, the order is different. The kernel's documentation tells
// administrators to move the rule for local to 32765, so that the rule l3mdev, at 1000,
// comes before it. This leaves fewer than 100 priorities between local and main. On such a
// host, the rules of uplinks come before the rules for local and main, and after a rule
// l3mdev that is before local. So that local still decides first, each source and each
// rule of Also gets one more rule in front:
//
//	from A lookup local
//	from all dport 25 lookup local
//
// All rules from sources of all uplinks come before all rules of Also. So a packet from the
// address of one uplink never takes another uplink because of its port or mark. Rules from
// sources are usually at 31000 to 31899, rules for networks behind this host at 31950 to
// 31999, and rules of Also from 32000 on. If the rule for main has another priority, these
// ranges move with it. If there is less room, each kind gets a share of it. If a range is
// full, uplinks share priorities, which is harmless because rules from different sources do
// not match the same packets. Install refuses an uplink if no priority would keep this
// order. Other installed uplinks are recognized by their rules: rules with the default
// Protocol, and rules with another protocol number if they have the form that MainFirst or
// Unreachable gives them. A rule of Also with its own Priority does not belong to this
// order.
//
// Install adds no "lookup local" rule before a rule of Also that sets Priority,
// SuppressPrefixLength or SuppressIfGroup. If someone moves the rule for local while
// uplinks are installed, the next Install changes the rules of the uplinks to the new
// order. IPv4 and IPv6 can have different orders.
//
// # Atomic changes
//
// The rules of a source A have consecutive priorities. Every source has the rule "from A
// lookup T". A source has the first rule of this list only if the rules of uplinks come
// before the rule for local, the second and third rules only with MainFirst, and the last
// rule only with Unreachable:
//
//	from A lookup local
//	from A lookup T    suppress_prefixlength 1
//	from A lookup main suppress_prefixlength 1
//	from A lookup T
//	from A unreachable
//
// A single rule takes effect when Install adds it, which is after the routes. Several
// rules, of one source or of many, take effect together with the help of two kinds of
// temporary rules: a rule called gate in front of the rules of each source, and a rule
// called END behind all of them.
//
//	from A goto END      gate
//	...
//	nop                  END
//
// While END exists, the gates make the kernel skip the rules between the gate and END. If
// END does not exist, the kernel ignores the gates and continues with the next rule. So
// deleting END enables all the rules in one step, and adding END disables all of them.
// [Install] adds END, gates, routes and rules, reads back what it did, deletes END, and
// then deletes the gates. [Remove] adds gates and END, and then deletes the rest.
//
// If the rules of several sources have no rules of other programs among them, one gate is
// enough for all sources:
//
//	from all goto END
//
// This gate does not affect other packets, because they match none of the rules that it
// skips. In this case, Install adds END before the gate, and deletes the gate first, which
// enables the rules. Remove adds END and then the gate, which disables the rules.
//
// If an uplink is installed with other values, Install leaves the old rules in effect
// while it adds the new ones. The new rules are either in front of the old ones and
// skipped because of gates, or behind them and not reached. Then one step switches from
// the old rules to the new ones. A change of the gateway is one request that replaces the
// route. If several routes change, the uplink moves in one step to a temporary table with
// the new routes. It then moves back to its own table, which has the same routes by then.
// If only the source address of a route changes, Install replaces that route separately:
// the address is only for packets that have no source yet, and all packets take the same
// way as before.
package table
