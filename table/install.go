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

// Install changes rules, routes and names to those that the uplinks declare: for all
// uplinks or, on a failure, for none. For each family, packets from all sources switch in
// one step; the package overview has the details. Install changes only what differs, so a
// second Install sends no request that changes anything. It deletes rules and routes in
// the table of an uplink that have its protocol and are no longer wanted.
//
// On an error at any step, all steps that were done are undone, newest first, even after
// ctx has ended, and the error is a [*plan.StepError]. Before anything is changed, the
// error is a [*plan.FieldError] for an uplink that is not valid on this host, or a
// [*plan.ConflictError] for a route or rule of another program that is in the way. In a
// table that already belongs to the uplink, a route of another program is in the way only
// if it has the same destination as a route of the uplink and the same metric or a lower
// one. Install does not touch the other routes. If only a name could not be registered,
// everything else is installed, and the error is a [*plan.NameError].
//
// Install waits for other processes that install or remove uplinks in the same network
// namespace; see [plan.ErrLocked].
//
// All uplinks must have the same Etc.
func Install(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	return lockAndApply(ctx, c, func(lost map[rttables.ID]bool) (plan.Plan, error) {
		return planInstall(ctx, c, host.ReadRules, lost, uplinks)
	})
}

// PlanInstall returns what [Install] of the same uplinks would do now. It changes
// nothing.
func PlanInstall(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) (plan.Plan, error) {
	return planInstall(ctx, c, host.Read, nil, uplinks)
}

// A readFunc reads the parts of a host that a plan needs, or that it uses in its text.
type readFunc func(ctx context.Context, c route.Conn, etc string) (*host.State, error)

// planInstall plans without the tables that other programs have claimed since the kernel
// was last read.
func planInstall(
	ctx context.Context, c route.Conn, read readFunc, lost map[rttables.ID]bool, uplinks []SourceRoutedUplink,
) (plan.Plan, error) {
	if len(uplinks) == 0 {
		return plan.Plan{}, nil
	}
	now, err := read(ctx, c, uplinks[0].Etc)
	if err != nil {
		return plan.Plan{}, err
	}
	return draft.Install(ctx, c, now, specsOf(uplinks), uplink.Options{Taken: lost})
}

// lockAndApply plans and applies under the lock. If another program has taken a table, it
// does so again without that table.
func lockAndApply(ctx context.Context, c route.Conn, draw func(lost map[rttables.ID]bool) (plan.Plan, error)) error {
	return plan.Lock(ctx, c, func() error {
		return uplink.RetryClaims(func(lost map[rttables.ID]bool) error {
			p, err := draw(lost)
			if err != nil {
				return err
			}
			return p.ApplyLocked(ctx, c)
		})
	})
}
