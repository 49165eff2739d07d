package check

import (
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// Of a table with the routes of the whole Internet few are kept, and all that matter are
// among them, also if they come last.
func TestSelection(t *testing.T) {
	prefix := netip.MustParsePrefix
	uplinks := []Uplink{{
		SourceRoutedUplink: table.SourceRoutedUplink{
			Gateway: netip.MustParseAddr("10.0.0.1"), Routes: []netip.Prefix{prefix("192.0.2.0/24")}, Protocol: 77,
		},
		Targets: []netip.Addr{netip.MustParseAddr("198.51.100.9")},
	}}
	s := newSelection([]host.Address{{Addr: netip.MustParseAddr("10.9.0.1"), Subnet: prefix("10.9.0.1/24")}}, uplinks)
	foreign := route.Route{Family: route.IPv4, Type: route.TypeUnicast, Table: rttables.Main, Protocol: 186, OIF: 2,
		Gateway: netip.MustParseAddr("10.0.0.2")}
	const n = 200_000
	kept := 0
	for i := range n {
		r := foreign
		r.Dst = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 0}), 24)
		r.Table = rttables.ID(100 + i%4)
		if s.keeps(&r) {
			kept++
		}
	}
	left := 0
	for _, some := range s.left {
		left += some
	}
	if kept > n/10 || kept+left != n {
		t.Errorf("%d of %d routes are kept, and %d are left", kept, n, left)
	}
	for name, change := range map[string]func(*route.Route){
		"the default route":        func(*route.Route) {},
		"one of an uplink":         func(r *route.Route) { r.Dst, r.Protocol = prefix("20.0.0.0/25"), 77 },
		"one of the default owner": func(r *route.Route) { r.Dst, r.Protocol = prefix("20.0.0.0/25"), uplink.DefaultProtocol },
		"one that refuses a target": func(r *route.Route) {
			r.Dst, r.Type, r.OIF = prefix("198.51.100.0/24"), route.TypeBlackhole, 0
		},
		"one that may refuse the Internet": func(r *route.Route) { r.Dst, r.Type = prefix("1.0.0.0/8"), route.TypeUnreachable },
		"one to a gateway":                 func(r *route.Route) { r.Dst = prefix("10.0.0.0/30") },
		"one to what an uplink leads to":   func(r *route.Route) { r.Dst = prefix("192.0.2.0/24") },
		"one to a subnet of this host":     func(r *route.Route) { r.Dst = prefix("10.9.0.0/24") },
		"the first of an interface":        func(r *route.Route) { r.Dst, r.OIF = prefix("20.0.0.0/25"), 9 },
		"one on the link": func(r *route.Route) {
			r.Dst, r.Table, r.Gateway, r.Protocol = prefix("20.0.0.0/25"), rttables.Main, netip.Addr{}, route.ProtoKernel
		},
	} {
		r := foreign
		r.Table = 100
		if change(&r); !s.keeps(&r) {
			t.Errorf("%s is not kept: %s", name, r)
		}
	}
	r := foreign
	if r.Table, r.Dst = 100, prefix("20.0.0.0/25"); s.keeps(&r) {
		t.Error("another route is kept as well: the test proves nothing")
	}
}
