package table_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// withoutDefault deletes main's default route of a family.
func (n *network) withoutDefault(f family) {
	n.t.Helper()
	if err := route.Delete(n.t.Context(), n.c, route.Route{Gateway: netip.MustParseAddr(f.g1)}); err != nil {
		n.t.Fatal(err)
	}
}

// sharing is an update of uplinks that go on to share a default route.
func sharing(uplinks ...table.MaintainedUplink) table.MaintainUpdate {
	return table.MaintainUpdate{Uplinks: uplinks, Default: new(table.SharedDefault)}
}

// sharedDefault is the routes that are ours in a table that is no uplink's.
func (n *network) sharedDefault(f family, id rttables.ID) string {
	n.t.Helper()
	links, err := route.ListLinks(n.t.Context(), n.c)
	if err != nil {
		n.t.Fatal(err)
	}
	filter := route.Filter{Table: id, Protocol: table.Protocol, Family: route.FamilyOf(netip.MustParseAddr(f.a1))}
	var lines []string
	for r, err := range route.All(n.t.Context(), n.c, filter) {
		if err != nil {
			n.t.Fatal(err)
		}
		for i := range r.Multipath { // the kernel's own flags
			r.Multipath[i].Flags &= route.FlagOnLink
		}
		text := r.Canonical().Text(&route.Names{Links: links})
		lines = append(lines, strings.TrimSuffix(text, " pref medium"))
	}
	return strings.Join(lines, "\n")
}

// awaitDefault waits until the shared default in main is what it should be.
func (k *keeper) awaitDefault(f family, what, want string) {
	k.n.t.Helper()
	end := time.Now().Add(patience)
	for ; k.n.sharedDefault(f, rttables.Main) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			k.n.t.Fatalf("%s: the shared default is\n%q, want\n%q\n%s", what, k.n.sharedDefault(f, rttables.Main), want, k.text())
		}
	}
}

// over is the shared default in main over one or two next hops.
func over(hops ...string) string {
	if len(hops) == 1 {
		return "default " + hops[0] + " proto 210 metric 50"
	}
	text := "default proto 210 metric 50 nexthop " + strings.Join(hops, " nexthop ") + " "
	return strings.TrimSpace(strings.ReplaceAll(text, " weight 1 ", " ")) // 1 is not printed
}

// flows sends datagrams to many ports of the client by sockets without an address,
// and counts them at the routers. Each has to have the address of its way.
func (n *network) flows(f family, count int) (byG1, byG2 int) {
	n.t.Helper()
	n.g1.Reset()
	n.g2.Reset()
	for i := range count {
		conn, err := n.server.Dial(n.t.Context(), "udp", "", net.JoinHostPort(f.client, fmt.Sprint(10000+i)))
		if err != nil {
			n.t.Fatal(err)
		}
		if _, err := conn.Write([]byte("x")); err != nil {
			n.t.Fatal(err)
		}
		conn.Close()
	}
	match := func(src string) func(lab.Packet) bool {
		a := netip.MustParseAddr(src)
		return func(p lab.Packet) bool {
			return !p.Out && p.Proto == 17 && p.Src.Addr() == a && int(p.Dst.Port()) >= 10000 && int(p.Dst.Port()) < 10000+count
		}
	}
	for end := time.Now().Add(patience); byG1+byG2 < count && time.Now().Before(end); time.Sleep(time.Millisecond) {
		byG1, byG2 = n.g1.Count(match(f.a1)), n.g2.Count(match(f.a2))
	}
	if byG1+byG2 != count {
		n.t.Errorf("of %d flows %d left by g1 and %d by g2 with the address of their way", count, byG1, byG2)
	}
	return byG1, byG2
}

// hashPorts has flows told apart by their ports.
func (n *network) hashPorts() {
	n.server.Sysctl("net.ipv4.fib_multipath_hash_policy", "1")
	n.server.Sysctl("net.ipv6.fib_multipath_hash_policy", "1")
	n.server.Sysctl("net.ipv6.conf.u1.keep_addr_on_down", "1")
	n.server.Sysctl("net.ipv6.conf.u2.keep_addr_on_down", "1")
}

func weighted(u table.MaintainedUplink, weight int) table.MaintainedUplink {
	u.Weight = weight
	return u
}

func withdrawing(h table.Health) table.Health {
	h.Withdraw = true
	return h
}

