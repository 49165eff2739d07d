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
// rt_tables, except where an uplink stays in the table: the other family, or that of
// another protocol.
func (p *Planner) deletableNames(all []*uplink.Policy) []plan.Step {
	var names []plan.Step
	done := make(map[string]bool)
	for _, w := range all {
		name := w.Spec.Name
		if name == "" || done[name] {
			continue
		}
		// If the file cannot be read, the step says so when it fails.
		have, ok := p.State().Names.Files().Lookup(name)
		unknown := !ok && p.State().Names.Unreadable() != nil
		if !unknown && (!ok || have != w.Table || !p.State().Names.Registered(w.Table, name)) { // the line is not ours
			continue
		}
		if p.staysInUse(w.Table, all, false) {
			continue
		}
		done[name] = true
		names = append(names, (&move{Policy: w}).step(plan.Step{Op: plan.DeleteName, Table: w.Table, Name: name}))
	}
	return names
}

// staysInUse reports whether a table is also used by an uplink that is not one of the
// given ones. It finds such an uplink by rules and routes with one of the given protocols
// but another family, and by rungs and routes with another protocol. With prune, those
// with the protocol of a given uplink do not count. Other routes and rules do not mean
// that someone relies on the name.
func (p *Planner) staysInUse(id rttables.ID, uplinks []*uplink.Policy, prune bool) bool {
	type owner struct {
		family route.Family
		proto  route.Protocol
	}
	rungs, routes := make(map[owner]bool), make(map[owner]bool)
	for _, r := range p.State().Routes(id) {
		routes[owner{r.Family, r.Protocol}] = true
	}
	for _, f := range form.Families {
		for r := range p.State().Rules(f).To(id) {
			// Rules of the same protocol that are not rungs are those of Also.
			o := owner{f, r.Protocol}
			rungs[o] = rungs[o] || form.IsRung(r) || isProtocolOf(o.proto, uplinks)
		}
	}
	stays := func(o owner) bool {
		switch {
		case slices.ContainsFunc(uplinks, func(w *uplink.Policy) bool { return w.Owns(o.family, id, o.proto) }):
			return false
		case isProtocolOf(o.proto, uplinks):
			return !prune
		}
		return rungs[o] && routes[o]
	}
	for _, owners := range []map[owner]bool{rungs, routes} {
		for o := range owners {
			if stays(o) {
				return true
			}
		}
	}
	return false
}

func isProtocolOf(proto route.Protocol, uplinks []*uplink.Policy) bool {
	return slices.ContainsFunc(uplinks, func(w *uplink.Policy) bool { return w.Spec.Proto() == proto })
}

// A tableName is a line of rt_tables.
type tableName struct {
	table rttables.ID
	name  string
}

// addName adds the steps that register the name of the table of an uplink, one of all
// that the call installs. The steps take the name from the table that the uplink had
// before, and take an old name from the uplink's table. With prune, the plan removes all
// other uplinks of the protocol.
func (p *Planner) addName(w *uplink.Policy, all []*uplink.Policy, prune bool) {
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
	ok = ok && !p.unnamed[tableName{have, name}]
	if ok && p.staysInUse(have, all, prune) {
		return // the other family, which is not among those of the call, keeps the name
	}
	m := &move{Policy: w}
	if ok {
		p.do(m.step(plan.Step{Op: plan.DeleteName, Table: have, Name: name}))
		files = files.With(have, have.String()) // its number is its name again
	}
	if old := files.Name(w.Table); p.State().Names.Registered(w.Table, old) && !p.staysInUse(w.Table, all, prune) {
		p.do(m.step(plan.Step{Op: plan.DeleteName, Table: w.Table, Name: old}))
		p.unnamed[tableName{w.Table, old}] = true
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
