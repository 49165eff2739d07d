package maintain_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/conntrack"
	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/reply"
)

// replyTable returns the table of nf_tables, or nil if there is none.
func replyTable(n *tabletest.Network) *nft.Contents {
	n.T.Helper()
	c, err := nft.DialLike(n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	now, err := nft.Read(n.T.Context(), c, nft.Inet, reply.TableName)
	if err != nil {
		n.T.Fatal(err)
	}
	if !now.Found {
		return nil
	}
	return now
}

// flushRuleset deletes all tables of nf_tables, as "nft flush ruleset" does. A table that
// another process changes at the same time is not an error.
func flushRuleset(n *tabletest.Network) {
	n.T.Helper()
	c, err := nft.DialLike(n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	err = nft.Update(n.T.Context(), c, nft.Inet, reply.TableName, func(now *nft.Contents) (*nft.Batch, error) {
		b := new(nft.Batch)
		if now.Found {
			b.DeleteTable(nft.Table{Family: nft.Inet, Name: reply.TableName})
		}
		return b, nil
	})
	if err != nil {
		n.T.Fatal(err)
	}
}

// inRight asks the second address so many times from new ports, and returns how many answers
// come from there.
func inRight(n *tabletest.Network, f tabletest.Family, times int) (right int) {
	n.T.Helper()
	network := "udp" + f.TCP[3:]
	to := net.JoinHostPort(f.A2, "5353")
	for range times {
		c, err := n.Net.ListenPacket(network, net.JoinHostPort(f.Client, "0"))
		if err != nil {
			n.T.Fatal(err)
		}
		if _, err := c.WriteTo([]byte("q"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))); err != nil {
			n.T.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(tabletest.Patience))
		_, from, err := c.ReadFrom(make([]byte, 10))
		if err == nil && from.String() == to {
			right++
		}
		c.Close()
	}
	return right
}

// Run installs the policy for answers, repairs it after "nft flush ruleset" and after its rules
// were deleted, and removes it with an Update. Answers are counted before and after.
func TestReplies(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		const queries = 20
		tabletest.ServeUDP(t, n.Server, "udp"+f.TCP[3:], map[bool]string{true: "0.0.0.0:5353", false: "[::]:5353"}[f == tabletest.IPv4])
		uplinks := maintained(n.Uplink1(f), n.Uplink2(f))
		update := make(chan maintain.Update)
		policy := reply.Policy{UDP: []rule.Ports{rule.Port(5353)}, Forwarded: true}
		k := newKeeper(n, maintain.Config{Rate: 100, Reply: &policy, Update: update}, uplinks...)
		whole := replyTable(n)
		if whole == nil || inRight(n, f, queries) != queries {
			t.Fatalf("the policy is not in force\n%s", k.text())
		}
		isWhole := func() bool { now := replyTable(n); return now != nil && now.Equal(whole) }
		for range 5 {
			from := len(k.log())
			flushRuleset(n)
			k.until("the table is back", isWhole)
			k.await(from, "repaired", func(e maintain.Event) bool { return e.Kind == maintain.EventRepaired && e.Uplink == "(reply)" })
			if right := inRight(n, f, queries); right != queries {
				t.Errorf("after a flush, %d of %d answers are right\n%s", right, queries, k.text())
			}
		}
		replyRules := func() (all []rule.Rule) {
			all, err := rule.List(t.Context(), n.Conn, rule.Filter{Protocol: reply.Protocol})
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		want := replyRules()
		if err := rule.Delete(t.Context(), n.Dial(n.Server), want[0]); err != nil {
			t.Fatal(err)
		}
		k.until("the rule is back", func() bool { return len(replyRules()) == len(want) })

		// Another address becomes a source, and so has a set.
		n.Server.Addr("u2", map[bool]string{true: "10.2.0.77/24", false: "2001:db8:2::77/64"}[f == tabletest.IPv4])
		k.until("the new address has a set", func() bool {
			now := replyTable(n)
			return now != nil && len(now.Sets) == len(whole.Sets)+1
		})

		// An Update changes the policy, and another one removes it. Then it does not come back,
		// and answers are wrong again.
		from := len(k.log())
		update <- maintain.Update{Uplinks: uplinks, Reply: &reply.Policy{UDP: policy.UDP}}
		k.awaitKind(from, maintain.EventReady)
		if left := replyRules(); len(left) != 0 || replyTable(n) == nil {
			t.Errorf("without Forwarded there are the rules %v", left)
		}
		from = len(k.log())
		update <- maintain.Update{Uplinks: uplinks}
		k.await(from, "removed", func(e maintain.Event) bool { return e.Kind == maintain.EventRemoved && e.Uplink == "(reply)" })
		if replyTable(n) != nil || inRight(n, f, queries) != 0 {
			t.Errorf("the policy is not removed")
		}
	})
}

