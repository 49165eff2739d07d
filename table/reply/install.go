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

// Install installs the policy for the uplinks, which must already be installed. A host has
// one policy: Install replaces the policy of an earlier call, even if that call was for
// other uplinks. Install changes only what differs, so a second Install sends no request
// that changes anything. Remembered clients stay remembered, unless the address that they
// used no longer belongs to an uplink, or Remember or Clients has changed.
//
// All packets switch to the new policy in one step, except packets that match an old rule
// for a mark: Install deletes these rules after that step. See the package overview. If a
// step fails, Install undoes the steps before it, newest first, even after ctx has ended,
// and returns a [*plan.StepError]. Install changes nothing and returns a [*plan.FieldError]
// if the policy or an uplink is not valid on this host, a [*plan.ConflictError] if another
// program has made a table with the name [TableName], and errors.ErrUnsupported if the
// kernel has no nf_tables.
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

// Remove removes the policy: it deletes the table [TableName] and the rules with
// [Protocol]. Remove does not need to know the policy or its uplinks. If no policy is
// installed, Remove returns nil. Other errors are those of [Install].
func Remove(ctx context.Context, c route.Conn) error {
	return apply(ctx, c, func() (plan.Plan, error) { return planRemove(ctx, c, host.ReadRules) })
}

// PlanRemove returns what [Remove] would do now. It changes nothing.
func PlanRemove(ctx context.Context, c route.Conn) (plan.Plan, error) {
	return planRemove(ctx, c, host.Read)
}

// Sync calls [Install], or [Remove] if the policy would do nothing: no uplink has
// Masquerade, and there are no uplinks or the policy has neither UDP nor Forwarded.
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

// isEmpty reports whether a policy for these uplinks would do nothing.
func isEmpty(p *Policy, uplinks []Uplink) bool {
	for _, u := range uplinks {
		if u.Masquerade {
			return false
		}
	}
	return len(uplinks) == 0 || len(p.UDP) == 0 && !p.Forwarded
}

// Marks returns the mark of the connections of each uplink, under a policy that has
// Forwarded: the installed mark or, if none is installed, the mark that Install would
// choose.
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
