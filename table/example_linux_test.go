package table_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// The second way to the Internet of a server whose default route goes by
// another one.
func Example() {
	ctx := context.Background()
	c, done := tabletest.Server() // a namespace with eth1 192.168.2.2/24; else route.Dial(nil)
	defer done()

	lan2 := table.SourceRoutedUplink{
		Table:     20,
		Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"),
	}
	if err := lan2.Install(ctx, c); err != nil {
		log.Fatal(err)
	}
	for r, err := range rule.All(ctx, c, rule.Filter{Table: 20}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r)
	}
	// Output: 31000: from 192.168.2.2 lookup 20 proto 210
}

// Mail leaves by this uplink also from sockets that are not bound to its
// address. The plan shows what Install would do, and changes nothing.
func ExampleSourceRoutedUplink_Plan() {
	ctx := context.Background()
	c, done := tabletest.Server()
	defer done()

	lan2 := table.SourceRoutedUplink{
		Table:     20,
		Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"),
		Also: []rule.Rule{{IPProto: route.TCP, DPort: rule.Port(25)}},
	}
	plan, err := lan2.Plan(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(plan)
	// Output:
	// ip route add 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2
	// ip route add default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2
	// ip rule add from 192.168.2.2 lookup 20 proto 210 pref 31000
	// ip rule add from all ipproto tcp dport 25 lookup main suppress_prefixlength 1 proto 210 pref 32000
	// ip rule add from all ipproto tcp dport 25 lookup 20 proto 210 pref 32001
}

// An error says which uplink, which command, and what the kernel said to it.
// Nothing is left of the steps before.
func ExampleInstall_refused() {
	ctx := context.Background()
	c, done := tabletest.Server()
	defer done()

	err := table.Install(ctx, c, table.SourceRoutedUplink{
		Table:     20,
		Interface: "eth1", Gateway: netip.MustParseAddr("192.168.3.1"),
	})
	fmt.Println(err)
	// Output:
	// table: uplink dev eth1 via 192.168.3.1: Gateway: 192.168.3.1 is in no subnet of eth1: add onlink if it is on the link
}
