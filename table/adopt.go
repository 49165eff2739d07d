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

// Adopt is [Install] that takes over what scripts have made for the uplinks, such as
//
//	ip route add default via 192.168.2.1 table lan2
//	ip rule add from 192.168.2.2 table lan2
//
// in rc.local, without a gap: ours are there before theirs go, and packets go the way
// that they went, except as the uplinks say. Install refuses a table with routes of
// others, and leaves their rules. Adopt takes the place of
//
//   - rules from one of an uplink's sources that look up its table, or another table with
//     a default route by its interface and its gateway; or main with
//     suppress_prefixlength; or are unreachable;
//   - rules that one of Also is like, whatever their priority;
//   - rules to one of its sources that look up its table, which decide about no packet;
//   - routes of that table by its interface, to the destinations of its own, whatever
//     their metric and source.
//
// An uplink without a table gets the table that such a rule looks up. Names in rt_tables
// that an administrator wrote are used, and stay when the uplink is removed. All other
// rules and routes stay as they are.
//
// Our rules get the priorities that Install chooses, if no rule that may match the same
// packets is between there and the script's rules; else they get those of the script's.
//
// Adopt takes over what has the protocols unspec, boot or static, or a number that
// linux/rtnetlink.h has no name for. Programs that run, such as DHCP clients and routing
// daemons, have protocols with names, and bring back what others delete: their rules and
// routes, where Adopt would have to take them over, are a [*plan.ConflictError], and so
// are those that are in the way. systemd-networkd and NetworkManager mark what they are
// configured to make as static, like an administrator. They bring it back when they are
// restarted: take it out of their configuration first.
//
// Errors are those of Install: all or nothing. After a kill packets go the way that they
// went; the next Adopt goes on from there. A second Adopt changes nothing.
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
