package table_test

import (
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// With Unreachable, what Also selects does not leave by another uplink while the link is
// down: packets that are forwarded, marked ones, and those to a destination. Without it
// they do. What table main has a particular route for goes there in any case.
func TestAlsoUnreachable(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		n.Server.Sysctl("net.ipv4.ip_forward", "1")
		n.Server.Sysctl("net.ipv6.conf.all.forwarding", "1")
		lan := netip.MustParsePrefix(map[tabletest.Family]string{tabletest.IPv4: "172.16.5.0/24", tabletest.IPv6: "2001:db8:5::/64"}[f])
		far := netip.MustParseAddr(map[tabletest.Family]string{tabletest.IPv4: "198.18.0.9", tabletest.IPv6: "2001:db8:ff::9"}[f])
		client, neighbour := netip.MustParseAddr(f.Client), netip.MustParseAddr(f.Destinations()[1])
		iif := n.Server.Index("lan")
		packets := map[string]route.Query{
			"forwarded": {Src: lan.Addr().Next().Next().Next(), Dst: client, IIF: iif},
			"marked":    {Dst: client, Mark: 2},
			"to it":     {Dst: far},
		}
		u := n.Uplink2(f)
		u.Also = []rule.Rule{{From: lan}, {FwMark: rule.FwMark(2)}, {To: netip.PrefixFrom(far, far.BitLen())}}
		// way returns the name of the interface that packets leave by, or none.
		way := func(q route.Query) string {
			r, err := route.Lookup(t.Context(), n.Conn, q)
			if err != nil {
				return "none"
			}
			for _, name := range []string{"u1", "u2", "lan"} {
				if n.Server.Index(name) == r.OIF {
					return name
				}
			}
			return r.String()
		}
		want := func(when, dev string) {
			t.Helper()
			for what, q := range packets {
				if got := way(q); got != dev {
					t.Errorf("%s, packets %s leave by %s, want %s", when, what, got, dev)
				}
			}
			for _, what := range []string{"forwarded", "marked"} {
				q := packets[what]
				if q.Dst = neighbour; way(q) != "lan" {
					t.Errorf("%s, packets %s to a neighbour leave by %s", when, what, way(q))
				}
			}
		}
		for _, x := range []struct {
			unreachable bool
			down        string
		}{{false, "u1"}, {true, "none"}} {
			u.Unreachable = x.unreachable
			n.Install(u)
			want("up", "u2")
			n.Server.Down("u2")
			want("down", x.down)
			n.Server.Up("u2")
			if f == tabletest.IPv6 {
				n.Server.Addr("u2", f.A2+"/64")
			}
			n.Install(u)
			want("up again", "u2")
		}
		n.Remove(u)
		want("removed", "u1")
	})
}
