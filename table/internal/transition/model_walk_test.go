package transition_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// A policy is where packets of a source go, for each destination.
type policy struct {
	src       netip.Addr
	decisions [7]decision
}

func (k *kernel) policyOf(src netip.Addr) policy {
	p := policy{src: src}
	rules, selected := k.selectSource(src)
	for i, dst := range destinations[route.FamilyOf(src)] {
		p.decisions[i] = k.decideBy(rules, selected, src, dst)
	}
	return p
}

// A walk is what happens to sources while a plan is done.
type walk struct {
	before, after map[netip.Addr]policy
	last          *kernel
	faults        []fault
	// changes are how many steps change the policy of any source of a family.
	changes map[route.Family]int
	// astray says which flows are refused, or go astray, in between.
	astray []string
	// refused says which flows are refused after all, and were not before.
	refused []string
}

// A fault is a state on the way in which the policy of a source is neither the old one
// nor the new one, or is the old one again.
type fault struct {
	step   int
	policy policy
}

// walkThrough does a plan step by step. The error is the kernel's.
func walkThrough(now *host.State, p plan.Plan, sources []netip.Addr, each func(done int, k *kernel)) (*walk, error) {
	return newKernel(now).walkThrough(p, sources, each)
}

func (k *kernel) walkThrough(p plan.Plan, sources []netip.Addr, each func(done int, k *kernel)) (*walk, error) {
	w := &walk{before: make(map[netip.Addr]policy), after: make(map[netip.Addr]policy), changes: make(map[route.Family]int)}
	var seen []fault // all policies that differ from the one before
	current := make(map[netip.Addr]policy)
	for _, src := range sources {
		w.before[src] = k.policyOf(src)
		current[src] = w.before[src]
	}
	several := k.hasSeveralUplinks(p)
	ways := make(map[flow][]wayAfter)
	for _, x := range flows {
		ways[x] = append(ways[x], wayAfter{0, k.waysOf(x)})
	}
	each(0, k)
	for i := range p.Steps {
		s := &p.Steps[i]
		if err := k.do(s); err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		changed := false
		for _, src := range sources {
			if k.touches(s, src) {
				policy := k.policyOf(src)
				if policy != current[src] && replacesSourceAlone(s) {
					current[src] = policy // packets that have a source keep it
				} else if policy != current[src] {
					current[src], changed = policy, true
					seen = append(seen, fault{i + 1, policy})
				}
			}
		}
		if changed {
			w.changes[s.Family()]++
		}
		for _, x := range flows {
			if s.Family() == x.family {
				ways[x] = append(ways[x], wayAfter{i + 1, k.waysOf(x)})
			}
		}
		each(i+1, k)
	}
	w.after, w.last = current, k
	w.findAstray(ways, several)
	moved := make(map[netip.Addr]bool)
	for _, x := range seen {
		src := x.policy.src
		if x.policy.withoutSources() != w.after[src].withoutSources() || moved[src] {
			w.faults = append(w.faults, x)
		}
		moved[src] = true
	}
	return w, nil
}

// replacesSourceAlone reports whether a step changes nothing of a route but its source.
func replacesSourceAlone(s *plan.Step) bool {
	if s.Op != plan.ReplaceRoute || s.Replaced == nil {
		return false
	}
	same := s.Route
	same.PrefSrc = s.Replaced.PrefSrc
	return form.SameRoute(&same, s.Replaced)
}

// withoutSources returns the policy without the sources that routes give to packets.
func (p policy) withoutSources() policy {
	for i := range p.decisions {
		p.decisions[i].src = netip.Addr{}
	}
	return p
}

// hasSeveralUplinks reports whether there are uplinks by several interfaces, or will be.
func (k *kernel) hasSeveralUplinks(p plan.Plan) bool {
	devs := make(map[uint32]bool)
	for id, routes := range k.routes {
		for _, r := range routes {
			if !form.IsSystemTable(id) {
				devs[r.OIF] = true
			}
		}
	}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Op.IsRoute() {
			devs[s.Route.OIF] = true
		}
	}
	delete(devs, 0)
	return len(devs) > 1
}

// A wayAfter is where the packets of a flow go after a step.
type wayAfter struct {
	step int
	ways [7]decision
}

// findAstray finds out which flows are refused in between, or leave by another interface
// than before and after all. Each rule of Also takes effect by itself: where several
// uplinks ask for the same flow, they may go by another one.
func (w *walk) findAstray(all map[flow][]wayAfter, several bool) {
	for x, steps := range all {
		first, last := steps[0].ways, steps[len(steps)-1].ways
		for i := range last {
			if last[i].err != "" && first[i].err == "" {
				w.refused = append(w.refused, fmt.Sprintf("packets of the flow %+v to %s are refused", x, destinations[x.family][i]))
			}
		}
		for _, s := range steps {
			for i, way := range s.ways {
				elsewhere := !several && first[i].dev == last[i].dev && way.dev != last[i].dev
				if way != first[i] && way != last[i] && (way.err != "" || elsewhere) {
					w.astray = append(w.astray, fmt.Sprintf("after step %d, packets of the flow %+v to %s go %s; before all %s, after all %s",
						s.step, x, destinations[x.family][i], way, first[i], last[i]))
				}
			}
		}
	}
}

// touches reports whether a step can change where packets of a source go.
func (k *kernel) touches(s *plan.Step, src netip.Addr) bool {
	switch f := s.Family(); {
	case f != route.FamilyOf(src):
		return false
	case s.Op.IsRule():
		return !s.Rule.From.IsSingleIP() || s.Rule.From.Addr() == src || slices.ContainsFunc(k.rules[f], func(r rule.Rule) bool {
			return r.Goto != 0 && r.Goto == s.Rule.Priority.Or(0)
		})
	default:
		return slices.ContainsFunc(k.rules[f], func(r rule.Rule) bool { return r.Table == s.Route.Table })
	}
}

// checkRecovery holds what Recover makes of a killed transaction to the promise: the
// policy of each source stays what it is, and a second Recover does nothing.
func checkRecovery(ctx context.Context, killed *host.State, protocols []route.Protocol, sources []netip.Addr) error {
	p, err := draft.Recover(ctx, nil, killed, protocols)
	if err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	walk, err := walkThrough(killed, p, sources, func(int, *kernel) {})
	if err != nil {
		return fmt.Errorf("recovery: the kernel refuses %w", err)
	}
	for _, text := range append(walk.astray, walk.refused...) {
		return fmt.Errorf("the recovery: %s\n%s", text, p)
	}
	for f, n := range walk.changes {
		return fmt.Errorf("%d steps of the recovery change policies of %s\n%s", n, f, p)
	}
	again, err := draft.Recover(ctx, nil, walk.last.state(killed), protocols)
	if err != nil || !again.Empty() {
		return fmt.Errorf("a second recovery: %v\n%safter\n%s", err, again, p)
	}
	return nil
}
