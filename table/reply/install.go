package reply

import (
	"context"
	"errors"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/ruleset"
	"github.com/policyroute/policyroute/table/plan"
)

// Install changes the kernel's state to what the policy declares for the uplinks, which have
// to be installed. A host has one policy: Install replaces the one of an earlier call,
// whatever its uplinks. It changes only what differs, so a second Install sends no request
// that changes anything. Clients that are remembered stay remembered, unless their address
// is no uplink's any more, or Remember or Clients have changed.
//
// All packets change over in one step, except for those that rules of marks which are not
// needed any more have matched; the package overview says more about it. On an error at any
// step, all steps that were done are undone, newest first, even after ctx has ended, and the
// error is a [*plan.StepError]. Before anything is changed, the error is a
// [*plan.FieldError] for a policy or an uplink that is not valid on this host, or a
// [*plan.ConflictError] for a table of another program with the name [TableName]. It is
// errors.ErrUnsupported if the kernel has no nf_tables.
//
// Install waits for other processes that change uplinks in the same network namespace; see
// [plan.ErrLocked].
func Install(ctx context.Context, c route.Conn, p Policy, uplinks ...Uplink) error {
	return apply(ctx, c, func() (plan.Plan, error) { return planInstall(ctx, c, host.ReadRules, p, uplinks) })
}

// PlanInstall returns what [Install] of the same policy would do now. It changes nothing.
func PlanInstall(ctx context.Context, c route.Conn, p Policy, uplinks ...Uplink) (plan.Plan, error) {
	return planInstall(ctx, c, host.Read, p, uplinks)
}

// Remove takes the policy away: the table [TableName], and the rules with [Protocol]. It needs
// neither the policy nor the uplinks that were installed. Removing what is not installed is
// not an error. Errors are those of [Install].
func Remove(ctx context.Context, c route.Conn) error {
	return apply(ctx, c, func() (plan.Plan, error) { return planRemove(ctx, c, host.ReadRules) })
}

// PlanRemove returns what [Remove] would do now. It changes nothing.
func PlanRemove(ctx context.Context, c route.Conn) (plan.Plan, error) {
	return planRemove(ctx, c, host.Read)
}

// Sync is [Install] of a policy, or [Remove] if neither the policy nor an uplink asks for
// anything.
func Sync(ctx context.Context, c route.Conn, p Policy, uplinks ...Uplink) error {
	if isEmpty(&p, uplinks) {
		return Remove(ctx, c)
	}
	return Install(ctx, c, p, uplinks...)
}

// PlanSync returns what [Sync] of the same policy would do now. It changes nothing.
func PlanSync(ctx context.Context, c route.Conn, p Policy, uplinks ...Uplink) (plan.Plan, error) {
	if isEmpty(&p, uplinks) {
		return PlanRemove(ctx, c)
	}
	return PlanInstall(ctx, c, p, uplinks...)
}

// isEmpty reports whether nothing is asked for.
func isEmpty(p *Policy, uplinks []Uplink) bool {
	for _, u := range uplinks {
		if u.Masquerade {
			return false
		}
	}
	return len(uplinks) == 0 || len(p.UDP) == 0 && !p.Forwarded
}

// Marks returns the mark that the connections of each uplink have with a policy that has
// Forwarded. It is the mark that is installed, or the one that Install would choose.
func Marks(ctx context.Context, c route.Conn, p Policy, uplinks ...Uplink) ([]rule.Mark, error) {
	p.Forwarded = true
	if len(uplinks) == 0 {
		return nil, nil
	}
	now, err := host.ReadRules(ctx, c, uplinks[0].Etc)
	if err != nil {
		return nil, err
	}
	g, err := aim(ctx, c, now, &p, uplinks)
	if err != nil {
		return nil, err
	}
	marks := make([]rule.Mark, len(uplinks))
	for _, w := range g.ways {
		for _, i := range w.owners {
			marks[i] = rule.FwMark(w.mark).Masked(p.mask())
		}
	}
	return marks, nil
}

// apply plans and applies under the lock.
func apply(ctx context.Context, c route.Conn, draw func() (plan.Plan, error)) error {
	return plan.Lock(ctx, c, func() error {
		p, err := draw()
		if err != nil {
			return err
		}
		return p.ApplyLocked(ctx, c)
	})
}

// A readFunc reads the parts of a host that a plan needs, or that it uses in its text.
type readFunc func(ctx context.Context, c route.Conn, etc string) (*host.State, error)

func planInstall(ctx context.Context, c route.Conn, read readFunc, p Policy, uplinks []Uplink) (plan.Plan, error) {
	etc := ""
	if len(uplinks) > 0 {
		etc = uplinks[0].Etc
	}
	if err := p.Validate(); err != nil {
		return plan.Plan{}, err
	}
	now, err := read(ctx, c, etc)
	if err != nil {
		return plan.Plan{}, err
	}
	g, err := aim(ctx, c, now, &p, uplinks)
	if err != nil {
		return plan.Plan{}, err
	}
	return planOn(ctx, c, now, g)
}

func planRemove(ctx context.Context, c route.Conn, read readFunc) (plan.Plan, error) {
	now, err := read(ctx, c, "")
	if err != nil {
		return plan.Plan{}, err
	}
	return planOn(ctx, c, now, &goal{table: absent()})
}

// planOn reads the table, and plans the steps to a goal.
func planOn(ctx context.Context, c route.Conn, now *host.State, g *goal) (plan.Plan, error) {
	present, err := ruleset.Read(ctx, c, nft.Inet, TableName)
	if errors.Is(err, errors.ErrUnsupported) && !g.table.Found { // the kernel has no such tables
		present, err = absent(), nil
	}
	if err != nil {
		return plan.Plan{}, err
	}
	return planTo(now, present, g)
}
