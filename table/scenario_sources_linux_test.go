package table_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table"
)

// Three addresses in two subnets of one interface leave by its router, of both
// families; without the uplink by the other one. One that is taken away takes
// its own rule along, and nothing else.
func TestThreeSources(t *testing.T) {
	for name, x := range map[string]struct {
		family
		more, far string // addresses of u2 and of g2
	}{
		"ipv4": {ip4, "10.2.0.3/24 10.22.0.2/24", "10.22.0.1/24"},
		"ipv6": {ip6, "2001:db8:2::3/64 2001:db8:22::2/64", "2001:db8:22::1/64"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			more := strings.Fields(x.more)
			n.server.Addr("u2", more...)
			n.net.Addr("g2", x.far)
			serve(t, n.net, x.tcp, net.JoinHostPort(x.client, "80"))
			second, _, _ := strings.Cut(more[0], "/")
			third, _, _ := strings.Cut(more[1], "/")
			sources := []string{x.a2, second, third}
			by := func(router int) {
				t.Helper()
				for _, src := range sources {
					n.g1.Reset()
					n.g2.Reset()
					connect(t, n.server, x.tcp, src, net.JoinHostPort(x.client, "80"))
					n.wantBy(src, router)
				}
			}
			by(1)
			n.install(n.uplink2(x.family))
			n.strict("all", "u1", "u2")
			drops := n.reversePathDrops()
			by(2)
			if now := n.reversePathDrops(); now != drops {
				t.Errorf("%d packets were dropped by the reverse path filter", now-drops)
			}
			with := n.ours(20)
			// One that no route has as its source: the kernel lists IPv6
			// addresses the newest first, and the first is that of the routes.
			gone, keep := more[0], x.a2
			if x.tcp == "tcp6" {
				gone, keep = x.a2+"/64", second
			}
			rule := "rule 31000: from " + strings.Split(gone, "/")[0] + " lookup 20 proto 210\n"
			n.server.DelAddr("u2", gone)
			n.install(n.uplink2(x.family))
			without := strings.Replace(with, rule, "", 1)
			if got := n.ours(20); got != without || with == without {
				t.Errorf("got:\n%swant:\n%s", got, without)
			}
			sources = []string{keep, third}
			by(2)
		})
	}
}

// Both routers have the same subnet and the same address. What leaves from A2
// is for the second one's gateway and neighbours, which are resolved on u2;
// without the uplinks they are resolved, and served, on u1.
func TestSameSubnetPackets(t *testing.T) {
	for name, x := range map[string]struct {
		family
		a1, a2, gateway, neighbour, length string
	}{
		"ipv4": {ip4, "192.168.1.2", "192.168.1.3", "192.168.1.1", "192.168.1.77", "/24"},
		"ipv6": {ip6, "2001:db8:3::2", "2001:db8:3::3", "2001:db8:3::1", "2001:db8:3::77", "/64"},
	} {
		t.Run(name, func(t *testing.T) {
			l := lab.Test(t)
			n := &network{t: t, server: l.NS("server"), etc: t.TempDir()}
			taps := make(map[string]*lab.Tap)
			for i, a := range []string{x.a1, x.a2} {
				dev := []string{"u1", "u2"}[i]
				router := l.NS("router of " + dev)
				n.server.Link(dev, router, "g")
				n.server.Addr(dev, a+x.length)
				router.Addr("g", x.gateway+x.length, x.neighbour+x.length)
				router.Addr("lo", host(x.client))
				taps[dev] = router.Tap("g")
				serve(t, router, x.tcp, ":80")
			}
			n.c = n.dial(n.server)
			if err := n.addRoute("default via " + x.gateway); err != nil {
				t.Fatal(err)
			}
			from2 := func(p lab.Packet) bool { return !p.Out && p.Proto == 17 && p.Src.Addr() == addr(x.a2) }
			// by sends from A2, and fails unless it is resolved and seen on one link.
			by := func(dev string) {
				t.Helper()
				for _, to := range []string{x.client, x.neighbour} {
					for _, tap := range taps {
						tap.Reset()
					}
					n.sendUDP(x.a2, net.JoinHostPort(to, "9"))
					if taps[dev].Wait(1, from2, 5*time.Second) != 1 || taps["u1"].Count(from2)+taps["u2"].Count(from2) != 1 {
						t.Errorf("from %s to %s: %d packets on u1 and %d on u2, want one, on %s",
							x.a2, to, taps["u1"].Count(from2), taps["u2"].Count(from2), dev)
					}
				}
			}
			by("u1") // of the two routes to the subnet, the kernel takes the first
			n.install(
				table.SourceRoutedUplink{Table: 10, Interface: "u1", Gateway: addr(x.gateway), Etc: n.etc},
				table.SourceRoutedUplink{Table: 20, Interface: "u2", Gateway: addr(x.gateway), Etc: n.etc})
			by("u2")
			for _, to := range []string{x.client, x.neighbour} {
				connect(t, n.server, x.tcp, x.a2, net.JoinHostPort(to, "80"))
			}
		})
	}
}

// host is an address as a prefix.
func host(a string) string { return netip.PrefixFrom(addr(a), addr(a).BitLen()).String() }
