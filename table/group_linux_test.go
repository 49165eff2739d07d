package table_test

import (
	"testing"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// Several uplinks in one call, both families: one request a family changes over
// all of them, at Install, at an update of all, and at Remove.
func TestGroup(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.AddLAN()
	before := n.Snapshot()
	all := []table.SourceRoutedUplink{n.Uplink1(tabletest.IPv4), n.Uplink1(tabletest.IPv6), n.FullUplink(tabletest.IPv4), n.FullUplink(tabletest.IPv6)}
	n.Narrow(tabletest.IPv4, all[2:3])
	n.Narrow(tabletest.IPv6, all[3:])
	look4 := func() string { return n.Matrix(tabletest.IPv4, tabletest.IPv4.A1, tabletest.IPv4.A2) }
	look6 := func() string { return n.Matrix(tabletest.IPv6, tabletest.IPv6.A1, tabletest.IPv6.A2) }
	for _, x := range []struct {
		name string
		do   func(c *tabletest.Watcher) error
	}{
		{"install", func(c *tabletest.Watcher) error { return table.Install(t.Context(), c, all...) }},
		{"update", func(c *tabletest.Watcher) error {
			for i := range all {
				all[i].MainFirst = !all[i].MainFirst
			}
			return table.Install(t.Context(), c, all...)
		}},
		{"update again", func(c *tabletest.Watcher) error {
			for i := range all {
				all[i].MainFirst = !all[i].MainFirst
			}
			return table.Install(t.Context(), c, all...)
		}},
		{"remove", func(c *tabletest.Watcher) error { return table.Remove(t.Context(), c, all...) }},
	} {
		was := []string{look4(), look6()}
		var seen [2][]string
		w := &tabletest.Watcher{Socket: n.Conn}
		w.Look = func() string {
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
			n.WantNothingToDo(all...)
		}
	}
	n.WantSnapshot("Remove", before)
}
