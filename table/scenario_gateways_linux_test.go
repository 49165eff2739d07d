package table_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table"
)

// A gateway in no subnet of the interface, which has to be told; a link-local
// one; a macvlan and a vxlan interface: what the kernel says is the next hop,
// and where the packets are seen. Without the uplink both say u1.
func TestGatewaysAndLinks(t *testing.T) {
	for _, x := range []struct {
		name    string
		prepare func(n *network) // the interface, its address and the gateway
		uplink  table.SourceRoutedUplink
		src     string
		f       family
		far     string // where the packets are seen
	}{
		{
			name: "onlink ipv4",
			prepare: func(n *network) {
				n.net.Addr("lo", "172.31.255.1/32")
			},
			uplink: table.SourceRoutedUplink{Interface: "u2", Gateway: addr("172.31.255.1"), OnLink: true},
			src:    ip4.a2, f: ip4, far: "g2",
		},
		{
			name: "onlink ipv6",
			prepare: func(n *network) {
				n.net.Addr("g2", "2001:db8:ffff::1/128")
			},
			uplink: table.SourceRoutedUplink{Interface: "u2", Gateway: addr("2001:db8:ffff::1"), OnLink: true},
			src:    ip6.a2, f: ip6, far: "g2",
		},
		{
			name: "link-local",
			prepare: func(n *network) {
				n.net.Addr("g2", "fe80::1/64")
			},
			uplink: table.SourceRoutedUplink{Interface: "u2", Gateway: addr("fe80::1")},
			src:    ip6.a2, f: ip6, far: "g2",
		},
		{
			name: "macvlan ipv4",
			prepare: func(n *network) {
				n.server.MACVLAN("mv0", "u2")
				n.server.Addr("mv0", "10.30.0.2/24")
				n.net.Addr("g2", "10.30.0.1/24")
			},
			uplink: table.SourceRoutedUplink{Interface: "mv0", Gateway: addr("10.30.0.1")},
			src:    "10.30.0.2", f: ip4, far: "g2",
		},
		{
			name: "macvlan ipv6",
			prepare: func(n *network) {
				n.server.MACVLAN("mv0", "u2")
				n.server.Addr("mv0", "2001:db8:30::2/64")
				n.net.Addr("g2", "2001:db8:30::1/64")
			},
			uplink: table.SourceRoutedUplink{Interface: "mv0", Gateway: addr("2001:db8:30::1")},
			src:    "2001:db8:30::2", f: ip6, far: "g2",
		},
		{
			name: "vxlan ipv4",
			prepare: func(n *network) {
				n.vxlan("vx0", ip4.a2, ip4.g2)
				n.server.Addr("vx0", "10.31.0.2/24")
				n.net.Addr("vx0", "10.31.0.1/24")
			},
			uplink: table.SourceRoutedUplink{Interface: "vx0", Gateway: addr("10.31.0.1")},
			src:    "10.31.0.2", f: ip4, far: "vx0",
		},
		{
			name: "vxlan ipv6 over ipv6",
			prepare: func(n *network) {
				n.vxlan("vx0", ip6.a2, ip6.g2)
				n.server.Addr("vx0", "2001:db8:31::2/64")
				n.net.Addr("vx0", "2001:db8:31::1/64")
			},
			uplink: table.SourceRoutedUplink{Interface: "vx0", Gateway: addr("2001:db8:31::1")},
			src:    "2001:db8:31::2", f: ip6, far: "vx0",
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			n := newNetwork(t)
			x.prepare(n)
			x.uplink.Etc = n.etc
			far := n.net.Tap(x.far)
			serve(t, n.net, x.f.tcp, net.JoinHostPort(x.f.client, "80"))
			from := func(p lab.Packet) bool { return !p.Out && p.Proto == 6 && p.Src.Addr() == addr(x.src) }

			n.wantNextHop(x.src, x.f.client, "u1", x.f.g1)
			connect(t, n.server, x.f.tcp, x.src, net.JoinHostPort(x.f.client, "80"))
			if n.g1.Count(from) == 0 || far.Count(from) != 0 {
				t.Errorf("without the uplink: %d packets at g1 and %d at %s", n.g1.Count(from), far.Count(from), x.far)
			}
			before := n.snapshot()
			n.install(x.uplink)
			n.g1.Reset()
			n.wantNextHop(x.src, x.f.client, x.uplink.Interface, x.uplink.Gateway.String())
			connect(t, n.server, x.f.tcp, x.src, net.JoinHostPort(x.f.client, "80"))
			if n.g1.Count(from) != 0 || far.Count(from) == 0 {
				t.Errorf("%d packets at g1 and %d at %s", n.g1.Count(from), far.Count(from), x.far)
			}
			n.remove(x.uplink)
			n.unchanged("Remove", before)
		})
	}
}

// vxlan makes a tunnel between the server and the net.
func (n *network) vxlan(name, local, remote string) {
	n.t.Helper()
	a, b := netip.MustParseAddr(local), netip.MustParseAddr(remote)
	n.server.VXLAN(name, lab.VXLAN{ID: 7, Parent: "u2", Local: a, Remote: b})
	n.net.VXLAN(name, lab.VXLAN{ID: 7, Parent: "g2", Local: b, Remote: a})
}

// A point-to-point interface without a gateway: all destinations are on the
// link, of both families. The other end of this one asks for the neighbour, as
// a tunnel does not: for IPv6 in vain, since the client is not on that link.
func TestPointToPointPackets(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.server.Link("ppp0", n.net, "ppp1")
		src := map[string]string{"tcp4": "10.40.0.2/32", "tcp6": "2001:db8:40::2/128"}[f.tcp]
		n.server.Addr("ppp0", src)
		far := n.net.Tap("ppp1")
		a := netip.MustParsePrefix(src).Addr()
		u := table.SourceRoutedUplink{Name: "tunnel", Table: 40, Interface: "ppp0", Sources: []netip.Addr{a}, Etc: n.etc}
		from := func(p lab.Packet) bool { return !p.Out && p.Proto == 17 && p.Src.Addr() == a }
		n.wantNextHop(a.String(), f.client, "u1", f.g1)
		n.sendUDP(a.String(), net.JoinHostPort(f.client, "9"))
		if n.g1.Count(from) != 1 {
			t.Error("without the uplink the packet is not at g1: the test proves nothing")
		}
		before := n.snapshot()
		n.install(u)
		n.wantNextHop(a.String(), f.client, "ppp0", "")
		n.g1.Reset()
		n.sendUDP(a.String(), net.JoinHostPort(f.client, "9"))
		seen := func(p lab.Packet) bool { return !p.Out && (from(p) || p.Proto == 58 && p.Type == 135) }
		if far.Wait(1, seen, 5*time.Second) == 0 || n.g1.Count(from) != 0 {
			t.Errorf("%d packets at g1, %d at the other end", n.g1.Count(from), far.Count(seen))
		}
		n.remove(u)
		n.unchanged("Remove", before)
	})
}
