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
// This is what administrators type as
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
//   - Install is a transaction. Packets take the old way or the new one. A failure at any
//     step undoes the steps before it.
//   - Install owns what it makes, by the protocol number of rules and routes, and changes
//     nothing else.
//   - [PlanInstall] shows what Install would do.
//
// By default the sources of an uplink are the addresses of its interface. SourcePrefixes
// and SourceInterfaces add networks behind this host, such as a prefix that a provider has
// delegated to a LAN. With NoSources there are no rules from addresses, and only the
// selectors of Also, such as marks, choose the uplink. Two modems that give this host the
// same address need that. The prefixes on the link of an uplink are those of its
// addresses, those that table main has a route to, and Subnets.
//
// The packages below this one do the rest. Package plan has the steps of a change.
// Package check finds out whether uplinks are as they should be. Package maintain keeps
// them installed. Package snapshot compares all rules and routes of a host with earlier
// ones. Package health probes whether a gateway leads anywhere. Package discover finds the
// uplinks that a host has before anyone declares them.
//
// # Guarantees
//
//   - At every instant each packet of a source is routed by the old policy or by the new
//     one, as a whole. For each address family, one step changes over all sources of all
//     uplinks of the call. That [plan.Step] has Commit set.
//   - If a step fails, or the context ends, the steps that were done are undone, newest
//     first. Rules, routes and rt_tables are then what they were, except that two rules of
//     different sources with the same priority may have changed places. If an undo fails
//     as well, the [*plan.StepError] lists what is left, and what may be: every error that
//     is not the kernel's own refusal leaves open whether the step was done.
//   - If the process is killed at any step, packets take the old policy or the new one.
//     The next Install or Remove cleans up, and so does [Recover]. After Recover the
//     uplink is in its old state, in its new state, or removed. It may be in another
//     table while its rules of Also are still in the old one. The next Install corrects
//     that.
//   - Rules and routes with another protocol number are neither changed nor deleted. If
//     one of them is in the way, the error is a [*plan.ConflictError], and nothing was
//     changed.
//   - Processes that use this package wait for each other, and not for others: see
//     [plan.Lock].
//
// # Limits
//
//   - IPv4 and IPv6 do not change in the same instant. The kernel has no request for
//     that. There are two steps, one right after the other.
//   - The rules of Also are not part of that step. Each takes effect by itself. New ones
//     are added before old ones are deleted, and all of them come after the rules from
//     sources.
//   - If one call moves rules of Also of one uplink behind the rules from sources of another
//     one, because of a given Priority, the rules from sources come first. If the process is
//     killed in between, the order is wrong until the next Install of either uplink. Package
//     check reports it, and package maintain repairs it.
//   - Rules of other programs can prevent a single step. If they are between the rules of
//     several uplinks, each uplink changes over by itself. If one comes right after the
//     rules of an uplink, and another one is among them, each source changes over by
//     itself. If one comes right before them, Install refuses a priority that was given,
//     and otherwise chooses another one.
//     Remove then deletes the rules one by one, the last one first.
//   - An uplink may need one step for sources that it gets and another one for sources
//     that it loses. These are different packets.
//   - Routes that an uplink has lost are added one by one. There is no old policy then.
//   - A change of a gateway is one request that replaces the route, and so is what Adopt
//     does with each route. In one of some thousand such requests, Linux 6.18 finds no
//     route for a packet that it looks up in the same instant. The packet goes on with
//     the next rule.
//   - A program that binds its socket to an interface (SO_BINDTODEVICE, which takes no
//     privilege) sends by that interface, with any address of the host. A route by another
//     interface does not match such a packet. Unreachable refuses those of IPv6; for IPv4
//     Linux then takes the destination to be on the link, and asks for it there. Only a
//     packet filter can keep such packets from leaving.
//   - Another program that lists rules during a change may see intermediate states.
//   - A program that does not take the lock, such as ip(8), can change what a transaction
//     has found. The transaction reads back its own changes before it changes over. It
//     does not see later changes of other programs.
//   - Nothing survives a reboot except names in rt_tables. Remove deletes them. They are
//     written after all else, so that nothing waits for a file: a killed Install can leave
//     a table without its name, and a killed Remove a name without its table.
//
// # Compatibility
//
// Before v1.0.0 the API of this module can change with each minor version. The protocol
// number 210, the text of rules and routes, and the codes of package check stay.
//
// # Adoption
//
// [Adopt] installs uplinks in the place of what scripts have made for them, and no packet
// is lost. It replaces the rules from the uplinks' addresses and the routes in their
// tables. [PlanAdopt] shows what Adopt would do.
//
// # Choice of a table
//
// An uplink without a table gets the lowest one that no route, rule or name uses. While
// Install fills that table, the table contains a reservation: a route that the kernel
// allows only once and that has no effect.
//
//	ip route add throw default metric 4294967295 table 5
//
// So only one of several contenders gets the table, and the others take the next one.
//
// # Ports, marks and users
//
// The rules from an uplink's addresses match packets that have a source: packets of
// accepted connections and of bound sockets. The kernel looks up a route for a socket that
// is not bound before the socket has a source. Such a packet matches no rule from an
// address, and uses table main.
//
// Field Also has rules for these sockets, such as mail to port 25 through one uplink and
// the web through another. The socket then gets the uplink's address. Another rule comes
// before each rule of Also. With it, table main decides where it has a route other than
// its default, for example to a mail server in the LAN:
//
//	from all dport 25 lookup main suppress_prefixlength 1
//	from all dport 25 lookup T
//
// With suppress_prefixlength 1 such a rule leaves out the default route, and the halves
// 0.0.0.0/1 and 128.0.0.0/1 that VPNs put beside it. In IPv6 the number is 4, because
// these parts are 2000::/3 or its halves. No network has a prefix that short. The number
// is not 0, because wg-quick deletes every rule that looks up main with
// suppress_prefixlength 0, even if another program has made it. Install replaces rules of
// ours that have 0.
//
// A UDP server that is bound to the wildcard address has the same problem, unless it uses
// IP_PKTINFO: its answers leave by main, whatever address they answer for. Bind it to the
// address, or add a rule with SPort to Also.
//
// # Order of rules
//
// The kernel starts with the rule for the table local, at 0. The rule for main is at 32766.
// All rules of uplinks are between these two. So packets to this host's own addresses stay
// on this host, even packets from one of its addresses to another.
//
// A host with VRFs has another order. The kernel's documentation tells administrators to
// move the rule for local to 32765, so that the rule l3mdev, at 1000, comes before it.
// Less than 100 priorities are left between local and main. On such a host the rules of
// uplinks come before local and main, and after a rule l3mdev that is before local. To
// keep local first, each source has one more rule, which is its first one, and so has each
// rule of Also:
//
//	from A lookup local
//	from all dport 25 lookup local
//
// All rules from sources of all uplinks come before all rules of Also, so that a packet with
// a source never takes the uplink of another source because of its port or mark. Rules from
// sources are usually at 31000 to 31899, rules for networks behind this host at 31950 to
// 31999, and rules of Also from 32000 on. If main has another priority, these ranges move
// with it, and where there is less room each kind has its share. Where a range is full,
// uplinks share priorities: rules from different sources do not match each other's packets.
// Install refuses an uplink for which no place keeps this order. Uplinks with a protocol
// number of their own belong to the order if a rule of theirs shows that it is an uplink's:
// with the default [Protocol], or with MainFirst or Unreachable. A rule of Also with its own
// Priority is not part of the order.
//
// A rule of Also with its own Priority, SuppressPrefixLength or SuppressIfGroup is
// installed as it is, without such a rule. If someone moves the rule for local while
// uplinks are installed, the next [Install] changes their rules to those of the new order.
// IPv4 and IPv6 can have different orders.
//
// # Atomic changes
//
// The rules of a source A have consecutive priorities. A source has the first rule only
// where ours come before the rule for local, the second and third with MainFirst, and the
// last with Unreachable:
//
//	from A lookup local
//	from A lookup T    suppress_prefixlength 1
//	from A lookup main suppress_prefixlength 1
//	from A lookup T
//	from A unreachable
//
// A single rule takes effect when it is added, after its routes. Several rules, of one
// source or of many, take effect together with the help of two kinds of temporary rules: a
// gate in front of the rules of each source, and a landing rule END behind all of them.
//
//	from A goto END      gate
//	...
//	nop                  END
//
// While END exists, the gates lead past the rules in between. If END does not exist, the
// kernel ignores the gates and goes on with the next rule. So deleting END enables all the
// rules in one step, and adding END disables all of them. [Install] adds END, gates, routes
// and rules, reads back what it did, deletes END, and then deletes the gates. [Remove] adds
// gates and END, and then deletes the rest.
//
// If the rules of several sources have no rules of other programs among them, one gate is
// enough for all sources:
//
//	from all goto END
//
// Other packets match none of the rules that the gate leads past. In this case, END exists
// before the gate and after it, and [Install] deletes the gate to enable the rules.
// [Remove] adds the gate to disable them.
//
// If an uplink is installed with other values, [Install] leaves the old rules in effect
// while it adds the new ones. The new ones are in front of the old ones or behind them,
// hidden by gates or by the old rules themselves. Then one step changes over. A change of
// the gateway is one request that replaces the route. If several routes change, the uplink
// moves in one step to a temporary table with the new routes, and then back to its own
// table, which changes nothing for packets. A route that only gets another source address
// is replaced by itself, because that source is for packets that have none yet, and all
// packets take the same way as before.
package table
