package explain_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/internal/randomhost"
)

// The kernel confirms the ways of a packet of each class, before and after, and packets
// that the kernel treats differently are in a class.
func TestKernelDiff(t *testing.T) {
	if testing.Short() {
		t.Skip("needs namespaces")
	}
	var c diffCount
	err := onThread(func() error {
		o, err := newOracle()
		if err != nil {
			return err
		}
		for seed := range uint64(testrun.Times(1000, 3)) {
			if err := c.compare(t, o, seed); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
		return o.close()
	})
	if err != nil {
		t.Error(err)
	}
	if c.witnesses == 0 || c.changed == 0 {
		t.Error("nothing was compared")
	}
	t.Logf("%d pairs of hosts, %d classes, %d witnesses; of %d packets, %d go another way to the kernel", c.pairs, c.classes, c.witnesses, c.packets, c.changed)
}

// settle reads the World of a host again until it stays the same: the kernel may have
// been at work on carriers and addresses.
func (s *sample) settle() error {
	for range 100 {
		w, err := explain.Take(s.ctx, s.host.Conn)
		if err != nil {
			return err
		}
		text := w.String()
		if text == s.text {
			return nil
		}
		s.world, s.text, s.fib = w, text, explain.NewFIB(w)
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("the host does not settle")
}

type diffCount struct{ pairs, classes, witnesses, packets, changed int }

// otherCommands returns the commands of a host that has some other rules and routes.
func otherCommands(seed uint64) []string {
	g := rand.New(rand.NewPCG(seed, 99))
	isFIB := func(s string) bool { return strings.Contains(s, "rule add") || strings.Contains(s, "route add") }
	kept := slices.DeleteFunc(randomhost.Generate(seed), func(s string) bool { return isFIB(s) && g.IntN(6) == 0 })
	for _, s := range randomhost.Generate(seed + 1<<32) {
		if isFIB(s) && g.IntN(6) == 0 {
			kept = append(kept, s)
		}
	}
	return kept
}

func (c *diffCount) compare(t *testing.T, o *oracle, seed uint64) error {
	ctx := t.Context()
	before := sample{ctx: ctx, oracle: o, seed: seed, commands: randomhost.Generate(seed)}
	if err := before.enter(); err != nil {
		return err
	}
	defer before.close()
	after := sample{ctx: ctx, oracle: o, seed: seed, commands: otherCommands(seed)}
	if err := after.enter(); err != nil {
		return err
	}
	defer after.close()
	for _, s := range []*sample{&before, &after} {
		if err := s.settle(); err != nil {
			return err
		}
	}
	d, err := explain.Diff(before.fib, after.fib)
	if err != nil {
		return err
	}
	c.pairs++
	c.classes += len(d)
	for i := range d {
		switch w := &d[i].Witness; w.IPProto {
		case 0, route.ICMP, route.ICMPv6, route.TCP, route.UDP:
			if w.TunID == 0 {
				break
			}
			continue // nobody can ask for a packet of a tunnel
		default:
			continue // nor for one of another protocol
		}
		if d[i].Witness.IIF != "" { // the kernel does not tell why it refuses input
			continue
		}
		for _, s := range []*sample{&before, &after} {
			kind, text, err := s.look(d[i].Witness)
			if err != nil {
				return err
			}
			if kind != "" {
				t.Errorf("seed %d: class %s: %s", seed, d[i].Packets, text)
			}
		}
		c.witnesses++
	}
	return c.sample(t, &before, &after, d)
}

// sample looks for packets that the kernels treat differently and that are in no class.
func (c *diffCount) sample(t *testing.T, before, after *sample, d explain.Difference) error {
	random := randomhost.NewPackets(&after.world, before.seed)
	for i := range 200 {
		p := random.Packet(i%2 == 1, false)
		a, ok := before.way(t.Context(), &p)
		b, okAfter := after.way(t.Context(), &p)
		if !ok || !okAfter {
			continue
		}
		c.packets++
		if a == b {
			continue
		}
		c.changed++
		if !slices.ContainsFunc(d, func(c explain.Class) bool { return c.Packets.Contains(p) }) {
			t.Errorf("seed %d: %s is in no class; before: %s, after: %s", before.seed, p, a, b)
		}
	}
	return nil
}

// way returns what the kernel says of a packet. ok is false if it may say something else
// another time, or if the model has an explained difference.
func (s *sample) way(ctx context.Context, p *explain.Packet) (way string, ok bool) {
	q, ok := query(&s.world, p)
	if !ok {
		return "", false
	}
	answers, err := s.oracle.ask(ctx, s.host, []route.Query{q})
	if err != nil {
		return "", false
	}
	a := &answers[0]
	e := s.fib.ExplainGet(*p)
	if e.Decision.Depends != 0 || compare(s.fib, &e, a) != nil {
		return "", false
	}
	if a.err != nil {
		return a.err.Error(), true
	}
	r := a.route
	return strings.Join([]string{typeOf(&r).String(), s.name(r.OIF), r.Gateway.String(), r.PrefSrc.String()}, " "), true
}

func (s *sample) name(index uint32) string {
	for _, l := range s.world.Links {
		if l.Index == index {
			return l.Name
		}
	}
	return ""
}
