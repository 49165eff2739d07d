package maintain

import (
	"context"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// If only rules and routes of uplinks have changed, Run waits as long as others follow, and not
// for all of Settle. An interface is another matter.
func TestGather(t *testing.T) {
	ns := lab.Test(t).NS("a")
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	foreign, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	w, err := openWatch(c, 0, make(chan struct{}, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.sub.Close()
	if _, err := w.read(t.Context(), c, ""); err != nil {
		t.Fatal(err)
	}
	const ours, lo = 99, 1
	w.follow(&interests{protocols: map[route.Protocol]bool{ours: true}, links: map[uint32][]int{lo: {0}}})
	m := newMaintainer(nil, Config{Settle: 16 * time.Second, Counters: new(Counters)})
	m.watch = w
	drain := func() {
		t.Helper()
		w.mu.Lock()
		defer w.mu.Unlock()
		if err := w.drain(); err != nil {
			t.Fatal(err)
		}
	}
	if err := rule.Add(t.Context(), foreign, rule.Rule{FwMark: rule.FwMark(1), Table: 77, Protocol: ours}); err != nil {
		t.Fatal(err)
	}
	drain()
	ctx, cancel := context.WithTimeout(t.Context(), m.config.Settle-time.Second)
	defer cancel()
	m.gather(ctx, time.Time{})
	if ctx.Err() != nil {
		t.Error("Run waits longer although only a rule of an uplink has changed")
	}
	ns.Down("lo")
	drain()
	if seen, isOurs := w.count(); seen < 2 || isOurs {
		t.Errorf("a rule and an interface: %d events, only of rules and routes of uplinks: %t", seen, isOurs)
	}
	if _, _, err := w.take(); err != nil {
		t.Fatal(err)
	}
	if seen, isOurs := w.count(); seen != 0 || isOurs {
		t.Errorf("after all were taken: %d events, only of rules and routes of uplinks: %t", seen, isOurs)
	}
}
