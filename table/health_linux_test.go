package table_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// quick is a health that a test need not wait for.
func quick(h table.Health) *table.Health {
	h.Interval, h.Timeout = 20*time.Millisecond, 300*time.Millisecond
	return &h
}

// probed is an uplink with a health.
func probed(u table.SourceRoutedUplink, h table.Health) table.MaintainedUplink {
	return table.MaintainedUplink{SourceRoutedUplink: u, Health: quick(h)}
}

// breakable prepares the Internet for cuts: what has come in by a router is dropped
// before it reaches the client. The router itself still answers.
func (n *network) breakable(f family) (cut, mend func(router string)) {
	n.t.Helper()
	c := n.dial(n.net)
	ctx := context.Background()
	dst := netip.MustParseAddr(f.client)
	do := func(err error) {
		n.t.Helper()
		if err != nil {
			n.t.Fatal(err)
		}
	}
	local := rule.Rule{Family: route.FamilyOf(dst), Action: rule.ActionLookup, Table: rttables.Local, Protocol: route.ProtoKernel}
	for _, prio := range []uint32{100, 0} {
		local.Priority = rule.Priority(prio)
		if prio > 0 {
			do(rule.Add(ctx, c, local))
		} else {
			do(rule.Delete(ctx, c, local))
		}
	}
	hole := func(router string) rule.Rule {
		return rule.Rule{
			To: netip.PrefixFrom(dst, dst.BitLen()), IIF: router, Action: rule.ActionBlackhole, Priority: rule.Priority(10),
		}
	}
	cut = func(router string) { n.t.Helper(); do(rule.Add(ctx, c, hole(router))) }
	mend = func(router string) { n.t.Helper(); do(rule.Delete(ctx, c, hole(router))) }
	return cut, mend
}

// tcpTo is a health that connects to a port of the client.
func tcpTo(f family, port uint16) table.Health {
	return table.Health{TCP: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(f.client), port)}}
}

// marked sends a datagram with a mark to the client, and says at which router it
// arrived.
func (n *network) marked(f family, mark uint32) (byG1, byG2 int) {
	n.t.Helper()
	conn, err := n.server.DialWith(n.t.Context(), net.Dialer{Control: lab.Mark(mark)}, "udp", net.JoinHostPort(f.client, "53"))
	if err != nil {
		n.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		n.t.Fatal(err)
	}
	src := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	match := func(p lab.Packet) bool { return !p.Out && p.Src.Port() == src && p.Dst.Port() == 53 }
	for end := time.Now().Add(patience); byG1+byG2 == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		byG1, byG2 = n.g1.Count(match), n.g2.Count(match)
	}
	return byG1, byG2
}

// wantMarked fails unless what is marked leaves by a router.
func (n *network) wantMarked(f family, what string, router int) {
	n.t.Helper()
	g1, g2 := n.marked(f, 2)
	if (g1 > 0) != (router == 1) || (g2 > 0) != (router == 2) {
		n.t.Errorf("%s: %d at g1 and %d at g2, want it at g%d", what, g1, g2, router)
	}
}

// alsoMarked is the second uplink with a rule for a mark.
func (n *network) alsoMarked(f family) table.SourceRoutedUplink {
	u := n.uplink2(f)
	u.Unreachable = true
	u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}}
	return u
}

