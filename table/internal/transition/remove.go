package transition

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// Remove adds the steps that remove uplinks: their rules of Also, their rungs in one
// step a family, their routes and the names of their tables.
func (p *Planner) Remove(all []*uplink.Policy) error {
	names := p.deletableNames(all)
	t := &transaction{now: p.now}
	type inFamily struct {
		move   *move
		family route.Family
	}
	installed := make(map[inFamily][]rule.Rule)
	var also []plan.Step
	moves := make([]*move, 0, len(all))
	for _, w := range slices.Backward(all) {
		m := &move{Policy: w}
		moves = append(moves, m)
		t.claims(m)
		for _, f := range m.Families {
			rungs := m.InstalledRungs(p.now, f)
			installed[inFamily{m, f}] = rungs
			also = append(also, deleteRules(m.owner, m.InstalledAlso(p.now, f, rungs)...)...)
		}
	}
	p.do(also...)
	t.now = p.now
	for _, f := range familiesOf(moves) {
		prios := newPriorities(p.now, f)
		var ladders []placement
		for _, m := range moves {
			if !m.InFamily(f) {
				continue
			}
			l, err := prios.placeLadder(m, installed[inFamily{m, f}])
			if err != nil {
				return err
			}
			ladders = append(ladders, l)
			for _, id := range m.Tables() {
				t.drop = append(t.drop, deleteRoutes(p.now, m, f, id, nil)...)
			}
		}
		t.rungs(prios, ladders)
	}
	p.do(t.steps()...)
	p.do(names...)
	return nil
}

// deletableNames returns the steps that take the names of the uplinks' tables out of
// rt_tables, except where something of the uplink's owner stays in the table: the other
// family.
func (p *Planner) deletableNames(all []*uplink.Policy) []plan.Step {
	owners := make(map[rttables.ID][]*uplink.Policy)
	for _, w := range all {
		for _, id := range w.Tables() {
			owners[id] = append(owners[id], w)
		}
	}
	var names []plan.Step
	done := make(map[string]bool)
	for _, w := range all {
		name := w.Spec.Name
		if name == "" || done[name] {
			continue
		}
		if have, ok := p.now.Names.Files().Lookup(name); !ok || have != w.Table {
			continue
		}
		stays := func(f route.Family, proto route.Protocol) bool {
			return proto == w.Spec.Proto() && !slices.ContainsFunc(owners[w.Table], func(o *uplink.Policy) bool {
				return o.Owns(f, w.Table, proto)
			})
		}
		inUse := slices.ContainsFunc(p.now.Routes(w.Table), func(r route.Route) bool { return stays(r.Family, r.Protocol) })
		for _, f := range form.Families {
			inUse = inUse || stays(f, w.Spec.Proto()) && len(p.now.Rules(f).Of(w.Spec.Proto()).To(w.Table)) > 0
		}
		if inUse || !p.now.Names.Registered(w.Table, name) { // the line is not ours
			continue
		}
		done[name] = true
		names = append(names, (&move{Policy: w}).step(plan.Step{Op: plan.DeleteName, Table: w.Table, Name: name}))
	}
	return names
}

// addName adds the steps that register the name of an uplink's table, and take it from
// the table that the uplink had before.
func (p *Planner) addName(w *uplink.Policy) {
	name := w.Spec.Name
	if name == "" {
		return
	}
	files := p.now.Names.Files()
	have, ok := files.Lookup(name)
	if ok && have == w.Table {
		return
	}
	m := &move{Policy: w}
	if ok {
		p.do(m.step(plan.Step{Op: plan.DeleteName, Table: have, Name: name}))
		files = files.With(have, have.String()) // its number is its name again
	}
	p.do(m.step(plan.Step{Op: plan.AddName, Table: w.Table, Name: name}))
	p.now = p.now.WithNames(p.now.Names.With(files.With(w.Table, name)))
}

// deleteOldNames adds the steps that delete the names of tables which uplinks have left
// empty.
func (p *Planner) deleteOldNames(all []*uplink.Policy) {
	tables, names := make(map[rttables.ID]bool), make(map[string]bool)
	for _, w := range all {
		tables[w.Table], names[w.Spec.Name] = true, true
	}
	for _, w := range all {
		for _, id := range w.OldTables {
			name := p.now.Names.Table(id)
			if tables[id] || names[name] || len(p.now.Routes(id)) > 0 || !p.now.Names.Registered(id, name) ||
				slices.ContainsFunc(form.Families[:], func(f route.Family) bool { return p.now.Rules(f).LeadTo(id) }) {
				continue
			}
			p.do((&move{Policy: w}).step(plan.Step{Op: plan.DeleteName, Table: id, Name: name}))
		}
	}
}
