package table_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// randomUplink is any form of the uplink by u2, with the first address or both.
func randomUplink(n *tabletest.Network, r *rand.Rand, f tabletest.Family, both bool) table.SourceRoutedUplink {
	u := n.Uplink2(f)
	u.MainFirst, u.Unreachable = r.IntN(2) == 0, r.IntN(2) == 0
	u.Table = []table.SourceRoutedUplink{{Table: 20}, {Table: 30}, {}}[r.IntN(3)].Table
	if u.Table == 0 {
		u.Name = ""
	}
	u.Priority = []uint32{0, 0, 500, 502, 31001}[r.IntN(5)]
	u.Metric = []uint32{0, 0, 7}[r.IntN(3)]
	if r.IntN(2) == 0 {
		tabletest.OtherGateway(&u, f)
	}
	if r.IntN(2) == 0 {
		u.Routes = []netip.Prefix{f.Extra()}
	}
	u.Sources = []netip.Addr{netip.MustParseAddr(f.A2)}
	if both {
		tabletest.TwoSources(&u, f)
	}
	for _, also := range []rule.Rule{
		{FwMark: rule.FwMark(2)}, {IPProto: route.TCP, DPort: rule.Port(25)}, {FwMark: rule.FwMark(3), Priority: rule.Priority(32100)},
	} {
		if r.IntN(2) == 0 {
			u.Also = append(u.Also, also)
		}
	}
	return u
}

// From any form of an uplink to any other, or to none: for each source one request
// changes over, all before it leave the old policy and all after it the new, and
// the next Install has nothing to do.
func TestRandomChanges(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		n.Server.Addr("u2", "10.2.0.22/24", "2001:db8:2::22/64")
		nothing := n.Kernel()
		seed := uint64(tabletest.Times(rand.IntN(1e9), 1))
		r := rand.New(rand.NewPCG(seed, 1))
		look := func() string { return n.Matrix(f, tabletest.BothSources(f)...) }
		var now []table.SourceRoutedUplink
		for i := range tabletest.Times(1000, 40) {
			var next []table.SourceRoutedUplink
			if r.IntN(8) > 0 {
				next = append(next, randomUplink(n, r, f, r.IntN(2) == 0))
			}
			if len(now)+len(next) == 0 {
				continue
			}
			before, was := look(), n.Kernel()
			w := &tabletest.Watcher{Socket: n.Conn, Look: look}
			if err := n.Apply(t.Context(), w, now, next); err != nil {
				t.Fatalf("seed %d, change %d, from %s to %s: %v\n%s", seed, i, forms(now), forms(next), err, was)
			}
			after := look()
			for _, src := range tabletest.BothSources(f) {
				wantOneStep(n, src, before, after, w)
			}
			if len(next) > 0 {
				n.WantNothingToDo(next...)
			} else {
				n.WantKernel("Remove", nothing)
			}
			if t.Failed() {
				t.Fatalf("seed %d, change %d, from %s to %s\nwhere packets go (-before +after):\n%sthe state (-before +after):\n%s",
					seed, i, forms(now), forms(next), tabletest.Diff(before, after), tabletest.Diff(was, n.Kernel()))
			}
			now = next
		}
	})
}

// forms are uplinks with all their fields.
func forms(uplinks []table.SourceRoutedUplink) string {
	type fields table.SourceRoutedUplink // has no String
	var s string
	for _, u := range uplinks {
		s += fmt.Sprintf("%+v", fields(u))
	}
	return s
}

// wantOneStep fails unless at most one request changes where packets from a source
// go, from one policy to the other.
func wantOneStep(n *tabletest.Network, src, before, after string, w *tabletest.Watcher) {
	n.T.Helper()
	part := func(matrix string) string {
		var lines []string
		for line := range strings.Lines(matrix) {
			if strings.HasPrefix(line, src+" >") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	before, after = part(before), part(after)
	steps, last := 0, before
	for k, s := range w.States {
		s = part(s)
		tabletest.WantEither(n.T, fmt.Sprintf("request %d of %d, %s", k+1, len(w.States), w.Names[k]), before, after, s)
		if s != last {
			steps, last = steps+1, s
		}
	}
	if steps > 1 || before != after && steps == 0 {
		n.T.Errorf("%d of %d requests change where packets from %s go", steps, len(w.States), src)
	}
}
