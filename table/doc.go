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
// and one of a changed value makes the difference. It is a transaction: packets go
// wholly by the old way or wholly by the new, and a failure at any step undoes the
// steps before. It owns what it makes, by the protocol number of routes and rules,
// and touches nothing else. And it says beforehand what it would do: [PlanInstall].
//
// # Rungs and gates
//
// What an uplink does with the packets of a source A is a ladder of rules at
// consecutive priorities. The first and the second are there with MainFirst, the
// last with Unreachable:
//
//	from A lookup T    suppress_prefixlength 0
//	from A lookup main suppress_prefixlength 0
//	from A lookup T
//	from A unreachable
//
// A ladder of one rule comes into effect with that rule, once the routes are
// there. Several rules, of one source or of many, do so together, by two more that
// are there meanwhile: before them a gate for each source, and END after them.
//
//	from A goto END      gate
//	...
//	nop                  END
//
// While END is there, the gates lead past the rules between. A gate to an END that
// is not there is no gate: the kernel goes on with the next rule. So deleting END
// is the one step with which all rules come into effect, and adding it the one
// with which they cease to. [Install] adds END, gates, routes and rules, reads back
// what it did, deletes END, and then the gates. [Remove] adds gates and END, and
// deletes the rest.
//
// [Install] of an uplink that is there already, with other values, leaves the old
// rules in effect, and puts the new ones before or behind them, hidden by gates or
// by the old ones themselves; then it changes over in one step. A gateway that
// changes is one request that replaces the route. If several routes change, they
// do so in a new table: the uplink moves to that one, which is the step that
// changes over, and back when its own table has the new routes, which changes
// nothing more.
//
// # What is promised
//
//   - At every instant each packet of a source is routed by the old policy or by the
//     new, as a whole. For each family one step changes over, for all sources of
//     all uplinks of the call. [Step] has it marked as Commit.
//   - If any step fails, or the context ends, what was done is undone, newest first.
//     Routes, rules and rt_tables are then what they were. (Two rules of different
//     sources with the same priority may have changed places.) If the undo fails
//     as well, the [*StepError] lists what is left.
//   - If the process is killed at any step, packets go by the old policy or by the
//     new one. A gate tells that there is something to clean up, which the next
//     Install or Remove does, or [Recover]. Without a gate, what a kill can leave is
//     routes that no rule leads to, a rule behind another of the same source, or one
//     that asks main before a rule of Also which is gone: Recover finds those as
//     well. After Recover the uplink is as it was before, or
//     as it was to be (maybe in another table, which the next Install mends), or
//     gone.
//   - What carries another protocol number is neither changed nor deleted. If it is
//     in the way, that is a [*ConflictError] before anything is changed.
//   - Processes that use this package wait for each other: see [ErrLocked].
//
// # What is not
//
//   - Both families at once. The kernel has no request for that: there are two steps,
//     one right after the other.
//   - The rules of Also in the same step. They are about packets without a source,
//     which the gates cannot tell apart. Each comes into effect by itself, after
//     the rules from sources, and goes before them; new ones come before old ones
//     go.
//   - One step in spite of others. If rules of others are between those of several
//     uplinks, each uplink changes over by itself. If one is right behind a ladder,
//     so that END has no place, the gates lead to that one, and each source changes
//     over by itself. If one is right before a ladder, so that a gate has no place,
//     Install refuses a priority that was given, and chooses another otherwise;
//     and Remove deletes the rules one by one, the last one first. An uplink may
//     need a step for sources that it gets and another for those that it loses:
//     they are different packets. Routes that an uplink has lost are added one by
//     one: there is no old policy to go by.
//   - A listing by someone else, meanwhile, may show parts.
//   - Programs that do not take the lock, ip(8) among them, can change what a
//     transaction has found. What it adds cannot exist already, and it reads back
//     before it changes over; what is changed later than that, it does not see.
//   - Power: nothing of all this outlives a restart of the host, but for the names in
//     rt_tables, which a killed Install may also leave. They go with Remove.
//
// # Claims
//
// An uplink without a table gets the lowest that no route, rule or name uses. While
// it is filled, the table has a route that changes nothing and that the kernel has
// only one of:
//
//	ip route add throw default metric 4294967295 table 5
//
// So of several who want the table one gets it, and the others take the next.
//
// # Ports, marks and users
//
// The rules from an uplink's addresses catch packets that have a source: those
// of accepted connections, and of sockets that are bound. A socket that is not
// bound has none when its route is looked up, takes no such rule, and goes by
// the table main. Field Also of an uplink has rules for those: mail to port 25 by
// one way, the web by another. The address that the socket then gets is the
// uplink's own. Before each stands a rule that asks main for a nearer way than its
// default route, so that a mail server in the LAN is reached there:
//
//	from all dport 25 lookup main suppress_prefixlength 0
//	from all dport 25 lookup T
//
// A UDP server on a wildcard socket is such a socket as well, unless it uses
// IP_PKTINFO: its answers leave by main whatever the address they answer for.
// Bind it to the address, or add a rule with SPort to Also.
//
// # Keeping uplinks
//
// [Install] is done once. Later the kernel takes routes away with a link or an
// address and does not bring them back, leases change addresses, and other programs
// delete rules that they do not know. [Maintain] keeps uplinks as they are declared,
// as long as its context lasts. It promises:
//
//   - What an event of the kernel tells is repaired within milliseconds of it; what
//     none tells, at the next full look.
//   - Rules of a source stay while its link is down or its address is away, and
//     when Maintain is killed. With Unreachable, its packets go nowhere meanwhile.
//   - Each repair is a transaction like any other of this package. If it is killed in
//     one, the next Maintain finishes it, and keeps the sources that it finds rules
//     for until the interface has others.
//   - An uplink that cannot be complete is pending, or has failed, and says why. It is
//     no reason not to keep the others.
//   - Against a program that undoes its work all the time it repairs so often a
//     second, and no more, and says whom it fights.
//   - When it returns, no socket and no goroutine of it is left.
//
// It does not promise:
//
//   - That nothing leaks while the rules are away. Between the moment in which someone
//     deletes a rule and that of the repair, packets go on by main.
//   - Protection for a new address before Maintain has seen it. Until then it has no
//     rule.
//   - That what it keeps is still there when it is not running: nothing is repaired
//     then, though nothing is taken away either.
//   - To know sources of which nothing is left. If all rules of an address are deleted
//     while Maintain does not run and the address is away, it starts anew when the
//     address is back.
//   - That a gateway leads anywhere, unless it is asked to find out: see below.
//
// # Health and a shared default
//
// A gateway that answers can still lead nowhere. With Health set, [Maintain] sends
// a [health.Probe] through the uplink, from the uplink's own address, and reports
// when that fails. With Withdraw, an unhealthy uplink also loses the traffic that
// other uplinks can carry: its rules of Also, and its share of a default route. The
// rules from its addresses stay, for answers and for probes.
//
// A [SharedDefault] is a default route that several uplinks share: one for each
// family, in table main or another one. Its next hops are the uplinks that are
// complete and healthy, by their Weight. It changes in one step.
//
//	config := table.MaintainConfig{Default: &table.SharedDefault{}}
//	probe := &health.Probe{
//		TCP:      []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:443"), netip.MustParseAddrPort("198.51.100.1:443")},
//		Withdraw: true,
//	}
//	err := table.Maintain(ctx, nil, &config,
//		table.MaintainedUplink{SourceRoutedUplink: fibre, Health: probe, Weight: 3},
//		table.MaintainedUplink{SourceRoutedUplink: cable, Health: probe, Weight: 1})
//
// # Checking a host
//
// [Check] says whether uplinks are as they should be, and what around them will
// hurt: other programs, filters, servers, the order of rules. Each [Finding] has
// a code that does not change, and says what cures it.
package table
