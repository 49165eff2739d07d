package table

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A transaction is the steps from one state to another, by their place in the
// order. Of all its steps, packets from the sources of a family notice only
// those in commit, as a rule one.
type transaction struct {
	s *state
	// second: the state differs from the wanted one in nothing that a packet
	// notices.
	second bool

	claim []Step // claims of tables
	gate  []Step // gates
	route []Step // routes that nothing leads to yet
	rung  []Step // rungs that are hidden, or that others hide
	// commit changes over.
	commit []Step
	also   []Step // new rules of Also
	clean  []Step // rungs that are hidden, or that others hide
	leave  []Step // old rules of Also, where a gate may lead to so far
	drop   []Step // routes that nothing leads to any more
	shut   []Step // gates: the mark of a transaction goes last
}

// steps are those of the transaction in their order.
func (t *transaction) steps() []Step {
	return slices.Concat(t.claim, t.gate, t.route, t.rung, t.commit, t.also, t.clean, t.leave, t.drop, t.shut)
}

// step fills in what a step has to say of its uplink.
func (t *transaction) step(w *wanted, step Step) Step {
	step.Uplink, step.names, step.etc = w.uplink.String(), t.s.names, w.uplink.Etc
	return step
}

func (t *transaction) addRules(to *[]Step, w func(rule.Rule) *wanted, rules []rule.Rule) {
	for _, r := range rules {
		*to = append(*to, t.step(w(r), Step{Op: AddRule, Rule: r}))
	}
}

// deleteRules deletes the last one first: an undo then adds them in their order.
func (t *transaction) deleteRules(to *[]Step, w func(rule.Rule) *wanted, rules []rule.Rule) {
	for _, r := range slices.Backward(rules) {
		*to = append(*to, t.step(w(r), Step{Op: DeleteRule, Rule: r}))
	}
}

// change notes steps that packets notice.
func (t *transaction) change(steps []Step) {
	for _, s := range steps {
		s.Commit, s.verify = !t.second, true
		t.commit = append(t.commit, s)
	}
}

// rungs adds the steps that change over the rungs of several uplinks of a
// family: in one, if a single END can serve all of them.
func (t *transaction) rungs(p *prioritizer, all []laid) {
	var opens, closes []gating
	for _, l := range all {
		added, deleted := without(l.want, l.have), without(l.have, l.want)
		if l.mends {
			var steps []Step
			t.addRules(&steps, l.w.self, added)
			t.deleteRules(&steps, l.w.self, deleted)
			t.change(steps)
			continue
		}
		for _, g := range []gating{l.opens, l.closes} {
			switch {
			case len(g.inside) == 0:
			case g.opens:
				opens = append(opens, g)
			default:
				closes = append(closes, g)
			}
		}
	}
	for _, g := range slices.Concat(p.merge(opens), p.merge(closes)) {
		t.gating(p, &g)
	}
}

// merge makes one gating of several, where one END can serve them.
func (p *prioritizer) merge(gatings []gating) []gating {
	if len(gatings) < 2 {
		return gatings
	}
	one := gatings[0]
	for _, g := range gatings[1:] {
		if g.owners[0].uplink.protocol() != one.owners[0].uplink.protocol() {
			return gatings
		}
		one.add(g)
	}
	if _, ok := one.place(p); !ok {
		return gatings
	}
	return []gating{one}
}

// gating adds the steps of one.
func (t *transaction) gating(p *prioritizer, g *gating) {
	old, young := g.beyond, g.inside
	if !g.opens {
		old, young = young, old
	}
	if g.one() {
		t.single(g, young, old)
		return
	}
	if _, ok := g.place(p); !ok && !g.land(p) {
		// Someone else's rule is among ours, which are to go: they go one by
		// one, the last one first.
		var steps []Step
		t.addRules(&t.rung, g.owner, young)
		t.deleteRules(&steps, g.owner, old)
		t.change(steps)
		return
	}
	// A gate of others at the priority of END would be END.
	p.taken[g.gate] = true
	if g.lands {
		t.gates(g, young, old)
		return
	}
	p.taken[g.end] = true
	var open, shut []Step
	t.addRules(&open, g.owner, []rule.Rule{g.endRule()})
	t.deleteRules(&shut, g.owner, []rule.Rule{g.endRule()})
	if g.opens {
		t.gate = append(t.gate, open...)
	}
	t.addRules(&t.gate, g.owner, g.gateRules())
	t.addRules(&t.rung, g.owner, young)
	if g.opens {
		t.change(shut)
	} else {
		t.change(open)
	}
	t.deleteRules(&t.clean, g.owner, old)
	t.deleteRules(&t.shut, g.owner, g.gateRules())
	if !g.opens {
		t.shut = append(t.shut, shut...)
	}
}

