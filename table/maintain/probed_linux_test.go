package maintain_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// Probed gets the result of each probe, with the uplink as events have it.
func TestProbed(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		cut, _ := n.Breakable(f)
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		results := make(chan maintain.ProbeResult)
		await := func(what string, ok func(maintain.ProbeResult) bool) {
			t.Helper()
			for end := time.After(tabletest.Patience); ; {
				select {
				case r := <-results:
					if ok(r) {
						return
					}
				case <-end:
					t.Fatalf("there is no probe that %s", what)
				}
			}
		}
		u := n.Uplink2(f)
		newKeeper(n, maintain.Config{Probed: func(r maintain.ProbeResult) {
			select {
			case results <- r:
			case <-t.Context().Done():
			}
		}}, probed(u, tcpTo(f, 80)))
		family := route.FamilyOf(netip.MustParseAddr(f.A2))
		await("succeeds", func(r maintain.ProbeResult) bool {
			return r.Err == nil && r.Uplink == u.Name && r.Family == family && r.Took > 0
		})
		cut("g2")
		await("fails", func(r maintain.ProbeResult) bool { return r.Err != nil && r.Took > 0 })
	})
}
