package table

import (
	"context"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// Recover cleans up after an Install or Remove that was killed, or whose undo failed.
// Packets are not affected: if the transaction had already switched packets to the new
// policy, Recover finishes it; otherwise Recover undoes it. Without protocols, Recover
// looks for rules and routes with [Protocol]. Pass the protocols of uplinks that use
// other ones.
//
// Recover deletes rules from sources if a gate skips them, or if other rules of the
// same source come before them. Then it deletes routes in tables that no rule looks up,
// reservations of tables, and the gates. It deletes only rules and routes that have one
// of the protocols. A second Recover does nothing. Install and Remove call Recover
// first if they find a gate.
//
// Names in rt_tables stay until the uplink is removed. Errors are those of [Install].
func Recover(ctx context.Context, c route.Conn, protocols ...route.Protocol) error {
	return plan.Lock(ctx, c, func() error {
		p, err := planRecover(ctx, c, host.ReadRules, protocols)
		if err != nil {
			return err
		}
		return p.ApplyLocked(ctx, c)
	})
}

// PlanRecover returns what [Recover] would do now. It changes nothing. If another
// process is in the middle of an Install, PlanRecover treats that Install as killed;
// Recover itself waits.
func PlanRecover(ctx context.Context, c route.Conn, protocols ...route.Protocol) (plan.Plan, error) {
	return planRecover(ctx, c, host.Read, protocols)
}

func planRecover(ctx context.Context, c route.Conn, read readFunc, protocols []route.Protocol) (plan.Plan, error) {
	now, err := read(ctx, c, "")
	if err != nil {
		return plan.Plan{}, err
	}
	if len(protocols) == 0 {
		protocols = []route.Protocol{Protocol}
	}
	return draft.Recover(ctx, c, now, protocols)
}
