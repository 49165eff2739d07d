package show_test

import (
	"fmt"
	"log"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/route/show"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// links are names of interfaces, as route.ListLinks reads them.
var links = route.MakeLinks(map[uint32]string{5: "eth1"})

// Routes as "ip route show" and as "ip -d route show" print them, trailing blanks
// included.
func Example() {
	routes := []route.Route{
		{Family: route.IPv4, Type: route.TypeUnicast, Gateway: netip.MustParseAddr("192.168.2.1"), OIF: 5,
			Table: rttables.Main, Protocol: route.ProtoStatic},
		{Family: route.IPv4, Type: route.TypeUnicast, Dst: netip.MustParsePrefix("192.168.2.0/24"), OIF: 5,
			PrefSrc: netip.MustParseAddr("192.168.2.2"), Table: rttables.Main, Protocol: route.ProtoKernel, Scope: route.ScopeLink},
	}
	style := show.Style{Names: &route.Names{Links: links}, Omit: show.OmitTable}
	fmt.Printf("%q\n", show.Route(routes[0], style))
	for line := range strings.Lines(show.Routes(routes, style)) {
		fmt.Printf("%q\n", line)
	}
	style.Details = true
	fmt.Printf("%q\n", show.Route(routes[0], style))
	// Output:
	// "default via 192.168.2.1 dev eth1 proto static "
	// "default via 192.168.2.1 dev eth1 proto static \n"
	// "192.168.2.0/24 dev eth1 proto kernel scope link src 192.168.2.2 \n"
	// "unicast default via 192.168.2.1 dev eth1 proto static scope global "
}

// A rule as "ip rule show" and as "ip -j rule show" print it.
func ExampleRule() {
	r, err := rule.Parse("32765: from 192.168.2.2 lookup 20", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", show.Rule(r, show.Style{}))
	fmt.Println(show.Rule(r, show.Style{JSON: true}))
	// Output:
	// "32765:\tfrom 192.168.2.2 lookup 20"
	// [{"priority":32765,"src":"192.168.2.2","table":"20"}]
}

// A route that names a nexthop object, together with the object, as "ip -d route
// show" prints it.
func ExampleStyle() {
	style := show.Style{
		Names:    &route.Names{Links: links},
		NextHops: []nexthop.Object{{ID: 10, Family: route.IPv4, Gateway: netip.MustParseAddr("192.168.2.1"), OIF: 5}},
		Omit:     show.OmitTable,
		Details:  true,
	}
	fmt.Printf("%q\n", show.NextHop(style.NextHops[0], style))
	r := route.Route{Family: route.IPv4, Type: route.TypeUnicast, NextHopID: 10, Protocol: route.ProtoBoot}
	fmt.Printf("%q\n", show.Route(r, style))
	// Output:
	// "id 10 via 192.168.2.1 dev eth1 scope global proto unspec "
	// "unicast default nhid 10 proto boot scope global \n\tnh_info id 10 via 192.168.2.1 dev eth1 scope global proto unspec "
}
