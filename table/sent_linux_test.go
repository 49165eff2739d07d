package table_test

import (
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// What Install and Remove send is what their plans say, request by request. Without
// -full each change is tried in one family, the one in which TestEveryRequest does not.
func TestSentIsPlanned(t *testing.T) {
	tabletest.ForChanges(t, tabletest.Changes, tabletest.IPv6, func(t *testing.T, n *tabletest.Network, f tabletest.Family, x tabletest.Change) {
		from, to := x.From(n, f), x.To(n, f)
		n.Narrow(f, from, to)
		n.Install(from...)
		plan := table.PlanInstall
		uplinks := to
		if len(to) == 0 {
			plan, uplinks = table.PlanRemove, from
		}
		p, err := plan(t.Context(), n.Conn, uplinks...)
		if err != nil {
			t.Fatal(err)
		}
		n.WantRequests(p, func(c route.Conn) error { return n.Apply(t.Context(), c, from, to) })
		wantCommits(n, p)
	})
}

// wantCommits fails unless one step of a plan changes over, and packets notice it.
func wantCommits(n *tabletest.Network, p plan.Plan) {
	n.T.Helper()
	commits := 0
	for _, s := range p.Steps {
		if s.Commit {
			commits++
		}
	}
	if commits != 1 {
		n.T.Errorf("%d steps are marked as the one that changes over, want 1:\n%s", commits, p)
	}
}
