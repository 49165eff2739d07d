package table_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// The answer to a connection leaves by the router that it came in by. Without
// the uplink it leaves by the other one, which shows that the test can tell.
func TestAnswerLeavesByItsRouter(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		before := n.Snapshot()
		tabletest.Serve(t, n.Server, f.TCP, net.JoinHostPort(f.A2, "1194"))
		for _, installed := range []bool{false, true, false} {
			router := 1
			if installed {
				n.Install(n.Uplink2(f))
				router = 2
			} else {
				n.Remove(n.Uplink2(f))
			}
			n.G1.Reset()
			n.G2.Reset()
			tabletest.Connect(t, n.Net, f.TCP, f.Client, net.JoinHostPort(f.A2, "1194"))
			n.WantRouter(f.A2, router)
		}
		n.WantSnapshot("Remove", before)
	})
}

// Sockets that are not bound go by main, which the uplink does not touch.
func TestUnboundSocketsUseMain(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		main := n.Table(254)
		n.Install(n.Uplink2(f))
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		if from := tabletest.Connect(t, n.Server, f.TCP, "", net.JoinHostPort(f.Client, "80")); from.String() != f.A1 {
			t.Errorf("the source is %s, want %s", from, f.A1)
		}
		n.WantRouter(f.A1, 1)
		n.WantTable("main is not touched", 254, main)
	})
}

// Mail by one router and the web by the other, from unbound sockets; a socket
// that is bound goes by the router of its address whatever the port.
func TestAlso(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u1, u2 := n.Uplink1(f), n.Uplink2(f)
		tcp := func(port uint16) rule.Rule { return rule.Rule{IPProto: route.TCP, DPort: rule.Port(port)} }
		u1.Also = []rule.Rule{tcp(80), tcp(443)}
		u2.Also = []rule.Rule{tcp(25)}
		ports := []string{"25", "80", "443"}
		for _, port := range ports {
			tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, port))
			if from := tabletest.Connect(t, n.Server, f.TCP, "", net.JoinHostPort(f.Client, port)); from.String() != f.A1 {
				t.Errorf("before, port %s: the source is %s, want %s", port, from, f.A1)
			}
		}
		before := n.Snapshot()
		n.Install(u1, u2)
		for _, x := range []struct {
			bind, port, src string
			router          int
		}{
			{"", "25", f.A2, 2},
			{"", "80", f.A1, 1},
			{"", "443", f.A1, 1},
			{f.A1, "25", f.A1, 1},
			{f.A2, "80", f.A2, 2},
		} {
			n.G1.Reset()
			n.G2.Reset()
			if from := tabletest.Connect(t, n.Server, f.TCP, x.bind, net.JoinHostPort(f.Client, x.port)); from.String() != x.src {
				t.Errorf("bound to %q, port %s: the source is %s, want %s", x.bind, x.port, from, x.src)
			}
			n.WantRouter(x.src, x.router)
		}
		n.Remove(u1, u2)
		n.WantSnapshot("Remove", before)
	})
}

// One source takes no more than an administrator would type. Of several, a gate
// holds back the rules until all are there.
func TestPlan(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Addr("u2", "10.2.0.3/24", "10.22.0.2/24")
	u := n.Uplink2(tabletest.IPv4)
	u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {IPProto: route.TCP, DPort: rule.Port(25)}}
	u.Routes = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	u.Metric = 7
	want := `
echo '20 lan2 # policyroute' >>ETC/rt_tables
ip rule add from all nop proto 210 pref 31001
ip rule add from all goto 31001 proto 210 pref 30999
ip route add 10.2.0.0/24 dev u2 table 20 proto 210 src 10.2.0.2 metric 7
ip route add 10.22.0.0/24 dev u2 table 20 proto 210 src 10.22.0.2 metric 7
ip route add 203.0.113.0/24 via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2 metric 7
ip route add default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2 metric 7
ip rule add from 10.2.0.2 lookup 20 proto 210 pref 31000
ip rule add from 10.22.0.2 lookup 20 proto 210 pref 31000
ip rule add from 10.2.0.3 lookup 20 proto 210 pref 31000
ip rule del from all goto 31001 proto 210 pref 30999
ip rule add from all fwmark 0x2 lookup main suppress_prefixlength 1 proto 210 pref 32000
ip rule add from all fwmark 0x2 lookup 20 proto 210 pref 32001
ip rule add from all ipproto tcp dport 25 lookup main suppress_prefixlength 1 proto 210 pref 32002
ip rule add from all ipproto tcp dport 25 lookup 20 proto 210 pref 32003
ip rule del from all nop proto 210 pref 31001
`
	before := n.Snapshot()
	n.WantPlan("install", want, u)
	n.WantSnapshot("Plan", before)

	// What Install sends is what the plan said.
	n.WantSent(u)
	n.WantPlan("install again", "\n", u)

	// A source less is a rule less.
	u.Sources = []netip.Addr{netip.MustParseAddr("10.2.0.2"), netip.MustParseAddr("10.22.0.2")}
	u.Also = u.Also[1:]
	n.WantPlan("update", `
ip rule del from 10.2.0.3 lookup 20 proto 210 pref 31000
ip rule del from all fwmark 0x2 lookup 20 proto 210 pref 32001
ip rule del from all fwmark 0x2 lookup main suppress_prefixlength 1 proto 210 pref 32000
`, u)
	n.Install(u)
	n.WantPlan("update again", "\n", u)
	n.Remove(u)
	n.WantSnapshot("Remove", before)

	// Another gateway is one replace.
	u = n.Uplink2(tabletest.IPv4)
	n.Install(u)
	u.Gateway = netip.MustParseAddr("10.2.0.9")
	n.WantPlan("another gateway", `
ip route replace default via 10.2.0.9 dev u2 table 20 proto 210 src 10.2.0.2
`, u)
	n.Remove(u)
	n.WantSnapshot("Remove", before)
}

