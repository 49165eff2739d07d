package table_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// forFamilies runs a test for each family, on a network of its own.
func forFamilies(t *testing.T, test func(t *testing.T, n *network, f family)) {
	for name, f := range map[string]family{"ipv4": ip4, "ipv6": ip6} {
		t.Run(name, func(t *testing.T) { test(t, newNetwork(t), f) })
	}
}

// The answer to a connection leaves by the router that it came in by. Without
// the uplink it leaves by the other one, which shows that the test can tell.
func TestAnswerLeavesByItsRouter(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		before := n.snapshot()
		serve(t, n.server, f.tcp, net.JoinHostPort(f.a2, "1194"))
		for _, installed := range []bool{false, true, false} {
			router := 1
			if installed {
				n.install(n.uplink2(f))
				router = 2
			} else {
				n.remove(n.uplink2(f))
			}
			n.g1.Reset()
			n.g2.Reset()
			connect(t, n.net, f.tcp, f.client, net.JoinHostPort(f.a2, "1194"))
			n.wantBy(f.a2, router)
		}
		n.unchanged("Remove", before)
	})
}

// Sockets that are not bound go by main, which the uplink does not touch.
func TestUnboundSocketsUseMain(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		main := n.ours(254)
		n.install(n.uplink2(f))
		serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
		if from := connect(t, n.server, f.tcp, "", net.JoinHostPort(f.client, "80")); from.String() != f.a1 {
			t.Errorf("the source is %s, want %s", from, f.a1)
		}
		n.wantBy(f.a1, 1)
		if diff := cmp.Diff(main, n.ours(254)); diff != "" {
			t.Errorf("table main (-before +after):\n%s", diff)
		}
	})
}

// Mail by one router and the web by the other, from unbound sockets; a socket
// that is bound goes by the router of its address whatever the port.
func TestAlso(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		u1, u2 := n.uplink1(f), n.uplink2(f)
		tcp := func(port uint16) rule.Rule { return rule.Rule{IPProto: route.TCP, DPort: rule.Port(port)} }
		u1.Also = []rule.Rule{tcp(80), tcp(443)}
		u2.Also = []rule.Rule{tcp(25)}
		ports := []string{"25", "80", "443"}
		for _, port := range ports {
			serve(t, n.net, f.tcp, net.JoinHostPort(f.client, port))
			if from := connect(t, n.server, f.tcp, "", net.JoinHostPort(f.client, port)); from.String() != f.a1 {
				t.Errorf("before, port %s: the source is %s, want %s", port, from, f.a1)
			}
		}
		before := n.snapshot()
		n.install(u1, u2)
		for _, x := range []struct {
			bind, port, src string
			router          int
		}{
			{"", "25", f.a2, 2},
			{"", "80", f.a1, 1},
			{"", "443", f.a1, 1},
			{f.a1, "25", f.a1, 1},
			{f.a2, "80", f.a2, 2},
		} {
			n.g1.Reset()
			n.g2.Reset()
			if from := connect(t, n.server, f.tcp, x.bind, net.JoinHostPort(f.client, x.port)); from.String() != x.src {
				t.Errorf("bound to %q, port %s: the source is %s, want %s", x.bind, x.port, from, x.src)
			}
			n.wantBy(x.src, x.router)
		}
		n.remove(u1, u2)
		n.unchanged("Remove", before)
	})
}