// Flows are shared by weight over the uplinks that are healthy and complete.
func TestSharedDefault(t *testing.T) {
	t.Parallel()
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.hashPorts()
		cut, mend := n.breakable(f)
		serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
		n.withoutDefault(f)
		before := n.snapshot()
		h := withdrawing(tcpTo(f, 80))
		one, two := weighted(probed(n.uplink1(f), h), 3), weighted(probed(n.uplink2(f), h), 1)
		update := make(chan table.MaintainUpdate)
		config := table.MaintainConfig{Rate: 100, Default: new(table.SharedDefault), Update: update}
		k := n.maintain(config, one, two)
		via1, via2 := "via "+f.g1+" dev u1", "via "+f.g2+" dev u2"
		both := over(via1+" weight 3", via2+" weight 1")
		k.awaitDefault(f, "installed", both)
		k.await(0, "installed", func(e table.Event) bool {
			return e.Kind == table.EventInstalled && e.Uplink == "(default)" && len(e.Steps) == 1 &&
				e.Family == route.FamilyOf(netip.MustParseAddr(f.a1))
		})
		if g1, g2 := n.flows(f, 400); g1 < 240 || g1 > 360 {
			t.Errorf("shared 3 to 1: %d by g1, %d by g2", g1, g2)
		}

		cut("g1")
		k.awaitDefault(f, "u1 is unhealthy", over(via2))
		if g1, _ := n.flows(f, 50); g1 > 0 {
			t.Errorf("%d of 50 flows by the unhealthy uplink", g1)
		}
		mend("g1")
		k.awaitDefault(f, "u1 is healthy again", both)

		n.server.Down("u2")
		k.awaitDefault(f, "u2 is down", over(via1))
		n.server.Up("u2")
		k.awaitDefault(f, "u2 is up again", both)

		// Someone deletes it.
		if _, err := route.Flush(t.Context(), n.dial(n.server), route.Filter{Table: rttables.Main, Protocol: table.Protocol}); err != nil {
			t.Fatal(err)
		}
		k.awaitDefault(f, "it was deleted", both)

		// Another gateway, and other weights.
		other := f.g2 + "0"
		n.net.Addr("g2", other+map[family]string{ip4: "/24", ip6: "/64"}[f])
		two.Gateway, two.Weight, one.Weight = netip.MustParseAddr(other), 3, 1
		update <- sharing(one, two)
		k.awaitDefault(f, "another gateway", over(via1+" weight 1", "via "+other+" dev u2 weight 3"))
		if g1, g2 := n.flows(f, 400); g1 < 40 || g1 > 160 {
			t.Errorf("shared 1 to 3: %d by g1, %d by g2", g1, g2)
		}
		// One of them gives up its share.
		two.Weight = 0
		update <- sharing(one, two)
		k.awaitDefault(f, "no weight", over(via1))
		k.stop()
		if got := n.sharedDefault(f, rttables.Main); got != over(via1) {
			t.Errorf("it does not stay: %q", got)
		}

		// Another process finds what is there already, and takes it away at the end.
		config.Remove = true
		k = n.maintain(config, one)
		if got := n.sharedDefault(f, rttables.Main); got != over(via1) {
			t.Errorf("another process makes it %q", got)
		}
		k.stop()
		if !strings.Contains(k.text(), "uplink (default) "+map[family]string{ip4: "IPv4", ip6: "IPv6"}[f]+" removed") {
			t.Errorf("nothing says that it is removed:\n%s", k.text())
		}
		n.remove(two.SourceRoutedUplink)
		n.unchanged("the end", before)
	})
}

// When all are unhealthy, the last one stays, as long as it can be used.
func TestSharedDefaultAllUnhealthy(t *testing.T) {
	t.Parallel()
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.hashPorts()
		cut, mend := n.breakable(f)
		serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
		n.withoutDefault(f)
		h := withdrawing(tcpTo(f, 80))
		one, two := weighted(probed(n.uplink1(f), h), 1), weighted(probed(n.uplink2(f), h), 1)
		k := n.maintain(table.MaintainConfig{Rate: 100, Default: new(table.SharedDefault)}, one, two)
		via1, via2 := "via "+f.g1+" dev u1", "via "+f.g2+" dev u2"
		both := over(via1+" weight 1", via2+" weight 1")
		k.awaitDefault(f, "installed", both)
		k.until("both were probed", func() bool { return strings.Count(k.text(), " healthy") == 2 })
		cut("g1")
		k.awaitDefault(f, "u1 is unhealthy", over(via2))
		from := len(k.log())
		cut("g2")
		k.awaitKind(from, table.EventUnhealthy)
		time.Sleep(100 * time.Millisecond)
		k.awaitDefault(f, "both are unhealthy", over(via2))
		n.server.Down("u2")
		k.awaitDefault(f, "the last one is down", over(via1))
		n.server.Down("u1")
		k.await(from, "pending", func(e table.Event) bool {
			return e.Kind == table.EventPending && e.Uplink == "(default)"
		})
		n.server.Up("u1")
		n.server.Up("u2")
		k.until("there is one again", func() bool { return n.sharedDefault(f, rttables.Main) != "" })
		mend("g2")
		k.awaitDefault(f, "u2 is healthy", over(via2))
		mend("g1")
		k.awaitDefault(f, "both are healthy", both)
	})
}