// A program that deletes the table again and again is named, and repairs are limited, until
// it stops.
func TestRepliesFight(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	policy := reply.Policy{UDP: []rule.Ports{rule.Port(5353)}}
	k := newKeeper(n, maintain.Config{Rate: 1, Reply: &policy}, maintained(n.Uplink1(tabletest.IPv4))...)
	isFighting := func() bool { return strings.Contains(k.text(), "uplink (reply) fighting: ") }
	for end := time.Now().Add(tabletest.Patience); !isFighting() && time.Now().Before(end); time.Sleep(time.Millisecond) {
		flushRuleset(n)
	}
	if repairs := k.counters.Repairs.Load(); !isFighting() || repairs > 100 {
		t.Fatalf("%d repairs\n%s", repairs, k.text())
	}
	k.await(0, "calm", func(e maintain.Event) bool { return e.Kind == maintain.EventCalm && e.Uplink == "(reply)" })
	k.until("the table is back", func() bool { return replyTable(n) != nil })
}

// When the probes of an uplink with Masquerade fail, just its connections are deleted from
// connection tracking.
func TestFailoverEndsTranslated(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	f := tabletest.IPv4
	lan := n.AddBehind("lan", "172.16.9.0/24")
	cut, _ := n.Breakable(f)
	tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
	h := tcpTo(f, 80)
	h.Withdraw = true
	u1, u2 := probed(n.Uplink1(f), h), n.Uplink2(f)
	u2.Also = []rule.Rule{{IPProto: route.UDP, DPort: rule.Port(9)}}
	u1.Masquerade = true
	dead := probed(u2, h)
	dead.Masquerade = true
	k := newKeeper(n, maintain.Config{}, u1, dead)
	k.until("both are healthy", func() bool { return strings.Count(k.text(), " healthy") == 2 })
	for _, port := range []string{"9", "10"} {
		c, err := lan.Dial(t.Context(), "udp4", "172.16.9.10:0", net.JoinHostPort(f.Client, port))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	c, err := nft.DialLike(n.Conn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	translated := func() (by1, by2 int) {
		all, err := conntrack.List(t.Context(), c, conntrack.Filter{Family: conntrack.IPv4, Status: conntrack.SourceTranslated})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			switch e.Reply.Dest.String() {
			case f.A1:
				by1++
			case f.A2:
				by2++
			}
		}
		return by1, by2
	}
	k.until("one connection by each uplink", func() bool { a, b := translated(); return a == 1 && b == 1 })
	cut("g2")
	k.awaitKind(0, maintain.EventUnhealthy)
	k.await(0, "connections ended", func(e maintain.Event) bool {
		return e.Kind == maintain.EventConnectionsEnded && e.Err == nil && strings.HasPrefix(e.Reason, "1 with the translated source "+f.A2)
	})
	if by1, by2 := translated(); by1 != 1 || by2 != 0 {
		t.Errorf("there are %d connections by the healthy uplink, want 1, and %d by the dead one\n%s", by1, by2, k.text())
	}
}
