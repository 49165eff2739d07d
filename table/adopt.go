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

// Adopt installs uplinks as [Install] does, and replaces rules and routes that scripts
// have made for them, such as
//
//	ip route add default via 192.168.2.1 table lan2
//	ip rule add from 192.168.2.2 table lan2
//
// in rc.local. No packet is lost: Adopt installs the uplinks' rules and routes before it
// deletes those of the scripts, and packets take the same way as before, unless the
// uplinks declare another one. By contrast, Install refuses a table with routes of other
// programs, and does not touch their rules. Adopt replaces
//
//   - rules from one of an uplink's sources, if they look up the uplink's table, or
//     another table with a default route through the uplink's interface and gateway, or
//     main with suppress_prefixlength, or if they have the action unreachable;
//   - rules with the selectors of a rule of Also, whatever their priority;
//   - rules to one of the uplink's sources that look up its table; such rules have no
//     effect on any packet;
//   - routes of the uplink's table through its interface to the destinations of the
//     uplink's own routes, whatever their metric and source.
//
// An uplink without a table gets the table that such a rule looks up. Adopt uses names
// that an administrator wrote to rt_tables. Remove does not delete these names. All
// other rules and routes stay as they are.
//
// The uplinks' rules get the priorities that Install would choose, if no other rule
// that may match the same packets is between these priorities and those of the script's
// rules. Otherwise they get the priorities of the script's rules.
//
// Adopt replaces only rules and routes with the protocols unspec, boot or static, or with
// a protocol number that has no name in linux/rtnetlink.h. Running programs, such as DHCP
// clients and routing daemons, have protocols with names, and would install their rules
// and routes again. If Adopt would have to replace one of these, or if one is in the way,
// the error is a [*plan.ConflictError]. systemd-networkd and NetworkManager mark the
// rules and routes of their configuration as static, like an administrator. They install
// these again when they are restarted, so remove them from the configuration first.
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
