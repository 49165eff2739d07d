// Package reply makes answers leave by the way the question came, where rules from an
// address do not.
//
// Uplinks of package table send packets by their source. Two groups of answers have no
// source when their way is chosen, or another one:
//
//   - Answers of UDP servers that listen on all addresses, such as those for DNS, QUIC,
//     SIP, games and VPNs. The kernel chooses the source of such an answer by its route, and
//     only then looks at the rules: the question to 10.2.0.2 is answered from 10.1.0.2, by
//     the other uplink, and the client drops the answer.
//   - Packets of forwarded connections. The answer of a container to a published port has
//     the container's address until after its way is chosen.
//
// A [Policy] declares which of them are to leave by the way the question came:
//
//	policy := reply.Policy{UDP: []rule.Ports{rule.Port(53), rule.Port(1194)}, Forwarded: true}
//	err := reply.Install(ctx, c, policy, reply.Uplink{SourceRoutedUplink: lan1}, reply.Uplink{SourceRoutedUplink: lan2})
//
// Programs need not be changed, and any number of uplinks is possible. [Install] adds one
// table of nf_tables, "inet policyroute", and a few rules with the protocol [Protocol].
// [PlanInstall] shows them, in the words of nft(8) and ip(8).
//
// # UDP servers
//
// For each address of the uplinks there is a set of clients: their address, their port, and
// the port of this host. A question puts its client into the set of the asked address, and
// takes it out of the others. When an answer leaves, the set that has its client names the
// source. The source is replaced before connection tracking sees the packet, and then the
// kernel looks up the route again: the rule from that address sends it by its uplink.
//
// Only questions that the firewall has accepted are remembered, and only those to a single
// address of an uplink, so that broadcast and multicast are answered as without the policy.
// A program that chooses its source itself, with IP_PKTINFO or by binding to the address, is
// not affected: it has the same source as before.
//
// # Forwarded connections
//
// The first packet of a connection that comes in by an uplink gives the connection the mark
// of that uplink, and so does the first packet that is forwarded to one. Later packets get
// the mark of their connection, in both directions. Two rules send them by the uplink's
// table, where table main has nothing more specific than its default:
//
//	from all fwmark 0x8/0x7c lookup main suppress_prefixlength 1
//	from all fwmark 0x8/0x7c lookup T
//
// The first rule keeps packets to containers and to other networks of this host with table
// main. Both come behind the rules from addresses of all uplinks, and before those for
// networks behind this host and those of Also. Packets that already have a mark are not
// marked when they come from this host itself: their program has decided. Hosts on the link
// of an uplink get no mark, because the route to the link leads to them.
//
// With strict reverse path filtering (rp_filter 1) the kernel drops a packet of IPv4 if the
// answer to it would not leave by the interface that it came in by. For published ports it
// looks at the address of the container. Set net.ipv4.conf.all.src_valid_mark to 1, so that it
// looks at the mark as well. Without reverse path filtering, or with loose filtering
// (rp_filter 2), this is not needed.
//
// The host itself reaches its published ports by the addresses of its uplinks only if these
// uplinks have MainFirst. Without it, the rules from these addresses send the packets to the
// container by the uplink.
//
// # Guarantees
//
//   - At every instant each packet is handled by the old policy or by the new one. Rules for
//     marks that no packet has come first. Then the kernel changes the table of nf_tables in
//     one step, which is the only one that packets notice. What is not needed any more is
//     deleted last. [Remove] does the same in the other order.
//   - If a step fails, or the context ends, the steps that were done are undone. Clients stay
//     remembered, unless the sets were made again because Remember or Clients had changed.
//     Rules for different marks with the same priority may have changed places.
//   - If the process is killed at any step, packets take the old policy or the new one. The
//     next [Install] or [Remove] finishes the rest.
//   - Nothing of others is changed: only the table "inet policyroute" and rules with
//     [Protocol]. The functions of package table leave these alone, and do not count them as
//     rules of uplinks or of scripts. A table of that name without our comment is a
//     [*plan.ConflictError].
//   - An Install that changes nothing sends no request that changes anything.
//   - Install and Remove have the lock of [plan.Lock].
//
// # How it is tested
//
// Tests count packets on the wire, each with a control without the policy. Of 600,000
// questions from 1,000 clients to two addresses in turn, none was answered from the wrong
// address or by the wrong wire, of both families, with and without connection tracking
// (control: half). While the policy was updated 400 times, none of 985,000 was wrong or lost;
// while it was installed and removed 400 times, none was lost or left by a wire that is not
// that of its source. With a full set and 200,000 clients none was lost. After a kill at each
// of 130 requests packets went by the old policy or the new one, and the next call finished
// the rest. After each of 1,290 failures at a request the state was as before, or a lost
// answer was found to have been done. Text of plans makes the same table with nft(8).
//
// On Linux 6.18, over pairs of virtual interfaces, a client of the uplink with the default
// route gets 0.93 to 0.96 times as many answers a second as without the policy, with one or
// with 65,536 remembered clients. A client of another uplink gets 0.85 times as many, and 0.81
// times as many with Forwarded as well: the kernel looks up the route of its answers twice.
//
// # Limits
//
//   - The uplinks have to be installed, with the tables that they have now. Install the
//     policy again after addresses, tables or interfaces of uplinks have changed. Give
//     uplinks a fixed Table: a connection that has the mark of an uplink takes table main
//     from when its uplink moves to another table until the policy is installed again.
//   - A host has one policy at a time.
//   - A server that connects its socket to the client is not helped. The kernel gives that
//     socket one of the addresses, and questions to another address do not reach it.
//   - A client that asks two addresses from the same port, and does not wait for the answer,
//     gets both answers from the address that it asked last. One that asks them in turn more
//     than about a hundred times a second gets some answers from the wrong address, because
//     the kernel does not find room for a client that has come and gone so often.
//   - If a set is full, answers to further clients leave as without the policy. Nothing else
//     is lost. Clients that are forgotten make room.
//   - A program that sends from a port of UDP and is no server, such as a resolver with a
//     fixed port, keeps the source by which a peer has last reached it, until Remember is
//     over.
//   - Two uplinks on one interface are told apart by the address that is asked. Connections
//     that leave by such an interface get no mark, and neither do those that come in for an
//     uplink with NoSources.
//   - Connections that exist when the policy is installed get their mark with the next packet
//     in the direction of their first one. When an uplink fails, its connections stay with it.
//   - Another program that sets whole marks, without a mask, or restores whole marks of
//     connections, undoes the marks of this package. Rules that compare whole marks do not
//     match packets that have one of ours.
//   - If Remember or Clients changes, the sets are made again, and clients are forgotten until
//     their next question.
//   - Linux 5.10 is the first kernel that keeps the comment of a table, by which this package
//     knows its own.
package reply
