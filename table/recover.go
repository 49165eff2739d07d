package table

import (
	"context"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// Recover cleans up after an Install or Remove that was killed, or whose undo failed.
// It changes nothing that a packet notices: a transaction that had changed over is
// finished, another is undone. Without protocols it looks for what carries [Protocol];
// for uplinks with a protocol of their own, pass that one.
//
// Recover deletes rules from sources that gates hide, or that come behind others of the
// same source, then routes in tables that no rule leads to, claims of tables, and the
// gates; all of the protocols named and nothing else. A second Recover does nothing.
// Install and Remove begin with it when they find a gate.
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

// PlanRecover returns what [Recover] would do now. It changes nothing. While another
// process is in the middle of Install, PlanRecover takes that for killed; Recover
// itself waits.
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
