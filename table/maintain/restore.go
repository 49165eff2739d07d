package maintain

import (
	"context"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// restoreSources takes over the sources for which uplinks have rules that an earlier,
// killed process has left. It comes before any repair, because rules behind gates count
// as well.
func (m *maintainer) restoreSources(ctx context.Context) {
	var fresh []*maintainedUplink
	for _, k := range m.uplinks {
		if k.memory.restored {
			continue
		}
		k.memory.restored = true
		m.reading.restoreOwn(ctx, k)
		// An error is found again, and reported, when the uplink is planned.
		k.memory.defaults, _ = m.reading.learnDefaults(ctx, &k.Uplink, k.memory.defaults)
		fresh = append(fresh, k)
	}
	if len(fresh) > 0 {
		m.reading.restoreOrphans(fresh)
		m.holdNames(m.reading)
	}
}

// restoreOwn takes over the sources whose rungs look up the uplink's table.
func (r *reading) restoreOwn(ctx context.Context, k *maintainedUplink) {
	id, err := uplink.FindTable(r.now, k.spec(), k.Sources)
	if err != nil || id == 0 {
		return // the planner finds the error again, and reports it
	}
	r.restoreIndex(ctx, k, id)
	for _, f := range form.Families {
		if !slices.Contains(k.families(), f) {
			continue
		}
		for _, have := range r.now.Rules(f).Of(k.protocol()).To(id) {
			if form.IsRung(&have) && !slices.Contains(k.SourcePrefixes, have.From) {
				k.memory.table = id
				k.addSource(have.From.Addr())
			}
		}
	}
}

// restoreIndex takes over the interface that routes of the uplink's table are by. It may have
// been renamed since.
func (r *reading) restoreIndex(ctx context.Context, k *maintainedUplink, id rttables.ID) {
	if r.now.ReadRoutes(ctx, r.conn, id) != nil {
		return
	}
	for _, have := range r.now.Routes(id) {
		if have.Protocol == k.protocol() && have.OIF != 0 && slices.Contains(k.families(), have.Family) {
			k.memory.index = have.OIF
		}
	}
}

// addSource adds a source to those that are known, unless they are declared.
func (k *maintainedUplink) addSource(a netip.Addr) {
	if k.spec().TakesAll() && !slices.Contains(k.memory.sources, a) {
		k.memory.sources = append(k.memory.sources, a)
	}
}

// An ownerFamily is a protocol in one family.
type ownerFamily struct {
	protocol route.Protocol
	family   route.Family
}

// restoreOrphans takes over sources of which only the rules to an uplink's table were
// deleted. Such a source belongs to the only uplink that can lack it.
func (r *reading) restoreOrphans(uplinks []*maintainedUplink) {
	lacking := make(map[ownerFamily][]*maintainedUplink)
	known := make(map[netip.Addr]bool)
	for _, k := range uplinks {
		for _, a := range k.memory.sources {
			known[a] = true
		}
		for _, f := range k.families() {
			if r.lacksSources(k, f) {
				at := ownerFamily{k.protocol(), f}
				lacking[at] = append(lacking[at], k)
			}
		}
	}
	for at, owners := range lacking {
		if len(owners) != 1 {
			continue
		}
		for _, have := range r.now.Rules(at.family).Of(at.protocol).All() {
			a := have.From.Addr()
			if form.IsRung(&have) && form.IsSystemTable(have.Table) && !r.now.IsLocal(a) && !known[a] {
				owners[0].addSource(a)
			}
		}
	}
}

// lacksSources reports whether an uplink can have sources of a family that its interface
// does not have at the moment.
func (r *reading) lacksSources(k *maintainedUplink, f route.Family) bool {
	index, _ := r.now.Link(k.Interface)
	return k.spec().TakesAll() && (!r.isUp(index) || len(r.sourcesOf(k, k.currentSpec(), f).Usable) == 0)
}

// cleanUpOnce cleans up, once, what a killed process has left. That includes claims of
// tables and routes that no rule leads to, even if there is no gate.
func (m *maintainer) cleanUpOnce(ctx context.Context) {
	if m.cleanedUp || len(m.uplinks) == 0 {
		return
	}
	p, err := m.reading.planCleanUp(ctx, m.protocols, m.shared.wanted)
	if err == nil && !p.Empty() {
		err = m.locked(ctx, func(ctx context.Context) error {
			r, err := m.reread(ctx, m.etc())
			if err != nil {
				return err
			}
			if p, err = r.planCleanUp(ctx, m.protocols, m.shared.wanted); err != nil {
				return err
			}
			m.reading = nil
			return p.ApplyLocked(ctx, m.conn)
		})
	}
	switch {
	case err != nil && ctx.Err() != nil:
	case err != nil:
		m.counters.Failures.Add(1)
		m.complain(nobody.failure(EventCleanUpFailed, err))
		m.lookIn(redialAfter)
	default:
		if m.cleanedUp = true; !p.Empty() {
			m.counters.addRepair(p)
			e := nobody.event(EventRepaired)
			e.Reason, e.Plan = "a killed process left temporary rules and routes", p
			m.send(e)
		}
	}
}

// planCleanUp returns the plan that cleans up what transactions with some protocols have
// left. A shared default, which may be in a table that no rule leads to, stays.
func (r *reading) planCleanUp(ctx context.Context, protocols []route.Protocol, shared *Default) (plan.Plan, error) {
	p, err := draft.Recover(ctx, r.conn, r.now, protocols)
	if err != nil {
		return plan.Plan{}, err
	}
	p.Steps = slices.DeleteFunc(p.Steps, func(s plan.Step) bool {
		return s.Op == plan.DeleteRoute && shared != nil && s.Route.Table == shared.Table
	})
	return p, nil
}
