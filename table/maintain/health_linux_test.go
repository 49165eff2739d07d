package maintain_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// quick returns a probe with short times.
func quick(h health.Probe) *health.Probe {
	h.Interval, h.Timeout = 20*time.Millisecond, 300*time.Millisecond
	return &h
}

// probed returns an uplink with a probe.
func probed(u table.SourceRoutedUplink, h health.Probe) maintain.Uplink {
	return maintain.Uplink{SourceRoutedUplink: u, Health: quick(h)}
}

// tcpTo returns a probe that connects to a port of the client.
func tcpTo(f tabletest.Family, port uint16) health.Probe {
	return health.Probe{TCP: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(f.Client), port)}}
}

// marked sends a datagram with a mark to the client, and returns the router at which it
// arrived.
func marked(n *tabletest.Network, f tabletest.Family, mark uint32) (byG1, byG2 int) {
	n.T.Helper()
	conn, err := n.Server.DialWith(n.T.Context(), net.Dialer{Control: lab.Mark(mark)}, "udp", net.JoinHostPort(f.Client, "53"))
	if err != nil {
		n.T.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		n.T.Fatal(err)
	}
	src := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	match := func(p lab.Packet) bool { return !p.Out && p.Src.Port() == src && p.Dst.Port() == 53 }
	for end := time.Now().Add(tabletest.Patience); byG1+byG2 == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		byG1, byG2 = n.G1.Count(match), n.G2.Count(match)
	}
	return byG1, byG2
}

// wantMarked fails unless packets with the mark leave by a router.
func wantMarked(n *tabletest.Network, f tabletest.Family, what string, router int) {
	n.T.Helper()
	g1, g2 := marked(n, f, 2)
	if (g1 > 0) != (router == 1) || (g2 > 0) != (router == 2) {
		n.T.Errorf("%s: %d at g1 and %d at g2, want it at g%d", what, g1, g2, router)
	}
}

// alsoMarked returns the second uplink with a rule for a mark.
func alsoMarked(n *tabletest.Network, f tabletest.Family) table.SourceRoutedUplink {
	u := n.Uplink2(f)
	u.Unreachable = true
	u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}}
	return u
}

// The path behind the gateway fails. After some probes the traffic of Also moves to the
// other uplink, while packets from the uplink's address stay. Later all comes back.
func TestHealthWithdraw(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		cut, mend := n.Breakable(f)
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		swallow(t, n, f)
		h := tcpTo(f, 80)
		h.Withdraw, h.WithdrawMarked = true, true
		k := newKeeper(n, maintain.Config{}, probed(alsoMarked(n, f), h))
		whole := n.Table(20)
		k.awaitKind(0, maintain.EventHealthy)
		wantMarked(n, f, "healthy", 2)

		from := len(k.log())
		n.G1.Reset()
		n.G2.Reset()
		stop := send(n, f)
		cut("g2")
		probes := k.counters.Probes.Load()
		at := k.awaitKind(from, maintain.EventUnhealthy)
		// The probe that was under way, or just counted, may be one of the three.
		if got := k.counters.Probes.Load() - probes; got < 2 {
			t.Errorf("unhealthy after %d probes", got)
		}
		// On a busy machine the probe itself may be late.
		tcp := "tcp " + net.JoinHostPort(f.Client, "80")
		if e := k.log()[at-1]; e.Err == nil || !strings.Contains(e.String(), tcp+": no answer within 300ms") &&
			!strings.Contains(e.String(), tcp+": the function has not returned after 300ms") {
			t.Errorf("it does not say why: %s", e)
		}
		k.await(at, "repaired", func(e maintain.Event) bool {
			return e.Kind == maintain.EventRepaired && strings.Contains(e.Reason, "health") && len(e.Plan.Steps) == 3
		})
		wantMarked(n, f, "unhealthy", 1)
		if got := k.counters.Unhealthy.Load(); got != 1 {
			t.Errorf("%d are counted as unhealthy", got)
		}
		if got := n.Table(20); !strings.Contains(got, "from "+f.A2) || strings.Contains(got, "fwmark") {
			t.Errorf("the rules of an unhealthy uplink:\n%s", got)
		}
		// It is kept as it is: without Also.
		if _, err := route.Flush(t.Context(), n.Dial(n.Server), route.Filter{Table: 20}); err != nil {
			t.Fatal(err)
		}
		k.until("the routes are back", func() bool { return strings.Contains(n.Table(20), "route default") })
		if got := n.Table(20); strings.Contains(got, "fwmark") {
			t.Errorf("a repair brings Also back:\n%s", got)
		}

		mend("g2")
		k.awaitKind(from, maintain.EventHealthy)
		k.untilTable("Also is back", whole)
		wantMarked(n, f, "healthy again", 2)
		sent, _ := stop()
		if g1, g2 := fromUDP(n, f.A2); g1 > 0 || g2 < sent*9/10 || sent == 0 {
			t.Errorf("%d packets of the source: %d at g1, %d at g2", sent, g1, g2)
		}
		k.stop()

		// The control: without Withdraw there is an event and no more.
		h.Withdraw, h.WithdrawMarked = false, false
		k = newKeeper(n, maintain.Config{}, probed(alsoMarked(n, f), h))
		k.awaitKind(0, maintain.EventHealthy)
		cut("g2")
		k.awaitKind(0, maintain.EventUnhealthy)
		time.Sleep(50 * time.Millisecond)
		wantMarked(n, f, "unhealthy, without Withdraw", 2)
		n.WantTable("without Withdraw", 20, whole)
	})
}

