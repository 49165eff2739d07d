package nexthop_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
)

// printer is a Conn that prints the nexthop objects that are sent.
type printer struct{}

func (printer) Execute(m netlink.Message) ([]netlink.Message, error) {
	var n nexthop.Object
	err := n.UnmarshalBinary(m.Data)
	fmt.Println(n)
	return nil, err
}

// Two uplinks, a group that spreads flows over them, and a route to the group.
func Example() {
	ctx, c := context.Background(), printer{} // or route.Dial(nil)
	for _, n := range []nexthop.Object{
		{ID: 10, Gateway: netip.MustParseAddr("192.168.2.1"), OIF: 5},
		{ID: 11, Gateway: netip.MustParseAddr("192.168.1.1"), OIF: 3},
		{ID: 100, Group: []nexthop.Member{{ID: 10, Weight: 20}, {ID: 11}}},
	} {
		if _, err := nexthop.Add(ctx, c, n); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(route.Route{Family: route.IPv4, NextHopID: 100, Table: 20, Protocol: route.ProtoBoot})
	// Output:
	// id 10 via 192.168.2.1 dev if5
	// id 11 via 192.168.1.1 dev if3
	// id 100 group 10,20/11
	// default nhid 100 table 20
}

func ExampleParse() {
	n, err := nexthop.Parse("id 104 group 10,3/11 type resilient buckets 32 idle_timer 60", nil)
	if err != nil {
		log.Fatal(err)
	}
	idle, _ := n.Resilient.IdleTimer.Get()
	fmt.Println(n.GroupType, n.Group, n.Resilient.Buckets, idle)
	fmt.Println(n)
	// Output:
	// resilient [{10 3} {11 1}] 32 1m0s
	// id 104 group 10,3/11 type resilient buckets 32 idle_timer 60
}