// The way behind the gateway fails: after some probes the traffic of Also moves to
// the other uplink, what has the uplink's address stays, and all comes back.
func TestHealthWithdraw(t *testing.T) {
	t.Parallel()
	forFamilies(t, func(t *testing.T, n *network, f family) {
		cut, mend := n.breakable(f)
		serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
		swallow(t, n, f)
		h := tcpTo(f, 80)
		h.Withdraw = true
		k := n.maintain(table.MaintainConfig{}, probed(n.alsoMarked(f), h))
		whole := n.ours(20)
		k.awaitKind(0, table.EventHealthy)
		n.wantMarked(f, "healthy", 2)

		from := len(k.log())
		n.g1.Reset()
		n.g2.Reset()
		stop := n.send(f)
		cut("g2")
		probes := k.counters.Probes.Load()
		at := k.awaitKind(from, table.EventUnhealthy)
		// The probe that was under way, or just counted, may be one of the three.
		if got := k.counters.Probes.Load() - probes; got < 2 {
			t.Errorf("unhealthy after %d probes", got)
		}
		if e := k.log()[at-1]; e.Err == nil || !strings.Contains(e.String(), "tcp "+net.JoinHostPort(f.client, "80")+": no answer within 300ms") {
			t.Errorf("it does not say why: %s", e)
		}
		k.await(at, "repaired", func(e table.Event) bool {
			return e.Kind == table.EventRepaired && strings.Contains(e.Reason, "health") && len(e.Steps) == 2
		})
		n.wantMarked(f, "unhealthy", 1)
		if got := k.counters.Unhealthy.Load(); got != 1 {
			t.Errorf("%d are counted as unhealthy", got)
		}
		if got := n.ours(20); !strings.Contains(got, "from "+f.a2) || strings.Contains(got, "fwmark") {
			t.Errorf("the rules of an unhealthy uplink:\n%s", got)
		}
		// It is kept as it is: without Also.
		if _, err := route.Flush(t.Context(), n.dial(n.server), route.Filter{Table: 20}); err != nil {
			t.Fatal(err)
		}
		k.until("the routes are back", func() bool { return strings.Contains(n.ours(20), "route default") })
		if got := n.ours(20); strings.Contains(got, "fwmark") {
			t.Errorf("a repair brings Also back:\n%s", got)
		}

		mend("g2")
		k.awaitKind(from, table.EventHealthy)
		k.until("Also is back", func() bool { return n.ours(20) == whole })
		n.wantMarked(f, "healthy again", 2)
		sent, _ := stop()
		if g1, g2 := n.fromUDP(f.a2); g1 > 0 || g2 < sent*9/10 || sent == 0 {
			t.Errorf("%d packets of the source: %d at g1, %d at g2", sent, g1, g2)
		}
		k.stop()

		// The control: without Withdraw there is an event and no more.
		h.Withdraw = false
		k = n.maintain(table.MaintainConfig{}, probed(n.alsoMarked(f), h))
		k.awaitKind(0, table.EventHealthy)
		cut("g2")
		k.awaitKind(0, table.EventUnhealthy)
		time.Sleep(50 * time.Millisecond)
		n.wantMarked(f, "unhealthy, without Withdraw", 2)
		if got := n.ours(20); got != whole {
			t.Errorf("without Withdraw:\n%s\nwant\n%s", got, whole)
		}
	})
}

// Probes that fail now and then, but not often enough in a row, change nothing.
func TestHealthFlaps(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	var mu sync.Mutex
	var pattern string
	calls := 0
	set := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		pattern, calls = s, 0
	}
	set("+")
	h := table.Health{Withdraw: true, Failures: 3, Successes: 2}
	h.Probe = func(context.Context, netip.Addr, table.DialFunc) error {
		mu.Lock()
		defer mu.Unlock()
		calls++
		if pattern[(calls-1)%len(pattern)] == '+' {
			return nil
		}
		return errors.New("as the test says")
	}
	k := n.maintain(table.MaintainConfig{}, probed(n.alsoMarked(ip4), h))
	k.awaitKind(0, table.EventHealthy)
	whole := n.ours(20)
	quiet := func(p, want string, unhealthy int64) {
		t.Helper()
		events, steps := len(k.log()), k.counters.Steps.Load()
		set(p)
		begin := k.counters.Probes.Load()
		k.until("30 probes", func() bool { return k.counters.Probes.Load() >= begin+30 })
		if len(k.log()) != events || k.counters.Steps.Load() != steps || n.ours(20) != want {
			t.Errorf("flapping %s changes something:\n%s", p, k.text())
		}
		if got := k.counters.Unhealthy.Load(); got != unhealthy {
			t.Errorf("flapping %s: %d unhealthy", p, got)
		}
	}
	quiet("+--+--", whole, 0)
	quiet("+-", whole, 0)
	set("-")
	from := k.awaitKind(0, table.EventUnhealthy)
	from = k.awaitKind(from, table.EventRepaired)
	quiet("-+--", n.ours(20), 1)
	quiet("-+", n.ours(20), 1)
	set("+")
	k.awaitKind(from, table.EventHealthy)
	k.until("Also is back", func() bool { return n.ours(20) == whole })
}

