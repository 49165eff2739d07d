package maintain

import (
	"context"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// Lost events are a reason to look at everything, also if no event comes after them.
func TestWatchLost(t *testing.T) {
	ns := lab.Test(t).NS("a")
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w, err := openWatch(c, 4096, make(chan struct{}, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.sub.Close()
	foreign, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	var b rule.Batch
	for i := range 200 {
		b.Add(rule.Rule{FwMark: rule.FwMark(uint32(i + 1)), Table: 77, Priority: rule.Priority(uint32(2000 - i))})
	}
	if err := b.Do(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	defer func() { cancel(); <-done }()
	var causes cause
	for end := time.Now().Add(10 * time.Second); causes&causeLost == 0; time.Sleep(time.Millisecond) {
		some, _, err := w.take()
		lost := some.lost
		causes |= some.agenda.causes
		if err != nil || lost > 0 && causes&causeLost == 0 || time.Now().After(end) {
			t.Fatalf("looks because %s; lost %d times, %v", causes, lost, err)
		}
	}
}
