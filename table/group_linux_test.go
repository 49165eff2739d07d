package table_test

import (
	"testing"

	"github.com/policyroute/policyroute/table"
)

// Several uplinks in one call, both families: one request a family changes over
// all of them, at Install, at an update of all, and at Remove.
func TestGroup(t *testing.T) {
	n := newNetwork(t)
	n.addLAN()
	before := n.snapshot()
	all := []table.SourceRoutedUplink{n.uplink1(ip4), n.uplink1(ip6), n.full(ip4), n.full(ip6)}
	n.narrow(ip4, all[2:3])
	n.narrow(ip6, all[3:])
	look4 := func() string { return n.matrix(ip4, ip4.a1, ip4.a2) }
	look6 := func() string { return n.matrix(ip6, ip6.a1, ip6.a2) }
	for _, x := range []struct {
		name string
		do   func(c *watcher) error
	}{
		{"install", func(c *watcher) error { return table.Install(t.Context(), c, all...) }},
		{"update", func(c *watcher) error {
			for i := range all {
				all[i].MainFirst = !all[i].MainFirst
			}
			return table.Install(t.Context(), c, all...)
		}},
		{"update again", func(c *watcher) error {
			for i := range all {
				all[i].MainFirst = !all[i].MainFirst
			}
			return table.Install(t.Context(), c, all...)
		}},
		{"remove", func(c *watcher) error { return table.Remove(t.Context(), c, all...) }},
	} {
		was := []string{look4(), look6()}
		var seen [2][]string
		w := &watcher{Socket: n.c}
		w.look = func() string {
			seen[0], seen[1] = append(seen[0], look4()), append(seen[1], look6())
			return ""
		}
		if err := x.do(w); err != nil {
			t.Fatal(err)
		}
		for i, f := range []string{"IPv4", "IPv6"} {
			steps, last := 0, was[i]
			for _, s := range seen[i] {
				if s != last {
					steps, last = steps+1, s
				}
			}
			if steps != 1 {
				t.Errorf("%s: %d of %d requests change where %s goes, want 1", x.name, steps, len(seen[i]), f)
			}
		}
		if x.name != "remove" {
			n.wantNothingToDo(all...)
		}
	}
	n.unchanged("Remove", before)
}