// An uplink that is pending is not probed. Its health outlasts that, and an update.
func TestHealthPendingAndUpdate(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	cut, _ := n.breakable(ip4)
	serve(t, n.net, "tcp4", net.JoinHostPort(ip4.client, "80"))
	h := tcpTo(ip4, 80)
	h.Withdraw = true
	update := make(chan table.MaintainUpdate)
	u := probed(n.alsoMarked(ip4), h)
	k := n.maintain(table.MaintainConfig{Update: update}, u)
	k.awaitKind(0, table.EventHealthy)
	whole := n.ours(20)

	from := len(k.log())
	n.server.Down("u2")
	k.awaitKind(from, table.EventPending)
	time.Sleep(350 * time.Millisecond) // the probe that was under way
	probes := k.counters.Probes.Load()
	time.Sleep(100 * time.Millisecond)
	if got := k.counters.Probes.Load(); got != probes {
		t.Errorf("%d probes of an uplink that is pending", got-probes)
	}
	n.server.Up("u2")
	k.until("probes go on", func() bool { return k.counters.Probes.Load() > probes })
	k.until("the uplink is whole", func() bool { return n.ours(20) == whole })

	cut("g2")
	k.awaitKind(from, table.EventUnhealthy)
	k.until("Also is away", func() bool { return n.ours(20) != whole })
	from = len(k.log())
	update <- table.MaintainUpdate{Uplinks: []table.MaintainedUplink{u}}
	from = k.awaitKind(from, table.EventReady)
	if n.ours(20) == whole {
		t.Error("an update forgets that the uplink is unhealthy")
	}
	// Without Health it is taken for healthy.
	update <- table.MaintainUpdate{Uplinks: maintained(u.SourceRoutedUplink)}
	k.awaitKind(from, table.EventReady)
	if got := n.ours(20); got != whole {
		t.Errorf("without Health Also is not back:\n%s", got)
	}
	k.until("nothing is counted", func() bool { return k.counters.Unhealthy.Load() == 0 })
	probes = k.counters.Probes.Load()
	time.Sleep(100 * time.Millisecond)
	if k.counters.Probes.Load() > probes+1 {
		t.Error("probes go on without Health")
	}
}

// What cannot be is refused at once.
func TestHealthRefuses(t *testing.T) {
	n := newNetwork(t)
	addr := netip.MustParseAddr
	for want, h := range map[string]table.Health{
		"has nothing to probe":                   {},
		"has a number below zero":                {Echo: []netip.Addr{addr("192.0.2.1")}, Interval: -1},
		"has no port":                            {TCP: []netip.AddrPort{netip.AddrPortFrom(addr("192.0.2.1"), 0)}},
		"an address is not set":                  {Echo: []netip.Addr{{}}},
		"2001:db8::1 is not of the uplink's":     {Echo: []netip.Addr{addr("2001:db8::1")}},
		"::ffff:192.0.2.1 is an IPv4 address in": {Echo: []netip.Addr{addr("::ffff:192.0.2.1")}},
		"127.0.0.1 is nothing":                   {Echo: []netip.Addr{addr("127.0.0.1")}},
		"fe80::1%eth0 is nothing":                {Echo: []netip.Addr{addr("fe80::1%eth0")}},
	} {
		err := table.Maintain(t.Context(), nil, nil, table.MaintainedUplink{SourceRoutedUplink: n.uplink2(ip4), Health: &h})
		var e *table.FieldError
		if !errors.As(err, &e) || e.Field != "Health" || !strings.Contains(e.Reason, want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
