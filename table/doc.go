// Package table installs groups of routes and rules that belong together.
//
// A [SourceRoutedUplink] is one of several ways out of a host. Packets from its
// addresses leave by its gateway, so that each connection is answered through the
// interface that it came in on:
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
// with four differences. Install can be repeated: a second Install changes nothing, and
// installing a changed value applies only the difference. Install is a transaction:
// packets take the old way or the new, and a failure at any step undoes the steps before
// it. Install owns what it makes, by the protocol number of rules and routes, and touches
// nothing else. And [PlanInstall] shows what Install would do.
//
// An uplink need not be known by the addresses of its interface. SourcePrefixes and
// SourceInterfaces are networks behind this host, such as a prefix that a provider has
// delegated to a LAN, and NoSources leaves the choice to the selectors of Also, such as
// marks: two modems may give this host the same address. What is on the uplink's link is
// what its addresses, table main and Subnets say.
//
// The packages below this one do the rest: package plan has the steps of a change, check
// finds out whether uplinks are as they should be, maintain keeps them so, snapshot
// compares all rules and routes of a host with earlier ones, and health probes whether a
// gateway leads anywhere.
//
// # Guarantees
//
//   - At every instant each packet of a source is routed by the old policy or by the
//     new, as a whole. For each family one step changes over, for all sources of all
//     uplinks of the call. That [plan.Step] has Commit set.
//   - If a step fails, or the context ends, the steps that were done are undone, newest
//     first. Rules, routes and rt_tables are then what they were, except that two rules of
//     different sources with the same priority may have changed places. If an undo fails
//     as well, the [*plan.StepError] lists what is left.
//   - If the process is killed at any step, packets take the old policy or the new one.
//     The next Install or Remove cleans up, and so does [Recover]. After Recover the
//     uplink is as it was before, or as it was to be, or gone. It may be in another
//     table, with its rules of Also still in the old one; the next Install corrects that.
//   - Rules and routes with another protocol number are neither changed nor deleted. If
//     one is in the way, the error is a [*plan.ConflictError], and nothing was changed.
//   - Processes that use this package wait for each other: see [plan.ErrLocked].
//
// # Limits
//
//   - IPv4 and IPv6 do not change in the same instant. The kernel has no request for
//     that: there are two steps, one right after the other.
//   - The rules of Also are not part of that step. They apply to packets without a
//     source, which gates cannot tell apart. Each takes effect by itself. New ones are
//     added before old ones are deleted, and all come after the rules from sources.
//   - Other rules can prevent a single step. If rules of others are between those of
//     several uplinks, each uplink changes over by itself, and so does each of several
//     uplinks whose priorities leave no room for one END. If a rule is right behind those
//     of an uplink, so that END has no place, each source changes over by itself. If one
//     is right in front, so that a gate has no place, Install refuses a priority that was
//     given and otherwise chooses another; Remove then deletes the rules one by one, the
//     last one first.
//   - An uplink may need one step for sources that it gets and another for those that it
//     loses: they are different packets.
//   - Routes that an uplink has lost are added one by one. There is no old policy then.
//   - A change of a gateway, and what Adopt does with each route, is one request that
//     replaces the route. In one of some thousand
//     such requests Linux 6.18 finds no route for a packet that it looks up in the same
//     instant: the packet goes on with the next rule.
//   - Another program that lists rules during a change may see intermediate states.
//   - A program that does not take the lock, such as ip(8), can change what a transaction
//     has found. The transaction reads back what it did before it changes over. It does
//     not see later changes.
//   - Nothing survives a reboot except names in rt_tables, which a killed Install may
//     also leave. Remove deletes them.
//
// # Coming from scripts
//
// [Adopt] installs uplinks in the place of what scripts have made for them, without a gap:
// the rules from their addresses, and the routes in their tables. [PlanAdopt] shows what
// that is.
//
// # New tables
//
// An uplink without a table gets the lowest one that no route, rule or name uses. While
// Install fills that table, it contains a claim, a route that the kernel allows only once
// and that has no effect:
//
//	ip route add throw default metric 4294967295 table 5
//
// So only one of several contenders gets the table; the others take the next.
//
// # Ports, marks and users
//
// The rules from an uplink's addresses match packets that have a source: those of
// accepted connections and of bound sockets. A socket that is not bound has no source
// when its route is looked up. It matches no such rule and uses table main. Field Also
// has rules for these sockets: mail to port 25 by one uplink, the web by another. The
// socket then gets the uplink's address. In front of each such rule is another one, so
// that table main decides where it has a route other than its default, for example to a
// mail server in the LAN:
//
//	from all dport 25 lookup main suppress_prefixlength 1
//	from all dport 25 lookup T
//
// With suppress_prefixlength 1 such a rule leaves out the default route, and the halves
// 0.0.0.0/1 and 128.0.0.0/1 that VPNs put beside it. In IPv6 it is 4, as these parts are
// 2000::/3 or its halves there. No network has a prefix that short. It is not 0 for
// another reason: wg-quick deletes every rule that looks up main with
// suppress_prefixlength 0, whoever made it. Install replaces rules of ours that earlier
// versions made so.
//
// A UDP server that is bound to the wildcard address has the same problem, unless it uses
// IP_PKTINFO: its answers leave by main, whatever address they answer for. Bind it to the
// address, or add a rule with SPort to Also.
//
// # The order of rules
//
// The kernel looks at the rule for the table local first, at 0, and at the one for main at
// 32766. All rules of uplinks are between these two. So packets to this host's own addresses
// stay here, also packets from one of its addresses to another.
//
// A host with VRFs has another order: the kernel's documentation tells administrators to
// move the rule for local to 32765, so that the rule l3mdev, at 1000, comes before it.
// There is no room between local and main then: less than 100 priorities. Rules of uplinks
// come before local and main there, and after a rule l3mdev before them. To keep local
// first, each source has one more rule, which is its first, and so has each rule of Also:
//
//	from A lookup local
//	from all dport 25 lookup local
//
// A rule of Also that says its Priority, SuppressPrefixLength or SuppressIfGroup is installed
// as it is, without such a rule. If someone moves the rule for local while uplinks are
// installed, the next [Install] changes their rules to those of the new order. The order of
// one family says nothing about that of the other.
//
// # How changes are atomic
//
// The rules of a source A have consecutive priorities. The first one exists where ours come
// before the rule for local, the next two with MainFirst, the last one with Unreachable:
//
//	from A lookup local
//	from A lookup T    suppress_prefixlength 1
//	from A lookup main suppress_prefixlength 1
//	from A lookup T
//	from A unreachable
//
// A single rule takes effect when it is added, after its routes. Several rules, of one
// source or of many, take effect together with the help of two kinds of temporary rules:
// a gate for each source in front of them, and END behind them.
//
//	from A goto END      gate
//	...
//	nop                  END
//
// While END exists, gates lead past the rules in between. If END does not exist, the
// kernel ignores the gate and goes on with the next rule. So deleting END enables all the
// rules in one step, and adding END disables them. [Install] adds END, gates, routes and
// rules, reads back what it did, deletes END, and then the gates. [Remove] adds gates and
// END, and deletes the rest.
//
// [Install] of an uplink that is installed with other values leaves the old rules in
// effect. It adds the new ones in front of them or behind, hidden by gates or by the old
// rules themselves. Then it changes over in one step. To change the gateway takes one
// request that replaces the route. If several routes change, the uplink moves to a
// temporary table that has the new routes, which is the step that changes over, and then
// back to its own table, which changes nothing more. A route that gets another source is
// replaced by itself: it is for packets that have none yet, and all others go the same way.
package table
