// Package reply makes replies leave through the uplink that the request came in on, in two
// cases in which rules from an address are not enough.
//
// The rules of package table choose the uplink of a packet by its source. For two kinds of
// replies, the source is missing or different when the kernel chooses the way:
//
//   - Replies of UDP servers that listen on all addresses, such as servers for DNS, QUIC,
//     SIP, games and VPNs. The kernel first looks up a route for such a reply and then
//     gives the reply the source of that route. So a request to 10.2.0.2 is answered from
//     10.1.0.2, through the other uplink, and the client drops the reply.
//   - Packets of forwarded connections. A reply from a published port of a container has
//     the address of the container while the kernel chooses its way.
//
// A [Policy] declares which of these replies leave through the uplink of their request:
//
//	policy := reply.Policy{UDP: []rule.Ports{rule.Port(53), rule.Port(1194)}, Forwarded: true}
//	err := reply.Install(ctx, c, policy, reply.Uplink{SourceRoutedUplink: lan1}, reply.Uplink{SourceRoutedUplink: lan2})
//
// Programs need no change. There can be any number of uplinks or, with Forwarded, as many
// as Mask has marks. [Install] adds one table of nf_tables, "inet policyroute", and some
// rules with the protocol [Protocol]. [PlanInstall] shows the table and the rules in the
// words of nft(8) and ip(8).
//
// # UDP servers
//
// Each address of the uplinks has a set of clients. An element of the set is the client's
// address, the client's port, and the port of this host. A request adds its client to the
// set of the address that the request was sent to, and removes the client from the other
// sets. When a reply leaves, the set that has the client determines the source of the
// reply. The source is replaced before connection tracking sees the packet. Then the kernel
// looks up the route again, and the rule from the new source sends the packet through the
// right uplink.
//
// Only requests that the firewall has accepted are remembered. Requests to broadcast and
// multicast addresses are not remembered, so the policy does not change replies to them. A
// program that chooses the source itself, with IP_PKTINFO or by binding to the address, is
// not affected: its packets have the same source as before.
//
// # Forwarded connections
//
// The first packet of a connection decides its mark. If the packet comes in through an
// uplink, or is forwarded to an uplink, the connection gets the mark of that uplink. Later
// packets get the mark of their connection, in both directions. If table main has no route
// for such a packet except its default route, two rules send the packet through the
// uplink's table:
//
//	from all fwmark 0x8/0x7c lookup main suppress_prefixlength 1
//	from all fwmark 0x8/0x7c lookup T
//
// Because of the first rule, packets to containers and to other networks of this host use
// table main. Both rules come after the rules from addresses of all uplinks, and before the
// rules for networks behind this host and the rules of Also. If a packet that this host
// sends already has a mark, it keeps that mark, because the program has chosen it. Packets
// of hosts on the link of an uplink get no mark, because the route to the link leads to
// these hosts.
//
// With strict reverse path filtering (rp_filter 1), the kernel drops an IPv4 packet if a
// reply to the packet would not leave through the interface that the packet came in on. For
// published ports, the kernel looks up a reply from the address of the container. Set
// net.ipv4.conf.all.src_valid_mark to 1, so that this lookup also uses the mark. Without
// reverse path filtering, or with loose filtering (rp_filter 2), the setting is not needed.
//
// A program on this host can reach a published port at the address of an uplink only if
// that uplink has MainFirst. Without MainFirst, the rule from the address sends the packets
// for the container through the uplink.
//
// # Guarantees
//
//   - At every instant, either the old policy or the new one applies to a packet. Install
//     first adds rules for marks that no packet has yet. Then the kernel changes the table
//     of nf_tables in one step. This is the only step that affects packets. Install deletes
//     the rules of the old policy last. [Remove] changes the table first and then deletes
//     the rules.
//   - If a step fails, or the context ends, the steps before it are undone. The clients
//     stay remembered, unless Remember or Clients has changed: in this case the sets were
//     made again and are empty. Rules for different marks with the same priority may have
//     changed places.
//   - If the process is killed at any step, packets follow the old policy or the new one.
//     The next [Install] or [Remove] does the remaining steps.
//   - Only the table "inet policyroute" and rules with [Protocol] are changed. The
//     functions of package table do not change these rules, and do not treat them as rules
//     of uplinks or of scripts. If another program has made a table with this name, the
//     error is a [*plan.ConflictError]. This package recognizes its own table by the
//     comment of the table.
//   - An Install that changes nothing sends no request that changes anything.
//   - Install and Remove hold the lock of [plan.Lock].
//
// # How it is tested
//
// The tests count packets on the wire. Each test has a control without the policy. A
// thousand clients sent 600,000 requests to two addresses in turn, with IPv4 and IPv6, with
// and without connection tracking. No reply came from the wrong address or over the wrong
// link; in the control, half of the replies did. While the policy was updated 400 times,
// none of 985,000 replies was wrong or lost. While the policy was installed and removed 400
// times, no reply was lost, and every reply left through the uplink of its source. With a
// full set and 200,000 clients, no reply was lost. The process was killed at each of 130
// requests to the kernel: packets then followed the old policy or the new one, and the next
// call did the remaining steps. Each of 1,290 requests to the kernel was made to fail, and
// the state was then the same as before. If only the answer of the kernel was lost, the
// function found out that the kernel had done the request. nft(8) makes the same table from
// the text of a plan.
//
// The cost was measured on Linux 6.18, over pairs of virtual interfaces. A client of the
// uplink with the default route gets 0.93 to 0.96 times as many replies a second as without
// the policy, with one remembered client or with 65,536. A client of another uplink gets
// 0.85 times as many replies, or 0.81 times as many if the policy also has Forwarded,
// because the kernel looks up the route of these replies twice.
//
// # Limits
//
//   - The uplinks must be installed before the policy. Install the policy again after
//     addresses, tables or interfaces of uplinks have changed. Give uplinks a fixed Table:
//     if an uplink moves to another table, connections with its mark use table main until
//     the policy is installed again.
//   - A host has one policy at a time.
//   - The policy does not help a server that connects its socket to the client. The kernel
//     binds such a socket to one address, and requests to other addresses do not reach it.
//   - If a client sends requests to two addresses from the same port without waiting for
//     the first reply, both replies come from the address of the last request. If a client
//     alternates between two addresses more than about a hundred times a second, some
//     replies come from the wrong address, because the kernel then sometimes finds no room
//     for the client in the set.
//   - If a set is full, replies to further clients leave as they do without the policy.
//     Other replies are not affected. When a client is forgotten, another client can be
//     added.
//   - If a program that is not a server, such as a resolver with a fixed port, sends from a
//     port that the policy lists in UDP, the source of its packets to a peer is the address
//     to which the peer last sent a packet. This ends when the peer is forgotten.
//   - If two uplinks use the same interface, the address that a request was sent to
//     determines its uplink. Connections that leave through such an interface get no mark,
//     nor do connections that come in through it for an uplink with NoSources.
//   - A connection that exists when the policy is installed gets its mark from the next
//     packet that has the same direction as its first packet. When an uplink fails, its
//     connections keep its mark.
//   - If another program sets marks, or restores marks of connections, without a mask, it
//     overwrites the marks of this package. Rules of other programs that compare marks
//     without a mask do not match packets with a mark of this package.
//   - If Remember or Clients changes, Install makes the sets again. They are empty until
//     the clients send their next requests.
//   - The package needs Linux 5.10 or newer, because older kernels do not keep the comment
//     of a table.
package reply
