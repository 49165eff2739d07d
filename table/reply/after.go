package reply

import (
	"context"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/transition"
	"github.com/policyroute/policyroute/table/plan"
)

// IsOwn reports whether this package has made the table [TableName] that has this comment.
func IsOwn(comment string) bool { return strings.HasPrefix(comment, ownerWord) }

// PlanSyncAfter returns what [Sync] would do once the plan before, which installs uplinks,
// has been applied. It changes nothing. If a caller joins the steps of both plans into one
// plan, a failure of any step undoes the steps of both.
func PlanSyncAfter(ctx context.Context, c route.Conn, before plan.Plan, p Policy, uplinks ...Uplink) (plan.Plan, error) {
	rules := before.Select(func(s *plan.Step) bool { return s.Op.IsRule() })
	read := func(ctx context.Context, c route.Conn, etc string) (*host.State, error) {
		now, err := host.Read(ctx, c, etc)
		if err != nil {
			return nil, err
		}
		return transition.After(now, rules.Steps), nil
	}
	if isEmpty(&p, uplinks) {
		return planRemove(ctx, c, read)
	}
	return planInstall(ctx, c, read, p, uplinks)
}
