package table_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// Three addresses in two subnets of one interface leave by its router, of both
// families; without the uplink by the other one. One that is taken away takes
// its own rule along, and nothing else.
func TestThreeSources(t *testing.T) {
	for name, x := range map[string]struct {
		tabletest.Family
		more, far string // addresses of u2 and of g2
	}{
		"ipv4": {tabletest.IPv4, "10.2.0.3/24 10.22.0.2/24", "10.22.0.1/24"},
		"ipv6": {tabletest.IPv6, "2001:db8:2::3/64 2001:db8:22::2/64", "2001:db8:22::1/64"},
	} {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			more := strings.Fields(x.more)
			n.Server.Addr("u2", more...)
			n.Net.Addr("g2", x.far)
			tabletest.Serve(t, n.Net, x.TCP, net.JoinHostPort(x.Client, "80"))
			second, _, _ := strings.Cut(more[0], "/")
			third, _, _ := strings.Cut(more[1], "/")
			sources := []string{x.A2, second, third}
			by := func(router int) {
				t.Helper()
				for _, src := range sources {
					n.G1.Reset()
					n.G2.Reset()
					tabletest.Connect(t, n.Server, x.TCP, src, net.JoinHostPort(x.Client, "80"))
					n.WantRouter(src, router)
				}
			}
			by(1)
			n.Install(n.Uplink2(x.Family))
			n.StrictReversePath("all", "u1", "u2")
			drops := n.ReversePathDrops()
			by(2)
			if now := n.ReversePathDrops(); now != drops {
				t.Errorf("%d packets were dropped by the reverse path filter", now-drops)
			}
			with := n.Table(20)
			// One that no route has as its source: the kernel lists IPv6 addresses the
			// newest first, and the first in the gateway's subnet is that of the routes.
			gone, keep := more[0], x.A2
			if x.TCP == "tcp6" {
				gone, keep = x.A2+"/64", second
				// Of two in a subnet the kernel chooses for packets on the link.
				with = strings.Replace(with, "route 2001:db8:2::/64 dev u2 table 20 proto 210 ",
					"route 2001:db8:2::/64 dev u2 table 20 proto 210 src "+second+" ", 1)
			}
			rule := "rule 31000: from " + strings.Split(gone, "/")[0] + " lookup 20 proto 210\n"
			n.Server.DelAddr("u2", gone)
			n.Install(n.Uplink2(x.Family))
			without := strings.Replace(with, rule, "", 1)
			if with == without {
				t.Errorf("there was no rule for %s:\n%s", gone, with)
			}
			n.WantTable("without "+gone, 20, without)
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
		tabletest.Family
		a1, a2, gateway, neighbour, length string
	}{
		"ipv4": {tabletest.IPv4, "192.168.1.2", "192.168.1.3", "192.168.1.1", "192.168.1.77", "/24"},
		"ipv6": {tabletest.IPv6, "2001:db8:3::2", "2001:db8:3::3", "2001:db8:3::1", "2001:db8:3::77", "/64"},
	} {
		t.Run(name, func(t *testing.T) {
			l := lab.Test(t)
			n := &tabletest.Network{T: t, Server: l.NS("server"), Etc: t.TempDir()}
			taps := make(map[string]*lab.Tap)
			for i, a := range []string{x.a1, x.a2} {
				dev := []string{"u1", "u2"}[i]
				router := l.NS("router of " + dev)
				n.Server.Link(dev, router, "g")
				n.Server.Addr(dev, a+x.length)
				router.Addr("g", x.gateway+x.length, x.neighbour+x.length)
				router.Addr("lo", tabletest.HostPrefix(x.Client))
				taps[dev] = router.Tap("g")
				tabletest.Serve(t, router, x.TCP, ":80")
			}
			n.Conn = n.Dial(n.Server)
			if err := n.AddRoute("default via " + x.gateway); err != nil {
				t.Fatal(err)
			}
			from2 := func(p lab.Packet) bool { return !p.Out && p.Proto == 17 && p.Src.Addr() == netip.MustParseAddr(x.a2) }
			// by sends from A2, and fails unless it is resolved and seen on one link.
			by := func(dev string) {
				t.Helper()
				for _, to := range []string{x.Client, x.neighbour} {
					for _, tap := range taps {
						tap.Reset()
					}
					n.SendUDP(x.a2, net.JoinHostPort(to, "9"))
					if taps[dev].Wait(1, from2, 5*time.Second) != 1 || taps["u1"].Count(from2)+taps["u2"].Count(from2) != 1 {
						t.Errorf("from %s to %s: %d packets on u1 and %d on u2, want one, on %s",
							x.a2, to, taps["u1"].Count(from2), taps["u2"].Count(from2), dev)
					}
				}
			}
			by("u1") // of the two routes to the subnet, the kernel takes the first
			n.Install(
				table.SourceRoutedUplink{Table: 10, Interface: "u1", Gateway: netip.MustParseAddr(x.gateway), Etc: n.Etc},
				table.SourceRoutedUplink{Table: 20, Interface: "u2", Gateway: netip.MustParseAddr(x.gateway), Etc: n.Etc})
			by("u2")
			for _, to := range []string{x.Client, x.neighbour} {
				tabletest.Connect(t, n.Server, x.TCP, x.a2, net.JoinHostPort(to, "80"))
			}
		})
	}
}
