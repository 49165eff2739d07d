package table_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// A floodNetwork is a network with a tap on the LAN, where packets can be flooded.
type floodNetwork struct {
	*tabletest.Network
	lan      *lab.Tap
	swallows map[string]bool // the addresses whose port swallows datagrams
}

// A flow is datagrams from one address to another, one after the other, each
// with a route of its own.
type flow struct {
	n        *floodNetwork
	conn     *net.UDPConn
	src, dst netip.AddrPort
	sent     atomic.Int64
	failed   atomic.Int64
	stop     chan struct{}
	done     chan struct{}
}

// flood starts a flow from src to dst.
func (n *floodNetwork) flood(src, dst string) *flow {
	n.T.Helper()
	const port = 9
	if !n.swallows[dst] {
		// Nobody reads it, but there is no answer "port unreachable".
		if _, err := n.Net.ListenPacket("udp", net.JoinHostPort(dst, fmt.Sprint(port))); err != nil {
			n.T.Fatal(err)
		}
		n.swallows[dst] = true
	}
	pc, err := n.Server.ListenPacket("udp", net.JoinHostPort(src, "0"))
	if err != nil {
		n.T.Fatal(err)
	}
	f := &flow{
		n: n, conn: pc.(*net.UDPConn), dst: netip.AddrPortFrom(netip.MustParseAddr(dst), port),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	f.src = f.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	f.src = netip.AddrPortFrom(f.src.Addr().Unmap(), f.src.Port())
	go f.run()
	return f
}

func (f *flow) run() {
	defer close(f.done)
	payload := []byte("flood")
	for i := 0; ; i++ {
		if i%4096 == 0 {
			// The rings of the taps hold more than ten times as many.
			for _, tap := range f.n.taps() {
				tap.Drops()
			}
		}
		select {
		case <-f.stop:
			return
		default:
		}
		if _, err := f.conn.WriteToUDPAddrPort(payload, f.dst); err != nil {
			f.failed.Add(1)
		} else {
			f.sent.Add(1)
		}
	}
}

// taps are where packets are counted.
func (n *floodNetwork) taps() []*lab.Tap { return []*lab.Tap{n.G1, n.G2, n.lan} }

// A tally is where the packets of a flow went.
type tally struct{ sent, g1, g2, lan, failed int }

// end stops the flow and counts its packets where they were received. Every one
// has to be somewhere.
func (f *flow) end() tally {
	f.n.T.Helper()
	close(f.stop)
	<-f.done
	match := func(p lab.Packet) bool { return !p.Out && p.Src == f.src && p.Dst == f.dst }
	c := tally{
		sent: int(f.sent.Load()), failed: int(f.failed.Load()),
		g1: f.n.G1.Count(match), g2: f.n.G2.Count(match), lan: f.n.lan.Count(match),
	}
	if got := c.g1 + c.g2 + c.lan; got != c.sent {
		f.n.T.Errorf("%d packets were sent, and %d arrived: %+v", c.sent, got, c)
	}
	return c
}

// meet makes the server know the next routers.
func (n *floodNetwork) meet(addrs ...string) {
	n.T.Helper()
	for _, a := range addrs {
		tabletest.Serve(n.T, n.Net, "tcp", net.JoinHostPort(a, "7"))
		tabletest.Connect(n.T, n.Server, "tcp", "", net.JoinHostPort(a, "7"))
	}
}

// under does something some times under a flood, and says where packets went.
func (n *floodNetwork) under(f tabletest.Family, count int, dst string, do func(i int)) tally {
	n.T.Helper()
	for _, tap := range n.taps() {
		tap.Reset()
	}
	flow := n.flood(f.A2, dst)
	for flow.sent.Load() == 0 && flow.failed.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for i := range count {
		do(i)
		flow.goOn()
	}
	return flow.end()
}

// goOn waits for packets that go by the way that is new.
func (f *flow) goOn() {
	tried := func() int64 { return f.sent.Load() + f.failed.Load() }
	for before, end := tried(), time.Now().Add(tabletest.Patience); tried() < before+2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// untilLeak repeats what is known to leak until it does: on a busy machine the
// flow may sleep while it matters.
func (n *floodNetwork) untilLeak(f tabletest.Family, count int, dst string, leaked func(tally) int, do func(i int)) tally {
	n.T.Helper()
	for range 20 {
		if c := n.under(f, count, dst, do); leaked(c) > 0 {
			return c
		}
	}
	n.T.Fatal("the control does not leak: the test proves nothing")
	return tally{}
}

// newFloodNetwork makes a network ready for floods.
func newFloodNetwork(network *tabletest.Network, f tabletest.Family) *floodNetwork {
	network.AddLAN()
	n := &floodNetwork{Network: network, lan: network.Net.Tap("glan"), swallows: make(map[string]bool)}
	second := netip.MustParseAddr(f.G2 + "0")
	bits := map[bool]string{true: "/24", false: "/64"}[second.Is4()]
	n.Net.Addr("g2", second.String()+bits)
	n.meet(f.G1, f.G2, second.String(), f.Destinations()[0])
	return n
}

// report prints a line of the table of leaks.
func report(t *testing.T, what string, count int, c tally, leaked int) {
	t.Helper()
	t.Logf("%-44s x%-4d %8d sent, %6d of them by the wrong way, %6d refused", what, count, c.sent+c.failed, leaked, c.failed)
}

// naive adds what a plan comes to, as one might type it: rules first.
func (n *floodNetwork) naive(p plan.Plan) {
	n.T.Helper()
	var rules, routes []plan.Step
	for _, s := range p.Net().Steps {
		switch s.Op {
		case plan.AddRule:
			rules = append(rules, s)
		case plan.AddRoute:
			routes = append(routes, s)
		}
	}
	slices.Reverse(rules)
	for _, s := range rules {
		if err := rule.Add(n.T.Context(), n.Conn, s.Rule); err != nil {
			n.T.Fatal(err)
		}
	}
	for _, s := range routes {
		if err := route.Add(n.T.Context(), n.Conn, s.Route); err != nil {
			n.T.Fatal(err)
		}
	}
	for _, s := range slices.Backward(routes) {
		if err := route.Delete(n.T.Context(), n.Conn, s.Route); err != nil {
			n.T.Fatal(err)
		}
	}
	for _, s := range rules {
		if err := rule.Delete(n.T.Context(), n.Conn, s.Rule); err != nil {
			n.T.Fatal(err)
		}
	}
}

// While an uplink is installed and removed, nothing of what goes to the LAN goes
// elsewhere, and nothing at all is refused.
func TestFloodInstallRemove(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, network *tabletest.Network, f tabletest.Family) {
		n := newFloodNetwork(network, f)
		u := n.FullUplink(f)
		count := tabletest.Times(600, 10)
		lan, internet := f.Destinations()[0], f.Client
		ours := func(i int) {
			if i%2 == 0 {
				n.Install(u)
			} else {
				n.Remove(u)
			}
		}
		c := n.under(f, 2*count, lan, ours)
		report(t, "to the LAN: Install and Remove", count, c, c.g1+c.g2)
		if c.g1+c.g2+c.failed > 0 || c.lan == 0 {
			t.Errorf("to the LAN: %+v", c)
		}
		c = n.under(f, 2*count, internet, ours)
		report(t, "to the Internet: Install and Remove", count, c, c.lan)
		if c.lan+c.failed > 0 || c.g1 == 0 || c.g2 == 0 {
			t.Errorf("to the Internet: %+v", c)
		}
		p, err := u.Plan(t.Context(), n.Conn)
		if err != nil {
			t.Fatal(err)
		}
		control := func(int) { n.naive(p) }
		c = n.untilLeak(f, count, lan, func(c tally) int { return c.g1 + c.g2 + c.failed }, control)
		report(t, "to the LAN: the same rules, then the routes", count, c, c.g1+c.g2)
		c = n.untilLeak(f, count, internet, func(c tally) int { return c.lan + c.failed }, control)
		report(t, "to the Internet: the same rules, then the routes", count, c, c.lan)
	})
}

