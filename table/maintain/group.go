package maintain

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/transition"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// A group is uplinks that are maintained in one transaction.
type group struct {
	uplinks []*maintainedUplink
	// again is when to check the group again. Zero: not without a reason.
	again time.Time
	// tables are the tables of the uplinks, and those that they are moved from, at the last
	// look.
	tables []rttables.ID
	// resolutions are the resolutions of the last look.
	resolutions []resolution
	// suspicions are rules of other programs that may take packets of the uplinks.
	suspicions []suspicion
}

// A groupPlan has the steps that a group of uplinks needs now.
type groupPlan struct {
	resolutions []resolution // in the order of the group
	plan        plan.Plan
}

// A refusedFamily is a family of an uplink whose routes cannot be installed, because the
// kernel has refused them, or because a route of another program is in the way. If rules is
// set, the same is true of its rules, and not of its routes.
type refusedFamily struct {
	of     *maintainedUplink
	family route.Family
	rules  bool
	reason error
}

// planGroup works out the steps that a group needs, without the families that are refused. An
// uplink whose routes cannot be installed still needs its rules: if a route of another
// program is in the way, planGroup plans without the routes of that family. If a rule of
// another program is in the way, the rules of that family stay as they are, and planGroup
// plans its routes. Taken are tables that no uplink can get, although they appear to be unused.
func (r *reading) planGroup(
	ctx context.Context, group []*maintainedUplink, taken map[rttables.ID]bool, without ...refusedFamily,
) (groupPlan, error) {
	for {
		gp, err := r.planGroupWithout(ctx, group, taken, without)
		refused := refusedBy(group, err)
		if refused.of == nil {
			gp.noteRefused(without)
			return gp, err
		}
		if slices.ContainsFunc(without, func(x refusedFamily) bool {
			return x.of == refused.of && x.family == refused.family && x.rules == refused.rules
		}) {
			return gp, err
		}
		without = append(without, refused)
	}
}

// refusedBy returns the family in which a rule or a route of another program is in the way, if
// that is why a plan failed, and the uplink is installed.
func refusedBy(group []*maintainedUplink, err error) refusedFamily {
	var ofRoute *uplink.RouteConflictError
	var ofRule *uplink.RuleConflictError
	for _, k := range group {
		switch {
		case errors.As(err, &ofRoute) && ofRoute.Owner == k.owner && !ofRoute.New:
			return refusedFamily{of: k, family: ofRoute.Family, reason: err}
		case errors.As(err, &ofRule) && ofRule.Owner == k.owner && k.memory.table != 0:
			return refusedFamily{of: k, family: ofRule.Family, rules: true, reason: err}
		}
	}
	return refusedFamily{}
}

// noteRefused records why routes of some families were left out.
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
		var routes, rules []route.Family // that are refused
		for _, w := range without {
			switch {
			case w.of == k && w.rules:
				rules = append(rules, w.family)
			case w.of == k:
				routes = append(routes, w.family)
			}
		}
		x, err := r.resolve(ctx, k, routes)
		if err != nil {
			return gp, err
		}
		if x.policy != nil {
			x.policy.KeptRules = rules
		}
		gp.resolutions = append(gp.resolutions, x)
		if x.policy != nil && len(x.policy.Families) > 0 { // there is something to be planned
			policies = append(policies, x.policy)
		}
	}
	return gp, gp.install(ctx, r, planner, policies, uplink.Options{Taken: taken, GivesUp: func(id rttables.ID) bool {
		return givesUp(group[0].others, id)
	}})
}

// givesUp reports whether a table is that of an uplink which takes all addresses of its
// interface. When it has lost one, it deletes the rules of that source at its next look. Two
// uplinks may exchange sources: if each waited for the other, neither would ever get them.
func givesUp(uplinks []*maintainedUplink, id rttables.ID) bool {
	return slices.ContainsFunc(uplinks, func(k *maintainedUplink) bool { return k.memory.table == id && k.spec().TakesAll() })
}

// install plans to install the policies of a group.
func (gp *groupPlan) install(
	ctx context.Context, r *reading, planner *transition.Planner, policies []*uplink.Policy, o uplink.Options,
) error {
	if len(policies) == 0 {
		return nil
	}
	if err := draft.AddInstall(ctx, r.conn, planner, policies, o); err != nil {
		return err
	}
	gp.plan = planner.Plan()
	return nil
}

