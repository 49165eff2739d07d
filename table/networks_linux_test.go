package table_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A behind is a network behind the server, by the interface lan.
type behind struct {
	tabletest.Family
	prefix, subnet string // the prefix is what a provider has delegated
	host           string // an address in the subnet
	second         string // a subnet of another interface
	neighbour      string // a host there
}

// behinds has a network of each family.
var behinds = map[string]behind{
	"ipv4": {tabletest.IPv4, "198.18.0.0/16", "198.18.1.0/24", "198.18.1.10", "198.18.2.0/24", "198.18.2.10"},
	"ipv6": {tabletest.IPv6, "2001:db8:700::/56", "2001:db8:700:1::/64", "2001:db8:700:1::a", "2001:db8:700:2::/64", "2001:db8:700:2::a"},
}

// wantBy fails the test unless what ns sends from an address to another leaves by one
// router, 1 or 2.
func wantBy(n *tabletest.Network, ns *lab.NS, from, to string, router int) {
	n.T.Helper()
	g1, g2 := n.SendFrom(ns, from, to)
	if router == 1 && (g1 == 0 || g2 != 0) || router == 2 && (g1 != 0 || g2 == 0) {
		n.T.Errorf("from %s to %s: %d packets at g1 and %d at g2, want all at g%d\n%s", from, to, g1, g2, router, n.Kernel())
	}
}

// What a host behind the server sends from a network of an uplink leaves by the uplink;
// without it by the other one. What it sends to the server, and to other networks of the
// server, stays there. A rule of Also of another uplink does not come before.
func TestSourcePrefixes(t *testing.T) {
	for name, x := range behinds {
		for how, declare := range map[string]func(u *table.SourceRoutedUplink){
			"prefix":    func(u *table.SourceRoutedUplink) { u.SourcePrefixes = []netip.Prefix{netip.MustParsePrefix(x.prefix)} },
			"interface": func(u *table.SourceRoutedUplink) { u.SourceInterfaces = []string{"lan", "no-such"} },
			"single": func(u *table.SourceRoutedUplink) {
				u.SourcePrefixes = []netip.Prefix{netip.MustParsePrefix(tabletest.HostPrefix(x.host))}
			},
			"and no source": func(u *table.SourceRoutedUplink) {
				u.NoSources = true
				u.SourcePrefixes = []netip.Prefix{netip.MustParsePrefix(x.prefix)}
			},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				n := tabletest.NewNetwork(t)
				host := n.AddBehind("lan", x.subnet)
				n.AddBehind("second", x.second)
				tap := n.Server.Tap("second")
				u1, u2 := n.Uplink1(x.Family), n.Uplink2(x.Family)
				u1.Also = []rule.Rule{{IPProto: route.UDP}}
				u2.MainFirst, u2.Unreachable = true, true
				declare(&u2)
				before := n.Snapshot()
				n.Install(u1)
				wantBy(n, host, x.host, x.Client, 1)
				n.Install(u2)
				installed := n.Snapshot()
				wantBy(n, host, x.host, x.Client, 2)
				n.Send(host, x.host, x.neighbour)
				seen := func(p lab.Packet) bool {
					return p.Out && p.Proto == 17 && p.Dst.Addr() == netip.MustParseAddr(x.neighbour)
				}
				if tap.Wait(1, seen, tabletest.Patience) == 0 {
					t.Errorf("what is sent to another network does not get there:\n%s", n.Kernel())
				}
				for range 2 {
					if p, err := table.PlanInstall(t.Context(), n.Conn, u1, u2); err != nil || !p.Empty() {
						t.Errorf("planned again: %v\n%s", err, p)
					}
					n.Install(u2, u1)
				}
				n.WantSnapshot("installed again", installed)
				n.Remove(u2)
				wantBy(n, host, x.host, x.Client, 1)
				n.Remove(u1)
				n.WantSnapshot("removed", before)
			})
		}
	}
}

