package maintain

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/transition"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// A groupPlan is what a group of uplinks needs at the moment.
type groupPlan struct {
	resolutions []resolution // in the order of the group
	plan        plan.Plan
	after       *host.State // after the plan
}

// A refusedFamily is a family of an uplink whose routes cannot be installed, because the
// kernel has refused them, or someone else's route is in the way.
type refusedFamily struct {
	of     *maintainedUplink
	family route.Family
	reason error
}

// planGroup works out what a group needs, except for those of it that are refused. An
// uplink's rules are needed all the more when its routes cannot be: if someone else's
// route is in the way, planGroup plans without the routes of that family. Taken are tables
// that no uplink can get, although nothing seems to use them.
func (r *reading) planGroup(
	ctx context.Context, group []*maintainedUplink, taken map[rttables.ID]bool, without ...refusedFamily,
) (groupPlan, error) {
	for {
		gp, err := r.planGroupWithout(ctx, group, taken, without)
		var conflict *uplink.RouteConflictError
		if !errors.As(err, &conflict) || conflict.New {
			gp.noteRefused(without)
			return gp, err
		}
		i := slices.IndexFunc(group, func(k *maintainedUplink) bool { return k.owner == conflict.Owner })
		if i < 0 || slices.ContainsFunc(without, func(x refusedFamily) bool { return x.of == group[i] && x.family == conflict.Family }) {
			return gp, err
		}
		without = append(without, refusedFamily{group[i], conflict.Family, err})
	}
}

// noteRefused notes why routes of some families were left out.
func (gp *groupPlan) noteRefused(without []refusedFamily) {
	for i := range gp.resolutions {
		x := &gp.resolutions[i]
		for _, w := range without {
			if w.of == x.of && x.refused == nil {
				x.refused = w.reason
			}
		}
	}
}

// planGroupWithout is planGroup without the routes of some families.
func (r *reading) planGroupWithout(
	ctx context.Context, group []*maintainedUplink, taken map[rttables.ID]bool, without []refusedFamily,
) (groupPlan, error) {
	planner, err := draft.Begin(ctx, r.conn, r.now, protocolsOf(group))
	if err != nil {
		return groupPlan{}, err
	}
	var gp groupPlan
	var policies []*uplink.Policy
	r = r.with(planner.State())
	for _, k := range group {
		var families []route.Family
		for _, w := range without {
			if w.of == k {
				families = append(families, w.family)
			}
		}
		x, err := r.resolve(ctx, k, families)
		if err != nil {
			return gp, err
		}
		gp.resolutions = append(gp.resolutions, x)
		if x.policy != nil && len(x.policy.Families) > 0 { // there is something to be planned
			policies = append(policies, x.policy)
		}
	}
	return gp, gp.install(ctx, r, planner, policies, uplink.Options{Taken: taken})
}

// install plans to install the policies of a group.
func (gp *groupPlan) install(
	ctx context.Context, r *reading, planner *transition.Planner, policies []*uplink.Policy, o uplink.Options,
) error {
	gp.after = r.now
	if len(policies) == 0 {
		return nil
	}
	if err := draft.AddInstall(ctx, r.conn, planner, policies, o); err != nil {
		return err
	}
	gp.plan, gp.after = planner.Plan(), planner.State()
	return nil
}

// remember notes what the plan has found out about its uplinks.
func (gp *groupPlan) remember() {
	for _, x := range gp.resolutions {
		k := x.of
		k.memory.defaults, k.status = x.defaults, x.status
		if x.policy != nil {
			k.memory.sources = x.policy.Sources
			k.memory.index = cmp.Or(x.policy.Index, k.memory.index)
		}
	}
}

// tables returns the tables that the uplinks have, and those that they are moved from.
func (gp *groupPlan) tables() []rttables.ID {
	var all []rttables.ID
	for _, x := range gp.resolutions {
		all = append(all, x.of.table())
		if x.policy != nil {
			all = append(all, x.policy.Tables()...)
		}
	}
	return all
}

// keepGroup makes what there is of a group what it should be, and reports it. It returns
// the tables of the group.
func (m *maintainer) keepGroup(ctx context.Context, group []*maintainedUplink, causes cause) []rttables.ID {
	// The first plan is made without the lock, so that a look keeps nobody waiting.
	gp, err := m.reading.planGroup(ctx, group, m.shared.takenTables(nil))
	gp.remember()
	tables := gp.tables()
	if err == nil && !gp.plan.Empty() {
		if causes&causesOwn == 0 && !m.admitRepair(groupSubject(group), gp.plan) {
			return tables
		}
		if last := group[0].memory.nameErr; last != nil && causes&(causesOwn|causeTime) == 0 && hasOnlyNames(gp.plan) {
			err = last // it is not tried again at each event
		} else {
			gp, err = m.repairGroup(ctx, group)
			tables = append(tables, gp.tables()...)
		}
	}
	if err != nil && ctx.Err() != nil {
		return tables // that is the reason; what was done was reported
	}
	m.noteReadable(err)
	m.reportGroup(group, gp, causes, err)
	return tables
}