// remember records what the plan has found out about its uplinks.
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

// tables returns the tables of the uplinks, and those that they are moved from.
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

// confirmAfter is when a group is checked again after an event about an interface or an
// address. At the time of the event, the kernel may still be about to delete routes, which it
// does not report.
const confirmAfter = time.Second

// keepGroup repairs a group, and reports the result. The host was read again for this look;
// otherwise some of the known state may be out of date.
func (m *maintainer) keepGroup(ctx context.Context, g *group, causes cause, isAnew bool) {
	if !isAnew && causes&(causeLink|causeAddress|causeTime) != 0 {
		m.reading.forgetTables(g)
		m.reading.forgetLinks(g)
	}
	if causes&(causeLink|causeAddress) != 0 {
		soonest(&g.again, confirmAfter)
	}
	// The first plan is made without the lock, so that a look does not make other processes
	// wait.
	gp, err := m.reading.planGroup(ctx, g.uplinks, m.shared.takenTables(nil))
	var order *uplink.OrderError
	if errors.As(err, &order) && m.keepJointly(ctx, g, causes) {
		gp, err = m.reading.planGroup(ctx, g.uplinks, m.shared.takenTables(nil))
	}
	gp.remember()
	g.tables, g.resolutions = gp.tables(), gp.resolutions
	if err == nil && !gp.plan.Empty() {
		if causes&causesOwn == 0 && !m.admitRepair(groupSubject(g), gp.plan, &g.again) {
			return
		}
		if last := g.uplinks[0].memory.nameErr; last != nil && causes&(causesOwn|causeTime) == 0 && hasOnlyNames(gp.plan) {
			err = last // it is not tried again at each event
		} else {
			gp, err = m.repairGroup(ctx, g)
			g.tables, g.resolutions = append(g.tables, gp.tables()...), gp.resolutions
		}
	}
	if err != nil && ctx.Err() != nil {
		return // that is the reason; what was done was reported
	}
	m.noteReadable(err)
	m.reportGroup(g, gp, causes, err)
}

// forgetTables forgets the routes of the tables of a group. They are read again when they
// are needed.
func (r *reading) forgetTables(g *group) {
	for _, id := range g.tables {
		r.now.ForgetTable(id)
	}
}

// forgetLinks forgets the routes of main by the interfaces of a group.
func (r *reading) forgetLinks(g *group) {
	for _, k := range g.uplinks {
		for _, dev := range append([]string{k.Interface}, k.SourceInterfaces...) {
			if index, ok := r.now.Link(dev); ok {
				r.forgetLink(index)
			}
		}
	}
}

// keepJointly is for a group that is refused because its rules would be in a wrong order with
// those of other uplinks. It installs all uplinks together, if they are not refused, and
// reports whether it has done so. It is tried once a look.
func (m *maintainer) keepJointly(ctx context.Context, g *group, causes cause) bool {
	if m.triedJointly || len(g.uplinks) == len(m.uplinks) {
		return false
	}
	m.triedJointly = true
	joint := &group{uplinks: m.uplinks}
	gp, err := m.reading.planGroup(ctx, joint.uplinks, m.shared.takenTables(nil))
	if err != nil || causes&causesOwn == 0 && !m.admitRepair(groupSubject(g), gp.plan, &g.again) {
		return false
	}
	if gp, err = m.repairGroup(ctx, joint); err != nil && !isNameError(err) {
		return false
	}
	m.reportGroup(joint, gp, causes, err)
	for _, other := range m.groups {
		if other != g {
			soonest(&other.again, confirmAfter)
		}
	}
	return m.ensureReading(ctx) == nil
}

// repairGroup plans the steps that a group needs, and does them. If the kernel refuses a
// route of an uplink, it does the steps without the routes of that uplink, but with its
// rules. Other uplinks of the group share only the name with that uplink.
func (m *maintainer) repairGroup(ctx context.Context, g *group) (groupPlan, error) {
	gp, err := m.applyGroup(ctx, g)
	without := refusedRoute(g.uplinks, err)
	if without.of == nil || ctx.Err() != nil {
		return gp, err
	}
	return m.applyGroup(ctx, g, without)
}

