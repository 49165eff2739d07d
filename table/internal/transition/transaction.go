package transition

import (
	"cmp"
	"slices"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// A transaction is the steps from one state to another, by phase. The overview of the
// package has a picture of the phases.
type transaction struct {
	now *host.State
	// unclaimed are tables whose left claims are deleted.
	unclaimed map[rttables.ID]bool
	// second means that the present and the wanted state route all packets alike, so the
	// steps of phase COMMIT are not marked as commits.
	second bool

	// Phase 1: the routes that reserve new tables. They change nothing.
	claim []plan.Step
	// Phase 2: gates in front of new rungs, with END first; and gates in front of old
	// rungs, whose END is still missing. Either way no packet meets another rung.
	gate []plan.Step
	// Phase 3: routes in tables that no rule leads to, and routes that a table has lost.
	route []plan.Step
	// Phase 4: new rungs that a gate hides, or old rungs in front of them.
	rung []plan.Step
	// Phase 5: what changes over. Before the first of these steps, the results so far are
	// read back.
	commit []plan.Step
	// Phase 6: new rules of Also, each of which takes effect by itself. No packet of a
	// source gets to them.
	also []plan.Step
	// Phase 7: old rungs, which no packet meets any more.
	clean []plan.Step
	// Phase 8: old rules of Also. A gate may have led to one of them; the rungs that it
	// hid are gone by now, and so is that gate.
	leave []plan.Step
	left  deleted // the rules of these steps
	// Phase 9: routes in tables that no rule leads to any more, and claims.
	drop []plan.Step
	// Phase 10: gates. They are the mark of a transaction, which Recover looks for.
	shut []plan.Step
}

func newTransaction(now *host.State) *transaction {
	return &transaction{now: now, unclaimed: make(map[rttables.ID]bool)}
}

// newSecondTransaction returns the transaction that moves uplinks from temporary tables to
// their own.
func newSecondTransaction(now *host.State) *transaction {
	t := newTransaction(now)
	t.second = true
	return t
}

// steps returns the steps of the transaction in their order.
func (t *transaction) steps() []plan.Step {
	// Rules for networks come first, and the longer ones before those that they are in.
	slices.SortStableFunc(t.also, func(a, b plan.Step) int { return cmp.Compare(networkLength(&b.Rule), networkLength(&a.Rule)) })
	return slices.Concat(t.claim, t.gate, t.route, t.rung, t.commit, t.also, t.clean, t.leave, t.drop, t.shut)
}

// step fills in what a step says of its uplink. Without one it is left over.
func (m *move) step(s plan.Step) plan.Step {
	if m == nil {
		s.Uplink, s.Owner = LeftOver, plan.NoOwner
		return s
	}
	s.Uplink, s.Owner = m.Spec.String(), m.Owner
	return s
}

func addRules(m func(rule.Rule) *move, rules ...rule.Rule) []plan.Step {
	steps := make([]plan.Step, 0, len(rules))
	for _, r := range rules {
		steps = append(steps, m(r).step(plan.Step{Op: plan.AddRule, Rule: r}))
	}
	return steps
}

// deleteRules deletes the first rule first, which is where the kernel begins to look.
func deleteRules(m func(rule.Rule) *move, rules ...rule.Rule) []plan.Step {
	steps := make([]plan.Step, 0, len(rules))
	for _, r := range rules {
		steps = append(steps, m(r).step(plan.Step{Op: plan.DeleteRule, Rule: r}))
	}
	return steps
}

// deleteAlso deletes the last rule first: a main-first rule goes after the rule that it
// belongs to.
func deleteAlso(m *move, rules []rule.Rule) []plan.Step {
	rules = slices.Clone(rules)
	slices.Reverse(rules)
	return deleteRules(m.owner, rules...)
}

// owner returns a function that returns m for every rule.
func (m *move) owner(rule.Rule) *move { return m }

// change adds steps that packets notice. Before the first one of the transaction the
// results so far are read back: that takes a listing, and is not done for each uplink.
func (t *transaction) change(steps ...plan.Step) {
	for _, s := range steps {
		s.Commit, s.ReadBack = !t.second, len(t.commit) == 0
		t.commit = append(t.commit, s)
	}
}

// rungs adds the steps that switch the rungs of several uplinks of a family: in one
// step, if all of them can share a single END.
func (t *transaction) rungs(p *priorities, all []placement) error {
	var uncover, hide []gateGroup
	for i := range all {
		l := &all[i]
		p.leave(l.deleted)
		if l.oneRule {
			t.change(addRules(l.move.owner, l.added...)...)
			t.change(deleteRules(l.move.owner, l.deleted...)...)
			continue
		}
		if len(l.uncover.inside) > 0 {
			uncover = append(uncover, l.uncover)
		}
		if len(l.hide.inside) > 0 {
			hide = append(hide, l.hide)
		}
	}
	groups := slices.Concat(p.merge(uncover), p.merge(hide))
	// Those that have less room for END choose first.
	slices.SortStableFunc(groups, func(a, b gateGroup) int { return cmp.Compare(p.endLimit(&a), p.endLimit(&b)) })
	c := newCrowd(p, groups)
	for i := range groups {
		if err := t.group(c, i); err != nil {
			return err
		}
	}
	return nil
}

// group adds the steps of one group of gates. New rungs without room for gates are an
// error.
func (t *transaction) group(c *crowd, i int) error {
	p, g := c.p, &c.groups[i]
	removed, added := g.beyond, g.inside
	if !g.uncovers {
		removed, added = added, removed
	}
	if len(g.inside) == 1 {
		t.singleRung(g, added, removed)
		return nil
	}
	removed = inOrder(removed)
	at, ok := c.place(i)
	if !ok {
		at, ok = p.placeGatesToForeignEnd(g)
	}
	switch {
	case !ok && g.uncovers:
		_, err := p.refuseGates(g)
		return err
	case !ok:
		// Someone else's rule is among ours, which are to go: they go one by one, the
		// last one first.
		t.rung = append(t.rung, addRules(g.owner, added...)...)
		last := slices.Clone(removed)
		slices.Reverse(last)
		t.change(deleteRules(g.owner, last...)...)
	default:
		at.forAll = p.standsAlone(g, at)
		c.take(i, at)
		switch {
		case at.foreignEnd:
			t.gatesToForeignEnd(g, at, added, removed)
		case at.forAll:
			t.gateForAll(g, at, added, removed)
		default:
			t.gatesToEnd(g, at, added, removed)
		}
	}
	return nil
}

// inOrder returns rules sorted by priority, the order in which the kernel looks at
// them.
func inOrder(rules []rule.Rule) []rule.Rule {
	rules = slices.Clone(rules)
	slices.SortStableFunc(rules, host.ComparePriority)
	return rules
}

// gateForAll adds the steps of a group whose only gate is the switch.
func (t *transaction) gateForAll(g *gateGroup, at gatePlaces, added, removed []rule.Rule) {
	gate, end := g.gates(at), g.end(at)
	t.gate = append(t.gate, addRules(g.owner, end)...)
	t.rung = append(t.rung, addRules(g.owner, added...)...)
	t.clean = append(t.clean, deleteRules(g.owner, removed...)...)
	if g.uncovers {
		t.gate = append(t.gate, addRules(g.owner, gate...)...)
		t.change(deleteRules(g.owner, gate...)...)
	} else {
		t.change(addRules(g.owner, gate...)...)
		t.shut = append(t.shut, deleteRules(g.owner, gate...)...)
	}
	t.shut = append(t.shut, deleteRules(g.owner, end)...)
}

// gatesToEnd adds the steps of a group that END switches.
func (t *transaction) gatesToEnd(g *gateGroup, at gatePlaces, added, removed []rule.Rule) {
	addEnd, deleteEnd := addRules(g.owner, g.end(at)), deleteRules(g.owner, g.end(at))
	gates := g.gates(at)
	if g.uncovers {
		t.gate = append(t.gate, addEnd...)
	}
	t.gate = append(t.gate, addRules(g.owner, gates...)...)
	t.rung = append(t.rung, addRules(g.owner, added...)...)
	if g.uncovers {
		t.change(deleteEnd...)
	} else {
		t.change(addEnd...)
	}
	t.clean = append(t.clean, deleteRules(g.owner, removed...)...)
	t.shut = append(t.shut, deleteRules(g.owner, gates...)...)
	if !g.uncovers {
		t.shut = append(t.shut, deleteEnd...)
	}
}

// gatesToForeignEnd adds the steps of a group in which each gate is a switch.
func (t *transaction) gatesToForeignEnd(g *gateGroup, at gatePlaces, added, removed []rule.Rule) {
	gates := g.gates(at)
	addGates, deleteGates := addRules(g.owner, gates...), deleteRules(g.owner, gates...)
	t.rung = append(t.rung, addRules(g.owner, added...)...)
	t.clean = append(t.clean, deleteRules(g.owner, removed...)...)
	if g.uncovers {
		t.gate = append(t.gate, addGates...)
		t.change(deleteGates...)
		return
	}
	t.change(addGates...)
	// The foreign END may be an old rule of Also. So the gates go before it: without END
	// a gate would tell Recover that the new rungs are not in use yet.
	t.clean = append(t.clean, deleteGates...)
}

// singleRung adds the steps of a change that one rung makes: a new one before the old
// ones, or the only old one, which goes from before the new ones.
func (t *transaction) singleRung(g *gateGroup, added, removed []rule.Rule) {
	if g.uncovers {
		t.change(addRules(g.owner, added...)...)
		t.clean = append(t.clean, deleteRules(g.owner, removed...)...)
		return
	}
	t.rung = append(t.rung, addRules(g.owner, added...)...)
	t.change(deleteRules(g.owner, removed...)...)
}

// networkLength returns the length of a rule's source, if it selects by nothing else.
func networkLength(r *rule.Rule) int {
	if !form.SelectsSource(r) {
		return -1
	}
	return r.From.Bits()
}

// alsoRules adds the steps for the rules of Also: new ones first, so that what matches
// both takes the uplink all the time.
func (t *transaction) alsoRules(l *placement, want []rule.Rule) {
	m := l.move
	own := t.now.Rules(l.family).Of(m.Spec.Proto())
	added := slices.DeleteFunc(slices.Clone(want), own.Has)
	t.also = append(t.also, addRules(m.owner, added...)...)
	// Of several uplinks with the same selectors, each may find a main-first rule that
	// belongs to no rule.
	removed := t.left.addNew(form.Without(m.InstalledAlso(t.now, l.family, l.have), want))
	t.leave = append(t.leave, deleteAlso(m, removed)...)
}

// Deleted are rules that are deleted once, also if several uplinks find them.
type deleted form.Set

// addNew adds rules, and returns those that are new.
func (d *deleted) addNew(rules []rule.Rule) []rule.Rule {
	if *d == nil {
		*d = deleted(form.MakeSet())
	}
	var added []rule.Rule
	for _, r := range rules {
		if !form.Set(*d).Has(r) {
			form.Set(*d)[form.Bare(r)], added = struct{}{}, append(added, r)
		}
	}
	return added
}
