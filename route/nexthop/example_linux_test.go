package nexthop_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
)

// A group shares packets among its members by their weights. A route names the group.
func ExampleAdd_group() {
	l := lab.New() // a namespace with eth1 192.168.2.2/24; a program would call route.Dial(nil)
	defer l.Close()
	ns, router := l.NS("server"), l.NS("router")
	ns.Link("eth1", router, "eth0")
	ns.Addr("eth1", "192.168.2.2/24")
	ctx := context.Background()
	c, err := route.Dial(ns.Config())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	eth1 := ns.Index("eth1")
	for _, o := range []nexthop.Object{
		{ID: 1, Gateway: netip.MustParseAddr("192.168.2.1"), OIF: eth1},
		{ID: 2, Gateway: netip.MustParseAddr("192.168.2.3"), OIF: eth1},
		{ID: 10, Group: []nexthop.Member{{ID: 1, Weight: 3}, {ID: 2, Weight: 1}}},
	} {
		if _, err := nexthop.Add(ctx, c, o); err != nil {
			log.Fatal(err)
		}
	}
	if err := route.Add(ctx, c, route.Route{Family: route.IPv4, Table: 20, NextHopID: 10}); err != nil {
		log.Fatal(err)
	}
	group, err := nexthop.Get(ctx, c, 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(group)
	// Output: id 10 group 1,3/2
}
