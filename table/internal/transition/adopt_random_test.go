package transition_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// addScript adds what a script has made for the uplinks of both interfaces, or for one.
func (w *randomWorld) addScript(t testing.TB) {
	for i, dev := range []string{"u1", "u2"} {
		n := i + 1
		if w.one(4) {
			continue
		}
		id := []int{10 * n, 10 * n, 10*n + 1, 200 + n}[w.r.IntN(4)]
		gateway := []int{1, 1, 1, 7}[w.r.IntN(4)]
		metric := []string{"", "", " metric 100"}[w.r.IntN(3)]
		families := 1 + w.r.IntN(3)
		if families&1 != 0 {
			w.addScriptRoutes(t, "ip route", fmt.Sprintf("10.%d.0.0/24 dev %s table %d scope link%s", n, dev, id, metric),
				fmt.Sprintf("default via 10.%d.0.%d dev %s table %d%s", n, gateway, dev, id, metric), id)
			w.addScriptRules(t, "ip rule", fmt.Sprintf("10.%d.0", n)+".%d", id)
		}
		if families&2 != 0 {
			w.addScriptRoutes(t, "ip -6 route", fmt.Sprintf("2001:db8:%d::/64 dev %s table %d%s", n, dev, id, metric),
				fmt.Sprintf("default via 2001:db8:%d::%d dev %s table %d%s", n, gateway, dev, id, metric), id)
			w.addScriptRules(t, "ip -6 rule", fmt.Sprintf("2001:db8:%d::", n)+"%d", id)
		}
	}
}

func (w *randomWorld) addScriptRoutes(t testing.TB, ip, subnet, out string, id int) {
	if !w.one(4) {
		w.add(t, ip+" add "+subnet)
	}
	w.add(t, ip+" add "+out)
	if w.one(4) && strings.Contains(ip, "-6") {
		w.add(t, fmt.Sprintf("ip -6 route add unreachable default metric 9999 table %d", id))
	}
}

func (w *randomWorld) addScriptRules(t testing.TB, ip, source string, id int) {
	prio := []int{32765 - w.r.IntN(5), 100 + w.r.IntN(4), 32002}[w.r.IntN(3)]
	for host := 2; host < 5; host++ {
		src := fmt.Sprintf(source, host)
		if !strings.Contains(w.text(), "addr "+src) || host > 2 && w.one(4) {
			continue
		}
		for range 1 + w.r.IntN(2) {
			if w.one(5) {
				w.add(t, fmt.Sprintf("%s add from %s lookup main suppress_prefixlength 0 pref %d", ip, src, prio-1))
			}
			w.add(t, fmt.Sprintf("%s add from %s lookup %d pref %d", ip, src, id, prio))
			prio += []int{1, -1, -2}[w.r.IntN(3)]
		}
	}
}

// text returns the addresses of the world as lines.
func (w *randomWorld) text() string {
	var b strings.Builder
	for _, a := range w.addrs {
		fmt.Fprintf(&b, "addr %s\n", a.Addr)
	}
	return b.String()
}

