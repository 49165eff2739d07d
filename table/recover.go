package table

import (
	"context"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// Recover cleans up after an Install or Remove that was killed, or whose undo failed.
// No packet notices it: a transaction that had changed over is finished, and any other
// one is undone. Without protocols, Recover looks for rules and routes with [Protocol].
// Pass the protocols of uplinks that use other ones.
//
// Recover deletes rules from sources that gates hide, or that come behind others of the
// same source. Then it deletes routes in tables that no rule leads to, claims of
// tables, and the gates. All of these have one of the protocols; Recover deletes
// nothing else. A second Recover does nothing. Install and Remove begin with a Recover
// if they find a gate.
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
