package maintain_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// addRoutes adds routes to main, in the words of ip-route(8).
func addRoutes(n *tabletest.Network, words ...string) {
	n.T.Helper()
	for _, r := range parseRoutes(n, words...) {
		if err := route.Add(n.T.Context(), n.Conn, r); err != nil {
			n.T.Fatal(err)
		}
	}
}

// deleteRoutes deletes routes of main.
func deleteRoutes(n *tabletest.Network, words ...string) {
	n.T.Helper()
	for _, r := range parseRoutes(n, words...) {
		if err := route.Delete(n.T.Context(), n.Conn, r); err != nil {
			n.T.Fatal(err)
		}
	}
}

func parseRoutes(n *tabletest.Network, words ...string) []route.Route {
	n.T.Helper()
	links, err := route.ListLinks(n.T.Context(), n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	var all []route.Route
	for _, s := range words {
		r, err := route.Parse(s, &route.Names{Links: links})
		if err != nil {
			n.T.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// defaults returns the default routes of lan2's table.
func defaults(n *tabletest.Network) string {
	n.T.Helper()
	var lines []string
	for line := range strings.Lines(n.Table(20)) {
		if strings.Contains(line, "default ") && strings.HasPrefix(line, "route ") {
			line = strings.TrimPrefix(strings.TrimSpace(line), "route ")
			lines = append(lines, strings.NewReplacer(" table 20", "", " proto 210", "").Replace(line))
		}
	}
	return strings.Join(lines, "\n")
}

// learner returns lan2 as an uplink that learns its default routes.
func learner(n *tabletest.Network, f route.Family) maintain.Uplink {
	u := maintain.Uplink{SourceRoutedUplink: n.Uplink2(tabletest.IPv4), Learn: f}
	u.Gateway = netip.Addr{}
	return u
}

// All that a default route says is learned, and nothing else: not its metric, its protocol
// or its time. Of several routes the order is learned.
func TestLearnAll(t *testing.T) {
	for name, x := range map[string]struct {
		family route.Family
		setUp  func(n *tabletest.Network)
		routes []string
		want   string
	}{
		"no gateway": {
			family: route.IPv4, routes: []string{"default dev u2 metric 100"},
			want: "default dev u2 src 10.2.0.2",
		},
		"no gateway, IPv6": {
			family: route.IPv6, routes: []string{"-6 default dev u2 metric 2000"},
			want: "default dev u2 src 2001:db8:2::2 metric 1024",
		},
		"a single address, onlink": {
			family: route.IPv4,
			setUp: func(n *tabletest.Network) {
				n.Server.DelAddr("u2", "10.2.0.2/24")
				n.Server.Addr("u2", "10.37.0.59/32")
			},
			routes: []string{"default via 172.31.1.1 dev u2 onlink metric 100"},
			want:   "default via 172.31.1.1 dev u2 src 10.37.0.59 onlink",
		},
		"src, mtu and other metrics": {
			family: route.IPv4,
			setUp:  func(n *tabletest.Network) { n.Server.Addr("u2", "10.2.0.9/24") },
			routes: []string{"default via 10.2.0.1 dev u2 src 10.2.0.9 metric 100 mtu 1400 advmss 1360 initcwnd 20 realms 5"},
			want:   "default via 10.2.0.1 dev u2 src 10.2.0.9 realms 5 mtu 1400 advmss 1360 initcwnd 20",
		},
		"src of another interface": {
			family: route.IPv4, routes: []string{"default via 10.2.0.1 dev u2 src 10.1.0.2 metric 100"},
			want: "default via 10.2.0.1 dev u2 src 10.2.0.2",
		},
		"a gateway of IPv6": {
			family: route.IPv4, routes: []string{"-4 default via inet6 fe80::1 dev u2 metric 100"},
			want: "-4 default via inet6 fe80::1 dev u2 src 10.2.0.2",
		},
		"several": {
			family: route.IPv4,
			routes: []string{
				"default via 10.2.0.30 dev u2 metric 300 mtu 1300", "default via 10.2.0.20 dev u2 metric 200",
				"default via 10.2.0.20 dev u2 metric 400", "default tos 0x10 via 10.2.0.40 dev u2 metric 500",
			},
			want: "default tos 0x10 via 10.2.0.40 dev u2 src 10.2.0.2\n" +
				"default via 10.2.0.20 dev u2 src 10.2.0.2\n" +
				"default via 10.2.0.30 dev u2 src 10.2.0.2 metric 1 mtu 1300",
		},
		"several, IPv6": {
			family: route.IPv6,
			routes: []string{
				"default via fe80::30 dev u2 metric 3000 pref high", "default via fe80::20 dev u2 metric 2000 pref low",
				"default from 2001:db8:5::/48 via fe80::50 dev u2 metric 2000",
			},
			want: "default from 2001:db8:5::/48 via fe80::50 dev u2 metric 1024\n" +
				"default via fe80::20 dev u2 src 2001:db8:2::2 metric 1024 pref low\n" +
				"default via fe80::30 dev u2 src 2001:db8:2::2 metric 1025 pref high",
		},
		"next hops by several interfaces": {
			family: route.IPv4,
			routes: []string{"default metric 100 nexthop via 10.1.0.1 dev u1 weight 3 nexthop via 10.2.0.1 dev u2 weight 2"},
			want:   "default via 10.2.0.1 dev u2 src 10.2.0.2",
		},
		"several next hops": {
			family: route.IPv4,
			routes: []string{"default metric 100 nexthop via 10.1.0.1 dev u1 nexthop via 10.2.0.1 dev u2 weight 2 " +
				"nexthop via 10.2.0.9 dev u2 weight 5"},
			want: "default src 10.2.0.2 nexthop via 10.2.0.1 dev u2 weight 2 nexthop via 10.2.0.9 dev u2 weight 5",
		},
		"several next hops, IPv6": {
			family: route.IPv6,
			routes: []string{"default metric 2000 nexthop via fe80::1 dev u2 weight 2 nexthop via fe80::2 dev u2 weight 5"},
			want:   "default src 2001:db8:2::2 metric 1024 nexthop via fe80::1 dev u2 weight 2 nexthop via fe80::2 dev u2 weight 5",
		},
		"a nexthop object": {
			family: route.IPv4,
			setUp: func(n *tabletest.Network) {
				n.Server.Sysctl("net.ipv4.nexthop_compat_mode", "0")
				for _, o := range []nexthop.Object{
					{ID: 1, Gateway: netip.MustParseAddr("10.2.0.1"), OIF: n.Server.Index("u2")},
					{ID: 2, Gateway: netip.MustParseAddr("10.1.0.1"), OIF: n.Server.Index("u1")},
					{ID: 3, Gateway: netip.MustParseAddr("10.2.0.9"), OIF: n.Server.Index("u2")},
					{ID: 9, Group: []nexthop.Member{{ID: 1, Weight: 2}, {ID: 2, Weight: 3}, {ID: 3, Weight: 4}}},
				} {
					if _, err := nexthop.Add(n.T.Context(), n.Conn, o); err != nil {
						n.T.Fatal(err)
					}
				}
			},
			routes: []string{"default nhid 9 metric 100", "default nhid 3 metric 50"},
			want: "default src 10.2.0.2 metric 1 nexthop via 10.2.0.1 dev u2 weight 2 nexthop via 10.2.0.9 dev u2 weight 4\n" +
				"default via 10.2.0.9 dev u2 src 10.2.0.2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			if x.setUp != nil {
				x.setUp(n)
			}
			addRoutes(n, x.routes...)
			u := learner(n, x.family)
			k := newKeeper(n, maintain.Config{}, u)
			k.untilText("the table", x.want, func() string { return defaults(n) })
			// A new process finds the same, and so does one that learns from what is installed.
			for range 2 {
				resolved, err := u.Resolve(t.Context(), n.Conn)
				if err != nil {
					t.Fatal(err)
				}
				n.WantNothingToDo(resolved)
				k.stop()
				deleteRoutes(n, x.routes...)
				x.routes = nil
			}
		})
	}
}
