package transition_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// A random world is a host, what is installed there, and what is wanted next. All of it
// follows from two numbers, so that a fuzzer can look for worlds.
type randomWorld struct {
	r *rand.Rand
	*world
	foreign bool // there are rules of others
	// most is how many steps may change over the sources of a family. For one uplink
	// that is two: one uncovers sources, and another hides those that go. For several
	// it is as many for each, if they have no room for one END.
	most int
	verb string
	// given says that an uplink has a priority of its own.
	given bool
	// localMoved says that the rule for local has moved after an installation.
	localMoved bool
}

func newRandomWorld(t testing.TB, base *world, a, b uint64) *randomWorld {
	w := &randomWorld{r: rand.New(rand.NewPCG(a, b)), world: &world{
		links: base.links, addrs: slices.Clone(base.addrs), rules: slices.Clone(base.rules),
		routes: slices.Clone(base.routes), files: base.files, ours: make(map[rttables.ID]string),
	}}
	for i := range w.r.IntN(3) {
		w.add(t, fmt.Sprintf("addr 10.2.0.%d/24 dev u2\naddr 2001:db8:2::%d/64 dev u2", i+3, i+3))
	}
	if w.one(3) {
		w.add(t, "addr 10.22.0.2/24 dev u2")
	}
	for _, f := range form.Families {
		if w.one(4) {
			w.rules = w.moveLocal(w.rules, f)
		}
	}
	if w.one(2) {
		w.foreign = true
		for range 1 + w.r.IntN(4) {
			w.addForeign(t)
		}
	}
	return w
}

// one is true once in n times.
func (w *randomWorld) one(n int) bool { return w.r.IntN(n) == 0 }

// moveLocal returns the rules with that for local of a family behind, where the kernel's
// documentation of VRFs has it, or back in front.
func (w *randomWorld) moveLocal(rules []rule.Rule, f route.Family) []rule.Rule {
	rules = slices.Clone(rules)
	i := slices.IndexFunc(rules, func(r rule.Rule) bool { return r.Family == f && form.LooksUpForAll(&r, rttables.Local) })
	if rules[i].Priority.Or(0) == 0 {
		rules[i].Priority = rule.Priority([]uint32{32765, 32765, 32700}[w.r.IntN(3)])
	} else {
		rules[i].Priority = rule.Priority(0)
	}
	slices.SortStableFunc(rules, host.ComparePriority)
	if w.one(2) && !slices.ContainsFunc(rules, func(r rule.Rule) bool { return r.Family == f && r.L3MDev }) {
		l3mdev := rule.Rule{Family: f, Priority: rule.Priority(1000), Action: rule.ActionLookup, L3MDev: true, Protocol: route.ProtoKernel}
		rules = append(rules, l3mdev.Canonical())
		slices.SortStableFunc(rules, host.ComparePriority)
	}
	return rules
}

// addForeign adds a rule of another program, often where ours would like to be.
func (w *randomWorld) addForeign(t testing.TB) {
	prio := []int{500 + w.r.IntN(12), 30990 + w.r.IntN(24), 31890 + w.r.IntN(24), 31995 + w.r.IntN(15)}[w.r.IntN(4)]
	rules := []string{
		"ip rule add from 10.2.0.0/16 lookup 99 pref %d",
		"ip rule add from 10.2.0.2 lookup 99 pref %d proto static",
		"ip rule add from 10.9.0.2 lookup 99 pref %d",
		"ip rule add fwmark 0x7 lookup 99 pref %d",
		"ip rule add from all lookup 99 pref %d",
		"ip -6 rule add from 2001:db8:2::/64 lookup 99 pref %d",
		"ip -6 rule add from 2001:db8:77::1 lookup 99 pref %d",
		"ip rule add from 10.2.0.3 goto %[2]d pref %[1]d",
	}
	text := rules[w.r.IntN(len(rules))]
	if strings.Contains(text, "[2]") {
		w.add(t, fmt.Sprintf(text, prio, prio+1+w.r.IntN(8)))
		return
	}
	w.add(t, fmt.Sprintf(text, prio))
}

