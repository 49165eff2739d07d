package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/rule"
	tableplan "github.com/policyroute/policyroute/table/plan"
	"github.com/policyroute/policyroute/table/reply"
)

// replyPolicy is the policy for the UDP service.
var replyPolicy = reply.Policy{UDP: []rule.Ports{rule.Port(vpnPort)}}

// replyUplinks returns the uplinks of the policy.
func (s *story) replyUplinks() []reply.Uplink {
	var all []reply.Uplink
	for _, u := range s.uplinks() {
		all = append(all, reply.Uplink{SourceRoutedUplink: u})
	}
	return all
}

func (s *story) stepUDP(ctx context.Context) error {
	s.p.step(4, "A VPN by UDP: each answer gets the address that was asked as its source")
	s.p.say("The VPN by UDP has one socket for all addresses. When it answers, the kernel chooses the source by "+
		"main's default route, before it looks at the rules above. So the answer to a call of %s comes from %s, "+
		"and the client drops it.", s.plan.sides[routerB].server.Addr(), s.plan.sides[routerA].server.Addr())
	s.p.callHeader("result", "reached the client")
	if err := s.callUDP(ctx, routerA, routerA, answered); err != nil {
		return err
	}
	if err := s.callUDP(ctx, routerB, routerA, noAnswer); err != nil {
		return err
	}
	s.p.code(fmt.Sprintf("policy := reply.Policy{UDP: []rule.Ports{rule.Port(%d)}}", vpnPort))
	s.p.code("err = reply.Install(ctx, conn, policy, reply.Uplink{SourceRoutedUplink: lan1},")
	s.p.code("    reply.Uplink{SourceRoutedUplink: lan2})")
	if ok, err := s.installReply(ctx); err != nil || !ok {
		return err
	}
	s.p.say("A table of nf_tables now remembers which address each client has asked, and writes that address " +
		"into the answers. Then the rules above send them the right way. The VPN knows nothing of it.")
	s.p.callHeader("result", "reached the client")
	if err := s.callUDP(ctx, routerA, routerA, answered); err != nil {
		return err
	}
	if err := s.callUDP(ctx, routerB, routerB, answered); err != nil {
		return err
	}
	again, err := reply.PlanInstall(ctx, s.conn, replyPolicy, s.replyUplinks()...)
	if err != nil {
		return err
	}
	s.p.observe(again.Empty(), "a second Install changes nothing")
	return nil
}

// installReply installs the policy. It reports whether the kernel can have one.
func (s *story) installReply(ctx context.Context) (bool, error) {
	p, err := reply.PlanInstall(ctx, s.conn, replyPolicy, s.replyUplinks()...)
	if err == nil {
		s.traceNFT(p.Steps)
		err = s.ops.reply(ctx, s.conn, replyPolicy, s.replyUplinks()...)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		s.noTables = true // the rest of the story does without
		s.p.say("This kernel has no nf_tables, which package reply needs.")
		return false, nil
	}
	return err == nil, err
}

// removeReply removes the policy.
func (s *story) removeReply(ctx context.Context) error {
	s.p.code("err = reply.Remove(ctx, conn)")
	p, err := reply.PlanRemove(ctx, s.conn)
	if err != nil {
		return err
	}
	s.traceNFT(p.Steps)
	return reply.Remove(ctx, s.conn)
}

// checkReplyGone checks that nothing of the policy is left.
func (s *story) checkReplyGone(ctx context.Context) error {
	if s.noTables {
		return nil
	}
	p, err := reply.PlanRemove(ctx, s.conn)
	if err != nil {
		return err
	}
	s.p.observe(p.Empty(), "nf_tables has no table %s", reply.TableName)
	return nil
}

// traceNFT prints the steps of nf_tables for -v.
func (s *story) traceNFT(steps []tableplan.Step) {
	for _, step := range steps {
		if step.NFT == nil || !s.p.verbose {
			continue
		}
		for _, line := range step.NFT.Lines() {
			s.p.request(s.server.String(), "nft "+strings.TrimSpace(line), nil)
		}
	}
}

// callUDP is call by UDP.
func (s *story) callUDP(ctx context.Context, router, back int, want string) error {
	works := want == answered
	patience := s.patience()
	if !works {
		patience = noAnswerPatience
	}
	s.port++
	to := netip.AddrPortFrom(s.plan.sides[router].server.Addr(), vpnPort)
	c := call{flow: flow{
		client: netip.AddrPortFrom(s.plan.client.Addr(), s.port),
		server: netip.AddrPortFrom(netip.Addr{}, vpnPort), // an answer can have another source
	}}
	udp := strings.Replace(s.plan.tcp, "tcp", "udp", 1)
	c.err = ask(ctx, s.client, udp, c.client.String(), to.String(), patience)
	c.count = s.count(c.flow)
	if err := ctx.Err(); err != nil {
		return err // an interrupted call is not an observation
	}
	if !works {
		c = s.waitFor(c, back, s.patience())
	}
	ok := c.result() == want && seenOnlyAt(c.to, router) && seenOnlyAt(c.from, back) && c.reached > 0
	s.p.callLine(ok, c, to.String(), c.result(), fmt.Sprintf("%4d", c.reached))
	return nil
}

// ask sends a datagram and waits for its echo from the address that it was sent to.
func ask(ctx context.Context, ns *lab.NS, udp, from, to string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := ns.Dial(ctx, udp, from, to)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	const line = "hello\n"
	if _, err := conn.Write([]byte(line)); err != nil {
		return err
	}
	b := make([]byte, 64)
	k, err := conn.Read(b)
	if err == nil && string(b[:k]) != line {
		err = fmt.Errorf("sent %q, got %q back", line, b[:k])
	}
	return err
}

// echoDatagrams answers datagrams until the lab closes the socket.
func echoDatagrams(c net.PacketConn) {
	b := make([]byte, 2048)
	for {
		k, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		c.WriteTo(b[:k], from)
	}
}
