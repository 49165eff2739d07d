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

// Install makes the kernel's state what the uplinks say: all of them, or on a
// failure none. Packets from the sources of a family change over in one step, of
// which the package overview says more. What is there already is left alone, so that a
// second Install sends nothing that changes anything. What is there differently is
// changed, and what is there of the same owner in the same table and is no longer
// wanted is deleted.
//
// On an error at any step, all that was done is undone, newest first, also after ctx
// has ended, and the error is a [*plan.StepError]. Before anything is changed, it is a
// [*plan.FieldError] for an uplink that is not valid on this host, or a
// [*plan.ConflictError] for a route or rule of another program in the way. In a table that
// is the uplink's already, that is a route to the same destination as one of the uplink's
// with the same metric or a lower one; all others are left alone. A
// [*plan.NameError] is returned when all is installed but a name could not be
// registered.
//
// Install waits for others that install or remove uplinks in the same network
// namespace; see [plan.ErrLocked].
//
// All uplinks have to agree on Etc.
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

// A readFunc reads a host: all that a plan says in its text, or what it needs.
type readFunc func(ctx context.Context, c route.Conn, etc string) (*host.State, error)

// planInstall plans without the tables that others have claimed since the kernel was
// last looked at.
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

// lockAndApply plans and applies under the lock, and does so again without a table that
// someone else was faster to take.
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
