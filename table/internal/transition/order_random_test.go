package transition_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// step does one thing, and reports whether it was ours.
func (o *orderWorld) step(t testing.TB, fail func(string, ...any)) bool {
	ctx := t.Context()
	protocols := []route.Protocol{uplink.DefaultProtocol, 211}
	several := func() (specs []uplink.Spec) {
		for _, k := range o.some() {
			if have, ok := o.wanted[k]; ok && o.r.IntN(2) == 0 {
				specs = append(specs, have)
				continue
			}
			u := o.spec(k)
			o.wanted[k] = u
			specs = append(specs, u)
		}
		return specs
	}
	switch o.r.IntN(10) {
	case 0:
		o.meddle(t)
		return false
	case 1:
		var specs []uplink.Spec
		for _, k := range o.some() {
			if u, ok := o.wanted[k]; ok {
				specs = append(specs, u)
				delete(o.wanted, k)
			}
		}
		o.note("remove %d", len(specs))
		p, err := draft.Remove(ctx, nil, o.now, specs)
		o.apply(fail, p, err)
	case 2:
		kept := o.wanted
		o.wanted = make(map[int]uplink.Spec)
		specs := several()
		o.note("sync %s", short(specs...))
		p, err := draft.Sync(ctx, nil, o.now, specs, protocols, nil)
		if !o.apply(fail, p, err) {
			o.wanted = kept
		}
	case 3:
		o.note("recover")
		p, err := draft.Recover(ctx, nil, o.now, protocols)
		o.apply(fail, p, err)
	case 4, 5:
		specs := several()
		o.note("install together %s", short(specs...))
		p, err := draft.Install(ctx, nil, o.now, specs, uplink.Options{})
		o.apply(fail, p, err)
	case 6:
		o.look(t, fail)
	default:
		for _, u := range several() {
			o.note("install %s", short(u))
			p, err := draft.Install(ctx, nil, o.now, []uplink.Spec{u}, uplink.Options{})
			o.apply(fail, p, err)
		}
	}
	return true
}

// look installs each uplink that is wanted, as maintain does, until nothing is left to do.
func (o *orderWorld) look(t testing.TB, fail func(string, ...any)) {
	before := o.refused
	defer func() { o.cut = o.cut && o.refused > before }()
	for range 2 {
		for k := range len(o.links) {
			if u, ok := o.wanted[k+1]; ok {
				p, err := draft.Install(t.Context(), nil, o.now, []uplink.Spec{u}, uplink.Options{})
				if o.apply(fail, p, err); !p.Empty() {
					o.note("look at %s", short(u))
				}
			}
		}
	}
	if o.refused == before && o.isAllWanted() {
		for _, text := range append(o.wrong(), o.astray()...) {
			fail("after a look, %s", text)
		}
	}
}

// apply does a plan, sometimes not to its end, and holds it to the order. It reports whether
// there was one.
func (o *orderWorld) apply(fail func(string, ...any), p plan.Plan, err error) bool {
	var field *plan.FieldError
	var conflict *plan.ConflictError
	switch {
	case errors.As(err, &field):
		o.note("refused: %v", err)
		o.refused++
		if o.plain && !o.refuses && len(o.links) < 4 && o.hasRoom() && !strings.Contains(err.Error(), "rules from networks around it") {
			fail("refused: %v", err)
		}
		return false
	case errors.As(err, &conflict):
		o.note("refused: %v", err)
		o.refused++
		return false
	case err != nil:
		fail("%v", err)
	}
	if o.done++; p.Empty() {
		return true
	}
	before := make(map[string]bool)
	for _, text := range slices.Concat(o.wrong(), o.astray()) {
		before[packetsOf(text)] = true
	}
	interrupted := false // gates have hidden rungs, and what is wrong with them
	for _, f := range form.Families {
		interrupted = interrupted || slices.ContainsFunc(o.ours(f), func(r rule.Rule) bool { return form.IsGate(&r) })
	}
	k := newKernel(o.now)
	killed := false
	for i := range p.Steps {
		if killed = o.r.IntN(200) == 0; killed {
			o.note("killed after step %d of\n%s", i, stepsText(p, nil))
			break
		}
		if err := k.do(&p.Steps[i]); err != nil {
			fail("the kernel refuses %s: %v\n%s", &p.Steps[i], err, stepsText(p, nil))
		}
	}
	o.now = o.after(k.state(o.now), p)
	o.cut = o.cut || killed && !o.plain
	var faults []string
	if !o.cut && !interrupted {
		faults = o.astray()
	}
	if killed { // old rules for networks of uplinks of the call may be there
		faults = slices.DeleteFunc(faults, func(text string) bool { return strings.Contains(text, "from a network") })
	} else { // in between, old rules of Also may be before new rules from the same uplink's sources
		faults = append(faults, o.wrong()...)
	}
	for _, text := range faults {
		if !before[packetsOf(text)] {
			fail("%s\nafter\n%s", text, stepsText(p, nil))
		}
	}
	return true
}

// tryOrder does one thing after another in a random world.
func tryOrder(t testing.TB, a, b uint64, refuses bool) (done, refused int) {
	o := newOrderWorld(t, a, b)
	o.refuses = refuses
	fail := func(format string, args ...any) {
		t.Helper()
		var rules strings.Builder
		for _, f := range form.Families {
			for _, r := range o.now.Rules(f).All {
				fmt.Fprintf(&rules, "\t%s\n", r)
			}
		}
		t.Fatalf("world %d %d: %s\n%srules\n%s", a, b, fmt.Sprintf(format, args...), &o.log, &rules)
	}
	steps := 3 + o.r.IntN(8)
	if len(o.links) > 100 {
		steps = 3
	}
	for range steps {
		o.step(t, fail)
	}
	o.look(t, fail)
	return o.done, o.refused
}

// TestRandomOrder holds random sequences of installations, removals, looks, kills and foreign
// changes to the order of rules: those from sources come before those of Also. With -full
// there are more of them.
func TestRandomOrder(t *testing.T) {
	done, refused := 0, 0
	worlds := tabletest.Times(20_000, 300)
	for i := range worlds {
		d, r := tryOrder(t, 3, uint64(i), false)
		done, refused = done+d, refused+r
	}
	t.Logf("%d worlds, %d plans, %d refusals", worlds, done, refused)
	if done < 10*worlds {
		t.Errorf("only %d plans in %d worlds", done, worlds)
	}
}

func FuzzOrder(f *testing.F) {
	for i := range uint64(30) {
		f.Add(uint64(11), i)
	}
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, a, b uint64) {
		seeds.Next(t)
		tryOrder(t, a, b, true)
	})
}
