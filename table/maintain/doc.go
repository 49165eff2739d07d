// Package maintain keeps uplinks installed as they are declared, and also a default
// route that they share.
//
// [table.Install] acts once. Later, the kernel deletes routes when a link goes down or
// an address is deleted, and does not add them again; leases change addresses; and
// other programs delete rules that they do not know. [Run] listens to the kernel and
// repairs such damage until its context ends:
//
//	err := maintain.Run(ctx, nil, &maintain.Config{Logger: slog.Default()},
//		maintain.Uplink{SourceRoutedUplink: lan2},
//		maintain.Uplink{SourceRoutedUplink: dsl, Learn: route.IPv4})
//
// # Guarantees
//
//   - Damage that the kernel reports is repaired within milliseconds. Other damage is
//     repaired at the next periodic check.
//   - Changes by other programs that do not affect an uplink cost almost nothing. If a
//     change affects an uplink, Run checks only that uplink. Every few minutes, it checks
//     all uplinks.
//   - The rules of a source stay while its link is down or its address is gone, and when
//     the process is killed. With Unreachable, its packets are refused in the meantime.
//   - If the interfaces of two uplinks exchange their names, through a third name, Run
//     changes nothing until the exchange is complete, but waits at most a second. After
//     that, each uplink has the addresses of the interface that now has its name.
//   - Each repair is a transaction like any other of package table. If the process is
//     killed in the middle of a repair, the next Run finishes the repair. If the next Run
//     finds rules for a source, it keeps that source until the interface has other
//     addresses.
//   - If an uplink cannot be installed completely, it is pending or has failed, and an
//     [Event] says why. The other uplinks are maintained all the same.
//   - If a rule of another program comes before the rules of an uplink and takes its packets
//     to the Internet, Run does not change that rule. An [Event] reports it, and another Event
//     reports when it is gone.
//   - If another program keeps undoing the work of Run, Run limits its repairs per second,
//     and an [Event] names the program.
//   - A policy of package reply is kept installed as well. If another program flushes
//     nf_tables, Run installs the policy again. Clients of UDP servers are then unknown
//     until their next packet.
//   - When Run returns, it has closed its sockets, and its goroutines have ended.
//
// # Limits
//
//   - If another program deletes rules, packets use table main until Run has repaired
//     the rules.
//   - A new address has no rule until Run has noticed the address. If an interface gets the
//     name of another uplink's interface, its address has no rule for some milliseconds,
//     until that uplink has taken over the address.
//   - While Run is not running, the uplinks stay installed, but nothing is repaired.
//   - Run does not know sources that have left no trace. If another program deletes all
//     rules of an address at a time when Run is not running and the host does not have
//     the address, the address has no rules until the host has it again.
//   - Run notices that the Internet cannot be reached through a gateway only if the
//     uplink has Health.
//
// # Threats
//
// Run trusts everyone who has the privilege to change routes in the network namespace:
// holders of CAP_NET_ADMIN in the user namespace that owns it, root of that user
// namespace, and the kernel. They can undo the work of Run, and Run repairs it. Users who
// may write rt_tables decide the names of tables, and nothing else: they cannot change
// where packets go, and cannot delay a repair.
//
// Run does not trust other users and processes of the host, not even those in the same
// network namespace that do not have CAP_NET_ADMIN. They can lock every file that they can
// read, fill file systems, use up all ports, and give their processes any name. None of
// that changes where packets go, or delays a repair by more than some seconds. If they use
// up the memory or the processes of the host, the kernel can kill the process of Run. The
// uplinks then stay installed. Run prints names of processes and other strings from
// outside without control characters.
//
// The configuration decides how far Run trusts the network. With Learn, whoever can give
// this host a default route through the interface of an uplink, such as a DHCP server or a
// router on the link, chooses the gateway of that uplink, but not of other uplinks. With
// MainFirst, anyone who can add other routes to table main can redirect packets of the
// uplink to the destinations of these routes; a router on any link can do so with an
// advertisement. Run accepts an echo reply only if it has the random data of the request.
// A lack of resources on this host, such as free ports, does not count as a failed probe.
// But anyone on the path of the probes can answer them or drop them.
//
// The file .github/SECURITY.md lists attackers, what each can do, and the tests. The
// program internal/soak makes such attacks for an hour.
//
// # Health and a shared default route
//
// The Internet can be unreachable although the gateway answers. With Health set, Run
// sends a [health.Probe] through the uplink, from the uplink's own address, and reports
// when that fails. With Withdraw, Run also relieves an unhealthy uplink of the traffic
// that other uplinks can carry: it deletes the uplink's rules of Also, and its share of
// a default route. The rules from the uplink's addresses stay, for replies and for
// probes. Rules with a firewall mark stay as well, because a mark usually stands for the
// uplink through which a connection came in.
//
// A [Default] is a default route that several uplinks share: one for each family, in table
// main or another one. Its next hops are those of the uplinks that are complete and
// healthy, with their Weight. Each change is a single request. (During about one of several
// thousand such changes, Linux 6.18 finds no route for a packet that it looks up in the
// same instant.)
//
//	config := maintain.Config{Default: &maintain.Default{}}
//	probe := &health.Probe{
//		TCP:      []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:443"), netip.MustParseAddrPort("198.51.100.1:443")},
//		Withdraw: true,
//	}
//	err := maintain.Run(ctx, nil, &config,
//		maintain.Uplink{SourceRoutedUplink: fibre, Health: probe, Weight: 3},
//		maintain.Uplink{SourceRoutedUplink: cable, Health: probe, Weight: 1})
package maintain
