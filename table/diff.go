package table

import (
	"context"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// PlanInstall returns what [Install] of the same uplinks would do now. It
// changes nothing.
func PlanInstall(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) (Plan, error) {
	if len(uplinks) == 0 {
		return Plan{}, nil
	}
	s, err := readState(ctx, c, uplinks[0].Etc)
	if err != nil {
		return Plan{}, err
	}
	all, err := s.wantAll(ctx, c, uplinks)
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	for _, w := range all {
		p.name(s, w)
	}
	// Routes first, so that a rule never leads into an empty table; and the
	// rules from sources before those that other uplinks' packets match too.
	for _, w := range all {
		p.addRoutes(s, w)
	}
	for _, w := range all {
		p.addRules(s, w, w.rules)
	}
	for _, w := range all {
		p.addRules(s, w, w.also)
	}
	for _, w := range all {
		p.deleteRules(s, w, slices.Concat(w.rules, w.also))
	}
	for _, w := range all {
		p.deleteRoutes(s, w, w.routes)
	}
	return p, nil
}

func (p *Plan) add(s *state, w *wanted, step Step) {
	step.Uplink, step.names, step.etc = w.uplink.String(), s.names, w.uplink.Etc
	p.Steps = append(p.Steps, step)
}

// name adds the step that registers the table's name.
func (p *Plan) name(s *state, w *wanted) {
	name := w.uplink.Name
	if have, ok := s.names.Files.Lookup(name); name == "" || ok && have == w.table {
		return
	}
	for _, step := range p.Steps {
		if step.Op == AddName && step.Name == name {
			return
		}
	}
	p.add(s, w, Step{Op: AddName, Table: w.table, Name: name})
	s.names = &route.Names{Links: s.names.Links, Files: s.names.Files.With(w.table, name)}
	for i := range p.Steps {
		p.Steps[i].names = s.names
	}
}

// addRoutes adds the steps that make the wanted routes of those that there are.
func (p *Plan) addRoutes(s *state, w *wanted) {
	for _, want := range w.routes {
		have, ok := s.route(keyOf(want))
		switch {
		case !ok:
			p.add(s, w, Step{Op: AddRoute, Route: want})
		case !have.Canonical().Equal(want.Canonical()):
			p.add(s, w, Step{Op: ReplaceRoute, Route: want, Replaced: have})
		}
	}
}

// route is the route that there is with a key.
func (s *state) route(k routeKey) (route.Route, bool) {
	for _, r := range s.routes[k.table] {
		if keyOf(r) == k {
			return r, true
		}
	}
	return route.Route{}, false
}

func (p *Plan) addRules(s *state, w *wanted, rules []rule.Rule) {
	for _, want := range rules {
		if !contains(s.rules, want) {
			p.add(s, w, Step{Op: AddRule, Rule: want})
		}
	}
}

func contains(rules []rule.Rule, r rule.Rule) bool {
	return slices.ContainsFunc(rules, func(o rule.Rule) bool { return bare(o) == bare(r) })
}

// deleteRules adds the steps that delete the uplink's rules but for some, the
// last one first: an undo then adds them in their order.
func (p *Plan) deleteRules(s *state, w *wanted, except []rule.Rule) {
	for _, have := range slices.Backward(s.rules) {
		if w.owns(have.Family, have.Table, have.Protocol) && !contains(except, have) {
			p.add(s, w, Step{Op: DeleteRule, Rule: have})
		}
	}
}

// deleteRoutes adds the steps that delete the uplink's routes but for some.
// Routes with a gateway go first: the kernel needs those on the link to put
// them back.
func (p *Plan) deleteRoutes(s *state, w *wanted, except []route.Route) {
	keep := make(map[routeKey]bool)
	for _, r := range except {
		keep[keyOf(r)] = true
	}
	for _, gateway := range []bool{true, false} {
		for _, have := range slices.Backward(s.routes[w.table]) {
			if w.owns(have.Family, have.Table, have.Protocol) && !keep[keyOf(have)] && have.Gateway.IsValid() == gateway {
				p.add(s, w, Step{Op: DeleteRoute, Route: have})
			}
		}
	}
}

// PlanRemove returns what [Remove] of the same uplinks would do now. It changes
// nothing.
func PlanRemove(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) (Plan, error) {
	if len(uplinks) == 0 {
		return Plan{}, nil
	}
	s, err := readState(ctx, c, uplinks[0].Etc)
	if err != nil {
		return Plan{}, err
	}
	var all []*wanted
	for i := range uplinks {
		w, err := s.owned(&uplinks[i])
		if err != nil {
			return Plan{}, err
		}
		if w.table == 0 {
			continue // it is not installed
		}
		if err := s.readRoutes(ctx, c, w.table); err != nil {
			return Plan{}, err
		}
		all = append(all, w)
	}
	var p Plan
	for _, w := range slices.Backward(all) {
		p.deleteRules(s, w, nil)
	}
	for _, w := range slices.Backward(all) {
		p.deleteRoutes(s, w, nil)
	}
	for _, w := range all {
		p.unname(s, w, all)
	}
	return p, nil
}

// owned is what Remove has to know of u: neither the interface nor its
// addresses need still be there.
func (s *state) owned(u *SourceRoutedUplink) (*wanted, error) {
	if err := u.Validate(); err != nil {
		return nil, err
	}
	w := &wanted{uplink: u, families: u.families()}
	var sources []address
	for _, a := range u.Sources {
		sources = append(sources, address{addr: a})
	}
	if index, ok := s.link(u.Interface); ok && len(sources) == 0 {
		for _, a := range s.addrs {
			if a.index == index && slices.Contains(w.families, route.FamilyOf(a.addr)) {
				sources = append(sources, a)
			}
		}
	}
	var err error
	if w.table, err = s.table(u, sources); err != nil || w.table != 0 || len(sources) > 0 {
		return w, err
	}
	for _, r := range s.rules {
		if r.Protocol == u.protocol() && slices.Contains(w.families, r.Family) && !reserved(r.Table) {
			return nil, u.field("Table", "is not set, and no address is left to find it by; is it %s?",
				s.names.FileNames().Name(r.Table))
		}
	}
	return w, nil
}

// unname adds the step that takes the table's name out of rt_tables, unless
// something of the uplink's owner stays in the table: the other family.
func (p *Plan) unname(s *state, w *wanted, all []*wanted) {
	name := w.uplink.Name
	if have, ok := s.names.Files.Lookup(name); name == "" || !ok || have != w.table {
		return
	}
	goes := func(f route.Family, proto route.Protocol) bool {
		return slices.ContainsFunc(all, func(o *wanted) bool { return o.owns(f, w.table, proto) })
	}
	for _, r := range s.rules {
		if r.Table == w.table && r.Protocol == w.uplink.protocol() && !goes(r.Family, r.Protocol) {
			return
		}
	}
	for _, r := range s.routes[w.table] {
		if r.Protocol == w.uplink.protocol() && !goes(r.Family, r.Protocol) {
			return
		}
	}
	for _, step := range p.Steps {
		if step.Op == DeleteName && step.Name == name {
			return
		}
	}
	if !rttables.Registered(w.uplink.Etc, w.table, name) {
		return // the line is not ours
	}
	p.add(s, w, Step{Op: DeleteName, Table: w.table, Name: name})
}