// refusedRoute returns the uplink, and the family, of a route that the kernel has refused, if
// that is why a plan failed and nothing is left of the plan.
func refusedRoute(group []*maintainedUplink, err error) refusedFamily {
	var step *plan.StepError
	if !errors.As(err, &step) || len(step.Left) > 0 || step.Step.Op != plan.AddRoute && step.Step.Op != plan.ReplaceRoute ||
		form.IsClaim(&step.Step.Route) || !rtnl.IsVerdict(step.Err) {
		return refusedFamily{}
	}
	for _, k := range group {
		if k.owner == step.Step.Owner {
			return refusedFamily{of: k, family: step.Step.Route.Family, reason: err}
		}
	}
	return refusedFamily{}
}

// applyGroup reads the host under the lock, plans the steps that a group needs, and does
// them.
func (m *maintainer) applyGroup(ctx context.Context, g *group, without ...refusedFamily) (gp groupPlan, err error) {
	err = m.locked(ctx, func(ctx context.Context) error {
		return uplink.RetryClaims(func(lost map[rttables.ID]bool) error {
			r, err := m.reread(ctx, m.etc())
			if err != nil {
				return err
			}
			r.forgetTables(g)
			gp, err = r.planGroup(ctx, g.uplinks, m.shared.takenTables(lost), without...)
			gp.remember()
			if err != nil || gp.plan.Empty() {
				return err
			}
			m.reading = nil // it is about to change
			rest, names := gp.plan.SplitNames()
			if err = rest.ApplyLocked(ctx, m.conn); err == nil {
				err = m.nameGroup(ctx, g, names)
			} else {
				m.doubt(g, err)
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

// nameGroup writes the names of a plan, which has only names, for a group. Names that could
// not be written are not tried again at each event.
func (m *maintainer) nameGroup(ctx context.Context, g *group, names plan.Plan) error {
	if last := g.uplinks[0].memory.nameErr; last != nil && !m.names.canRetry && !names.Empty() {
		return last
	}
	err := m.applyNames(ctx, names, g.uplinks[0].Etc)
	if err != nil && (m.names.held != nil || m.names.isSilent(g.uplinks[0].Etc)) {
		soonest(&g.again, namesAgain)
	}
	return err
}

// doubt asks for a check of everything after a change that failed, if the known state of the
// host may be wrong. If the kernel has refused the change several times, the state is not the
// reason.
func (m *maintainer) doubt(g *group, err error) {
	var step *plan.StepError
	if errors.As(err, &step) && len(step.Left) == 0 && step.Step.Op.IsRoute() && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return // the kernel does not take the route
	}
	if g.uplinks[0].reported.failures < reportAfter {
		m.watch.distrust()
	}
}

// reportGroup reports the result of each uplink of a group, and sets when to check the group
// again after a failure.
func (m *maintainer) reportGroup(g *group, gp groupPlan, causes cause, err error) {
	o := outcome{causes: causes, err: err}
	if isNameError(err) {
		o.nameErr, o.err = err, nil
	}
	g.uplinks[0].memory.nameErr = o.nameErr
	byUplink := make(map[*maintainedUplink]*resolution, len(g.uplinks))
	for i := range gp.resolutions {
		byUplink[gp.resolutions[i].of] = &gp.resolutions[i]
	}
	net := gp.plan.Done(o.nameErr).Net()
	for _, k := range g.uplinks {
		o := o
		o.subject, o.waits = k.subject(), k.status.waits
		x := byUplink[k]
		k.lacksShared = o.err == nil && x != nil && x.lacksShared
		if x != nil && x.refused != nil {
			o.err = x.refused
		}
		k.obstructed = o.err != nil && isRefusal(o.err)
		if o.err == nil {
			o.plan = net.Select(k.isStepOf)
			if x != nil && x.policy != nil && x.policy.Table != 0 {
				k.memory.table, k.memory.oldTable = x.policy.Table, 0
			}
		}
		k.reported = m.report(k.reported, o)
		soonest(&g.again, k.reported.retryIn())
	}
}

// isStepOf reports whether a step of a plan for its group is to be reported with the
// uplink: its own steps, names, and steps that clean up in its families.
func (k *maintainedUplink) isStepOf(s *plan.Step) bool {
	f := s.Family()
	return f == 0 || slices.Contains(k.families(), f) && (s.Owner == k.owner || s.Owner == plan.NoOwner)
}
