package transition

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// Adopt adds the steps that replace what scripts have made for uplinks. None of these
// steps changes the way of a packet. So they need no gates, and a transaction that is
// killed between them leaves nothing that has to be undone:
//
//	route replace  the script's route by ours, which leads the same way
//	rule add       ours, like the script's, beside it or where nothing else comes between
//	rule del       the script's
//
// [Planner.Install], which comes next, makes the other changes that the uplinks
// declare.
func (p *Planner) Adopt(all []*uplink.Adoption) error {
	for _, a := range all {
		p.adoptRoutes(a)
	}
	var added, deleted []plan.Step
	for _, f := range form.Families {
		t := newTakeover(p.State(), f, all)
		for _, a := range all {
			if err := t.rules(&move{Policy: a.Policy}, a); err != nil {
				return err
			}
		}
		added, deleted = append(added, t.added...), append(deleted, t.deletions()...)
	}
	if len(deleted) > 0 {
		deleted[0].ReadBack = true // ours are there before theirs go
	}
	p.do(added...)
	p.do(deleted...)
	return nil
}

// adoptRoutes adds the steps for the routes of an uplink: first for scripts' routes that
// the uplink's routes replace, and then for those with other metrics, which are deleted
// after the uplink's routes are added.
func (p *Planner) adoptRoutes(a *uplink.Adoption) {
	m := &move{Policy: a.Policy}
	for _, sameKey := range []bool{true, false} {
		for _, r := range a.Routes {
			if (form.KeyOf(&r.Route) == form.KeyOf(&r.By)) == sameKey {
				p.adoptRoute(m, r)
			}
		}
	}
}

func (p *Planner) adoptRoute(m *move, r uplink.AdoptedRoute) {
	remove := m.step(plan.Step{Op: plan.DeleteRoute, Route: r.Route})
	have := findRoute(p.State(), &r.By)
	switch {
	case have == nil:
		p.do(m.step(plan.Step{Op: plan.AddRoute, Route: r.By}), remove)
	case have.Protocol == r.By.Protocol:
		p.do(remove) // ours is there
	default:
		script := r.Route
		p.do(m.step(plan.Step{Op: plan.ReplaceRoute, Route: r.By, Replaced: &script}))
	}
}

// findRoute returns the route that has the key of another.
func findRoute(now *host.State, r *route.Route) *route.Route {
	routes := now.Routes(r.Table)
	i := slices.IndexFunc(routes, func(have route.Route) bool { return form.KeyOf(&have) == form.KeyOf(r) })
	if i < 0 {
		return nil
	}
	return &routes[i]
}

// A takeover has the rules of scripts in one family, and the uplinks' rules that
// replace them.
type takeover struct {
	prios *priorities
	// scripts are the rules of scripts to delete. keeping are those of them whose priority
	// a rule of Also has to get.
	scripts, keeping form.Set
	owners           map[rule.Rule]*move // of scripts
	added            []plan.Step
}

func newTakeover(now *host.State, f route.Family, all []*uplink.Adoption) *takeover {
	t := &takeover{
		prios: newPriorities(now, f), scripts: form.MakeSet(), keeping: form.MakeSet(), owners: make(map[rule.Rule]*move),
	}
	for _, a := range all {
		m := &move{Policy: a.Policy}
		if prio := a.Spec.Priority; prio != 0 && a.InFamily(f) {
			t.prios.takeRange(prio, prio+a.Spec.Height()-1) // it is given to that uplink
		}
		for _, r := range slices.Concat(a.Rungs, a.Also, a.Needless) {
			if r.Family == f {
				t.scripts[form.Bare(r)], t.owners[form.Bare(r)] = struct{}{}, m
			}
		}
		for _, r := range a.Also {
			if a.HasPlace(r) {
				t.keeping[form.Bare(r)] = struct{}{}
			}
		}
	}
	return t
}

// rules adds the steps for the uplinks' rules that replace rules of scripts.
func (t *takeover) rules(m *move, a *uplink.Adoption) error {
	f := t.prios.family
	inFamily := func(rules []rule.Rule) []rule.Rule {
		return slices.DeleteFunc(slices.Clone(rules), func(r rule.Rule) bool { return r.Family != f })
	}
	rungs, also := firstsAlike(inFamily(a.Rungs)), firstsAlike(inFamily(a.Also))
	for _, r := range slices.Concat(rungs, also) {
		if x, found := t.behind(&r, m.Spec.Proto()); found {
			return m.Spec.Conflict(x, "another program's rule has the same priority as a rule of the script, and comes after it: move the other program's rule")
		}
	}
	own, err := t.place(m, a, rungs)
	if err != nil {
		return err
	}
	for _, r := range also {
		own = append(own, a.OwnRule(r))
	}
	for _, r := range own {
		if !t.prios.rules.Of(r.Protocol).Has(r) {
			t.added = append(t.added, addRules(m.owner, r)...)
		}
	}
	return nil
}

// deletions returns the steps that delete the rules of scripts, the last rule first: of
// several rules of one source the first ones mean nothing without the others.
func (t *takeover) deletions() []plan.Step {
	var steps []plan.Step
	for _, r := range slices.Backward(t.prios.rules.All) {
		if t.scripts.Has(r) {
			steps = append(steps, deleteRules(t.owners[form.Bare(r)].owner, r)...)
		}
	}
	return steps
}