// addForeignRoutes adds routes of another program to the tables of installed uplinks.
func (w *randomWorld) addForeignRoutes(now *host.State) *host.State {
	routes := make(map[rttables.ID][]route.Route)
	for _, id := range now.Tables() {
		if form.IsSystemTable(id) || len(now.Routes(id)) == 0 {
			continue
		}
		add := func(r route.Route) {
			if r.Table = id; w.one(3) {
				routes[id] = append(routes[id], r.Canonical())
			}
		}
		routes[id] = slices.Clone(now.Routes(id))
		add(route.Route{Dst: netip.MustParsePrefix("172.16.5.0/24"), OIF: 14, Scope: route.ScopeLink})
		add(route.Route{Dst: netip.MustParsePrefix("203.0.113.0/24"), Gateway: netip.MustParseAddr("172.16.5.9"), OIF: 14})
		add(route.Route{Family: route.IPv4, Gateway: netip.MustParseAddr("10.1.0.9"), OIF: 12, Priority: 500})
		add(route.Route{Dst: netip.MustParsePrefix("fd00:5::/64"), OIF: 14, Priority: 256})
	}
	return now.With(nil, routes)
}

// uplinks returns some uplinks that are wanted together.
func (w *randomWorld) uplinks() []uplink.Spec {
	var specs []uplink.Spec
	for i, dev := range []string{"u1", "u2"} {
		if i == 0 && !w.one(3) {
			continue
		}
		u := uplink.Spec{Name: "lan" + dev[1:], Interface: dev}
		if w.one(2) {
			u.Table = rttables.ID(10*(i+1) + w.r.IntN(2))
		}
		if w.one(4) {
			u.Name = ""
		}
		if w.one(4) {
			w.given = true
			u.Priority = uint32([]int{500, 502, 31000, 31001, 31003}[w.r.IntN(5)] + 30*i)
		}
		u.MainFirst, u.Unreachable = w.one(2), w.one(2)
		families := 1 + w.r.IntN(3)
		if families&1 != 0 {
			specs = append(specs, w.inFamily(u, fmt.Sprintf("10.%d.0.1", i+1), "192.0.2.0/24", "10.2.0.2"))
		}
		if families&2 != 0 {
			specs = append(specs, w.inFamily(u, fmt.Sprintf("2001:db8:%d::1", i+1), "2001:db8:77::/48", "2001:db8:2::2"))
		}
	}
	return specs
}

// inFamily returns u with what only one family has.
func (w *randomWorld) inFamily(u uplink.Spec, gateway, extra, source string) uplink.Spec {
	u.Gateway = netip.MustParseAddr(gateway)
	if w.one(4) {
		u.Gateway = u.Gateway.Next().Next().Next().Next().Next()
		for w.state().IsLocal(u.Gateway) {
			u.Gateway = u.Gateway.Next()
		}
	}
	if w.one(3) {
		u.Routes = []netip.Prefix{netip.MustParsePrefix(extra)}
	}
	if w.one(5) && u.Interface == "u2" {
		u.Sources = []netip.Addr{netip.MustParseAddr(source)}
	}
	if w.one(4) {
		port := rule.Rule{IPProto: 6, DPort: rule.Port(uint16(25 + w.r.IntN(2)))}
		u.Also = append(u.Also, port)
	}
	return u
}

// planSame plans the operation that leads to some uplinks, or away from them.
func (w *randomWorld) planSame(t testing.TB, now *host.State, have, want []uplink.Spec) (plan.Plan, error) {
	ctx := t.Context()
	w.most = 2
	if several := func(u uplink.Spec) bool { return u.Interface == "u1" }; slices.ContainsFunc(have, several) ||
		slices.ContainsFunc(want, several) {
		w.most = 4
	}
	switch w.verb {
	case "remove":
		return draft.Remove(ctx, nil, now, have)
	case "sync":
		w.most += 2 // the uplinks that go do so after the others have come
		return draft.Sync(ctx, nil, now, want, []route.Protocol{uplink.DefaultProtocol}, nil)
	}
	return draft.Install(ctx, nil, now, want, uplink.Options{})
}

func (w *randomWorld) describe(have, want []uplink.Spec) string {
	var b strings.Builder
	for _, r := range w.rules {
		fmt.Fprintf(&b, "\trule %s\n", r)
	}
	for _, list := range [][]uplink.Spec{have, want} {
		fmt.Fprintf(&b, "uplinks\n")
		for _, u := range list {
			fmt.Fprintf(&b, "\t%+v\n", u)
		}
	}
	return b.String()
}

