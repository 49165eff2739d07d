package maintain

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// usersOf returns uplinks by the tables that they have.
func usersOf(uplinks []*maintainedUplink) map[rttables.ID][]*maintainedUplink {
	users := make(map[rttables.ID][]*maintainedUplink, len(uplinks))
	for _, k := range uplinks {
		if id := k.table(); id != 0 {
			users[id] = append(users[id], k)
		}
	}
	return users
}

// removeBlocking removes uplinks that are no longer maintained and keep others from being
// installed. Before that it removes the names of tables that other uplinks have now.
func (m *maintainer) removeBlocking(ctx context.Context) {
	if len(m.leaving) == 0 {
		return
	}
	users := usersOf(m.uplinks)
	owners := make(map[netip.Addr]*Uplink)
	if len(m.uplinks) > 0 {
		owners = m.uplinks[0].taken
	}
	var blocking []*maintainedUplink
	for _, k := range m.leaving {
		m.unregisterTaken(ctx, k, users)
		if isBlocking(k, users, owners) {
			blocking = append(blocking, k)
		}
	}
	m.removeLeaving(ctx, blocking)
}

// isBlocking reports whether an uplink that leaves keeps another one from being
// installed: it has the other one's table with another protocol, or one of the other
// one's Sources by another interface.
func isBlocking(k *maintainedUplink, users map[rttables.ID][]*maintainedUplink, owners map[netip.Addr]*Uplink) bool {
	return slices.ContainsFunc(users[k.table()], func(o *maintainedUplink) bool { return o.protocol() != k.protocol() }) ||
		slices.ContainsFunc(k.memory.sources, func(a netip.Addr) bool {
			return owners[a] != nil && owners[a].Interface != k.Interface
		})
}

// unregisterTaken removes the name of a table that is now the table of an uplink with
// another name.
func (m *maintainer) unregisterTaken(ctx context.Context, k *maintainedUplink, users map[rttables.ID][]*maintainedUplink) {
	id := k.table()
	if !slices.ContainsFunc(users[id], func(o *maintainedUplink) bool { return o.Name != k.Name }) {
		return
	}
	if files, _ := m.names.read(k.Etc); !files.Registered(id, k.Name) {
		return
	}
	err, _ := m.writeNames(ctx, k.Etc, func(ctx context.Context) error {
		return rttables.Unregister(ctx, k.Etc, id, k.Name)
	})
	if err != nil {
		m.complain(k.subject().failure(EventRemovalFailed, &plan.NameError{Table: id, Name: k.Name, Err: err}))
	}
}

// removeLeaving removes uplinks that are no longer maintained. It runs after the other
// uplinks were checked and have taken over sources and tables, each in one step.
func (m *maintainer) removeLeaving(ctx context.Context, uplinks []*maintainedUplink) {
	for _, k := range slices.Clone(uplinks) {
		if ctx.Err() != nil {
			return
		}
		err := m.removeAll(ctx, []*maintainedUplink{k})
		switch {
		case isNameError(err):
			m.send(k.subject().failure(EventRemovalFailed, err))
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			m.counters.Failures.Add(1)
			m.complain(k.subject().failure(EventRemovalFailed, err))
			m.lookIn(redialAfter)
			continue
		}
		m.leaving = slices.DeleteFunc(m.leaving, func(o *maintainedUplink) bool { return o == k })
		m.settle()
		m.lookIn(0) // another uplink may have waited for that
		m.send(k.subject().event(EventRemoved))
	}
}

// removeAll removes the rules and routes of uplinks: those with their protocol in their
// tables, in families that no maintained uplink has there.
func (m *maintainer) removeAll(ctx context.Context, uplinks []*maintainedUplink) error {
	if len(uplinks) == 0 {
		return nil
	}
	return m.locked(ctx, func(ctx context.Context) error {
		r, err := m.reread(ctx, uplinks[0].Etc)
		if err != nil {
			return err
		}
		p, err := r.planRemoval(ctx, uplinks, m.uplinks)
		if err != nil {
			return err
		}
		m.reading = nil
		rest, names := p.SplitNames()
		if err := rest.ApplyLocked(ctx, m.conn); err != nil {
			return err
		}
		return m.applyNames(ctx, names, uplinks[0].Etc)
	})
}

// planRemoval returns the plan that removes uplinks, without what other uplinks own.
func (r *reading) planRemoval(ctx context.Context, uplinks, others []*maintainedUplink) (plan.Plan, error) {
	planner, err := draft.Begin(ctx, r.conn, r.now, protocolsOf(uplinks))
	if err != nil {
		return plan.Plan{}, err
	}
	r = r.with(planner.State())
	owned := make(map[ownedTable]bool)
	for _, k := range others {
		for _, f := range k.families() {
			owned[ownedTable{k.table(), f, k.protocol()}] = true
		}
	}
	var policies []*uplink.Policy
	for _, k := range uplinks {
		for _, p := range r.leftOf(k, owned) {
			if err := r.now.ReadRoutes(ctx, r.conn, p.Table); err != nil {
				return plan.Plan{}, err
			}
			policies = append(policies, p)
		}
	}
	if err := planner.Remove(policies); err != nil {
		return plan.Plan{}, err
	}
	return planner.Plan(), nil
}

// An ownedTable is a table, as one family and protocol use it.
type ownedTable struct {
	id       rttables.ID
	family   route.Family
	protocol route.Protocol
}

// leftOf returns the rules and routes of an uplink that leaves, for each of its tables,
// except for those that other uplinks own. What it returns is owned from then on, because
// an uplink that left long ago may have had the table before.
func (r *reading) leftOf(k *maintainedUplink, owned map[ownedTable]bool) []*uplink.Policy {
	spec := k.currentSpec()
	table := k.table()
	if table == 0 {
		table, _ = uplink.FindTable(r.now, spec, k.memory.sources)
	}
	var policies []*uplink.Policy
	for _, id := range []rttables.ID{table, k.memory.oldTable} {
		p := &uplink.Policy{Spec: spec, Owner: k.owner, Table: id}
		p.NameLinks(r.now)
		for _, f := range k.families() {
			if at := (ownedTable{id, f, k.protocol()}); id != 0 && !owned[at] {
				owned[at] = true
				p.Families = append(p.Families, f)
			}
		}
		if len(p.Families) > 0 {
			policies = append(policies, p)
		}
	}
	return policies
}

// removeAtEnd removes the uplinks, if the configuration says so.
func (m *maintainer) removeAtEnd() error {
	if !m.config.Remove {
		return nil
	}
	ctx := context.Background() // how long it takes depends on how much there is
	if m.conn == nil {
		if err := m.open(ctx); err != nil {
			return err
		}
	}
	shared := m.removeDefaults(ctx)
	m.replies.stopWatch()
	if p, err := m.deleteReplies(ctx); err != nil {
		shared = errors.Join(shared, err)
	} else if !p.Empty() {
		e := replySubject.event(EventRemoved)
		e.Plan = p
		m.send(e)
	}
	all := append(m.uplinks, m.leaving...)
	m.uplinks = nil
	if err := m.removeAll(ctx, all); err != nil {
		return errors.Join(shared, err)
	}
	for _, k := range all {
		m.send(k.subject().event(EventRemoved))
	}
	return shared
}
