package table_test

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// Each of several addresses leaves by the uplink; one that is taken away takes
// its own rule along and no other.
func TestSeveralSources(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Addr("u2", "10.2.0.3/24", "10.22.0.2/24")
	n.Net.Addr("g2", "10.22.0.1/24")
	u := n.Uplink2(tabletest.IPv4)
	n.Install(u)
	tabletest.Serve(t, n.Net, "tcp4", net.JoinHostPort(tabletest.IPv4.Client, "80"))
	for _, src := range []string{"10.2.0.2", "10.2.0.3", "10.22.0.2"} {
		tabletest.Connect(t, n.Server, "tcp4", src, net.JoinHostPort(tabletest.IPv4.Client, "80"))
		n.WantRouter(src, 2)
	}
	with := n.Table(20)
	n.Server.DelAddr("u2", "10.2.0.3/24")
	n.Install(u)
	without := strings.ReplaceAll(with, "rule 31000: from 10.2.0.3 lookup 20 proto 210\n", "")
	if without == with {
		t.Errorf("there was no rule for the address:\n%s", with)
	}
	n.WantTable("without an address", 20, without)
}

// Both routers have the same subnet and the same address.
func TestSameSubnetTwice(t *testing.T) {
	l := lab.Test(t)
	server, a, b := l.NS("server"), l.NS("a"), l.NS("b")
	server.Link("u1", a, "g1")
	server.Link("u2", b, "g2")
	server.Addr("u1", "192.168.1.2/24")
	server.Addr("u2", "192.168.1.3/24")
	a.Addr("g1", "192.168.1.1/24")
	b.Addr("g2", "192.168.1.1/24")
	n := &tabletest.Network{T: t, Server: server, Etc: t.TempDir()}
	n.Conn = n.Dial(server)
	gw := netip.MustParseAddr("192.168.1.1")
	n.Install(
		table.SourceRoutedUplink{Table: 10, Interface: "u1", Gateway: gw, Etc: n.Etc},
		table.SourceRoutedUplink{Table: 20, Interface: "u2", Gateway: gw, Etc: n.Etc})
	for _, x := range []struct{ src, dst, dev string }{
		{"192.168.1.2", "198.51.100.10", "u1"},
		{"192.168.1.3", "198.51.100.10", "u2"},
		{"192.168.1.2", "192.168.1.77", "u1"},
		{"192.168.1.3", "192.168.1.77", "u2"},
	} {
		wantNextHop(n, x.src, x.dst, x.dev, "")
	}
}

// wantNextHop fails unless the kernel sends packets from src to dst by an
// interface and, if not empty, a gateway.
func wantNextHop(n *tabletest.Network, src, dst, dev, gateway string) {
	n.T.Helper()
	r, err := route.Lookup(n.T.Context(), n.Conn, route.Query{
		Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst),
	})
	if err != nil {
		n.T.Error(err)
		return
	}
	links, err := route.ListLinks(n.T.Context(), n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	gw := ""
	if r.Gateway.IsValid() {
		gw = r.Gateway.String()
	}
	if links.Name(r.OIF) != dev || gateway != "" && gw != gateway {
		n.T.Errorf("from %s to %s: dev %s via %q, want dev %s via %q", src, dst, links.Name(r.OIF), gw, dev, gateway)
	}
}

// Gateways outside every subnet, link-local ones, and links of other kinds.
func TestOtherGateways(t *testing.T) {
	n := tabletest.NewNetwork(t)
	before := n.Snapshot()
	onLink := n.Uplink2(tabletest.IPv4)
	onLink.Gateway, onLink.OnLink = netip.MustParseAddr("172.31.255.1"), true
	linkLocal := n.Uplink2(tabletest.IPv6)
	linkLocal.Gateway = netip.MustParseAddr("fe80::1")
	n.Install(onLink, linkLocal)
	wantNextHop(n, "10.2.0.2", "198.51.100.10", "u2", "172.31.255.1")
	wantNextHop(n, "2001:db8:2::2", "2001:db8:99::10", "u2", "fe80::1")
	installed := n.Snapshot()
	n.Install(onLink, linkLocal)
	n.WantSnapshot("Install again", installed)
	n.Remove(onLink, linkLocal)
	n.WantSnapshot("Remove", before)
}

func TestOtherLinks(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.MACVLAN("mv0", "u2")
	n.Server.VXLAN("vx0", lab.VXLAN{ID: 7, Parent: "u2"})
	for i, dev := range []string{"mv0", "vx0"} {
		subnet := []string{"10.30.0.", "10.31.0."}[i]
		n.Server.Up(dev)
		n.Server.Addr(dev, subnet+"2/24")
		n.Install(table.SourceRoutedUplink{
			Interface: dev, Gateway: netip.MustParseAddr(subnet + "1"), Etc: n.Etc,
		})
		wantNextHop(n, subnet+"2", "198.51.100.10", dev, subnet+"1")
	}
}

// A tunnel has no gateway, and an address of a single host. Every namespace can
// have one end of a wire without ARP; a tun device needs a file that a machine
// may lack or keep for root.
func TestPointToPoint(t *testing.T) {
	links := map[string]func(t *testing.T, n *tabletest.Network){
		"veth": func(_ *testing.T, n *tabletest.Network) {
			n.Server.Link("tun0", n.Net, "peer0")
			n.Server.NoARP("tun0")
		},
	}
	if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err == nil {
		f.Close()
		links["tun"] = func(t *testing.T, n *tabletest.Network) {
			if _, err := n.Server.TUN("tun0"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, link := range links {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			link(t, n)
			n.Server.Addr("tun0", "10.40.0.2/32", "2001:db8:40::2/128")
			before := n.Snapshot()
			u := table.SourceRoutedUplink{Name: "tunnel", Table: 40, Interface: "tun0", Etc: n.Etc}
			n.Install(u)
			wantNextHop(n, "10.40.0.2", "198.51.100.10", "tun0", "")
			wantNextHop(n, "2001:db8:40::2", "2001:db8:99::10", "tun0", "")
			n.WantPlan("again", "\n", u)
			n.Remove(u)
			n.WantSnapshot("Remove", before)
		})
	}
}

// Strict reverse path filtering on the server drops nothing that belongs there.
func TestStrictReversePath(t *testing.T) {
	n := tabletest.NewNetwork(t)
	for _, key := range []string{"all", "u1", "u2"} {
		n.Server.Sysctl("net.ipv4.conf."+key+".rp_filter", "1")
	}
	n.Install(n.Uplink2(tabletest.IPv4))
	tabletest.Serve(t, n.Server, "tcp4", net.JoinHostPort(tabletest.IPv4.A2, "1194"))
	tabletest.Connect(t, n.Net, "tcp4", tabletest.IPv4.Client, net.JoinHostPort(tabletest.IPv4.A2, "1194"))
	n.WantRouter(tabletest.IPv4.A2, 2)
	// Loose would pass anything: see that the filter is on.
	tabletest.Serve(t, n.Server, "tcp4", net.JoinHostPort(tabletest.IPv4.A1, "1194"))
	tabletest.Connect(t, n.Net, "tcp4", tabletest.IPv4.Client, net.JoinHostPort(tabletest.IPv4.A1, "1194"))
	if dropped := n.ReversePathDrops(); dropped != 0 {
		t.Errorf("%d packets were dropped by the reverse path filter", dropped)
	}
}
