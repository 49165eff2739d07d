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
	return planInstall(ctx, c, nil, uplinks)
}

// planInstall plans without the tables that others have claimed since the kernel
// was last looked at.
func planInstall(ctx context.Context, c route.Conn, claimed []rttables.ID, uplinks []SourceRoutedUplink) (Plan, error) {
	if len(uplinks) == 0 {
		return Plan{}, nil
	}
	s, err := readState(ctx, c, uplinks[0].Etc)
	if err != nil {
		return Plan{}, err
	}
	s.claimed = claimed
	var p Plan
	if err := p.recover(ctx, c, s, protocolsOf(uplinks), false); err != nil {
		return Plan{}, err
	}
	_, err = p.installAll(ctx, c, s, uplinks)
	return p, err
}

// installAll adds the steps that install uplinks.
func (p *Plan) installAll(ctx context.Context, c route.Conn, s *state, uplinks []SourceRoutedUplink) ([]*wanted, error) {
	all, err := s.wantAll(ctx, c, uplinks)
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		p.name(s, w)
	}
	again, err := p.install(ctx, c, &transaction{s: s}, all)
	if err == nil && again {
		_, err = p.install(ctx, c, &transaction{s: s, second: true}, all)
	}
	if err == nil {
		p.unnameFormer(s, all)
	}
	return all, err
}

// unnameFormer adds the steps that take away the names of tables that uplinks have
// left empty.
func (p *Plan) unnameFormer(s *state, all []*wanted) {
	for _, w := range all {
		for _, id := range w.former {
			name := s.names.get().FileNames().Name(id)
			if s.leadsTo(route.IPv4, id) || s.leadsTo(route.IPv6, id) || len(s.routes[id]) > 0 ||
				!rttables.Registered(w.uplink.Etc, id, name) || slices.ContainsFunc(all, func(o *wanted) bool {
				return o.table == id || o.uplink.Name == name
			}) {
				continue
			}
			p.Steps = append(p.Steps, Step{
				Op: DeleteName, Uplink: w.uplink.String(), Table: id, Name: name, names: s.names, etc: w.uplink.Etc,
			})
		}
	}
}

// install adds the steps of a transaction that installs uplinks. Some may get to
// what is wanted only by way of a table of their own, in a second one.
func (p *Plan) install(ctx context.Context, c route.Conn, t *transaction, all []*wanted) (again bool, err error) {
	s := t.s
	detours := make(map[*wanted]*wanted)
	for _, f := range familiesOf(all) {
		prios := newPrioritizer(s, f)
		var ladders []laid
		for _, w := range all {
			if !slices.Contains(w.families, f) {
				continue
			}
			l, err := prios.lay(w, f, s.installed(w, f))
			if err != nil {
				return false, err
			}
			if t.second && l.detour {
				return false, w.uplink.field("Priority", "there is no way from those of the rules that there are to %d",
					w.uplink.Priority)
			}
			if !t.second && (l.detour || s.needsDetour(&l, f)) {
				if w, err = s.detour(ctx, c, detours, w, all); err == nil {
					l, err = prios.lay(w, f, l.have)
				}
				if err != nil {
					return false, err
				}
			}
			prios.take(l.want)
			ladders = append(ladders, l)
		}
		// The rules of Also come before END has a place: while there are gates, a
		// rule at its priority would be it.
		for _, l := range ladders {
			also, err := prios.also(l.w, f)
			if err != nil {
				return false, err
			}
			t.alsoRules(l.w, f, also)
			t.routes(l.w, f)
		}
		t.rungs(prios, ladders)
	}
	for _, w := range all {
		t.claims(w)
		w.claimed = false
		if d := detours[w]; d != nil {
			t.claims(d)
			w.former = append(w.former, d.table)
		}
	}
	p.append(s, t.steps()...)
	return len(detours) > 0, nil
}

var bothFamilies = [...]route.Family{route.IPv4, route.IPv6}

// familiesOf are those that uplinks are about, IPv4 first.
func familiesOf(all []*wanted) []route.Family {
	var families []route.Family
	for _, f := range bothFamilies {
		if slices.ContainsFunc(all, func(w *wanted) bool { return slices.Contains(w.families, f) }) {
			families = append(families, f)
		}
	}
	return families
}

// needsDetour reports whether what is to be changed of an installed uplink takes
// more than one step that packets notice: routes, and rules on top.
func (s *state) needsDetour(l *laid, f route.Family) bool {
	if !s.leadsTo(f, l.w.table) || !s.whole(l.w, f) {
		return false
	}
	adds, deletes := s.routeSteps(l.w, f)
	n := len(adds) + len(deletes)
	if len(without(l.want, l.have))+len(without(l.have, l.want)) > 0 {
		n++
	}
	return n > 1 && len(adds)+len(deletes) > 0
}

// detour is an uplink in a table that it has for the time of a transaction.
func (s *state) detour(ctx context.Context, c route.Conn, detours map[*wanted]*wanted, w *wanted, all []*wanted) (
	*wanted, error,
) {
	if d := detours[w]; d != nil {
		return d, nil
	}
	d := *w
	u := *w.uplink
	d.given = u.Priority
	u.Priority = 0
	d.uplink, d.claimed, d.detour = &u, true, true
	d.former = append([]rttables.ID{w.table}, w.former...)
	taken := slices.Clone(all)
	for _, o := range detours {
		taken = append(taken, o)
	}
	var err error
	if d.table, err = s.claim(ctx, c, taken); err != nil {
		return nil, err
	}
	d.routes, d.also = slices.Clone(w.routes), slices.Clone(w.also)
	d.setTable()
	detours[w] = &d
	return &d, nil
}