// Rules by a firewall mark stay while the uplink is unhealthy, as they say which uplink a
// connection has begun by. All other rules of Also go, with their companions; those for
// networks behind this host stay. While the link is down, marked packets are refused.
func TestHealthWithdrawUnmarked(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		var paid atomic.Bool
		paid.Store(true)
		h := health.Probe{Withdraw: true, Interval: 10 * time.Millisecond, Failures: 1, Successes: 1,
			Func: func(context.Context, netip.Addr, health.DialFunc) error {
				if paid.Load() {
					return nil
				}
				return errors.New("the provider wants money")
			}}
		u := alsoMarked(n, f)
		u.Also = append(u.Also, rule.Rule{IPProto: route.TCP, DPort: rule.Port(25)}, rule.Rule{Not: true, FwMark: rule.FwMark(3)})
		lan := map[tabletest.Family]string{tabletest.IPv4: "172.16.5.64/26", tabletest.IPv6: "2001:db8:5:ff::/64"}[f]
		u.SourcePrefixes = []netip.Prefix{netip.MustParsePrefix(lan)}
		k := newKeeper(n, maintain.Config{}, probed(u, h))
		k.awaitKind(0, maintain.EventHealthy)
		whole := n.Kernel()
		for _, words := range []string{"dport 25 unreachable", "from " + lan + " unreachable", "not from all fwmark 0x3 unreachable", "fwmark 0x2 unreachable"} {
			if !strings.Contains(whole, words) {
				t.Errorf("there is no rule %s:\n%s", words, whole)
			}
		}
		paid.Store(false)
		k.awaitKind(0, maintain.EventUnhealthy)
		k.until("the other rules are gone", func() bool {
			now := n.Kernel()
			return !strings.Contains(now, "dport 25") && !strings.Contains(now, "fwmark 0x3")
		})
		wantMarked(n, f, "unhealthy", 2)
		if now := n.Kernel(); strings.Count(now, "fwmark 0x2") != 3 || strings.Count(now, "from "+lan) != 3 {
			t.Errorf("while it is unhealthy there is\n%s", now)
		}
		n.Server.Down("u2")
		k.awaitKind(0, maintain.EventPending)
		if _, err := route.Lookup(t.Context(), n.Conn, route.Query{Dst: netip.MustParseAddr(f.Client), Mark: 2}); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("with the link down, marked packets get %v, want ENETUNREACH", err)
		}
	})
}

// Probes that fail now and then, but not often enough in a row, change nothing.
func TestHealthFlaps(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	var mu sync.Mutex
	var pattern string
	calls := 0
	set := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		pattern, calls = s, 0
	}
	set("+")
	h := health.Probe{Withdraw: true, WithdrawMarked: true, Failures: 3, Successes: 2}
	h.Func = func(context.Context, netip.Addr, health.DialFunc) error {
		mu.Lock()
		defer mu.Unlock()
		calls++
		if pattern[(calls-1)%len(pattern)] == '+' {
			return nil
		}
		return errors.New("as the test says")
	}
	k := newKeeper(n, maintain.Config{}, probed(alsoMarked(n, tabletest.IPv4), h))
	k.awaitKind(0, maintain.EventHealthy)
	whole := n.Table(20)
	quiet := func(p, want string, unhealthy int64) {
		t.Helper()
		events, steps := len(k.log()), k.counters.Steps.Load()
		set(p)
		begin := k.counters.Probes.Load()
		k.until("30 probes", func() bool { return k.counters.Probes.Load() >= begin+30 })
		n.WantTable("flapping "+p, 20, want)
		if len(k.log()) != events || k.counters.Steps.Load() != steps {
			t.Errorf("flapping %s changes something:\n%s", p, k.text())
		}
		if got := k.counters.Unhealthy.Load(); got != unhealthy {
			t.Errorf("flapping %s: %d unhealthy", p, got)
		}
	}
	quiet("+--+--", whole, 0)
	quiet("+-", whole, 0)
	set("-")
	from := k.awaitKind(0, maintain.EventUnhealthy)
	from = k.awaitKind(from, maintain.EventRepaired)
	quiet("-+--", n.Table(20), 1)
	quiet("-+", n.Table(20), 1)
	set("+")
	k.awaitKind(from, maintain.EventHealthy)
	k.untilTable("Also is back", whole)
}

