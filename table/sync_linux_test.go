package table_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/table"
)

// Sync leaves the uplinks that it is given, takes others away, and does not touch
// what has another protocol; after a failure at any request, all is as before.
func TestSync(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.addLAN()
		foreign := n.uplink2(f)
		foreign.Name, foreign.Table, foreign.Protocol = "", 77, 211
		foreign.Sources = []netip.Addr{netip.MustParseAddr(f.a1)}
		n.install(foreign)
		before := n.snapshot()
		u1, u2 := n.uplink1(f), n.full(f)
		n.install(u1, u2)
		both := n.snapshot()
		for k := 1; ; k++ {
			rec := &recorder{c: n.c, fail: func(seen int, _ netlink.Message) error {
				if seen == k {
					return errInjected
				}
				return nil
			}}
			err := table.Sync(t.Context(), rec, u1)
			if err == nil {
				break
			}
			if !errors.Is(err, errInjected) {
				t.Fatal(err)
			}
			n.unchanged(err.Error(), both)
		}
		n.wantNothingToDo(u1)
		if n.ours(20) != "" {
			t.Errorf("the other uplink is still there:\n%s", n.kernel())
		}
		// The interface of an address is another now, and the old uplink is gone
		// in the same call.
		u1.Sources = []netip.Addr{netip.MustParseAddr(f.a2)}
		n.install(u2) // u1 is still installed
		before2 := n.matrix(f, f.a2)
		w := &watcher{Socket: n.c, look: func() string { return n.matrix(f, f.a2) }}
		if err := table.Sync(t.Context(), w, u1); err != nil {
			t.Fatal(err)
		}
		steps, last := 0, before2
		for _, s := range w.states {
			if s != last {
				steps, last = steps+1, s
			}
		}
		if steps != 1 {
			t.Errorf("%d requests change where packets go, want 1", steps)
		}
		n.remove(u1)
		n.unchanged("Remove", before)
	})
}