// append adds steps to the plan, and does them to the state that it is made on.
func (p *Plan) append(s *state, steps ...Step) {
	for _, step := range steps {
		s.do(step)
	}
	if p.Steps == nil {
		p.Steps = steps
		return
	}
	p.Steps = append(p.Steps, steps...)
}

// name adds the steps that register the table's name, and take it from the table
// that the uplink had before.
func (p *Plan) name(s *state, w *wanted) {
	name := w.uplink.Name
	if name == "" {
		return
	}
	have, ok := s.names.get().Files.Lookup(name)
	if ok && have == w.table {
		return
	}
	for _, step := range p.Steps {
		if step.Op == AddName && step.Name == name {
			return
		}
	}
	step := Step{Uplink: w.uplink.String(), Op: AddName, Table: w.table, Name: name, etc: w.uplink.Etc}
	files := s.names.get().Files
	if ok {
		was := step
		was.Op, was.Table = DeleteName, have
		p.Steps = append(p.Steps, was)
		files = files.With(have, have.String()) // its number is its name again
	}
	p.Steps = append(p.Steps, step)
	s.names = s.names.with(files.With(w.table, name))
	for i := range p.Steps {
		p.Steps[i].names = s.names
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
	var p Plan
	if err := p.recover(ctx, c, s, protocolsOf(uplinks), false); err != nil {
		return Plan{}, err
	}
	var all []*wanted
	for i := range uplinks {
		w, err := s.owned(ctx, c, &uplinks[i])
		if err != nil {
			return Plan{}, err
		}
		if w.table != 0 { // it is installed
			all = append(all, w)
		}
	}
	if err := p.remove(s, all); err != nil {
		return Plan{}, err
	}
	return p, nil
}

// remove adds the steps that remove uplinks.
func (p *Plan) remove(s *state, all []*wanted) error {
	var names []Step
	for _, w := range all {
		if step, ok := s.unname(w, all, names); ok {
			names = append(names, step)
		}
	}
	t := &transaction{s: s}
	var leave []Step
	for _, w := range slices.Backward(all) {
		t.claims(w)
		for _, f := range w.families {
			t.deleteRules(&leave, w.self, s.alsoOf(w, f))
		}
	}
	p.append(s, leave...)
	for _, f := range familiesOf(all) {
		prios := newPrioritizer(s, f)
		var ladders []laid
		for _, w := range slices.Backward(all) {
			if !slices.Contains(w.families, f) {
				continue
			}
			l, err := prios.lay(w, f, s.installed(w, f))
			if err != nil {
				return err
			}
			ladders = append(ladders, l)
			for _, table := range append([]rttables.ID{w.table}, w.former...) {
				for _, step := range s.ownRoutes(w, f, table, nil) {
					t.drop = append(t.drop, t.step(w, step))
				}
			}
		}
		t.rungs(prios, ladders)
	}
	p.append(s, t.steps()...)
	p.append(s, names...)
	return nil
}

// owned is what Remove has to know of u: neither the interface nor its
// addresses need still be there.
func (s *state) owned(ctx context.Context, c route.Conn, u *SourceRoutedUplink) (*wanted, error) {
	if err := u.Validate(); err != nil {
		return nil, err
	}
	w := &wanted{uplink: u, families: u.families()}
	sources := slices.Clone(u.Sources)
	index, ok := s.link(u.Interface)
	if w.index = index; ok && len(sources) == 0 {
		for _, a := range s.addrs {
			if a.index == index && slices.Contains(w.families, route.FamilyOf(a.addr)) {
				sources = append(sources, a.addr)
			}
		}
	}
	var err error
	if w.table, err = s.table(u, sources); err != nil {
		return w, err
	}
	if w.table == 0 && len(sources) == 0 {
		return w, s.untold(w)
	}
	if w.table == 0 {
		return w, nil
	}
	if err := s.readRoutes(ctx, c, w.table); err != nil {
		return nil, err
	}
	return w, s.findFormer(ctx, c, w, sources, func(rule.Rule) error { return nil })
}

// untold is an error if there is something that may be an uplink without a name,
// number or address to know it by.
func (s *state) untold(w *wanted) error {
	for _, r := range s.rules {
		if r.Protocol == w.uplink.protocol() && slices.Contains(w.families, r.Family) && !reserved(r.Table) {
			return w.uplink.field("Table", "is not set, and no address is left to find it by; is it %s?",
				s.names.get().FileNames().Name(r.Table))
		}
	}
	return nil
}

// unname is the step that takes the table's name out of rt_tables, unless
// something of the uplink's owner stays in the table: the other family.
func (s *state) unname(w *wanted, all []*wanted, others []Step) (Step, bool) {
	name := w.uplink.Name
	if name == "" {
		return Step{}, false
	}
	if have, ok := s.names.get().Files.Lookup(name); !ok || have != w.table {
		return Step{}, false
	}
	stays := func(f route.Family, proto route.Protocol) bool {
		return proto == w.uplink.protocol() && !slices.ContainsFunc(all, func(o *wanted) bool {
			return o.owns(f, w.table, proto)
		})
	}
	if slices.ContainsFunc(s.rules, func(r rule.Rule) bool { return r.Table == w.table && stays(r.Family, r.Protocol) }) ||
		slices.ContainsFunc(s.routes[w.table], func(r route.Route) bool { return stays(r.Family, r.Protocol) }) ||
		slices.ContainsFunc(others, func(o Step) bool { return o.Name == name }) ||
		!rttables.Registered(w.uplink.Etc, w.table, name) { // the line is not ours
		return Step{}, false
	}
	return Step{
		Op: DeleteName, Uplink: w.uplink.String(), Table: w.table, Name: name, names: s.names, etc: w.uplink.Etc,
	}, true
}
