package discover_test

import (
	"context"
	"fmt"
	"log"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/discover"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A script has made a table and a rule for the address of eth1. Read finds the uplink, and says
// why it is one.
func ExampleRead() {
	ctx := context.Background()
	c, done := tabletest.Server() // a namespace with eth1 192.168.2.2/24; else route.Dial(nil)
	defer done()
	names, err := route.ListNames(ctx, c)
	check(err)
	way, err := route.Parse("default via 192.168.2.1 dev eth1 table 20", names)
	check(err)
	check(route.Add(ctx, c, way))
	from, err := rule.Parse("from 192.168.2.2 lookup 20 pref 32765", nil)
	check(err)
	check(rule.Add(ctx, c, from))

	host, err := discover.Read(ctx, c, "")
	check(err)
	for _, u := range host.Uplinks {
		fmt.Printf("%s: table %d, via %v\n", u.Uplink.Interface, u.Uplink.Table, u.Uplink.Gateway)
		for _, why := range u.Reasons {
			fmt.Println("   ", why)
		}
	}
	// Output:
	// eth1: table 20, via 192.168.2.1
	//     table 20 has a default route via 192.168.2.1 by eth1
	//     rule 32765: from 192.168.2.2 lookup 20
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
