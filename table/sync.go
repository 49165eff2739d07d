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
// all or nothing. Without uplinks, the protocol is [Protocol], and names are deleted in
// /etc/iproute2; see [SyncIn] for another directory.
//
// An uplink that is not in the call is known by its table alone, one that no uplink of
// the call has and that is not a table of the system. Sync deletes the routes in the
// table that have one of the protocols, the rules with such a protocol that look up the
// table, and those that belong to one of these: rules from the same source, and
// main-first rules. What else has a protocol stays: routes in the tables of the system,
// and rules that lead to no such table and belong to no such rule, as after another
// program has deleted the rules that they belonged to. [rule.Flush] and [route.Flush]
// delete all that has a protocol.
//
// What a new uplink takes over from one that goes, its addresses or its table, changes
// over in one step, as in any update.
func Sync(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	return SyncIn(ctx, c, etcOf(uplinks), uplinks...)
}

// PlanSync returns what [Sync] of the same uplinks would do now. It changes nothing.
func PlanSync(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) (plan.Plan, error) {
	return PlanSyncIn(ctx, c, etcOf(uplinks), uplinks...)
}

// SyncIn is [Sync] where names are in files of the directory etc, also if there are no
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

// etcOf returns the directory of names of some uplinks, which agree on it.
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
			return plan.Plan{}, first.FieldError("Etc", "is %q, and not the directory of the call, %q", first.Etc, etc)
		}
	}
	now, err := read(ctx, c, etc)
	if err != nil {
		return plan.Plan{}, err
	}
	return draft.Sync(ctx, c, now, specs, protocols, lost)
}
