package table_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// What an installation has changed, as the commands that do it, and as those
// that undo it.
func ExampleDiff() {
	ctx := context.Background()
	c, done := server() // a namespace with eth1 192.168.2.2/24; else route.Dial(nil)
	defer done()

	before, err := table.TakeSnapshot(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	lan2 := table.SourceRoutedUplink{
		Table:     20,
		Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"),
	}
	if err := lan2.Install(ctx, c); err != nil {
		log.Fatal(err)
	}
	after, err := table.TakeSnapshot(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(table.Diff(before, after))
	fmt.Println("and back:")
	fmt.Print(table.Diff(after, before))
	// Output:
	// ip route add 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2
	// ip route add default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2
	// ip rule add from 192.168.2.2 lookup 20 proto 210 pref 31000
	// and back:
	// ip rule del from 192.168.2.2 lookup 20 proto 210 pref 31000
	// ip route del 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2
	// ip route del default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2
}

// Someone has deleted the rule, without which packets leave by another way.
func ExampleCheck() {
	ctx := context.Background()
	c, done := server()
	defer done()

	lan2 := table.SourceRoutedUplink{
		Name: "lan2", Table: 20,
		Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"),
		Etc: "/nonexistent", // the example writes no file
	}
	_ = lan2.Install(ctx, c) // says that the name could not be registered
	err := rule.Delete(ctx, c, rule.Rule{
		Priority: rule.Priority(31000), From: netip.MustParsePrefix("192.168.2.2/32"),
		Table: 20, Protocol: table.Protocol,
	})
	if err != nil {
		log.Fatal(err)
	}

	found, err := table.Check(ctx, c, lan2)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range found {
		if f.Severity == table.Fault {
			fmt.Println(f.Code, "-", f.Text)
			fmt.Println("   ", f.Cure)
		}
	}
	// Output:
	// missing - rule from 192.168.2.2 lookup lan2 proto 210 pref 31000 is missing
	//     ip rule add from 192.168.2.2 lookup lan2 proto 210 pref 31000
}