// An uplink without a gateway shares IPv4. IPv6 has no such next hops.
func TestSharedDefaultWithoutGateway(t *testing.T) {
	n := newNetwork(t)
	n.server.Link("t0", n.net, "h0")
	n.server.Addr("t0", "10.8.0.2/24", "2001:db8:8::2/64")
	for _, f := range []family{ip4, ip6} {
		n.withoutDefault(f)
	}
	tun := table.MaintainedUplink{SourceRoutedUplink: table.SourceRoutedUplink{Interface: "t0", Table: 8, Etc: n.etc}, Weight: 2}
	update := make(chan table.MaintainUpdate)
	k := n.maintain(table.MaintainConfig{Default: new(table.SharedDefault), Update: update, Remove: true}, tun,
		weighted(maintained(n.uplink2(ip4))[0], 1), weighted(maintained(n.uplink2(ip6))[0], 1))
	k.awaitDefault(ip4, "a tunnel and a router", over("dev t0 weight 2", "via 10.2.0.1 dev u2 weight 1"))
	k.awaitDefault(ip6, "only the router", over("via 2001:db8:2::1 dev u2"))
	// A family in which nobody has a share loses the route.
	update <- sharing(tun)
	k.awaitDefault(ip4, "a tunnel", over("dev t0"))
	k.awaitDefault(ip6, "nobody", "")
	k.await(0, "removed", func(e table.Event) bool {
		return e.Kind == table.EventRemoved && e.Uplink == "(default)" && e.Family == route.IPv6 && len(e.Steps) == 1
	})
}

// Uplinks of different addresses by the same gateway are one next hop.
func TestSharedDefaultSameGateway(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.withoutDefault(f)
		third := strings.TrimSuffix(f.a2, "2") + "7"
		n.server.Addr("u2", third+map[family]string{ip4: "/24", ip6: "/64"}[f])
		two, three := n.uplink2(f), n.uplink2(f)
		two.Sources = []netip.Addr{netip.MustParseAddr(f.a2)}
		three.Name, three.Table, three.Sources = "lan3", 30, []netip.Addr{netip.MustParseAddr(third)}
		k := n.maintain(table.MaintainConfig{Default: new(table.SharedDefault)}, weighted(maintained(two)[0], 200),
			weighted(maintained(three)[0], 100), weighted(maintained(n.uplink1(f))[0], 2))
		k.awaitDefault(f, "two by one gateway", over("via "+f.g2+" dev u2 weight 256", "via "+f.g1+" dev u1 weight 2"))
	})
}

// While the route is replaced, by one of one next hop or of several, no packet is
// without a way. The control, delete and add, loses some.
func TestSharedDefaultIsReplaced(t *testing.T) {
	t.Parallel()
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.withoutDefault(f)
		update := make(chan table.MaintainUpdate)
		one, two := weighted(maintained(n.uplink1(f))[0], 1), weighted(maintained(n.uplink2(f))[0], 1)
		k := n.maintain(table.MaintainConfig{Rate: 1000, Default: new(table.SharedDefault), Update: update}, one, two)
		swallow(t, n, f)
		// IPv6 gives an address also to a packet without a way, and looks again: the
		// rule of that address would hide what is missing.
		for _, a := range []string{f.a1, f.a2} {
			r := rule.Rule{From: netip.MustParsePrefix(host(a)), To: netip.MustParsePrefix(host(f.client)), Action: rule.ActionUnreachable, Priority: rule.Priority(5)}
			if err := rule.Add(t.Context(), n.c, r); err != nil {
				t.Fatal(err)
			}
		}
		flood := func(do func(i int)) (sent, failed int) {
			pc, err := n.server.ListenPacket(strings.Replace(f.tcp, "tcp", "udp", 1), ":0")
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			end, done := make(chan struct{}), make(chan struct{})
			dst := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(f.client), 9))
			go func() {
				defer close(done)
				for {
					select {
					case <-end:
						return
					default:
					}
					if _, err := pc.WriteTo([]byte("x"), dst); err != nil {
						failed++
					} else {
						sent++
					}
				}
			}()
			for i := range 60 {
				do(i)
				time.Sleep(time.Millisecond)
			}
			close(end)
			<-done
			return sent, failed
		}
		replaced := k.counters.Steps.Load()
		sent, failed := flood(func(i int) {
			from := len(k.log())
			list := [][]table.MaintainedUplink{{one, two}, {weighted(one, 0), two}, {one, weighted(two, 0)}, {weighted(one, 9), two}}[i%4]
			update <- sharing(list...)
			k.awaitKind(from, table.EventReady)
		})
		if failed > 0 || sent == 0 {
			t.Errorf("%d sent, %d had no way", sent, failed)
		}
		if got := k.counters.Steps.Load() - replaced; got < 50 {
			t.Errorf("only %d changes were made:\n%s", got, k.text())
		}
		k.stop()
		routes, err := route.List(t.Context(), n.c, route.Filter{Table: rttables.Main, Protocol: table.Protocol})
		if err != nil || len(routes) != 1 {
			t.Fatal(routes, err)
		}
		for range 20 {
			if _, failed = flood(func(int) {
				if err := errors.Join(route.Delete(t.Context(), n.c, routes[0]), route.Add(t.Context(), n.c, routes[0])); err != nil {
					t.Fatal(err)
				}
			}); failed > 0 {
				return
			}
		}
		t.Error("the control loses nothing: the test proves nothing")
	})
}
