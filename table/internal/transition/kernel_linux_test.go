package transition_test

import (
	"context"
	"errors"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(1000) // thousands of worlds make much garbage, and keep nothing
	lab.Main(m)
}

// A server is baseWorld in a network namespace, with all addresses of all cases.
type server struct {
	t     *testing.T
	conn  *route.Socket
	addrs []netip.Addr
}

func newServer(t *testing.T, worlds []*world) *server {
	t.Helper()
	base := newWorld(t)
	l := lab.Test(t)
	ns, peer := l.NS("server"), l.NS("net")
	for index, name := range base.links {
		l.Veth(lab.End{NS: ns, Name: name, Index: index}, lab.End{NS: peer, Name: "to-" + name})
	}
	s := &server{t: t}
	for _, w := range worlds {
		for _, a := range w.addrs {
			if slices.Contains(s.addrs, a.Addr) {
				continue
			}
			s.addrs = append(s.addrs, a.Addr)
			ns.Addr(base.links[a.Index], prefixOf(a).String())
		}
	}
	var err error
	if s.conn, err = route.Dial(ns.Config()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.conn.Close() })
	for _, r := range base.routes {
		if r.Protocol != route.ProtoKernel {
			s.must(route.Add(t.Context(), s.conn, r))
		}
	}
	return s
}

// prefixOf returns an address with the length of its subnet.
func prefixOf(a host.Address) netip.Prefix {
	if a.Subnet.IsValid() {
		return netip.PrefixFrom(a.Addr, a.Subnet.Bits())
	}
	return form.HostPrefix(a.Addr)
}

func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// set makes the rules, and the routes of all tables but main, those of a world.
func (s *server) set(ctx context.Context, w *world) {
	s.t.Helper()
	routes, err := route.List(ctx, s.conn, route.Filter{})
	s.must(err)
	for _, r := range routes {
		if !form.IsSystemTable(r.Table) {
			s.must(route.Delete(ctx, s.conn, r))
		}
	}
	for _, r := range w.routes {
		if !form.IsSystemTable(r.Table) {
			s.must(route.Add(ctx, s.conn, r))
		}
	}
	wanted, present := form.MakeSet(w.rules...), form.MakeSet()
	for _, f := range form.Families {
		for _, r := range s.rules(ctx, f) {
			present[r] = struct{}{}
			if !wanted.Has(r) {
				s.must(rule.Delete(ctx, s.conn, r))
			}
		}
	}
	for _, r := range w.rules {
		if !present.Has(r) {
			s.must(rule.Add(ctx, s.conn, r))
		}
	}
}

// rules returns the rules of a family in the form in which they are compared.
func (s *server) rules(ctx context.Context, f route.Family) []rule.Rule {
	s.t.Helper()
	var all []rule.Rule
	for r, err := range rule.All(ctx, s.conn, rule.Filter{Family: f}) {
		s.must(err)
		all = append(all, form.Bare(r))
	}
	return all
}

// do does a step of a plan.
func (s *server) do(ctx context.Context, step *plan.Step) error {
	switch step.Op {
	case plan.AddRule:
		return rule.Add(ctx, s.conn, step.Rule)
	case plan.DeleteRule:
		return rule.Delete(ctx, s.conn, step.Rule)
	case plan.AddRoute:
		return route.Add(ctx, s.conn, step.Route)
	case plan.ReplaceRoute:
		return route.Replace(ctx, s.conn, step.Route)
	case plan.DeleteRoute:
		return route.Delete(ctx, s.conn, step.Route)
	}
	return nil
}

// decide returns where a packet goes, as the kernel says. All errors are one.
func (s *server) decide(ctx context.Context, src, dst netip.Addr) decision {
	s.t.Helper()
	r, err := route.Lookup(ctx, s.conn, route.Query{Src: src, Dst: dst, FibMatch: true})
	if errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) {
		return decision{err: "unreachable"}
	}
	s.must(err)
	if r.Type == route.TypeLocal {
		return decision{local: true}
	}
	return decision{via: r.Gateway, dev: r.OIF, src: r.PrefSrc}
}

// compare fails the test where the model of the kernel and the kernel do not agree. It
// returns how many decisions it has compared.
func (s *server) compare(ctx context.Context, after string, k *kernel, sources []netip.Addr) (n int) {
	s.t.Helper()
	for _, src := range sources {
		if !slices.Contains(s.addrs, src) || src.IsLinkLocalUnicast() {
			continue
		}
		for _, dst := range destinations[route.FamilyOf(src)] {
			model, kernel := k.decide(src, dst), s.decide(ctx, src, dst)
			if model.err != "" {
				model.err = "unreachable"
			}
			if n++; model != kernel {
				s.t.Errorf("after %s, a packet from %s to %s goes %s, and in the model %s", after, src, dst, kernel, model)
			}
		}
	}
	return n
}

// walk does the steps of a case in the kernel and in the model, and compares both after
// every step. It returns how many decisions it has compared.
func (s *server) walk(ctx context.Context, c *testCase, w *world) (n int) {
	s.t.Helper()
	now := w.state()
	p, err := c.do(s.t, now)
	if err != nil {
		return 0 // the case is about that error
	}
	s.set(ctx, w)
	k := newKernel(now)
	n = s.compare(ctx, c.name+": nothing", k, w.sources())
	for i := range p.Steps {
		step := &p.Steps[i]
		if err := errors.Join(k.do(step), s.do(ctx, step)); err != nil {
			s.t.Fatalf("%s: %v", c.name, err)
		}
		n += s.compare(ctx, c.name+": "+p.Command(step), k, w.sources())
	}
	for _, f := range form.Families {
		want := slices.Clone(k.rules[f])
		for i := range want {
			want[i] = form.Bare(want[i])
		}
		if got := s.rules(ctx, f); !slices.Equal(got, want) {
			s.t.Errorf("%s: the rules are\n%v\nand in the model\n%v", c.name, got, want)
		}
	}
	return n
}

// TestKernelModel compares where packets go in the kernel with what the model says, after
// every step of every case.
func TestKernelModel(t *testing.T) {
	cases := readCases(t)
	// In a world without an interface table main has less than in the namespace.
	cases = slices.DeleteFunc(cases, func(c testCase) bool { return strings.Contains(c.have, "no-link") })
	worlds := []*world{newWorld(t)}
	for i := range cases {
		worlds = append(worlds, cases[i].world(t))
	}
	s := newServer(t, worlds)
	compared := 0
	for i := range cases {
		compared += s.walk(t.Context(), &cases[i], worlds[i+1])
	}
	t.Logf("%d decisions compared", compared)
	if compared < 50_000 {
		t.Errorf("only %d decisions compared", compared)
	}
}