// The networks of an interface are followed when Install looks.
func TestSourceInterfaceRenumbered(t *testing.T) {
	for name, x := range behinds {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			host := n.AddBehind("lan", x.subnet)
			u := n.Uplink2(x.Family)
			u.SourceInterfaces = []string{"lan"}
			n.Install(u)
			wantBy(n, host, x.host, x.Client, 2)
			subnet := netip.MustParsePrefix(x.second)
			address := func(k byte) string {
				return netip.PrefixFrom(tabletest.NumberedAddr(subnet, k), subnet.Bits()).String()
			}
			n.Server.Addr("lan", address(1))
			host.Addr("eth0", address(10))
			wantBy(n, host, x.neighbour, x.Client, 1)
			n.Install(u)
			wantBy(n, host, x.neighbour, x.Client, 2)
			wantBy(n, host, x.host, x.Client, 2)
			old := netip.MustParsePrefix(x.subnet)
			n.Server.DelAddr("lan", netip.PrefixFrom(tabletest.NumberedAddr(old, 1), old.Bits()).String())
			n.Install(u)
			if got := n.Table(20); strings.Contains(got, x.subnet) || !strings.Contains(got, "from "+x.second+" lookup 20") {
				t.Errorf("after the old prefix went:\n%s", got)
			}
		})
	}
}

// An uplink whose interface has no global address is one all the same if a network has
// been delegated to it.
func TestDelegatedOnly(t *testing.T) {
	x := behinds["ipv6"]
	n := tabletest.NewNetwork(t)
	host := n.AddBehind("lan", x.subnet)
	n.Server.DelAddr("u2", "2001:db8:2::2/64")
	u := table.SourceRoutedUplink{
		Name: "lan2", Table: 20, Interface: "u2", Etc: n.Etc,
		Gateway: linkLocal(t, n.Net, "g2"), SourceInterfaces: []string{"lan"},
	}
	wantBy(n, host, x.host, x.Client, 1)
	n.Install(u)
	wantBy(n, host, x.host, x.Client, 2)
	u.SourceInterfaces = nil
	if err := u.Install(t.Context(), n.Conn); err == nil || !strings.Contains(err.Error(), "no global IPv6 address") {
		t.Errorf("without a source: %v", err)
	}
}

// Networks of two uplinks must not overlap: which one a packet takes would be chance.
func TestNetworksOverlap(t *testing.T) {
	x := behinds["ipv6"]
	n := tabletest.NewNetwork(t)
	n.AddBehind("lan", x.subnet)
	u1, u2 := n.Uplink1(x.Family), n.Uplink2(x.Family)
	before := n.Snapshot()
	for _, c := range []struct {
		first, second []netip.Prefix
		dev1, dev2    []string
		want          string
	}{
		{first: []netip.Prefix{netip.MustParsePrefix(x.prefix)}, second: []netip.Prefix{netip.MustParsePrefix(x.subnet)},
			want: fmt.Sprintf("uplink lan2: SourcePrefixes: %s and %s of uplink lan1 overlap", x.subnet, x.prefix)},
		{first: []netip.Prefix{netip.MustParsePrefix(x.subnet)}, second: []netip.Prefix{netip.MustParsePrefix(x.subnet)},
			want: fmt.Sprintf("uplink lan2: SourcePrefixes: %s also belongs to uplink lan1", x.subnet)},
		{first: []netip.Prefix{netip.MustParsePrefix(x.prefix)}, dev2: []string{"lan"},
			want: fmt.Sprintf("uplink lan2: SourcePrefixes: %s and %s of uplink lan1 overlap", x.subnet, x.prefix)},
		{dev1: []string{"lan"}, dev2: []string{"lan"},
			want: fmt.Sprintf("uplink lan2: SourcePrefixes: %s also belongs to uplink lan1", x.subnet)},
	} {
		u1.SourcePrefixes, u1.SourceInterfaces = c.first, c.dev1
		u2.SourcePrefixes, u2.SourceInterfaces = c.second, c.dev2
		err := table.Install(t.Context(), n.Conn, u1, u2)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
		n.WantSnapshot("refused", before)
	}
}

// linkLocal returns the IPv6 link-local address of an interface.
func linkLocal(t *testing.T, ns *lab.NS, dev string) netip.Addr {
	t.Helper()
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for r, err := range route.All(t.Context(), c, route.Filter{Family: route.IPv6, Table: 255}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.OIF == ns.Index(dev) && r.Dst.Addr().IsLinkLocalUnicast() && r.Dst.IsSingleIP() && r.Dst.Addr().As16()[15] != 0 && r.Type == route.TypeLocal {
			return r.Dst.Addr()
		}
	}
	t.Fatal("no link-local address")
	return netip.Addr{}
}
