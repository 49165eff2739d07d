package tabletest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"github.com/policyroute/policyroute/route"
)

// AddLAN gives the server a third network, lan, with static routes in main. One
// of them is to a subnet that the second uplink's router knows as well.
func (n *Network) AddLAN() {
	n.T.Helper()
	n.Server.Link("lan", n.Net, "glan")
	n.Server.Addr("lan", "172.16.5.2/24", "2001:db8:5::2/64")
	n.Net.Addr("glan", "172.16.5.1/24", "2001:db8:5::1/64")
	n.Net.Addr("lo", "203.0.113.10/32", "2001:db8:cb::10/128", "192.0.2.10/32", "2001:db8:c0::10/128")
	for _, r := range []route.Route{
		{Dst: netip.MustParsePrefix("203.0.113.0/24"), Gateway: netip.MustParseAddr("172.16.5.1")},
		{Dst: netip.MustParsePrefix("2001:db8:cb::/48"), Gateway: netip.MustParseAddr("2001:db8:5::1")},
		{Dst: IPv4.Extra(), Gateway: netip.MustParseAddr("172.16.5.1")},
		{Dst: IPv6.Extra(), Gateway: netip.MustParseAddr("2001:db8:5::1")},
	} {
		if err := route.Add(n.T.Context(), n.Conn, r); err != nil {
			n.T.Fatal(err)
		}
	}
}

// Destinations returns an address on the LAN, one behind a static route of main, one
// of the extra subnet, the gateway of the other uplink, that of u2, and one of the
// Internet.
func (f Family) Destinations() []string { return destinations[f] }

// Extra returns the extra subnet: the one behind the router of u2 that main has by
// lan.
func (f Family) Extra() netip.Prefix { return extra[f] }

var destinations = map[Family][]string{
	IPv4: {"172.16.5.1", "203.0.113.10", "192.0.2.10", "10.1.0.1", "10.2.0.1", "198.51.100.10"},
	IPv6: {"2001:db8:5::1", "2001:db8:cb::10", "2001:db8:c0::10", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:99::10"},
}

var extra = map[Family]netip.Prefix{
	IPv4: netip.MustParsePrefix("192.0.2.0/24"), IPv6: netip.MustParsePrefix("2001:db8:c0::/48"),
}

// Matrix returns where packets go from some sources to every destination of
// [Family.Destinations]: the interface and the next router, or the error that their
// sender gets.
func (n *Network) Matrix(f Family, sources ...string) string {
	n.T.Helper()
	links, err := route.ListLinks(context.Background(), n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	var b strings.Builder
	for _, src := range sources {
		for _, dst := range f.Destinations() {
			r, err := route.Lookup(context.Background(), n.Conn, route.Query{
				Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst),
			})
			var errno syscall.Errno
			switch {
			case errors.As(err, &errno):
				fmt.Fprintf(&b, "%s > %s: %v\n", src, dst, errno)
			case err != nil:
				n.T.Fatal(err)
			default:
				fmt.Fprintf(&b, "%s > %s: %s %v\n", src, dst, links.Name(r.OIF), r.Gateway)
			}
		}
	}
	return b.String()
}
