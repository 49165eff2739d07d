package table_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// Each of several addresses leaves by the uplink; one that is taken away takes
// its own rule along and no other.
func TestSeveralSources(t *testing.T) {
	n := newNetwork(t)
	n.server.Addr("u2", "10.2.0.3/24", "10.22.0.2/24")
	n.net.Addr("g2", "10.22.0.1/24")
	u := n.uplink2(ip4)
	n.install(u)
	serve(t, n.net, "tcp4", net.JoinHostPort(ip4.client, "80"))
	for _, src := range []string{"10.2.0.2", "10.2.0.3", "10.22.0.2"} {
		connect(t, n.server, "tcp4", src, net.JoinHostPort(ip4.client, "80"))
		n.wantBy(src, 2)
	}
	with := n.ours(20)
	n.server.DelAddr("u2", "10.2.0.3/24")
	n.install(u)
	without := strings.ReplaceAll(with, "rule 31000: from 10.2.0.3 lookup 20 proto 210\n", "")
	if got := n.ours(20); got != without || without == with {
		t.Errorf("got:\n%swant:\n%s", got, without)
	}
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
	n := &network{t: t, server: server, etc: t.TempDir()}
	n.c = n.dial(server)
	gw := netip.MustParseAddr("192.168.1.1")
	n.install(
		table.SourceRoutedUplink{Table: 10, Interface: "u1", Gateway: gw, Etc: n.etc},
		table.SourceRoutedUplink{Table: 20, Interface: "u2", Gateway: gw, Etc: n.etc})
	for _, x := range []struct{ src, dst, dev string }{
		{"192.168.1.2", "198.51.100.10", "u1"},
		{"192.168.1.3", "198.51.100.10", "u2"},
		{"192.168.1.2", "192.168.1.77", "u1"},
		{"192.168.1.3", "192.168.1.77", "u2"},
	} {
		n.wantNextHop(x.src, x.dst, x.dev, "")
	}
}

// wantNextHop fails unless the kernel sends packets from src to dst by an
// interface and, if not empty, a gateway.
func (n *network) wantNextHop(src, dst, dev, gateway string) {
	n.t.Helper()
	r, err := route.Lookup(n.t.Context(), n.c, route.Query{
		Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst),
	})
	if err != nil {
		n.t.Error(err)
		return
	}
	links, err := route.ListLinks(n.t.Context(), n.c)
	if err != nil {
		n.t.Fatal(err)
	}
	gw := ""
	if r.Gateway.IsValid() {
		gw = r.Gateway.String()
	}
	if links.Name(r.OIF) != dev || gateway != "" && gw != gateway {
		n.t.Errorf("from %s to %s: dev %s via %q, want dev %s via %q", src, dst, links.Name(r.OIF), gw, dev, gateway)
	}
}

// Gateways outside every subnet, link-local ones, and links of other kinds.
func TestOtherGateways(t *testing.T) {
	n := newNetwork(t)
	before := n.snapshot()
	onLink := n.uplink2(ip4)
	onLink.Gateway, onLink.OnLink = netip.MustParseAddr("172.31.255.1"), true
	linkLocal := n.uplink2(ip6)
	linkLocal.Gateway = netip.MustParseAddr("fe80::1")
	n.install(onLink, linkLocal)
	n.wantNextHop("10.2.0.2", "198.51.100.10", "u2", "172.31.255.1")
	n.wantNextHop("2001:db8:2::2", "2001:db8:99::10", "u2", "fe80::1")
	installed := n.snapshot()
	n.install(onLink, linkLocal)
	n.unchanged("Install again", installed)
	n.remove(onLink, linkLocal)
	n.unchanged("Remove", before)
}

func TestOtherLinks(t *testing.T) {
	n := newNetwork(t)
	n.server.MACVLAN("mv0", "u2")
	n.server.VXLAN("vx0", lab.VXLAN{ID: 7, Parent: "u2"})
	for i, dev := range []string{"mv0", "vx0"} {
		subnet := []string{"10.30.0.", "10.31.0."}[i]
		n.server.Up(dev)
		n.server.Addr(dev, subnet+"2/24")
		n.install(table.SourceRoutedUplink{
			Interface: dev, Gateway: netip.MustParseAddr(subnet + "1"), Etc: n.etc,
		})
		n.wantNextHop(subnet+"2", "198.51.100.10", dev, subnet+"1")
	}
}

// A tunnel has no gateway, and an address of a single host. Every namespace can
// have one end of a wire without ARP; a tun device needs a file that a machine
// may lack or keep for root.
func TestPointToPoint(t *testing.T) {
	links := map[string]func(t *testing.T, n *network){
		"veth": func(_ *testing.T, n *network) {
			n.server.Link("tun0", n.net, "peer0")
			n.server.NoARP("tun0")
		},
	}
	if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err == nil {
		f.Close()
		links["tun"] = func(t *testing.T, n *network) {
			if _, err := n.server.TUN("tun0"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, link := range links {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			link(t, n)
			n.server.Addr("tun0", "10.40.0.2/32", "2001:db8:40::2/128")
			before := n.snapshot()
			u := table.SourceRoutedUplink{Name: "tunnel", Table: 40, Interface: "tun0", Etc: n.etc}
			n.install(u)
			n.wantNextHop("10.40.0.2", "198.51.100.10", "tun0", "")
			n.wantNextHop("2001:db8:40::2", "2001:db8:99::10", "tun0", "")
			n.wantPlan("again", "\n", u)
			n.remove(u)
			n.unchanged("Remove", before)
		})
	}
}

// Strict reverse path filtering on the server drops nothing that belongs there.
func TestStrictReversePath(t *testing.T) {
	n := newNetwork(t)
	for _, key := range []string{"all", "u1", "u2"} {
		n.server.Sysctl("net.ipv4.conf."+key+".rp_filter", "1")
	}
	n.install(n.uplink2(ip4))
	serve(t, n.server, "tcp4", net.JoinHostPort(ip4.a2, "1194"))
	connect(t, n.net, "tcp4", ip4.client, net.JoinHostPort(ip4.a2, "1194"))
	n.wantBy(ip4.a2, 2)
	// Loose would pass anything: see that the filter is on.
	serve(t, n.server, "tcp4", net.JoinHostPort(ip4.a1, "1194"))
	connect(t, n.net, "tcp4", ip4.client, net.JoinHostPort(ip4.a1, "1194"))
	if dropped := n.reversePathDrops(); dropped != 0 {
		t.Errorf("%d packets were dropped by the reverse path filter", dropped)
	}
}

// reversePathDrops reads IPReversePathFilter of the server.
func (n *network) reversePathDrops() (drops int64) {
	n.t.Helper()
	err := n.server.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/netstat")
		if err != nil {
			return err
		}
		lines := strings.Split(string(b), "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			keys, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
			for j, key := range keys {
				if key == "IPReversePathFilter" {
					drops, err = strconv.ParseInt(values[j], 10, 64)
					return err
				}
			}
		}
		return errors.New("no IPReversePathFilter")
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return drops
}
