package maintain

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/plan"
)

// A sharedRoute is the [Default] of one family, and the facts that are known of it.
type sharedRoute struct {
	family route.Family
	// members are the uplinks that have a next hop.
	members  map[identity]bool
	reported lastReport
}

func newSharedRoute(f route.Family) *sharedRoute { return &sharedRoute{family: f} }

func (s *sharedRoute) subject() subject { return defaultSubject(s.family) }

// defaultSubject is the subject of events about a [Default].
func defaultSubject(f route.Family) subject { return subject{defaultLabel, plan.NoOwner, f} }

// An oldDefault is a [Default] that is no longer wanted, in one family.
type oldDefault struct {
	Default
	family route.Family
}

// A sharedDefault is the [Default] that is maintained, and those that are no longer wanted.
type sharedDefault struct {
	wanted *Default // nil: there is none
	routes map[route.Family]*sharedRoute
	old    []oldDefault // that are to be removed
	again  time.Time    // when to look at it again; zero: not without a reason
}

func newSharedDefault() sharedDefault {
	s := sharedDefault{routes: make(map[route.Family]*sharedRoute)}
	for _, f := range form.Families {
		s.routes[f] = newSharedRoute(f)
	}
	return s
}

// declare takes another [Default], or none.
func (s *sharedDefault) declare(d *Default) {
	old := s.wanted
	s.wanted = nil
	if d != nil {
		whole := d.withDefaults()
		s.wanted = &whole
		s.old = slices.DeleteFunc(s.old, func(o oldDefault) bool { return o.Default == whole })
	}
	if old != nil && s.wanted != nil && *s.wanted == *old {
		return
	}
	for _, f := range form.Families {
		if old != nil {
			s.old = append(s.old, oldDefault{*old, f})
		}
		if s.wanted != nil { // nothing was reported of this one
			s.routes[f].reported = lastReport{}
		}
	}
}

// isReplaced reports whether the default of a family is installed, or not wanted.
func (s *sharedDefault) isReplaced(f route.Family, uplinks []*maintainedUplink) bool {
	return s.wanted == nil || s.routes[f].reported.kind == EventInstalled ||
		!slices.ContainsFunc(uplinks, func(k *maintainedUplink) bool { return k.hasShare(f) })
}

// takenTables returns the tables that are not free for an uplink: some, and the table of
// the default.
func (s *sharedDefault) takenTables(some map[rttables.ID]bool) map[rttables.ID]bool {
	if s.wanted == nil {
		return some
	}
	taken := map[rttables.ID]bool{s.wanted.Table: true}
	for id := range some {
		taken[id] = true
	}
	return taken
}

// removeOldDefaults removes defaults that are no longer wanted, once the new one has replaced
// them. In a table that now belongs to an uplink, the uplink's transaction has done so.
func (m *maintainer) removeOldDefaults(ctx context.Context) {
	m.shared.old = slices.DeleteFunc(m.shared.old, func(d oldDefault) bool {
		return slices.ContainsFunc(m.uplinks, func(k *maintainedUplink) bool { return k.table() == d.Table })
	})
	for _, d := range slices.Clone(m.shared.old) {
		if !m.shared.isReplaced(d.family, m.uplinks) || ctx.Err() != nil {
			continue
		}
		switch err := m.removeDefault(ctx, d); {
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			m.counters.Failures.Add(1)
			m.complain(defaultSubject(d.family).failure(EventRemovalFailed, err))
			m.lookIn(redialAfter)
		default:
			m.settle()
		}
	}
}

// removeDefault removes a default that is no longer wanted, and reports it.
func (m *maintainer) removeDefault(ctx context.Context, d oldDefault) error {
	e := defaultSubject(d.family).event(EventRemoved)
	if m.shared.wanted != nil {
		e.Kind, e.Reason = EventRepaired, causeUpdate.String()
	}
	// Nothing is left in the place of the new route, because its installation deletes all
	// others.
	now := m.shared.wanted
	same := now != nil && now.Table == d.Table && now.Protocol == d.Protocol
	p, err := m.deleteDefault(ctx, &d.Default, d.family, func(*route.Route) bool { return !same })
	if err != nil {
		return err
	}
	e.Plan = p
	m.shared.old = slices.DeleteFunc(m.shared.old, func(o oldDefault) bool { return o == d })
	news := !e.Plan.Empty()
	if news {
		m.counters.addRepair(e.Plan)
	}
	if m.shared.wanted == nil {
		// That it could not be installed may have been reported.
		news = news || m.shared.routes[d.family].reported.kind != 0
		m.shared.routes[d.family] = newSharedRoute(d.family)
	}
	if news {
		m.send(e)
	}
	return nil
}

// deleteDefault deletes the routes of a [Default] in a family that match, and returns what it
// has done.
func (m *maintainer) deleteDefault(
	ctx context.Context, d *Default, f route.Family, match func(*route.Route) bool,
) (p plan.Plan, err error) {
	err = m.locked(ctx, func(ctx context.Context) error {
		names, err := readLinkNames(ctx, m.conn)
		if err != nil {
			return err
		}
		if p, err = d.planRemove(ctx, m.conn, names, f); err != nil {
			return err
		}
		p.Steps = slices.DeleteFunc(p.Steps, func(s plan.Step) bool { return !match(&s.Route) })
		return p.ApplyLocked(ctx, m.conn)
	})
	return p, err
}

