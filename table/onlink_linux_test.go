package table_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// addOnLink gives both interfaces addresses without a subnet, of one prefix that table
// main has on both links, as DHCPv6 with router advertisements does, or DHCP does where
// the address is one of its own. It returns the uplinks, which prefer table main.
func addOnLink(t *testing.T, n *tabletest.Network, ipv6 bool) (uplinks []table.SourceRoutedUplink, a2, neighbour string) {
	t.Helper()
	length, prefix, proto, base := "/32", "192.0.2.0/24", "dhcp scope link", "192.0.2.20"
	if ipv6 {
		length, prefix, proto, base = "/128", "2001:db8:5::/64", "ra", "2001:db8:5::20"
	}
	for i, dev := range []string{"u1", "u2"} {
		a := base + string(rune('1'+i))
		n.Server.Addr(dev, a+length)
		if err := n.AddRoute(prefix + " dev " + dev + " proto " + proto + " metric " + "51" + string(rune('1'+i))); err != nil {
			t.Fatal(err)
		}
		f := tabletest.IPv4
		if ipv6 {
			f = tabletest.IPv6
		}
		u := n.Uplink1(f)
		if dev == "u2" {
			u = n.Uplink2(f)
		}
		u.Sources, u.MainFirst = []netip.Addr{netip.MustParseAddr(a)}, true
		uplinks = append(uplinks, u)
	}
	return uplinks, base + "2", base + "9"
}

// sendsBy returns by which links the server sends a packet from an address to a neighbour,
// or asks for the neighbour.
func sendsBy(n *tabletest.Network, from, to string) (u1, u2 int) {
	n.T.Helper()
	n.G1.Reset()
	n.G2.Reset()
	n.SendUDP(from, netip.AddrPortFrom(netip.MustParseAddr(to), 9).String())
	a := netip.MustParseAddr(to)
	// Neighbour discovery asks the solicited-node address, whose last bytes are the address's.
	asks := func(p lab.Packet) bool {
		asked := p.Dst.Addr().As16()
		whole := a.As16()
		return !p.Out && (p.Dst.Addr() == a || p.Proto == 58 && p.Type == 135 && slices.Equal(asked[13:], whole[13:]))
	}
	for end := time.Now().Add(tabletest.Patience); u1+u2 == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		u1, u2 = n.G1.Count(asks), n.G2.Count(asks)
	}
	return u1, u2
}

// A prefix that table main has on the link of an uplink is the uplink's subnet, although
// no address has its length: what is sent from an address to a neighbour leaves by the
// address's interface, also where main prefers another one. Without it, it leaves by that.
func TestOnLinkPrefix(t *testing.T) {
	for name, ipv6 := range map[string]bool{"ipv4": false, "ipv6": true} {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			uplinks, a2, neighbour := addOnLink(t, n, ipv6)
			without := n.Snapshot()
			if u1, u2 := sendsBy(n, a2, neighbour); u1 == 0 || u2 != 0 {
				t.Fatalf("without uplinks: %d by u1, %d by u2: the test proves nothing", u1, u2)
			}
			n.Install(uplinks...)
			if u1, u2 := sendsBy(n, a2, neighbour); u1 != 0 || u2 == 0 {
				t.Errorf("%d by u1 and %d by u2, want all by u2:\n%s", u1, u2, n.Table(20))
			}
			if p, err := table.PlanInstall(t.Context(), n.Conn, uplinks...); err != nil || !p.Empty() {
				t.Errorf("planned again: %v\n%s", err, p)
			}
			n.Remove(uplinks...)
			n.WantSnapshot("Remove", without)
		})
	}
}

// Subnets that are declared are on the link, and the gateway can be in one of them.
func TestSubnets(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Addr("u2", "192.0.2.202/32")
	n.Net.Addr("g2", "192.0.2.1/24", "198.18.7.1/24")
	u := n.Uplink2(tabletest.IPv4)
	u.Gateway, u.Sources = netip.MustParseAddr("192.0.2.1"), []netip.Addr{netip.MustParseAddr("192.0.2.202")}
	if err := u.Install(t.Context(), n.Conn); err == nil {
		t.Fatal("a gateway in no subnet was accepted: the test proves nothing")
	}
	u.Subnets = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.7.0/24")}
	n.Install(u)
	for _, to := range []string{"192.0.2.1", "198.18.7.1", "198.51.100.10"} {
		if u1, u2 := sendsBy(n, "192.0.2.202", to); u1 != 0 || u2 == 0 {
			t.Errorf("to %s: %d by u1 and %d by u2, want all by u2", to, u1, u2)
		}
	}
	for _, bad := range []string{"192.0.2.1/24", "0.0.0.0/0", "2001:db8::/64", "224.0.0.0/8", "169.254.0.0/16"} {
		u.Subnets = []netip.Prefix{netip.MustParsePrefix(bad)}
		if err := u.Validate(); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("subnet %s: %v", bad, err)
		}
	}
}

// What another prefix of the interface contains adds no route, and neither do routes that
// an administrator has set, link-local prefixes and the addresses of this host.
func TestOnLinkNotMore(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Server.Addr("u2", "2001:db8:2::77/128")
	for _, words := range []string{
		"10.2.0.1 dev u2 proto dhcp scope link", "10.2.0.128/25 dev u2 proto kernel scope link",
		"198.18.0.0/24 dev u2 proto static scope link", "198.18.1.0/24 via 10.2.0.1 proto dhcp",
		"169.254.0.0/16 dev u2 proto kernel scope link", "2001:db8:2::/80 dev u2 proto ra",
		"2001:db8:6::/64 via 2001:db8:2::1 proto ra", "2001:db8:8::/64 dev u2 proto static",
	} {
		if err := n.AddRoute(words); err != nil {
			t.Fatalf("%s: %v", words, err)
		}
	}
	u4, u6 := n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6)
	n.Install(u4, u6)
	got := n.Table(20)
	if routes := strings.Count(got, "route "); routes != 4 {
		t.Errorf("there are %d routes, want a subnet and a default of each family:\n%s", routes, got)
	}
}
