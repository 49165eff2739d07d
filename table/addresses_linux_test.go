package table_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/jsimonetti/rtnetlink/v2"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// addAddresses adds addresses of u2.
func addAddresses(n *tabletest.Network, all ...rtnetlink.AddressMessage) {
	n.T.Helper()
	c, err := rtnetlink.Dial(n.Server.Config())
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	for _, m := range all {
		m.Index = n.Server.Index("u2")
		if err := c.Address.New(&m); err != nil {
			n.T.Fatal(err)
		}
	}
}

// flagged returns an IPv6 address with flags, which is preferred for some seconds.
func flagged(a string, flags, preferred uint32) rtnetlink.AddressMessage {
	ip := net.ParseIP(a)
	return rtnetlink.AddressMessage{Family: uapi.AF_INET6, PrefixLength: 64, Attributes: &rtnetlink.AddressAttributes{
		Address: ip, Local: ip, Flags: flags | uapi.IFA_F_NODAD, CacheInfo: rtnetlink.CacheInfo{Preferred: preferred, Valid: 7200},
	}}
}

// All global addresses of an interface have their rules, whatever kind they are: one of the
// provider's prefix, one that is for the local network alone (fc00::/7), a temporary one,
// and a deprecated one, which connections may still have.
func TestKindsOfAddresses(t *testing.T) {
	n := tabletest.NewNetwork(t)
	f := tabletest.IPv6
	all := []string{f.A2, "fd00:2::2", "2001:db8:2::7e39", "2001:db8:2::dead"}
	n.Server.Addr("u2", "fd00:2::2/64")
	addAddresses(n, flagged(all[2], uapi.IFA_F_TEMPORARY, 3600),
		flagged(all[3], 0, 0)) // deprecated: it is no longer preferred
	u := n.Uplink2(f)
	n.Install(u)
	tabletest.Serve(t, n.Net, f.TCP, netip.AddrPortFrom(netip.MustParseAddr(f.Client), 80).String())
	n.Net.Addr("g2", "fd00:2::1/64")
	got := n.Table(20)
	for _, a := range all {
		if !strings.Contains(got, "from "+a+" lookup 20") {
			t.Errorf("%s has no rule:\n%s", a, got)
		}
		n.G1.Reset()
		n.G2.Reset()
		tabletest.Connect(t, n.Server, f.TCP, a, netip.AddrPortFrom(netip.MustParseAddr(f.Client), 80).String())
		n.WantRouter(a, 2)
	}
	if p, err := u.Plan(t.Context(), n.Conn); err != nil || !p.Empty() {
		t.Errorf("planned again: %v\n%s", err, p)
	}
}

// Thousands of addresses have a rule each, and their subnet one route: where they have its
// length, and where they have none and the subnet is one that main has on the link.
func TestThousandsOfAddresses(t *testing.T) {
	for name, length := range map[string]uint8{"with the length": 16, "without a length": 32} {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			count := tabletest.Times(5000, 1000)
			addrs := make([]rtnetlink.AddressMessage, 0, count)
			for i := range count {
				ip := net.IPv4(198, 18, byte(i/250), byte(i%250+2)).To4()
				addrs = append(addrs, rtnetlink.AddressMessage{
					Family: uapi.AF_INET, PrefixLength: length, Attributes: &rtnetlink.AddressAttributes{Address: ip, Local: ip},
				})
			}
			addAddresses(n, addrs...)
			if length == 32 {
				if err := n.AddRoute("198.18.0.0/16 dev u2 proto dhcp scope link"); err != nil {
					t.Fatal(err)
				}
			}
			u := n.Uplink2(tabletest.IPv4)
			n.Install(u)
			if p, err := u.Plan(t.Context(), n.Conn); err != nil || !p.Empty() {
				t.Errorf("planned again: %v\n%s", err, p)
			}
			got := n.Table(20)
			if rules, routes := strings.Count(got, "rule "), strings.Count(got, "route "); rules != count+1 || routes != 3 {
				t.Errorf("%d rules and %d routes, want %d and 3", rules, routes, count+1)
			}
			n.Remove(u)
		})
	}
}
