package health_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/policyroute/policyroute/table/health"
)

// Most programs use TCP or Echo. This one knows better: after a while the provider
// sends all connections to its page for overdue bills.
func ExampleProber() {
	calls := 0
	paid := func(ctx context.Context, source netip.Addr, dial health.DialFunc) error {
		if calls++; calls > 2 {
			return errors.New("the provider wants money")
		}
		return nil
	}

	ctx, cancel := context.WithCancel(context.Background())
	var p *health.Prober
	p = health.NewProber(health.Config{
		Probe: health.Probe{Func: paid, Interval: time.Millisecond},
		Changed: func() {
			for _, v := range p.Verdicts() {
				fmt.Println("healthy:", v.Healthy, v.Err)
				if !v.Healthy {
					cancel()
				}
			}
		},
	})
	p.SetSources(netip.MustParseAddr("192.168.2.2"))
	p.Run(ctx)
	// Output:
	// healthy: true <nil>
	// healthy: false probe: the provider wants money
}
