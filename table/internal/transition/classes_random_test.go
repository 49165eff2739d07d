package transition_test

import (
	"slices"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// transition returns the state of a random world in which uplinks are installed, and a plan
// that leads to others. ok is false if one of both is refused.
func (w *randomWorld) transition(t testing.TB) (now *host.State, p plan.Plan, ok bool) {
	have, want := w.uplinks(), w.uplinks()
	first, err := draft.Install(t.Context(), nil, w.state(), have, uplink.Options{})
	if err != nil {
		return nil, p, false
	}
	walk, err := walkThrough(w.state(), first, nil, func(int, *kernel) {})
	if err != nil {
		t.Fatal(err)
	}
	now = w.after(walk.last.state(w.state()), first)
	if w.one(3) {
		now = w.addForeignRoutes(now)
	}
	for _, f := range form.Families {
		if w.one(6) {
			now = now.With(map[route.Family][]rule.Rule{f: w.moveLocal(now.Rules(f).All, f)}, nil)
		}
	}
	w.verb = []string{"install", "install", "sync", "remove"}[w.r.IntN(4)]
	p, err = w.planSame(t, now, have, want)
	return now, p, err == nil && !p.Empty()
}

// TestClasses holds that a plan leads every class of packets the old way or the new one,
// after each step, as package explain decides. With -full there are more worlds.
func TestClasses(t *testing.T) {
	base := newWorld(t)
	plans, changed, compared := 0, 0, 0
	worlds := tabletest.Times(2000, 30)
	for i := range worlds {
		w := newRandomWorld(t, base, 5, uint64(i))
		now, p, ok := w.transition(t)
		if !ok {
			continue
		}
		c := w.classWalk(t, now, p)
		if err := c.check(); err != nil {
			t.Errorf("world 5 %d: %v\n%splan\n%s", i, err, w.describe(nil, nil), stepsText(p, nil))
		}
		plans, changed, compared = plans+1, changed+c.changed, compared+c.compared
	}
	t.Logf("%d plans, %d packets compared, %d changes", plans, compared, changed)
	if plans < worlds/4 || changed == 0 {
		t.Errorf("%d plans of %d worlds change %d packets", plans, worlds, changed)
	}
}

// TestClassesFindFaults holds that plans with their steps in a wrong order are found: the
// steps that switch packets first, the steps backwards, or routes behind rules.
func TestClassesFindFaults(t *testing.T) {
	base := newWorld(t)
	faults := map[string]func(steps []plan.Step) []plan.Step{
		"the commits first": func(steps []plan.Step) []plan.Step {
			slices.SortStableFunc(steps, func(a, b plan.Step) int { return commitLast(&b) - commitLast(&a) })
			return steps
		},
		"backwards": func(steps []plan.Step) []plan.Step { slices.Reverse(steps); return steps },
		"routes last": func(steps []plan.Step) []plan.Step {
			slices.SortStableFunc(steps, func(a, b plan.Step) int { return routeLast(&a) - routeLast(&b) })
			return steps
		},
	}
	found, plans := make(map[string]int), 0
	for i := range 30 {
		w := newRandomWorld(t, base, 6, uint64(i))
		now, p, ok := w.transition(t)
		if !ok {
			continue
		}
		plans++
		for name, change := range faults {
			c := w.classWalk(t, now, p)
			c.steps = change(slices.Clone(p.Steps))
			if c.check() != nil {
				found[name]++
			}
		}
	}
	t.Logf("of %d plans: %v", plans, found)
	for name := range faults {
		if found[name] < plans/4 {
			t.Errorf("%s: only %d of %d plans are found to be wrong", name, found[name], plans)
		}
	}
}

// commitLast is 1 for a step that switches packets.
func commitLast(s *plan.Step) int {
	if s.Commit {
		return 1
	}
	return 0
}

// routeLast is 1 for a step that adds or replaces a route.
func routeLast(s *plan.Step) int {
	if s.Op == plan.AddRoute || s.Op == plan.ReplaceRoute {
		return 1
	}
	return 0
}