// While the gateway changes, nothing leaves by the other uplink.
func TestFloodGateway(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, network *tabletest.Network, f tabletest.Family) {
		n := newFloodNetwork(network, f)
		u := n.Uplink2(f)
		n.Install(u)
		gateways := []netip.Addr{netip.MustParseAddr(f.G2 + "0"), netip.MustParseAddr(f.G2)}
		count := tabletest.Times(4000, 60)
		c := n.under(f, count, f.Client, func(i int) {
			u.Gateway = gateways[i%2]
			n.Install(u)
		})
		report(t, "another gateway: Install", count, c, c.g1+c.lan)
		if c.g1+c.lan+c.failed > 0 || c.g2 == 0 {
			t.Errorf("%+v", c)
		}
		r := route.Route{Table: u.Table, OIF: n.Server.Index("u2"), PrefSrc: netip.MustParseAddr(f.A2), Gateway: u.Gateway}
		c = n.untilLeak(f, count, f.Client, func(c tally) int { return c.g1 }, func(i int) {
			if err := route.Delete(t.Context(), n.Conn, r); err != nil {
				t.Fatal(err)
			}
			r.Gateway = gateways[i%2]
			if err := route.Add(t.Context(), n.Conn, r); err != nil {
				t.Fatal(err)
			}
		})
		report(t, "another gateway: delete and add", count, c, c.g1+c.lan)
	})
}

// While the table changes, nothing leaves by the other uplink.
func TestFloodTable(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, network *tabletest.Network, f tabletest.Family) {
		n := newFloodNetwork(network, f)
		u := n.Uplink2(f)
		u.Routes = []netip.Prefix{f.Extra()}
		n.Install(u)
		count := tabletest.Times(600, 10)
		for _, form := range []string{"plain", "all rungs"} {
			u.MainFirst = form != "plain"
			u.Unreachable = u.MainFirst
			n.Install(u)
			c := n.under(f, count, f.Client, func(i int) {
				u.Table = 50 - u.Table // 30 and 20
				n.Install(u)
			})
			report(t, "another table: Install, "+form, count, c, c.g1+c.lan)
			if c.g1+c.lan+c.failed > 0 || c.g2 == 0 {
				t.Errorf("%+v", c)
			}
		}
		u.MainFirst, u.Unreachable = false, false
		n.Install(u)
		routes, err := route.List(t.Context(), n.Conn, route.Filter{Table: u.Table})
		if err != nil {
			t.Fatal(err)
		}
		c := n.untilLeak(f, count, f.Client, func(c tally) int { return c.g1 }, func(i int) {
			for _, r := range slices.Backward(routes) {
				if err := route.Delete(t.Context(), n.Conn, r); err != nil {
					t.Fatal(err)
				}
			}
			slices.SortStableFunc(routes, func(a, b route.Route) int {
				return map[bool]int{true: 1}[a.Gateway.IsValid()] - map[bool]int{true: 1}[b.Gateway.IsValid()]
			})
			for _, r := range routes {
				if err := route.Add(t.Context(), n.Conn, r); err != nil {
					t.Fatal(err)
				}
			}
		})
		report(t, "its routes: flush and refill", count, c, c.g1+c.lan)
	})
}
