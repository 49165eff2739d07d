package check_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

const bgp route.Protocol = 186

// Thousands of routes of others, in main and in the uplink's table, change nothing of what
// is found but the number of those in its table.
func TestRunBesideManyRoutes(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	n.Install(u)
	add := func(from, to int) {
		t.Helper()
		var b route.Batch
		for i := from; i < to; i++ {
			for _, id := range []rttables.ID{rttables.Main, u.Table} {
				b.Add(route.Route{
					Dst:     netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24),
					Gateway: netip.MustParseAddr("10.2.0.9"), Table: id, Protocol: bgp,
				})
			}
		}
		if err := b.Do(context.Background(), n.Conn); err != nil {
			t.Fatal(err)
		}
	}
	find := func() string {
		t.Helper()
		found, err := check.Run(t.Context(), n.Conn, u)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, f := range found {
			b.WriteString(f.String() + "\n")
		}
		return b.String()
	}
	add(0, 100)
	few := find()
	add(100, 6000)
	many := find()
	if want := strings.ReplaceAll(few, "100 routes", "6000 routes"); few == want || many != strings.ReplaceAll(want, "96 more", "5996 more") {
		t.Errorf("beside 100 routes\n%sbeside 6000\n%s", few, many)
	}
}