// A pending uplink is not probed. It stays healthy or unhealthy, also after an update.
func TestHealthPendingAndUpdate(t *testing.T) {
	t.Parallel()
	n := tabletest.NewNetwork(t)
	cut, _ := n.Breakable(tabletest.IPv4)
	tabletest.Serve(t, n.Net, "tcp4", net.JoinHostPort(tabletest.IPv4.Client, "80"))
	h := tcpTo(tabletest.IPv4, 80)
	h.Withdraw, h.WithdrawMarked = true, true
	update := make(chan maintain.Update)
	u := probed(alsoMarked(n, tabletest.IPv4), h)
	k := newKeeper(n, maintain.Config{Update: update}, u)
	k.awaitKind(0, maintain.EventHealthy)
	whole := n.Table(20)

	from := len(k.log())
	n.Server.Down("u2")
	k.awaitKind(from, maintain.EventPending)
	time.Sleep(350 * time.Millisecond) // the probe that was under way
	probes := k.counters.Probes.Load()
	time.Sleep(100 * time.Millisecond)
	if got := k.counters.Probes.Load(); got != probes {
		t.Errorf("%d probes of an uplink that is pending", got-probes)
	}
	n.Server.Up("u2")
	k.until("probes go on", func() bool { return k.counters.Probes.Load() > probes })
	k.untilTable("the uplink is whole", whole)

	cut("g2")
	k.awaitKind(from, maintain.EventUnhealthy)
	k.until("Also is away", func() bool { return n.Table(20) != whole })
	from = len(k.log())
	update <- maintain.Update{Uplinks: []maintain.Uplink{u}}
	from = k.awaitKind(from, maintain.EventReady)
	if n.Table(20) == whole {
		t.Error("an update forgets that the uplink is unhealthy")
	}
	// Without Health it is taken for healthy.
	update <- maintain.Update{Uplinks: maintained(u.SourceRoutedUplink)}
	k.awaitKind(from, maintain.EventReady)
	n.WantTable("without Health Also is back", 20, whole)
	k.until("nothing is counted", func() bool { return k.counters.Unhealthy.Load() == 0 })
	probes = k.counters.Probes.Load()
	time.Sleep(100 * time.Millisecond)
	if k.counters.Probes.Load() > probes+1 {
		t.Error("probes go on without Health")
	}
}

// Invalid uplinks and configurations are refused at once.
func TestHealthRefuses(t *testing.T) {
	n := tabletest.NewNetwork(t)
	addr := netip.MustParseAddr
	for want, h := range map[string]health.Probe{
		"has nothing to probe": {},
		"has a negative Interval, Timeout, Failures or Successes": {Echo: []netip.Addr{addr("192.0.2.1")}, Interval: -1},
		"has no port":                                 {TCP: []netip.AddrPort{netip.AddrPortFrom(addr("192.0.2.1"), 0)}},
		"an address is not set":                       {Echo: []netip.Addr{{}}},
		"2001:db8::1 is not of the uplink's":          {Echo: []netip.Addr{addr("2001:db8::1")}},
		"::ffff:192.0.2.1 is an IPv4 address written": {Echo: []netip.Addr{addr("::ffff:192.0.2.1")}},
		"127.0.0.1 cannot be reached":                 {Echo: []netip.Addr{addr("127.0.0.1")}},
		"fe80::1%eth0 cannot be reached":              {Echo: []netip.Addr{addr("fe80::1%eth0")}},
	} {
		err := maintain.Run(t.Context(), nil, nil, maintain.Uplink{SourceRoutedUplink: n.Uplink2(tabletest.IPv4), Health: &h})
		var e *plan.FieldError
		if !errors.As(err, &e) || e.Field != "Health" || !strings.Contains(e.Reason, want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