// firstsAlike returns the rules without those that are like an earlier rule, and so
// never match a packet first.
func firstsAlike(rules []rule.Rule) []rule.Rule {
	seen := make(map[rule.Rule]bool)
	var firsts []rule.Rule
	for _, r := range rules {
		like := form.Like(r)
		like.Protocol = 0
		if !seen[like] {
			seen[like] = true
			firsts = append(firsts, r)
		}
	}
	return firsts
}

// behind returns another program's rule that stays and comes after a script's rule at the
// same priority. The uplink's rule would come after it.
func (t *takeover) behind(r *rule.Rule, own route.Protocol) (rule.Rule, bool) {
	found := false
	for _, x := range t.prios.rules.At(r.Priority.Or(0)) {
		if found && x.Protocol != own && !t.scripts.Has(x) && x.Action != rule.ActionNop {
			return x, true
		}
		found = found || x == *r
	}
	return rule.Rule{}, false
}

// place returns the rungs that replace the rules of scripts. They get the usual
// priorities if the rungs are complete and no rule that may match the same packets is
// between these priorities and the script's rules. Otherwise they get the priorities of
// the script's rules.
func (t *takeover) place(m *move, a *uplink.Adoption, rungs []rule.Rule) ([]rule.Rule, error) {
	var stay, moved []rule.Rule
	rungs = slices.DeleteFunc(rungs, func(r rule.Rule) bool { return t.isReplaced(a.OwnRule(r), &r) })
	for _, r := range rungs {
		stay = append(stay, a.OwnRule(r))
	}
	if len(rungs) == 0 || m.Spec.Priority != 0 {
		return stay, nil // Install moves them, if the file says so
	}
	base, ok := t.usualPlace(m)
	var between *rule.Rule
	oneLadder := true
	for _, r := range rungs {
		own := a.OwnRule(r)
		k, _ := a.RungOf(r)
		own.Priority = rule.Priority(base + k)
		moved = append(moved, own)
		if between == nil {
			between = t.between(&r, base+k)
		}
		first, _ := a.RungOf(rungs[0])
		oneLadder = oneLadder && r.Priority.Or(0)-k == rungs[0].Priority.Or(0)-first
	}
	complete := isLadder(a, rungs)
	switch {
	case between == nil && complete && ok:
		t.prios.take(moved)
		return moved, nil
	case between == nil || complete && oneLadder:
		return stay, nil
	}
	return nil, m.Spec.Conflict(*between,
		"another program's rule comes between the script's rules and the priorities for the uplink's rules: give the uplink a priority below or above that rule's")
}

// isReplaced reports whether the uplink's rule that replaces a script's rule exists
// already: an earlier Adopt was killed before it deleted the script's rule.
func (t *takeover) isReplaced(own rule.Rule, r *rule.Rule) bool {
	return slices.ContainsFunc(t.prios.rules.Of(own.Protocol).Alike(own), func(have rule.Rule) bool {
		return t.between(r, have.Priority.Or(0)) == nil
	})
}

// usualPlace returns the priority at which the uplink's rungs are installed or, if it has
// none, would be installed.
func (t *takeover) usualPlace(m *move) (uint32, bool) {
	p := t.prios
	have := m.InstalledRungs(p.now, p.family)
	if by, sources := form.BySource(have); len(have) > 0 && uint32(len(by[sources[0]])) == m.Height(p.family) {
		if prio, ok := findLadder(m.Ladder(p.family, 0), have); ok {
			return prio, true
		}
	}
	start, height := p.start(rungsBelowMain), m.Height(p.family)
	for prio := p.firstFree(start); p.isBetween(prio); prio++ {
		if p.isFree(prio, height) {
			return prio, len(have) == 0
		}
	}
	return start, false
}

// between returns a rule that may match packets of a rung's source, and is between the
// rung and another place.
func (t *takeover) between(r *rule.Rule, place uint32) *rule.Rule {
	p, prio := t.prios, r.Priority.Or(0)
	if !p.isBetween(prio) {
		return nil // behind main, where it decided about nothing
	}
	all := p.rules.Between(min(prio, place), max(prio, place))
	for i := range all {
		x := &all[i]
		switch {
		case t.scripts.Has(*x) && !t.keeping.Has(*x):
		case t.owners[form.Bare(*r)].Spec.Proto() == x.Protocol:
		case form.MayMatchSource(x, r.From.Addr()):
			return x
		}
	}
	return nil
}

// isLadder reports whether each source has all rungs that the uplink has, in their order.
func isLadder(a *uplink.Adoption, rungs []rule.Rule) bool {
	by, _ := form.BySource(rungs)
	for _, of := range by {
		if uint32(len(of)) != a.Height(of[0].Family) {
			return false
		}
		for k, r := range of {
			n, ok := a.RungOf(r)
			if !ok || n != uint32(k) || k > 0 && r.Priority.Or(0) <= of[k-1].Priority.Or(0) {
				return false
			}
		}
	}
	return true
}
