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
)

// randomUplink is any form of the uplink by u2, with the first address or both.
func (n *network) randomUplink(r *rand.Rand, f family, both bool) table.SourceRoutedUplink {
	u := n.uplink2(f)
	u.MainFirst, u.Unreachable = r.IntN(2) == 0, r.IntN(2) == 0
	u.Table = []table.SourceRoutedUplink{{Table: 20}, {Table: 30}, {}}[r.IntN(3)].Table
	if u.Table == 0 {
		u.Name = ""
	}
	u.Priority = []uint32{0, 0, 500, 502, 31001}[r.IntN(5)]
	u.Metric = []uint32{0, 0, 7}[r.IntN(3)]
	if r.IntN(2) == 0 {
		otherGateway(&u, f)
	}
	if r.IntN(2) == 0 {
		u.Routes = []netip.Prefix{extra[f]}
	}
	u.Sources = []netip.Addr{netip.MustParseAddr(f.a2)}
	if both {
		twoSources(&u, f)
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
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.addLAN()
		n.server.Addr("u2", "10.2.0.22/24", "2001:db8:2::22/64")
		nothing := n.kernel()
		seed := uint64(times(rand.IntN(1e9), 1))
		r := rand.New(rand.NewPCG(seed, 1))
		look := func() string { return n.matrix(f, a22(f)...) }
		var now []table.SourceRoutedUplink
		for i := range times(1000, 100) {
			var next []table.SourceRoutedUplink
			if r.IntN(8) > 0 {
				next = append(next, n.randomUplink(r, f, r.IntN(2) == 0))
			}
			if len(now)+len(next) == 0 {
				continue
			}
			before, was := look(), n.kernel()
			w := &watcher{Socket: n.c, look: look}
			if err := n.apply(t.Context(), w, now, next); err != nil {
				t.Fatalf("seed %d, change %d, from %s to %s: %v\n%s", seed, i, forms(now), forms(next), err, was)
			}
			after := look()
			for _, src := range a22(f) {
				n.wantOneStep(src, before, after, w)
			}
			if len(next) > 0 {
				n.wantNothingToDo(next...)
			} else if got := n.kernel(); got != nothing {
				t.Errorf("Remove leaves\n%s", got)
			}
			if t.Failed() {
				t.Fatalf("seed %d, change %d, from %s to %s\nbefore\n%safter\n%sthe state was\n%s\nand is\n%s",
					seed, i, forms(now), forms(next), before, after, was, n.kernel())
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
func (n *network) wantOneStep(src, before, after string, w *watcher) {
	n.t.Helper()
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
	for k, s := range w.states {
		s = part(s)
		if s != before && s != after {
			n.t.Errorf("request %d of %d, %s: neither before nor after but\n%s", k+1, len(w.states), w.names[k], s)
		}
		if s != last {
			steps, last = steps+1, s
		}
	}
	if steps > 1 || before != after && steps == 0 {
		n.t.Errorf("%d of %d requests change where packets from %s go", steps, len(w.states), src)
	}
}
