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

// Adopt is [Install] that also takes over what scripts have made for the uplinks, such as
//
//	ip route add default via 192.168.2.1 table lan2
//	ip rule add from 192.168.2.2 table lan2
//
// in rc.local. No packet is lost: our rules and routes are installed before those of the
// scripts are deleted, and packets go the same way as before, unless the uplinks say
// otherwise. Install refuses a table with routes of other programs, and leaves their
// rules. Adopt replaces
//
//   - rules from one of an uplink's sources that look up its table, or another table with
//     a default route by its interface and its gateway; or that look up main with
//     suppress_prefixlength; or that have the action unreachable;
//   - rules with the selectors of a rule of Also, whatever their priority;
//   - rules to one of the uplink's sources that look up its table, which decide about no
//     packet;
//   - routes of that table by the uplink's interface, to the destinations of the uplink's
//     own routes, whatever their metric and source.
//
// An uplink without a table gets the table that such a rule looks up. Names in rt_tables
// that an administrator wrote are used, and stay when the uplink is removed. All other
// rules and routes stay as they are.
//
// Our rules get the priorities that Install chooses, if no rule that may match the same
// packets is between there and the script's rules. Otherwise they get the priorities of
// the script's rules.
//
// Adopt takes over rules and routes with the protocols unspec, boot or static, or with a
// number that linux/rtnetlink.h has no name for. Running programs, such as DHCP clients
// and routing daemons, have protocols with names, and install again what other programs
// delete. If Adopt would have to take over one of their rules or routes, or if one is in
// the way, the error is a [*plan.ConflictError]. systemd-networkd and NetworkManager mark
// the rules and routes of their configuration as static, like an administrator. They
// install these again when they are restarted, so remove them from the configuration
// first.
//
// Errors are those of Install: all or nothing. If the process is killed, packets go the
// same way as before, and the next Adopt continues from there. A second Adopt changes
// nothing.
func Adopt(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	return lockAndApply(ctx, c, func(lost map[rttables.ID]bool) (plan.Plan, error) {
		return planAdopt(ctx, c, host.ReadRules, lost, uplinks)
	})
}

// PlanAdopt returns what [Adopt] of the same uplinks would do now. It changes nothing.
func PlanAdopt(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) (plan.Plan, error) {
	return planAdopt(ctx, c, host.Read, nil, uplinks)
}

func planAdopt(
	ctx context.Context, c route.Conn, read readFunc, lost map[rttables.ID]bool, uplinks []SourceRoutedUplink,
) (plan.Plan, error) {
	if len(uplinks) == 0 {
		return plan.Plan{}, nil
	}
	now, err := read(ctx, c, uplinks[0].Etc)
	if err != nil {
		return plan.Plan{}, err
	}
	return draft.Adopt(ctx, c, now, specsOf(uplinks), uplink.Options{Taken: lost})
}
