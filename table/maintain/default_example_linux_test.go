package maintain_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A default route for packets that have no source yet, with a next hop for each uplink that
// has a Weight. Here there is one.
func ExampleDefault() {
	ctx, cancel := context.WithCancel(context.Background())
	c, done := tabletest.Server()
	defer done()

	lan2 := maintain.Uplink{
		SourceRoutedUplink: table.SourceRoutedUplink{
			Table:     20,
			Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"),
		},
		Weight: 1,
	}
	err := maintain.Run(ctx, func() (route.Conn, error) { return c, nil }, &maintain.Config{
		Default: &maintain.Default{Metric: 70},
		Remove:  true,
		Event: func(e maintain.Event) {
			fmt.Println(e)
			if e.Kind == maintain.EventReady {
				cancel()
			}
		},
	}, lan2)
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// uplink dev eth1 via 192.168.2.1 IPv4 installed: ip route add 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2; ip route add default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2; ip rule add from 192.168.2.2 lookup 20 proto 210 pref 31000
	// uplink (default) IPv4 installed: ip route add default via 192.168.2.1 dev eth1 proto 210 metric 70
	// ready
	// uplink (default) IPv4 removed: ip route del default via 192.168.2.1 dev eth1 proto 210 metric 70
	// uplink dev eth1 via 192.168.2.1 IPv4 removed
}