// One source takes no more than an administrator would type. Of several, END
// holds back the rules until all are there.
func TestPlan(t *testing.T) {
	n := newNetwork(t)
	n.server.Addr("u2", "10.2.0.3/24", "10.22.0.2/24")
	u := n.uplink2(ip4)
	u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {IPProto: route.TCP, DPort: rule.Port(25)}}
	u.Routes = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	u.Metric = 7
	want := `
echo '20 lan2' >>ETC/rt_tables
ip rule add from all nop proto 210 pref 31001
ip rule add from 10.2.0.2 goto 31001 proto 210 pref 30999
ip rule add from 10.22.0.2 goto 31001 proto 210 pref 30999
ip rule add from 10.2.0.3 goto 31001 proto 210 pref 30999
ip route add 10.2.0.0/24 dev u2 table lan2 proto 210 src 10.2.0.2 metric 7
ip route add 10.22.0.0/24 dev u2 table lan2 proto 210 src 10.22.0.2 metric 7
ip route add 203.0.113.0/24 via 10.2.0.1 dev u2 table lan2 proto 210 src 10.2.0.2 metric 7
ip route add default via 10.2.0.1 dev u2 table lan2 proto 210 src 10.2.0.2 metric 7
ip rule add from 10.2.0.2 lookup lan2 proto 210 pref 31000
ip rule add from 10.22.0.2 lookup lan2 proto 210 pref 31000
ip rule add from 10.2.0.3 lookup lan2 proto 210 pref 31000
ip rule del from all nop proto 210 pref 31001
ip rule add from all fwmark 0x2 lookup main suppress_prefixlength 0 proto 210 pref 32000
ip rule add from all fwmark 0x2 lookup lan2 proto 210 pref 32001
ip rule add from all ipproto tcp dport 25 lookup main suppress_prefixlength 0 proto 210 pref 32002
ip rule add from all ipproto tcp dport 25 lookup lan2 proto 210 pref 32003
ip rule del from 10.2.0.3 goto 31001 proto 210 pref 30999
ip rule del from 10.22.0.2 goto 31001 proto 210 pref 30999
ip rule del from 10.2.0.2 goto 31001 proto 210 pref 30999
`
	before := n.snapshot()
	n.wantPlan("install", want, u)
	n.unchanged("Plan", before)

	// What Install sends is what the plan said.
	n.wantSent(u)
	n.wantPlan("install again", "\n", u)

	// A source less is a rule less.
	u.Sources = []netip.Addr{netip.MustParseAddr("10.2.0.2"), netip.MustParseAddr("10.22.0.2")}
	u.Also = u.Also[1:]
	n.wantPlan("update", `
ip rule del from 10.2.0.3 lookup lan2 proto 210 pref 31000
ip rule del from all fwmark 0x2 lookup lan2 proto 210 pref 32001
ip rule del from all fwmark 0x2 lookup main suppress_prefixlength 0 proto 210 pref 32000
`, u)
	n.install(u)
	n.wantPlan("update again", "\n", u)
	n.remove(u)
	n.unchanged("Remove", before)

	// Another gateway is one replace.
	u = n.uplink2(ip4)
	n.install(u)
	u.Gateway = netip.MustParseAddr("10.2.0.9")
	n.wantPlan("another gateway", `
ip route replace default via 10.2.0.9 dev u2 table lan2 proto 210 src 10.2.0.2
`, u)
	n.remove(u)
	n.unchanged("Remove", before)
}

// All rungs, and how they go.
func TestPlanLadder(t *testing.T) {
	n := newNetwork(t)
	u := n.full(ip6)
	u.Routes = nil
	n.wantPlan("install", `
echo '20 lan2' >>ETC/rt_tables
ip -6 rule add from all nop proto 210 pref 31004
ip -6 rule add from 2001:db8:2::2 goto 31004 proto 210 pref 30999
ip -6 route add 2001:db8:2::/64 dev u2 table lan2 proto 210 src 2001:db8:2::2
ip -6 route add default via 2001:db8:2::1 dev u2 table lan2 proto 210 src 2001:db8:2::2
ip -6 rule add from 2001:db8:2::2 lookup lan2 suppress_prefixlength 0 proto 210 pref 31000
ip -6 rule add from 2001:db8:2::2 lookup main suppress_prefixlength 0 proto 210 pref 31001
ip -6 rule add from 2001:db8:2::2 lookup lan2 proto 210 pref 31002
ip -6 rule add from 2001:db8:2::2 unreachable proto 210 pref 31003
ip -6 rule del from all nop proto 210 pref 31004
ip -6 rule del from 2001:db8:2::2 goto 31004 proto 210 pref 30999
`, u)
	n.install(u)
	p, err := table.PlanRemove(t.Context(), n.c, u)
	if err != nil {
		t.Fatal(err)
	}
	n.wantText("remove", `
ip -6 rule add from 2001:db8:2::2 goto 31004 proto 210 pref 30999
ip -6 rule add from all nop proto 210 pref 31004
ip -6 rule del from 2001:db8:2::2 unreachable proto 210 pref 31003
ip -6 rule del from 2001:db8:2::2 lookup lan2 proto 210 pref 31002
ip -6 rule del from 2001:db8:2::2 lookup main suppress_prefixlength 0 proto 210 pref 31001
ip -6 rule del from 2001:db8:2::2 lookup lan2 suppress_prefixlength 0 proto 210 pref 31000
ip -6 route del default via 2001:db8:2::1 dev u2 table lan2 proto 210 src 2001:db8:2::2 metric 1024 pref medium
ip -6 route del 2001:db8:2::/64 dev u2 table lan2 proto 210 src 2001:db8:2::2 metric 1024 pref medium
ip -6 rule del from 2001:db8:2::2 goto 31004 proto 210 pref 30999
ip -6 rule del from all nop proto 210 pref 31004
sed -i '/^20\tlan2\t/d' ETC/rt_tables
`, p)
}

