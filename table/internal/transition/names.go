package transition

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

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
		if have, ok := p.State().Names.Files().Lookup(name); !ok || have != w.Table {
			continue
		}
		stays := func(f route.Family, proto route.Protocol) bool {
			return proto == w.Spec.Proto() && !slices.ContainsFunc(owners[w.Table], func(o *uplink.Policy) bool {
				return o.Owns(f, w.Table, proto)
			})
		}
		inUse := slices.ContainsFunc(p.State().Routes(w.Table), func(r route.Route) bool { return stays(r.Family, r.Protocol) })
		for _, f := range form.Families {
			inUse = inUse || stays(f, w.Spec.Proto()) && len(p.State().Rules(f).Of(w.Spec.Proto()).To(w.Table)) > 0
		}
		if inUse || !p.State().Names.Registered(w.Table, name) { // the line is not ours
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
	files := p.State().Names.Files()
	have, ok := files.Lookup(name)
	if ok && have == w.Table || p.named[name] {
		return
	}
	p.named[name] = true
	m := &move{Policy: w}
	if ok {
		p.do(m.step(plan.Step{Op: plan.DeleteName, Table: have, Name: name}))
		files = files.With(have, have.String()) // its number is its name again
	}
	p.do(m.step(plan.Step{Op: plan.AddName, Table: w.Table, Name: name}))
	p.now = p.State().WithNames(p.State().Names.With(files.With(w.Table, name)))
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
			name := p.State().Names.Table(id)
			if tables[id] || names[name] || len(p.State().Routes(id)) > 0 || !p.State().Names.Registered(id, name) ||
				slices.ContainsFunc(form.Families[:], func(f route.Family) bool { return p.State().Rules(f).LeadTo(id) }) {
				continue
			}
			p.do((&move{Policy: w}).step(plan.Step{Op: plan.DeleteName, Table: id, Name: name}))
		}
	}
}
