// Package explain says where a packet goes, and why: the decision of Linux about any
// packet, from the rules, routes, nexthop objects, interfaces, addresses and settings of
// a host, without the host.
//
// A [World] has that state. [Take] reads it from a host; [Parse] reads its text. A [FIB]
// is a World that is prepared for lookups. [FIB.Decide] returns the decision about a
// [Packet], and [FIB.Explain] the way to it: each rule in order with why it matched or
// not, and what its table had.
//
//	w, err := explain.Parse(`
//	rule add from 192.168.2.2 lookup 20 pref 1000
//	route add default via 192.168.1.1 dev eth0
//	route add default via 192.168.2.1 dev eth1 table 20
//	address add 192.168.1.2/24 dev eth0
//	address add 192.168.2.2/24 dev eth1`)
//	...
//	p, err := explain.ParsePacket("198.51.100.7 from 192.168.2.2")
//	...
//	fmt.Print(explain.NewFIB(w).Explain(p))
//
// [Diff] compares two hosts, such as one before and after a plan ([World.After]): not their
// rules and routes, but which packets go another way. It finds all of them, in classes such
// as
//
//	from 192.168.2.2 to anything but 192.168.2.0/24: via 192.168.1.1 dev eth0 → via 192.168.2.1 dev eth1
//
// # Limits
//
// The tests compare random packets on random hosts with the kernel: the error or the
// verdict, the tables in the order in which they are asked, the route, the next hop and
// the source. They are the same, but where the kernel has state that cannot be read:
//
//   - Of several next hops the kernel chooses one by a hash with a secret; they are the
//     Candidates. If a rule with suppress_ifgroup finds such a route, the hash decides
//     about the rule as well; if one of them leads back to where a packet came from, it
//     decides whether the kernel looks for the source to send a redirect.
//   - Of several default routes of IPv4 with the same metric, the kernel takes one whose
//     gateway answers, beginning with the one that it took last.
//   - An IPv4 next hop remembers which source it had first, and gateways that were
//     addresses of this host when the route was added are not used. Kernels before 6.15 do
//     not prefer the next hop that the source belongs to, and do not match a rule with a
//     VRF as iif or oif with the packets of its interfaces.
//   - IPv6 routes by the same nexthop object share copies for each processor, so that the
//     kernel can take the prefix length and the source of another of these routes.
//   - Of the next hops of an IPv6 route, which can have sources and preferences of their
//     own, a listing has those of the first.
//   - The kernel leaves an IPv6 route out of a listing if it stands between the next hops
//     of another one to the same destination with the same metric.
//   - An IPv6 route for a source can be out of reach, if there was a route to the same
//     destination for all sources, and there is one to a longer prefix.
//   - Whether an IPv4 namespace without rules of its own ever had a local route of its
//     own: then the source of each packet that comes in is looked up.
//   - For an IPv4 route by an IPv6 gateway, the kernel does not notice that the interface
//     has no carrier if it had none when the route was added.
//   - Whether this host is in a multicast group.
//
// RTM_GETROUTE, and so "ip route get", differs from what happens to a packet in more
// ways: see [FIB.Get].
package explain
