package table_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A gateway in no subnet of the interface, which has to be told; a link-local
// one; a macvlan and a vxlan interface: what the kernel says is the next hop,
// and where the packets are seen. Without the uplink both say u1.
func TestGatewaysAndLinks(t *testing.T) {
	for _, x := range []struct {
		name    string
		prepare func(n *tabletest.Network) // the interface, its address and the gateway
		uplink  table.SourceRoutedUplink
		src     string
		f       tabletest.Family
		far     string // where the packets are seen
	}{
		{
			name: "onlink ipv4",
			prepare: func(n *tabletest.Network) {
				n.Net.Addr("lo", "172.31.255.1/32")
			},
			uplink: table.SourceRoutedUplink{Interface: "u2", Gateway: netip.MustParseAddr("172.31.255.1"), OnLink: true},
			src:    tabletest.IPv4.A2, f: tabletest.IPv4, far: "g2",
		},
		{
			name: "onlink ipv6",
			prepare: func(n *tabletest.Network) {
				n.Net.Addr("g2", "2001:db8:ffff::1/128")
			},
			uplink: table.SourceRoutedUplink{Interface: "u2", Gateway: netip.MustParseAddr("2001:db8:ffff::1"), OnLink: true},
			src:    tabletest.IPv6.A2, f: tabletest.IPv6, far: "g2",
		},
		{
			name: "link-local",
			prepare: func(n *tabletest.Network) {
				n.Net.Addr("g2", "fe80::1/64")
			},
			uplink: table.SourceRoutedUplink{Interface: "u2", Gateway: netip.MustParseAddr("fe80::1")},
			src:    tabletest.IPv6.A2, f: tabletest.IPv6, far: "g2",
		},
		{
			name: "macvlan ipv4",
			prepare: func(n *tabletest.Network) {
				n.Server.MACVLAN("mv0", "u2")
				n.Server.Addr("mv0", "10.30.0.2/24")
				n.Net.Addr("g2", "10.30.0.1/24")
			},
			uplink: table.SourceRoutedUplink{Interface: "mv0", Gateway: netip.MustParseAddr("10.30.0.1")},
			src:    "10.30.0.2", f: tabletest.IPv4, far: "g2",
		},
		{
			name: "macvlan ipv6",
			prepare: func(n *tabletest.Network) {
				n.Server.MACVLAN("mv0", "u2")
				n.Server.Addr("mv0", "2001:db8:30::2/64")
				n.Net.Addr("g2", "2001:db8:30::1/64")
			},
			uplink: table.SourceRoutedUplink{Interface: "mv0", Gateway: netip.MustParseAddr("2001:db8:30::1")},
			src:    "2001:db8:30::2", f: tabletest.IPv6, far: "g2",
		},
		{
			name: "vxlan ipv4",
			prepare: func(n *tabletest.Network) {
				addVXLAN(n, "vx0", tabletest.IPv4.A2, tabletest.IPv4.G2)
				n.Server.Addr("vx0", "10.31.0.2/24")
				n.Net.Addr("vx0", "10.31.0.1/24")
			},
			uplink: table.SourceRoutedUplink{Interface: "vx0", Gateway: netip.MustParseAddr("10.31.0.1")},
			src:    "10.31.0.2", f: tabletest.IPv4, far: "vx0",
		},
		{
			name: "vxlan ipv6 over ipv6",
			prepare: func(n *tabletest.Network) {
				addVXLAN(n, "vx0", tabletest.IPv6.A2, tabletest.IPv6.G2)
				n.Server.Addr("vx0", "2001:db8:31::2/64")
				n.Net.Addr("vx0", "2001:db8:31::1/64")
			},
			uplink: table.SourceRoutedUplink{Interface: "vx0", Gateway: netip.MustParseAddr("2001:db8:31::1")},
			src:    "2001:db8:31::2", f: tabletest.IPv6, far: "vx0",
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			x.prepare(n)
			x.uplink.Etc = n.Etc
			far := n.Net.Tap(x.far)
			tabletest.Serve(t, n.Net, x.f.TCP, net.JoinHostPort(x.f.Client, "80"))
			from := func(p lab.Packet) bool { return !p.Out && p.Proto == 6 && p.Src.Addr() == netip.MustParseAddr(x.src) }

			wantNextHop(n, x.src, x.f.Client, "u1", x.f.G1)
			tabletest.Connect(t, n.Server, x.f.TCP, x.src, net.JoinHostPort(x.f.Client, "80"))
			if n.G1.Count(from) == 0 || far.Count(from) != 0 {
				t.Errorf("without the uplink: %d packets at g1 and %d at %s", n.G1.Count(from), far.Count(from), x.far)
			}
			before := n.Snapshot()
			n.Install(x.uplink)
			n.G1.Reset()
			wantNextHop(n, x.src, x.f.Client, x.uplink.Interface, x.uplink.Gateway.String())
			tabletest.Connect(t, n.Server, x.f.TCP, x.src, net.JoinHostPort(x.f.Client, "80"))
			if n.G1.Count(from) != 0 || far.Count(from) == 0 {
				t.Errorf("%d packets at g1 and %d at %s", n.G1.Count(from), far.Count(from), x.far)
			}
			n.Remove(x.uplink)
			n.WantSnapshot("Remove", before)
		})
	}
}

// addVXLAN makes a tunnel between the server and the net.
func addVXLAN(n *tabletest.Network, name, local, remote string) {
	n.T.Helper()
	a, b := netip.MustParseAddr(local), netip.MustParseAddr(remote)
	n.Server.VXLAN(name, lab.VXLAN{ID: 7, Parent: "u2", Local: a, Remote: b})
	n.Net.VXLAN(name, lab.VXLAN{ID: 7, Parent: "g2", Local: b, Remote: a})
}

// A point-to-point interface without a gateway: all destinations are on the
// link, of both families. The other end of this one asks for the neighbour, as
// a tunnel does not: for IPv6 in vain, since the client is not on that link.
func TestPointToPointPackets(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Server.Link("ppp0", n.Net, "ppp1")
		src := map[string]string{"tcp4": "10.40.0.2/32", "tcp6": "2001:db8:40::2/128"}[f.TCP]
		n.Server.Addr("ppp0", src)
		far := n.Net.Tap("ppp1")
		a := netip.MustParsePrefix(src).Addr()
		u := table.SourceRoutedUplink{Name: "tunnel", Table: 40, Interface: "ppp0", Sources: []netip.Addr{a}, Etc: n.Etc}
		from := func(p lab.Packet) bool { return !p.Out && p.Proto == 17 && p.Src.Addr() == a }
		wantNextHop(n, a.String(), f.Client, "u1", f.G1)
		n.SendUDP(a.String(), net.JoinHostPort(f.Client, "9"))
		if n.G1.Count(from) != 1 {
			t.Error("without the uplink the packet is not at g1: the test proves nothing")
		}
		before := n.Snapshot()
		n.Install(u)
		wantNextHop(n, a.String(), f.Client, "ppp0", "")
		n.G1.Reset()
		n.SendUDP(a.String(), net.JoinHostPort(f.Client, "9"))
		seen := func(p lab.Packet) bool { return !p.Out && (from(p) || p.Proto == 58 && p.Type == 135) }
		if far.Wait(1, seen, 5*time.Second) == 0 || n.G1.Count(from) != 0 {
			t.Errorf("%d packets at g1, %d at the other end", n.G1.Count(from), far.Count(seen))
		}
		n.Remove(u)
		n.WantSnapshot("Remove", before)
	})
}
