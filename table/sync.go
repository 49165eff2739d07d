package table

import (
	"context"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// Sync installs the uplinks, and removes all others that have one of their protocols:
// all or nothing. It knows other uplinks by their rules and routes alone: what has one
// of the protocols in a table that no uplink of the call has is deleted, except in the
// tables of the system. Without uplinks, Sync removes what has [Protocol], and names in
// /etc/iproute2.
//
// What a new uplink takes over from one that goes, its addresses or its table, changes
// over in one step, as in any update.
func Sync(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	return lockAndApply(ctx, c, func(lost map[rttables.ID]bool) (plan.Plan, error) {
		return planSync(ctx, c, host.ReadRules, lost, uplinks)
	})
}

// PlanSync returns what [Sync] of the same uplinks would do now. It changes nothing.
func PlanSync(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) (plan.Plan, error) {
	return planSync(ctx, c, host.Read, nil, uplinks)
}

func planSync(
	ctx context.Context, c route.Conn, read readFunc, lost map[rttables.ID]bool, uplinks []SourceRoutedUplink,
) (plan.Plan, error) {
	etc, protocols, specs := "", []route.Protocol{Protocol}, specsOf(uplinks)
	if len(specs) > 0 {
		etc, protocols = specs[0].Etc, uplink.Protocols(specs)
	}
	now, err := read(ctx, c, etc)
	if err != nil {
		return plan.Plan{}, err
	}
	return draft.Sync(ctx, c, now, specs, protocols, lost)
}
