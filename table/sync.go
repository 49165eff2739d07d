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

// Sync installs the uplinks, and removes all other uplinks that have one of their
// protocols: all or nothing. Without uplinks, the protocol is [Protocol], and names are
// deleted in /etc/iproute2; see [SyncIn] for another directory.
//
// Sync knows an uplink that is not in the call only by its table. That is a table that
// no uplink of the call has and that is not a system table. Sync deletes the routes in
// the table that have one of the protocols, and the rules with such a protocol that look
// up the table. It also deletes rules that belong to one of these: rules from the same
// source, and main-first rules. Other objects with the protocol stay: routes in the
// system tables, and rules that lead to no such table and belong to no such rule, for
// example after another program has deleted the rules that they belonged to.
// [rule.Flush] and [route.Flush] delete everything with a protocol.
//
// If a new uplink takes over addresses or the table of a removed one, packets change
// over in one step, as in any update.
func Sync(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	return SyncIn(ctx, c, etcOf(uplinks), uplinks...)
}

// PlanSync returns what [Sync] of the same uplinks would do now. It changes nothing.
func PlanSync(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) (plan.Plan, error) {
	return PlanSyncIn(ctx, c, etcOf(uplinks), uplinks...)
}

// SyncIn is [Sync] with the names in files of the directory etc, even if there are no
// uplinks. The Etc of the uplinks has to be the same directory.
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
