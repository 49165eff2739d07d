package maintain_test

import (
	"testing"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// Someone moves the rule for local right before main, as VRFs need it, and back. The rules
// of an uplink follow: they look up local themselves while they come before it.
func TestLocalMoves(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		option := "-" + f.TCP[3:] + " "
		u := n.Uplink2(f)
		u.MainFirst, u.Unreachable = true, true
		u.Also = []rule.Rule{{FwMark: rule.FwMark(7)}}
		k := newKeeper(n, maintain.Config{}, maintained(u)...)
		move := func(from, to string) {
			t.Helper()
			if err := n.AddRule(option + to + ": from all lookup local proto kernel"); err != nil {
				t.Fatal(err)
			}
			if err := n.DeleteRule(option + from + ": from all lookup local proto kernel"); err != nil {
				t.Fatal(err)
			}
		}
		looksUpLocal := func(want int) func() bool {
			return func() bool {
				have := 0
				for r, err := range rule.All(t.Context(), n.Conn, rule.Filter{Table: rttables.Local}) {
					if err != nil {
						t.Fatal(err)
					}
					if r.Protocol == table.Protocol {
						have++
					}
				}
				p, err := u.Plan(t.Context(), n.Conn)
				return have == want && err == nil && p.Empty()
			}
		}
		for range 2 {
			move("0", "32765")
			k.until("local is behind", looksUpLocal(2))
			move("32765", "0")
			k.until("local is in front", looksUpLocal(0))
		}
	})
}