// All rungs, and how they go.
func TestPlanLadder(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.FullUplink(tabletest.IPv6)
	u.Routes = nil
	n.WantPlan("install", `
echo '20 lan2 # policyroute' >>ETC/rt_tables
ip -6 rule add from all nop proto 210 pref 31004
ip -6 rule add from 2001:db8:2::2 goto 31004 proto 210 pref 30999
ip -6 route add 2001:db8:2::/64 dev u2 table 20 proto 210 src 2001:db8:2::2
ip -6 route add default via 2001:db8:2::1 dev u2 table 20 proto 210 src 2001:db8:2::2
ip -6 rule add from 2001:db8:2::2 lookup 20 suppress_prefixlength 4 proto 210 pref 31000
ip -6 rule add from 2001:db8:2::2 lookup main suppress_prefixlength 4 proto 210 pref 31001
ip -6 rule add from 2001:db8:2::2 lookup 20 proto 210 pref 31002
ip -6 rule add from 2001:db8:2::2 unreachable proto 210 pref 31003
ip -6 rule del from all nop proto 210 pref 31004
ip -6 rule del from 2001:db8:2::2 goto 31004 proto 210 pref 30999
`, u)
	n.Install(u)
	p, err := table.PlanRemove(t.Context(), n.Conn, u)
	if err != nil {
		t.Fatal(err)
	}
	n.WantPlanText("remove", `
ip -6 rule add from 2001:db8:2::2 goto 31004 proto 210 pref 30999
ip -6 rule add from all nop proto 210 pref 31004
ip -6 rule del from 2001:db8:2::2 lookup 20 suppress_prefixlength 4 proto 210 pref 31000
ip -6 rule del from 2001:db8:2::2 lookup main suppress_prefixlength 4 proto 210 pref 31001
ip -6 rule del from 2001:db8:2::2 lookup 20 proto 210 pref 31002
ip -6 rule del from 2001:db8:2::2 unreachable proto 210 pref 31003
ip -6 route del default via 2001:db8:2::1 dev u2 table 20 proto 210 src 2001:db8:2::2 metric 1024 pref medium
ip -6 route del 2001:db8:2::/64 dev u2 table 20 proto 210 src 2001:db8:2::2 metric 1024 pref medium
ip -6 rule del from 2001:db8:2::2 goto 31004 proto 210 pref 30999
ip -6 rule del from all nop proto 210 pref 31004
sed -i '/^20[[:blank:]]lan2 # policyroute[[:space:]]*$/d' ETC/rt_tables
`, p)
}

// The rules as an administrator would expect them, from both kinds of uplink.
func TestInstalled(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Install(n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6))
	want := `rule 31000: from 10.2.0.2 lookup 20 proto 210
rule 31000: from 2001:db8:2::2 lookup 20 proto 210
route 10.2.0.0/24 dev u2 table 20 proto 210 src 10.2.0.2
route 2001:db8:2::/64 dev u2 table 20 proto 210 src 2001:db8:2::2 metric 1024
route default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2
route default via 2001:db8:2::1 dev u2 table 20 proto 210 src 2001:db8:2::2 metric 1024
`
	n.WantTable("installed", 20, want)
	b, err := os.ReadFile(n.RTTablesFile())
	if want := tabletest.RTTables + "20\tlan2 # policyroute\n"; err != nil || string(b) != want {
		t.Errorf("rt_tables: %q, %v, want %q", b, err, want)
	}
	// The name stays as long as one family does.
	n.Remove(n.Uplink2(tabletest.IPv4))
	if b, _ := os.ReadFile(n.RTTablesFile()); !strings.Contains(string(b), "lan2") {
		t.Error("the name is gone before the last family")
	}
	n.Remove(n.Uplink2(tabletest.IPv6))
	if b, _ := os.ReadFile(n.RTTablesFile()); string(b) != tabletest.RTTables {
		t.Errorf("rt_tables after Remove: %q", b)
	}
}

// A second Install, from a new process that knows nothing, changes nothing: the
// kernel has nothing to tell those who watch.
func TestInstallTwice(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		for _, u := range []table.SourceRoutedUplink{n.Uplink2(f), n.FullUplink(f)} {
			// A rule of Also may have the form of one from a source.
			a1 := netip.MustParseAddr(f.A1)
			u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {From: netip.PrefixFrom(a1, a1.BitLen())}}
			n.Install(u)
			installed := n.Snapshot()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			routes, err := route.Watch(ctx, n.Server.Config(), route.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			rules, err := rule.Watch(ctx, n.Server.Config(), rule.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			rec := &tabletest.Recorder{Conn: n.Conn}
			if err := u.Install(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
			if len(rec.Writes) > 0 {
				t.Errorf("a second Install sends %q", rec.Writes)
			}
			n.WantSnapshot("Install again", installed)
			// What the watchers see first is what is changed after it.
			if err := n.AddRule("99: from 192.0.2.99 lookup 99"); err != nil {
				t.Fatal(err)
			}
			if err := n.AddRoute("192.0.2.99/32 via 10.1.0.1 table 99"); err != nil {
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
			if err := route.Delete(t.Context(), n.Conn, route.Route{
				Table: 99, Dst: netip.MustParsePrefix("192.0.2.99/32"),
			}); err != nil {
				t.Fatal(err)
			}
			if err := rule.Delete(t.Context(), n.Conn, rule.Rule{
				Priority: rule.Priority(99), From: netip.MustParsePrefix("192.0.2.99/32"), Table: 99,
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
