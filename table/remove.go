package table

import (
	"context"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// Remove deletes the rules and routes that have the uplinks' protocol in their tables,
// and nothing else. Then it deletes the names of the tables, if Install registered them
// and no rule or route with the protocol is left that uses the table. The interface and
// its addresses need not exist any more. Removing an uplink that is not installed is
// not an error.
//
// Errors are those of [Install]: rules and routes that were deleted before a failure
// are added again.
func Remove(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	return plan.Lock(ctx, c, func() error {
		p, err := planRemove(ctx, c, host.ReadRules, uplinks)
		if err != nil {
			return err
		}
		return p.ApplyLocked(ctx, c)
	})
}

// PlanRemove returns what [Remove] of the same uplinks would do now. It changes
// nothing.
func PlanRemove(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) (plan.Plan, error) {
	return planRemove(ctx, c, host.Read, uplinks)
}

func planRemove(ctx context.Context, c route.Conn, read readFunc, uplinks []SourceRoutedUplink) (plan.Plan, error) {
	if len(uplinks) == 0 {
		return plan.Plan{}, nil
	}
	now, err := read(ctx, c, uplinks[0].Etc)
	if err != nil {
		return plan.Plan{}, err
	}
	return draft.Remove(ctx, c, now, specsOf(uplinks))
}
