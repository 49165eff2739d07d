package reply

import (
	"context"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/transition"
	"github.com/policyroute/policyroute/table/plan"
)

// IsOwn reports whether a table with the name [TableName] and a comment was made by this
// package.
func IsOwn(comment string) bool { return strings.HasPrefix(comment, ownerWord) }

// PlanSyncAfter returns what [Sync] of a policy would do after another plan, which installs
// uplinks. It changes nothing. A plan that has the steps of both undoes both after a failure of
// either.
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