// gates adds the steps of a gating in which each gate is a switch.
func (t *transaction) gates(g *gating, young, old []rule.Rule) {
	var open, shut []Step
	t.addRules(&open, g.owner, g.gateRules())
	t.deleteRules(&shut, g.owner, g.gateRules())
	t.addRules(&t.rung, g.owner, young)
	t.deleteRules(&t.clean, g.owner, old)
	if g.opens {
		t.gate = append(t.gate, open...)
		t.change(shut)
		return
	}
	t.change(open)
	t.shut = append(t.shut, shut...)
}

// single adds the steps of a change that one rung makes: a new one before the
// old ones, or the only old one, which goes from before the new ones.
func (t *transaction) single(g *gating, young, old []rule.Rule) {
	var add, del []Step
	t.addRules(&add, g.owner, young)
	t.deleteRules(&del, g.owner, old)
	if g.opens {
		t.change(add)
		t.clean = append(t.clean, del...)
		return
	}
	t.rung = append(t.rung, add...)
	t.change(del)
}

// alsoRules adds the steps for the rules of Also: new ones first, so that what
// matches both takes the uplink all the time.
func (t *transaction) alsoRules(w *wanted, f route.Family, want []rule.Rule) {
	t.addRules(&t.also, w.self, without(want, t.s.rules))
	t.deleteRules(&t.leave, w.self, without(t.s.alsoOf(w, f), want))
}

// routes adds the steps for the routes of an uplink in its table.
func (t *transaction) routes(w *wanted, f route.Family) {
	adds, deletes := t.s.routeSteps(w, f)
	for i := range adds {
		adds[i] = t.step(w, adds[i])
	}
	for i := range deletes {
		deletes[i] = t.step(w, deletes[i])
	}
	switch {
	case !t.s.leadsTo(f, w.table):
		t.route = append(append(t.route, deletes...), adds...)
	case t.s.whole(w, f):
		t.change(adds)
		t.change(deletes)
	default:
		// It is to be mended.
		t.route = append(t.route, adds...)
		t.drop = append(t.drop, deletes...)
	}
	for _, table := range w.former {
		for _, step := range t.s.ownRoutes(w, f, table, nil) {
			t.drop = append(t.drop, t.step(w, step))
		}
	}
}

// routeSteps are the differences between the routes that there are in a table
// and those that are wanted.
func (s *state) routeSteps(w *wanted, f route.Family) (adds, deletes []Step) {
	keep := make(map[routeKey]bool)
	for _, want := range w.routes {
		if want.Family != f {
			continue
		}
		keep[keyOf(want)] = true
		have, ok := s.route(keyOf(want))
		switch {
		case !ok:
			adds = append(adds, Step{Op: AddRoute, Route: want})
		case !have.Canonical().Equal(want.Canonical()):
			adds = append(adds, Step{Op: ReplaceRoute, Route: want, Replaced: have})
		}
	}
	return adds, s.ownRoutes(w, f, w.table, keep)
}

// ownRoutes are the steps that delete an uplink's routes of a table but for some.
// Routes with a gateway go first: the kernel needs those on the link to put them
// back.
func (s *state) ownRoutes(w *wanted, f route.Family, table rttables.ID, keep map[routeKey]bool) []Step {
	var steps []Step
	for _, gateway := range []bool{true, false} {
		for _, have := range slices.Backward(s.routes[table]) {
			if have.Family == f && have.Protocol == w.uplink.protocol() && !keep[keyOf(have)] && !isClaim(have) &&
				have.Gateway.IsValid() == gateway {
				steps = append(steps, Step{Op: DeleteRoute, Route: have})
			}
		}
	}
	return steps
}

// leadsTo reports whether a rule leads to a table.
func (s *state) leadsTo(f route.Family, table rttables.ID) bool {
	return slices.ContainsFunc(s.rules, func(r rule.Rule) bool { return r.Family == f && r.Table == table })
}

// whole reports whether a table has a way out, as opposed to one that has lost
// its routes with the link.
func (s *state) whole(w *wanted, f route.Family) bool {
	return slices.ContainsFunc(s.routes[w.table], func(r route.Route) bool {
		return r.Family == f && r.Type == route.TypeUnicast && r.Canonical().Dst.Bits() <= 0
	})
}

// claims adds the steps with which a table is claimed, and given free again; also
// if the claim is one that was left.
func (t *transaction) claims(w *wanted) {
	if w.claimed {
		t.claim = append(t.claim, t.step(w, Step{Op: AddRoute, Route: claimRoute(w), claim: true}))
		t.drop = append(t.drop, t.step(w, Step{Op: DeleteRoute, Route: claimRoute(w)}))
	}
	for _, table := range append([]rttables.ID{w.table}, w.former...) {
		for _, r := range t.s.routes[table] {
			if isClaim(r) && r.Protocol == w.uplink.protocol() {
				t.drop = append(t.drop, t.step(w, Step{Op: DeleteRoute, Route: r}))
			}
		}
	}
}