// keepDefault maintains the shared default. The error readErr is why the host could not be
// read.
func (m *maintainer) keepDefault(ctx context.Context, causes cause, readErr error) {
	d := m.shared.wanted
	if d == nil || ctx.Err() != nil {
		return
	}
	err := readErr
	if slices.ContainsFunc(m.groups, func(g *group) bool { return slices.Contains(g.tables, d.Table) }) {
		err = d.fieldError("it is also the table of an uplink")
	}
	for _, f := range form.Families {
		s := m.shared.routes[f]
		members := slices.DeleteFunc(slices.Clone(m.uplinks), func(k *maintainedUplink) bool { return !k.hasShare(f) })
		switch {
		case len(members) > 0:
			m.keepSharedRoute(ctx, s, members, causes, err)
		case s.reported.kind != 0 || causes&(causeStart|causeUpdate) != 0:
			m.removeSharedRoute(ctx, s)
		}
	}
}

// keepSharedRoute maintains the route of one family, for the uplinks that have a Weight.
func (m *maintainer) keepSharedRoute(ctx context.Context, s *sharedRoute, all []*maintainedUplink, causes cause, err error) {
	members := chooseMembers(all, s.members, s.family)
	s.members = make(map[identity]bool, len(members))
	for _, k := range members {
		s.members[k.identityIn(s.family)] = true
	}
	o := outcome{subject: s.subject(), causes: causes, err: err}
	if len(members) == 0 {
		o.waits = "no uplink with a share of the route is complete"
	}
	if o.err == nil && o.waits == "" {
		var p defaultPlan
		var admitted bool
		p, admitted, o.err = m.repairDefault(ctx, s, m.reading.bestDefaults(members, s.family), causes)
		if !admitted {
			return
		}
		if o.err == nil {
			o.plan, o.err = p.plan, p.preferred
		}
	}
	if o.err == nil || ctx.Err() == nil {
		s.reported = m.report(s.reported, o)
		soonest(&m.shared.again, s.reported.retryIn())
	}
}

// repairDefault repairs the route of a family, and the routes behind it. It does nothing, and
// returns that the repair was not admitted, if there were too many repairs.
func (m *maintainer) repairDefault(
	ctx context.Context, s *sharedRoute, shares []share, causes cause,
) (p defaultPlan, admitted bool, err error) {
	names := m.namesOf(m.reading, "")
	want := m.shared.wanted.route(s.family, shares)
	behind := m.shared.wanted.behind(&want, shares)
	p, err = m.shared.wanted.plan(ctx, m.conn, names, want, behind)
	if err != nil || p.plan.Empty() {
		return p, true, err
	}
	if causes&causesOwn == 0 && s.reported.kind == EventInstalled && !m.admitRepair(defaultSubject(0), p.plan, &m.shared.again) {
		return p, false, nil
	}
	err = m.locked(ctx, func(ctx context.Context) error {
		p, err = m.shared.wanted.plan(ctx, m.conn, names, want, behind)
		if err != nil {
			return err
		}
		return p.plan.ApplyLocked(ctx, m.conn)
	})
	if err == nil {
		m.counters.addRepair(p.plan)
	}
	return p, true, err
}

// removeSharedRoute removes the route of a family in which no uplink has a share any more.
func (m *maintainer) removeSharedRoute(ctx context.Context, s *sharedRoute) {
	p, err := m.deleteDefault(ctx, m.shared.wanted, s.family, func(*route.Route) bool { return true })
	switch {
	case err != nil && ctx.Err() != nil:
		return
	case err != nil:
		s.reported = m.report(s.reported, outcome{subject: s.subject(), err: err})
		soonest(&m.shared.again, s.reported.retryIn())
		return
	case !p.Empty() || s.reported.kind != 0:
		e := s.subject().event(EventRemoved)
		e.Plan = p
		m.send(e)
	}
	m.shared.routes[s.family] = newSharedRoute(s.family)
}

// chooseMembers returns the uplinks that get a next hop. It prefers those that had one.
func chooseMembers(all []*maintainedUplink, had map[identity]bool, f route.Family) []*maintainedUplink {
	var usable, healthy, stay []*maintainedUplink
	for _, k := range all {
		if !k.isComplete() || !slices.Contains(k.status.families, f) {
			continue
		}
		usable = append(usable, k)
		if !k.isWithdrawn() {
			healthy = append(healthy, k)
		}
		if had[k.identityIn(f)] {
			stay = append(stay, k)
		}
	}
	switch {
	case len(healthy) > 0:
		return healthy
	case len(stay) > 0:
		return stay
	}
	return usable
}

// removeDefaults removes the shared default at the end.
func (m *maintainer) removeDefaults(ctx context.Context) error {
	m.shared.declare(nil)
	var errs []error
	for _, d := range slices.Clone(m.shared.old) {
		errs = append(errs, m.removeDefault(ctx, d))
	}
	return errors.Join(errs...)
}
