package check_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// Someone has deleted the rule, without which packets leave by another way.
func ExampleRun() {
	ctx := context.Background()
	c, done := tabletest.Server()
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

	found, err := check.Run(ctx, c, lan2)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range found {
		if f.Severity == check.Fault {
			fmt.Println(f.Code, "-", f.Text)
			fmt.Println("   ", f.Cure)
		}
	}
	// Output:
	// missing - rule from 192.168.2.2 lookup 20 proto 210 pref 31000 does not exist
	//     ip rule add from 192.168.2.2 lookup 20 proto 210 pref 31000
}
