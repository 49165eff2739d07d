package maintain_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// Mail leaves by this uplink, unless its probes fail.
func ExampleUplink_health() {
	ctx, cancel := context.WithCancel(context.Background())
	c, done := tabletest.Server() // a namespace with eth1 192.168.2.2/24; else route.Dial(nil)
	defer done()

	// Most will want TCP or Echo. This one knows better: after a while the provider
	// sends all connections to its page for overdue bills.
	calls := 0
	paid := func(ctx context.Context, source netip.Addr, dial health.DialFunc) error {
		if calls++; calls > 2 {
			return errors.New("the provider wants money")
		}
		return nil
	}
	lan2 := maintain.Uplink{
		SourceRoutedUplink: table.SourceRoutedUplink{
			Table:     20,
			Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"),
			Also: []rule.Rule{{IPProto: route.TCP, DPort: rule.Port(25)}},
		},
		Health: &health.Probe{Func: paid, Interval: 10 * time.Millisecond, Withdraw: true},
	}
	withdrawn := func(e maintain.Event) bool { return e.Kind == maintain.EventRepaired }
	err := maintain.Run(ctx, func() (route.Conn, error) { return c, nil }, &maintain.Config{
		Event: func(e maintain.Event) {
			if e.Kind == maintain.EventHealthy || e.Kind == maintain.EventUnhealthy || withdrawn(e) {
				fmt.Println(e)
			}
			if withdrawn(e) {
				cancel()
			}
		},
	}, lan2)
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// uplink dev eth1 via 192.168.2.1 IPv4 healthy
	// uplink dev eth1 via 192.168.2.1 IPv4 unhealthy: probe: the provider wants money
	// uplink dev eth1 via 192.168.2.1 IPv4 repaired: the health of an uplink changed: ip rule del from all ipproto tcp dport 25 lookup 20 proto 210 pref 32001; ip rule del from all ipproto tcp dport 25 lookup main suppress_prefixlength 1 proto 210 pref 32000
}