// tryAdopt takes over what a script has made in a random world: no packet goes another
// way than before or after, and from wherever it is killed the next adopt gets to the
// same end.
func tryAdopt(t testing.TB, base *world, a, b uint64) (steps int) {
	ctx := t.Context()
	w := newRandomWorld(t, base, a, b)
	// Rules of scripts come after a rule l3mdev: where they do not, ours cannot stay in their
	// place, and rules of others in between may leave no other.
	for i := range w.rules {
		if w.rules[i].L3MDev {
			w.rules[i].Priority = rule.Priority(90)
		}
	}
	slices.SortStableFunc(w.rules, host.ComparePriority)
	w.addScript(t)
	want := w.uplinks()
	for i := range want {
		if len(want[i].Also) > 0 { // two uplinks with one selector are at odds
			want[i].Also = []rule.Rule{{IPProto: 6, DPort: rule.Port(uint16(25 + i))}}
		}
	}
	adopt := func(now *host.State) (plan.Plan, error) { return draft.Adopt(ctx, nil, now, want, uplink.Options{}) }
	now := w.state()
	p, err := adopt(now)
	if err != nil {
		return 0 // refused
	}
	fail := func(format string, args ...any) {
		t.Helper()
		var routes strings.Builder
		for _, r := range w.routes {
			fmt.Fprintf(&routes, "\troute %s\n", r)
		}
		t.Fatalf("world %d %d: %s\n%s%splan\n%s", a, b, fmt.Sprintf(format, args...), w.describe(nil, want), &routes, stepsText(p, nil))
	}
	var states []*host.State
	k := newKernel(now)
	k.waysOnly = true
	walk, err := k.walkThrough(p, w.sources(), func(_ int, k *kernel) { states = append(states, k.state(now)) })
	if err != nil {
		fail("the kernel refuses %v", err)
	}
	w.most = 4
	walk.faults = slices.DeleteFunc(walk.faults, func(x fault) bool { return w.isOthers(walk, x, want) })
	w.checkWalk(fail, walk, p)
	last := w.after(walk.last.state(now), p)
	for done, s := range states {
		if !tabletest.Full() && done%5 != int(b%5) {
			continue
		}
		s = s.WithNames(last.Names)
		if err := checkRecovery(ctx, s, []route.Protocol{uplink.DefaultProtocol}, w.sources()); err != nil {
			fail("killed after step %d: %v", done, err)
		}
		next, err := adopt(s)
		if err != nil && w.given {
			continue // where a given priority puts rules, there is not always a way to it
		}
		if err != nil {
			fail("killed after step %d: the next adopt: %v", done, err)
		}
		k := newKernel(s)
		k.waysOnly = true
		rest, err := k.walkThrough(next, w.sources(), func(int, *kernel) {})
		if err != nil {
			fail("killed after step %d: the kernel refuses the next adopt: %v\n%s", done, err, next)
		}
		for src, policy := range walk.after {
			if rest.after[src] != policy && w.isSource(src, want) {
				fail("killed after step %d: the next adopt leads packets of %s\n%safter\n%s", done, src, rest.after[src], next)
			}
		}
	}
	if again, err := adopt(last); err != nil || !again.Empty() {
		fail("the same again: %v\n%s", err, again)
	}
	return len(p.Steps)
}

// isOthers reports whether a fault is about a source that no uplink has, although a
// script's rule leads it to a table of one. Its packets go the old way or the new one, to
// each destination by itself.
func (w *randomWorld) isOthers(walk *walk, x fault, want []uplink.Spec) bool {
	src := x.policy.src
	if w.isSource(src, want) {
		return false
	}
	for i, d := range x.policy.decisions {
		if d != walk.before[src].decisions[i] && d != walk.after[src].decisions[i] {
			return false
		}
	}
	return true
}

// isSource reports whether one of some uplinks has a source.
func (w *randomWorld) isSource(src netip.Addr, want []uplink.Spec) bool {
	return slices.ContainsFunc(want, func(u uplink.Spec) bool {
		index, _ := w.names().Links.Index(u.Interface)
		isOf := func(a host.Address) bool { return a.Addr == src && a.Index == index }
		return slices.Contains(u.Families(), route.FamilyOf(src)) &&
			(slices.Contains(u.Sources, src) || len(u.Sources) == 0 && slices.ContainsFunc(w.addrs, isOf))
	})
}

// TestRandomAdoptions takes over what scripts have made in worlds found by chance. With
// -full there are more of them.
func TestRandomAdoptions(t *testing.T) {
	base := newWorld(t)
	steps, planned := 0, 0
	worlds := tabletest.Times(20_000, 250)
	for i := range worlds {
		if n := tryAdopt(t, base, 3, uint64(i)); n > 0 {
			steps, planned = steps+n, planned+1
		}
	}
	t.Logf("%d worlds, %d with a plan, of %d steps altogether", worlds, planned, steps)
	if planned < worlds/4 {
		t.Errorf("only %d of %d worlds have a plan", planned, worlds)
	}
}
