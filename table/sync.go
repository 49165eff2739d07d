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

// Sync installs the uplinks, and removes all other uplinks that have a protocol of
// these uplinks: all or nothing. If the call has no uplinks, Sync removes all uplinks
// with [Protocol], and deletes their names in /etc/iproute2; see [SyncIn] for another
// directory.
//
// Sync recognizes an uplink that is not in the call by its table: any table, except for
// the system tables, that no uplink of the call uses. In such a table, Sync deletes the
// routes that have one of the protocols, and it deletes the rules with such a protocol
// that look up the table. It also deletes the rules that belong to these rules: those
// from the same source, and those that look up main before them. Other rules and routes
// with the protocol stay: routes in the system tables, and rules that neither look up
// such a table nor belong to a rule that does, for example because another program has
// deleted that rule. To delete everything with a protocol, use [rule.Flush] and
// [route.Flush].
//
// If a new uplink gets addresses or the table of a removed uplink, packets switch in
// one step, as in any update.
func Sync(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	return SyncIn(ctx, c, etcOf(uplinks), uplinks...)
}

// PlanSync returns what [Sync] of the same uplinks would do now. It changes nothing.
func PlanSync(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) (plan.Plan, error) {
	return PlanSyncIn(ctx, c, etcOf(uplinks), uplinks...)
}

// SyncIn is [Sync] with names in the files of the directory etc, which it uses even if
// the call has no uplinks. The field Etc of the uplinks has to be the same directory.
func SyncIn(ctx context.Context, c route.Conn, etc string, uplinks ...SourceRoutedUplink) error {
	return lockAndApply(ctx, c, func(lost map[rttables.ID]bool) (plan.Plan, error) {
		return planSync(ctx, c, host.ReadRules, lost, etc, uplinks)
	})
}

// PlanSyncIn returns what [SyncIn] of the same uplinks would do now. It changes nothing.
func PlanSyncIn(ctx context.Context, c route.Conn, etc string, uplinks ...SourceRoutedUplink) (plan.Plan, error) {
	return planSync(ctx, c, host.Read, nil, etc, uplinks)
}

// etcOf returns the directory of names of some uplinks, which all have the same one.
func etcOf(uplinks []SourceRoutedUplink) string {
	if len(uplinks) == 0 {
		return ""
	}
	return uplinks[0].Etc
}

func planSync(
	ctx context.Context, c route.Conn, read readFunc, lost map[rttables.ID]bool, etc string, uplinks []SourceRoutedUplink,
) (plan.Plan, error) {
	protocols, specs := []route.Protocol{Protocol}, specsOf(uplinks)
	if len(specs) > 0 {
		protocols = uplink.Protocols(specs)
		if first := &specs[0]; first.Etc != etc { // the others agree with it
			return plan.Plan{}, first.FieldError("Etc", "%q differs from the directory of the call, %q", first.Etc, etc)
		}
	}
	now, err := read(ctx, c, etc)
	if err != nil {
		return plan.Plan{}, err
	}
	return draft.Sync(ctx, c, now, specs, protocols, lost)
}
