// Package maintain keeps uplinks, and a default route that they share, as they are
// declared.
//
// [table.Install] is done once. Later the kernel deletes routes with a link or an
// address and does not bring them back, leases change addresses, and other programs
// delete rules that they do not know. [Run] listens to the kernel and repairs such
// damage, as long as its context lasts:
//
//	err := maintain.Run(ctx, nil, &maintain.Config{Logger: slog.Default()},
//		maintain.Uplink{SourceRoutedUplink: lan2},
//		maintain.Uplink{SourceRoutedUplink: dsl, Learn: route.IPv4})
//
// # Guarantees
//
//   - Damage that the kernel reports is repaired within milliseconds, and damage that
//     it does not report at the next periodic look.
//   - What other programs do costs next to nothing, unless it concerns an uplink. Then Run
//     looks at that uplink alone. It looks at all of them every few minutes.
//   - The rules of a source stay while its link is down or its address is gone, and when
//     the process is killed. With Unreachable, its packets are refused in the meantime.
//   - Each repair is a transaction like any other of package table. If the process is
//     killed in the middle of one, the next Run finishes it, and keeps the sources that
//     it finds rules for until the interface has others.
//   - An uplink that cannot be complete is pending, or has failed, and an [Event] says
//     why. The other uplinks are maintained all the same.
//   - A rule of another program that comes before those of an uplink, and takes its packets
//     to the Internet, is left alone. An [Event] names it, and another [Event] reports that it
//     is gone.
//   - If a program keeps undoing its work, Run limits its repairs per second, and names the
//     program.
//   - When Run returns, it has closed its sockets, and its goroutines have ended.
//
// # Limits
//
//   - Packets leave by table main while the rules are away. That is the time between a
//     deletion by another program and the repair.
//   - A new address has no rule before Run has seen it.
//   - Nothing is repaired while Run is not running. But nothing is removed either.
//   - Run does not know sources that have left no trace. If another program deletes all
//     rules of an address while Run is not running and the address is gone, the address
//     has no rules until it is back.
//   - A gateway may lead nowhere. Run finds that out only for an uplink that has Health.
//
// # Threats
//
// Run trusts those who may change routes in the network namespace anyway: holders of
// CAP_NET_ADMIN in the user namespace that owns it, root of that user namespace, and the
// kernel. They can undo its work, and Run repairs what they undo. It also trusts those who
// may write rt_tables, as far as names go: what they write cannot change where packets go,
// and cannot hold up a repair.
//
// It does not trust other users and processes of the host, also those in the same network
// namespace without CAP_NET_ADMIN. They can lock every file that they can read, fill file
// systems, take all ports, and have any name. None of that changes where packets go, and a
// repair is late by some seconds at the most. If they take all memory or all processes of
// the host, the kernel can end the process. The uplinks then stay as they are. The name of
// a process, and whatever else comes from outside, is printed without control characters.
//
// It trusts the network as far as it is told to: with Learn, whoever can make this host
// take a default route by an interface, such as a DHCP server or a router on the link,
// chooses the gateway of that uplink, and of no other. With MainFirst, whoever can put
// other routes into table main draws packets of the uplink to their destinations: a router
// on any link can do so with an advertisement. A reply to an echo request counts
// only with the random data of the request, and what this host itself lacks, such as free
// ports, is not taken for a fault of the way. But whoever is on the way can answer probes,
// or drop them.
//
// The file .github/SECURITY.md lists attackers and what each can do, with the tests. The
// program internal/soak has them attack for an hour.
//
// # Health and a shared default route
//
// A gateway that answers can still lead nowhere. With Health set, Run sends a
// [health.Probe] through the uplink, from the uplink's own address, and reports when that
// fails. With Withdraw, an unhealthy uplink also loses the traffic that other uplinks can
// carry: its rules of Also, and its share of a default route. The rules from its
// addresses stay, for answers and for probes, and so do rules by a firewall mark, which
// usually marks the uplink that a connection came in by.
//
// A [Default] is a default route that several uplinks share: one for each family, in
// table main or another one. Its next hops are the uplinks that are complete and healthy,
// by their Weight. It changes in one step. (In one of some thousand such changes Linux 6.18
// finds no route for a packet that it looks up in the same instant.)
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