func (n *network) wantPlan(what, want string, u table.SourceRoutedUplink) {
	n.t.Helper()
	p, err := u.Plan(n.t.Context(), n.c)
	if err != nil {
		n.t.Fatalf("%s: %v", what, err)
	}
	n.wantText(what, want, p)
}

func (n *network) wantText(what, want string, p table.Plan) {
	n.t.Helper()
	got := "\n" + strings.ReplaceAll(p.String(), n.etc, "ETC")
	if diff := cmp.Diff(want, got); diff != "" {
		n.t.Errorf("%s: plan (-want +got):\n%s", what, diff)
	}
}

// The rules as an administrator would expect them, from both kinds of uplink.
func TestInstalled(t *testing.T) {
	n := newNetwork(t)
	n.install(n.uplink2(ip4), n.uplink2(ip6))
	want := `rule 31000: from 10.2.0.2 lookup 20 proto 210
rule 31000: from 2001:db8:2::2 lookup 20 proto 210
route 10.2.0.0/24 dev u2 table 20 proto 210 src 10.2.0.2
route 2001:db8:2::/64 dev u2 table 20 proto 210 src 2001:db8:2::2 metric 1024
route default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2
route default via 2001:db8:2::1 dev u2 table 20 proto 210 src 2001:db8:2::2 metric 1024
`
	if diff := cmp.Diff(want, n.ours(20)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b, err := os.ReadFile(n.rtTables())
	if want := rtTables + "20\tlan2 # policyroute\n"; err != nil || string(b) != want {
		t.Errorf("rt_tables: %q, %v, want %q", b, err, want)
	}
	// The name stays as long as one family does.
	n.remove(n.uplink2(ip4))
	if b, _ := os.ReadFile(n.rtTables()); !strings.Contains(string(b), "lan2") {
		t.Error("the name is gone before the last family")
	}
	n.remove(n.uplink2(ip6))
	if b, _ := os.ReadFile(n.rtTables()); string(b) != rtTables {
		t.Errorf("rt_tables after Remove: %q", b)
	}
}

// A second Install, from a new process that knows nothing, changes nothing: the
// kernel has nothing to tell those who watch.
func TestInstallTwice(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.addLAN()
		for _, u := range []table.SourceRoutedUplink{n.uplink2(f), n.full(f)} {
			// A rule of Also may have the form of one from a source.
			a1 := netip.MustParseAddr(f.a1)
			u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {From: netip.PrefixFrom(a1, a1.BitLen())}}
			n.install(u)
			installed := n.snapshot()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			routes, err := route.Watch(ctx, n.server.Config(), route.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			rules, err := rule.Watch(ctx, n.server.Config(), rule.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			rec := &recorder{c: n.c}
			if err := u.Install(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
			if len(rec.writes) > 0 {
				t.Errorf("a second Install sends %q", rec.writes)
			}
			n.unchanged("Install again", installed)
			// What the watchers see first is what is changed after it.
			if err := n.addRule("99: from 192.0.2.99 lookup 99"); err != nil {
				t.Fatal(err)
			}
			if err := n.addRoute("192.0.2.99/32 via 10.1.0.1 table 99"); err != nil {
				t.Fatal(err)
			}
			for e, err := range rules {
				if err != nil || e.Rule.Table != 99 {
					t.Errorf("a second Install: rule %v, error %v", e, err)
				}
				break
			}
			for e, err := range routes {
				if err != nil || e.Route.Table != 99 {
					t.Errorf("a second Install: route %v, error %v", e, err)
				}
				break
			}
			cancel()
			if err := route.Delete(t.Context(), n.c, route.Route{
				Table: 99, Dst: netip.MustParsePrefix("192.0.2.99/32"),
			}); err != nil {
				t.Fatal(err)
			}
			if err := rule.Delete(t.Context(), n.c, rule.Rule{
				Priority: rule.Priority(99), From: netip.MustParsePrefix("192.0.2.99/32"), Table: 99,
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
