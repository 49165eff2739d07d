package table_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// Default routes that say more than a gateway are installed as they are, also by next hops
// of the interface. A second Install has nothing to do, and a change replaces what differs.
func TestDefaults(t *testing.T) {
	addr := netip.MustParseAddr
	n := tabletest.NewNetwork(t)
	before := n.Snapshot()
	u := n.Uplink2(tabletest.IPv4)
	u.Gateway, u.Routes = netip.Addr{}, []netip.Prefix{netip.MustParsePrefix("10.77.0.0/16")}
	u.Defaults = []route.Route{
		{Multipath: []route.NextHop{{Gateway: addr("10.2.0.1"), Weight: 3}, {Gateway: addr("10.2.0.9")}}, Metrics: &route.Metrics{MTU: 1400}},
		{Gateway: addr("10.99.0.1"), Flags: route.FlagOnLink, Priority: 7},
	}
	n.Install(u)
	want := `rule 31000: from 10.2.0.2 lookup 20 proto 210
route 10.2.0.0/24 dev u2 table 20 proto 210 src 10.2.0.2
route 10.77.0.0/16 table 20 proto 210 src 10.2.0.2 mtu 1400 nexthop via 10.2.0.1 dev u2 weight 3 nexthop via 10.2.0.9 dev u2
route 10.77.0.0/16 via 10.99.0.1 dev u2 table 20 proto 210 src 10.2.0.2 metric 7 onlink
route default table 20 proto 210 src 10.2.0.2 mtu 1400 nexthop via 10.2.0.1 dev u2 weight 3 nexthop via 10.2.0.9 dev u2
route default via 10.99.0.1 dev u2 table 20 proto 210 src 10.2.0.2 metric 7 onlink
`
	n.WantTable("several", 20, want)
	n.WantPlan("again", "\n", u)
	u.Routes, u.Defaults = nil, u.Defaults[:1]
	n.Install(u)
	u.Defaults[0].Multipath[1].Weight = 2
	n.WantPlan("a weight changes", `
ip route replace default table 20 proto 210 src 10.2.0.2 mtu 1400 nexthop via 10.2.0.1 dev u2 weight 3 nexthop via 10.2.0.9 dev u2 weight 2
`, u)
	n.Install(u)
	n.WantPlan("again", "\n", u)
	n.Remove(u)
	n.WantSnapshot("Remove", before)
}

// IPv4 packets go to a gateway of IPv6.
func TestIPv4ByIPv6Gateway(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Net.Addr("g2", "fe80::1/64")
	tabletest.Serve(t, n.Net, "tcp4", net.JoinHostPort(tabletest.IPv4.Client, "80"))
	u := n.Uplink2(tabletest.IPv4)
	u.Gateway = netip.MustParseAddr("fe80::1")
	for name, change := range map[string]func(u *table.SourceRoutedUplink){
		"Family":  func(u *table.SourceRoutedUplink) { u.Family = route.IPv4 },
		"Sources": func(u *table.SourceRoutedUplink) { u.Sources = []netip.Addr{netip.MustParseAddr(tabletest.IPv4.A2)} },
	} {
		u := u
		change(&u)
		n.Install(u)
		if got := n.Table(20); !strings.Contains(got, "route -4 default via inet6 fe80::1 dev u2 table 20 proto 210 src 10.2.0.2\n") {
			t.Errorf("%s says the family:\n%s", name, got)
		}
		n.WantPlan("again", "\n", u)
		n.G1.Reset()
		n.G2.Reset()
		tabletest.Connect(t, n.Server, "tcp4", tabletest.IPv4.A2, net.JoinHostPort(tabletest.IPv4.Client, "80"))
		n.WantRouter(tabletest.IPv4.A2, 2)
		n.Remove(u)
	}
}

// Without a gateway and sources, Family says which addresses take the uplink.
func TestFamily(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Link("t0", n.Net, "h0")
	n.Server.Addr("t0", "10.8.0.2/24", "2001:db8:8::2/64")
	u := table.SourceRoutedUplink{Table: 8, Interface: "t0", Family: route.IPv6, Etc: n.Etc}
	n.Install(u)
	n.WantTable("IPv6", 8, `rule 31000: from 2001:db8:8::2 lookup 8 proto 210
route 2001:db8:8::/64 dev t0 table 8 proto 210 src 2001:db8:8::2 metric 1024
route default dev t0 table 8 proto 210 src 2001:db8:8::2 metric 1024
`)
	other := u
	other.Family = route.IPv4
	n.Install(other)
	n.WantPlan("IPv6 again", "\n", u)
	n.WantPlan("IPv4 again", "\n", other)
	n.Remove(u)
	n.WantTable("IPv4", 8, `rule 31000: from 10.8.0.2 lookup 8 proto 210
route 10.8.0.0/24 dev t0 table 8 proto 210 src 10.8.0.2
route default dev t0 table 8 proto 210 src 10.8.0.2
`)
}