// try plans a transition in a random world, and holds it to what is promised. Thorough,
// it recovers from every prefix.
func try(t testing.TB, base *world, a, b uint64, thorough bool) (steps int) {
	ctx := t.Context()
	w := newRandomWorld(t, base, a, b)
	have, want := w.uplinks(), w.uplinks()
	first, err := draft.Install(ctx, nil, w.state(), have, uplink.Options{})
	if err != nil {
		return 0 // refused: nothing to go on from
	}
	firstWalk, err := walkThrough(w.state(), first, nil, func(int, *kernel) {})
	if err != nil {
		t.Fatalf("world %d %d: the kernel refuses %v\n%s", a, b, err, first)
	}
	now := w.after(firstWalk.last.state(w.state()), first)
	if w.one(3) {
		now = w.addForeignRoutes(now)
	}
	for _, f := range form.Families {
		if w.one(6) {
			w.localMoved = true
			now = now.With(map[route.Family][]rule.Rule{f: w.moveLocal(now.Rules(f).All, f)}, nil)
		}
	}
	w.verb = []string{"install", "install", "sync", "remove"}[w.r.IntN(4)]
	p, err := w.planSame(t, now, have, want)
	if err != nil {
		return 0
	}
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("world %d %d: %s\n%splan\n%s", a, b, fmt.Sprintf(format, args...), w.describe(have, want), stepsText(p, nil))
	}
	killed := int(b % uint64(len(p.Steps)+1))
	var states []*host.State
	walk, err := walkThrough(now, p, w.sources(), func(done int, k *kernel) {
		if thorough || done == killed {
			states = append(states, k.state(now))
		}
	})
	if err != nil {
		fail("the kernel refuses %v", err)
	}
	w.checkWalk(fail, walk, p)
	// Uplinks that are not among those of Install stay as they were when local moved.
	if !w.localMoved || w.verb == "sync" {
		walk.wantOwn(fail)
	}
	for _, s := range states {
		if err := checkRecovery(ctx, s, []route.Protocol{uplink.DefaultProtocol}, w.sources()); err != nil {
			fail("%v", err)
		}
	}
	if again, err := w.planSame(t, w.after(walk.last.state(now), p), have, want); err != nil || !again.Empty() {
		fail("the same again: %v\n%s", err, again)
	}
	return len(p.Steps)
}

// checkWalk holds the states on the way to the promise: each source has the old or the
// new policy, and changes over once.
func (w *randomWorld) checkWalk(fail func(string, ...any), walk *walk, p plan.Plan) {
	for _, x := range walk.faults {
		// Where a rule of others leaves no room for gates, rungs are deleted one by one.
		// So they are where a given priority puts rules of Also among them.
		if !w.foreign && !w.given || !deletedOneByOne(p, x.policy.src) {
			fail("after step %d, packets of %s go\n%safter all\n%s", x.step, x.policy.src, x.policy, walk.after[x.policy.src])
		}
	}
	for _, text := range walk.astray {
		fail("%s", text)
	}
	for f, n := range walk.changes {
		// A rule of Also right behind rungs, where a given priority puts it, takes the
		// place of END: each source changes over by itself then.
		if n > w.most && !w.foreign && !w.given {
			fail("%d steps change policies of %s", n, f)
		}
	}
}

// wantOwn fails if packets from a source to an address of this host leave it after all.
func (w *walk) wantOwn(fail func(string, ...any)) {
	for src, p := range w.after {
		for i, dst := range destinations[route.FamilyOf(src)] {
			if w.last.local[dst] && !p.decisions[i].local {
				fail("packets from %s to %s of this host go %s", src, dst, p.decisions[i])
			}
		}
	}
}

// deletedOneByOne reports whether several commits of a plan delete rungs of one source.
func deletedOneByOne(p plan.Plan, src netip.Addr) bool {
	n := 0
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Commit && s.Op == plan.DeleteRule && s.Rule.From.Addr() == src {
			n++
		}
	}
	return n > 1
}

// TestRandomWorlds goes through worlds that it finds by chance, with a recovery from
// every prefix. With -full there are more of them.
func TestRandomWorlds(t *testing.T) {
	base := newWorld(t)
	steps, planned := 0, 0
	worlds := tabletest.Times(20_000, 250)
	for i := range worlds {
		if n := try(t, base, 1, uint64(i), true); n > 0 {
			steps, planned = steps+n, planned+1
		}
	}
	t.Logf("%d worlds, %d with a plan, of %d steps altogether", worlds, planned, steps)
	if planned < worlds/4 {
		t.Errorf("only %d of %d worlds have a plan", planned, worlds)
	}
}

func FuzzTransition(f *testing.F) {
	for i := range uint64(50) {
		f.Add(uint64(7), i)
	}
	base := newWorld(f)
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, a, b uint64) {
		seeds.Next(t)
		try(t, base, a, b, false)
	})
}

func BenchmarkWorlds(b *testing.B) {
	base := newWorld(b)
	i := uint64(0)
	for b.Loop() {
		try(b, base, 9, i, false)
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "worlds/s")
}