// repairGroup plans what a group needs, and does it. If the kernel refuses a route of an
// uplink, it does so without the routes of that uplink, whose rules are needed all the
// more. Other uplinks have only the name in common with it.
func (m *maintainer) repairGroup(ctx context.Context, group []*maintainedUplink) (groupPlan, error) {
	gp, err := m.applyGroup(ctx, group)
	without := refusedRoute(group, err)
	if without.of == nil || ctx.Err() != nil {
		return gp, err
	}
	return m.applyGroup(ctx, group, without)
}

// refusedRoute returns the uplink, and the family, of a route that the kernel has
// refused, if that is why a plan failed and nothing is left of it.
func refusedRoute(group []*maintainedUplink, err error) refusedFamily {
	var step *plan.StepError
	if !errors.As(err, &step) || len(step.Left) > 0 || step.Step.Op != plan.AddRoute && step.Step.Op != plan.ReplaceRoute ||
		form.IsClaim(&step.Step.Route) {
		return refusedFamily{}
	}
	for _, k := range group {
		if k.owner == step.Step.Owner {
			return refusedFamily{k, step.Step.Route.Family, err}
		}
	}
	return refusedFamily{}
}

// applyGroup reads the host again under the lock, plans what a group needs, and does it.
func (m *maintainer) applyGroup(
	ctx context.Context, group []*maintainedUplink, without ...refusedFamily,
) (gp groupPlan, err error) {
	err = m.locked(ctx, func(ctx context.Context) error {
		return uplink.RetryClaims(func(lost map[rttables.ID]bool) error {
			r, err := m.reread(ctx)
			if err != nil {
				return err
			}
			gp, err = r.planGroup(ctx, group, m.shared.takenTables(lost), without...)
			gp.remember()
			if err != nil {
				return err
			}
			rest, names := gp.plan.SplitNames()
			if err = rest.ApplyLocked(ctx, m.conn); err == nil {
				err = m.nameGroup(ctx, group, names)
			}
			if err == nil || isNameError(err) {
				m.reading = r.with(gp.after)
			}
			return err
		})
	})
	// A name that could not be written is found missing at each look.
	if (err == nil || isNameError(err)) && !hasOnlyNames(gp.plan) {
		m.counters.addRepair(gp.plan.Done(err))
	}
	return gp, err
}

// nameGroup writes the names of a plan, which has nothing else, for a group. Names that
// could not be written are not tried again at each event.
func (m *maintainer) nameGroup(ctx context.Context, group []*maintainedUplink, names plan.Plan) error {
	if last := group[0].memory.nameErr; last != nil && !m.names.canRetry && !names.Empty() {
		return last
	}
	return m.applyNames(ctx, names, group[0].Etc)
}

// reportGroup reports what has become of each uplink of a group.
func (m *maintainer) reportGroup(group []*maintainedUplink, gp groupPlan, causes cause, err error) {
	o := outcome{causes: causes, err: err}
	if isNameError(err) {
		o.nameErr, o.err = err, nil
	}
	group[0].memory.nameErr = o.nameErr
	byUplink := make(map[*maintainedUplink]*resolution, len(group))
	for i := range gp.resolutions {
		byUplink[gp.resolutions[i].of] = &gp.resolutions[i]
	}
	net := gp.plan.Done(o.nameErr).Net()
	for _, k := range group {
		o := o
		o.subject, o.waits = k.subject(), k.status.waits
		x := byUplink[k]
		k.lacksShared = o.err == nil && x != nil && x.lacksShared
		if x != nil && x.refused != nil {
			o.err = x.refused
		}
		if o.err == nil {
			o.plan = net.Select(k.isStepOf)
			if x != nil && x.policy != nil && x.policy.Table != 0 {
				k.memory.table, k.memory.oldTable = x.policy.Table, 0
			}
		}
		k.reported = m.report(k.reported, o)
	}
}

// isStepOf reports whether a step of a plan for its group is to be reported with the
// uplink: its own steps, names, and steps that clean up in its families.
func (k *maintainedUplink) isStepOf(s *plan.Step) bool {
	f := s.Family()
	return f == 0 || slices.Contains(k.families(), f) && (s.Owner == k.owner || s.Owner == plan.NoOwner)
}
