// Package explain says where Linux sends a packet, and why. It works out the decision of
// the kernel from the rules, routes, nexthop objects, interfaces, addresses and settings of
// a host. It does not need the host itself.
//
// A [World] holds this state. [Take] reads a World from a host, and [Parse] reads one from
// text. A [FIB] is a World that is prepared for lookups. [FIB.Decide] returns the decision
// about a [Packet]. [FIB.Explain] also returns the steps that led to the decision: each
// rule in order, why it matched or did not match, and what its table had for the packet.
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
// [Diff] compares two hosts, or one host before and after a plan ([World.After]). It does
// not compare their rules and routes. It finds all packets that go another way, and groups
// them in classes such as
//
//	from 192.168.2.2 to anything but 192.168.2.0/24: via 192.168.1.1 dev eth0 → via 192.168.2.1 dev eth1
//
// # Limits
//
// The tests compare the decisions of this package with those of the kernel, for random
// packets on random hosts: the error or the verdict, the tables in the order of the
// lookups, the route, the next hop and the source. The decisions are the same, except where
// they depend on state of the kernel that cannot be read:
//
//   - If a route has several next hops, the kernel chooses one of them by a hash that uses
//     a secret. The Candidates of a [Decision] are these next hops. If a rule with
//     suppress_ifgroup finds such a route, the hash also decides whether the rule
//     suppresses it. If one of the next hops leads back to the interface that a packet came
//     in by, the hash also decides whether the kernel looks up the source of the packet, as
//     it does before it sends a redirect.
//   - If there are several IPv4 default routes with the same metric, the kernel takes one
//     whose gateway answers, and prefers the route that it took last.
//   - The kernel keeps the first source that it chose for an IPv4 next hop. It does not use
//     a gateway that was an address of this host when the route was added. Kernels before
//     6.15 do not prefer the next hop that the source belongs to. On these kernels, a rule
//     with a VRF as iif or oif does not match packets of the interfaces in that VRF.
//   - IPv6 routes that use the same nexthop object share data that the kernel keeps for
//     each processor. So the kernel can use the prefix length and the source of another of
//     these routes.
//   - The next hops of an IPv6 route can have different sources and preferences. A listing
//     has only those of the first next hop.
//   - A listing leaves out an IPv6 route that the kernel stores between the next hops of
//     another route with the same destination and metric.
//   - The kernel may not find an IPv6 route that has a source prefix (the word from) if
//     there was once a route without a source prefix to the same destination, and there is
//     a route to a longer destination prefix.
//   - In a network namespace with only the default IPv4 rules, the kernel looks up the
//     source of each packet that comes in if someone has ever added a local route to the
//     namespace. It cannot be read whether someone has.
//   - If an interface had no carrier when an IPv4 route through an IPv6 gateway was added,
//     the kernel does not notice for this route that the interface has no carrier.
//   - It cannot be read whether this host is in a multicast group.
//
// The answer to "ip route get" (RTM_GETROUTE) can differ from what happens to a packet: see
// [FIB.Get].
package explain
