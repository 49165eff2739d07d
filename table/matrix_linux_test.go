package table_test

import (
	"fmt"
	"testing"

	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// After every request of every change, packets go wholly by the old policy or
// wholly by the new, and one request makes the difference. Without -full each change is
// tried in one family.
func TestEveryRequest(t *testing.T) {
	tabletest.ForChanges(t, tabletest.Changes, tabletest.IPv4, func(t *testing.T, n *tabletest.Network, f tabletest.Family, x tabletest.Change) {
		from, to := x.From(n, f), x.To(n, f)
		n.Narrow(f, from, to)
		n.Install(from...)
		look := func() string { return n.Matrix(f, x.Sources(f)...) }
		before := look()
		w := &tabletest.Watcher{Socket: n.Conn, Look: look}
		if err := n.Apply(t.Context(), w, from, to); err != nil {
			t.Fatal(err)
		}
		after := look()
		if (before == after) != x.Same {
			t.Errorf("packets go the same ways before and after: %t, want %t (-before +after):\n%s",
				before == after, x.Same, tabletest.Diff(before, after))
		}
		steps, last := 0, before
		for i, s := range w.States {
			tabletest.WantEither(t, fmt.Sprintf("where packets go after request %d, %s", i+1, w.Names[i]), before, after, s)
			if s != last {
				steps++
			}
			last = s
		}
		if want := 1; before != after && steps != want {
			t.Errorf("%d of %d requests change where packets go, want %d", steps, len(w.States), want)
		}
		t.Logf("%d requests, %d of them change where packets go", len(w.States), steps)
		n.WantNothingToDo(to...)
	})
}
