package check

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// randomRule returns a rule that looks up table 9, and packets that it may select.
func randomRule(r *rand.Rand, f route.Family, far netip.Addr, sources []netip.Addr) rule.Rule {
	x := rule.Rule{Family: f, Priority: rule.Priority(100), Action: rule.ActionLookup, Table: 9, Not: r.IntN(4) == 0}
	for range 1 + r.IntN(3) {
		switch r.IntN(10) {
		case 0:
			a := sources[r.IntN(len(sources))]
			x.From = netip.PrefixFrom(a, a.BitLen()-8*r.IntN(2))
		case 1:
			x.To = netip.PrefixFrom(far, far.BitLen()-8*r.IntN(2))
		case 2:
			x.FwMark = rule.FwMark(uint32(r.IntN(3)))
		case 3:
			x.FwMark = rule.FwMark(uint32(r.IntN(4)) << 2).Masked(0xc)
		case 4:
			x.TOS = []uint8{0x10, 0x18, 0x08}[r.IntN(3)]
		case 5:
			x.IPProto = []route.IPProto{route.TCP, route.UDP}[r.IntN(2)]
		case 6:
			x.DPort = rule.PortRange(25, uint16(25+r.IntN(2)))
		case 7:
			x.SPort = rule.Port(1024)
		case 8:
			x.IIF = []string{"lo", "u1"}[r.IntN(2)]
		case 9:
			x.UIDRange = rule.UIDRange(0, 0) // the user namespace of an ordinary user has no others
		}
	}
	return x
}

// The kernel selects the packets that isSelectedBy says.
func TestIsSelectedByIsTheKernels(t *testing.T) {
	report := testrun.Limit(t)
	n := tabletest.NewNetwork(t)
	r := rand.New(rand.NewPCG(1, 2))
	for _, f := range []tabletest.Family{tabletest.IPv4, tabletest.IPv6} {
		sources := []netip.Addr{netip.MustParseAddr(f.A1), netip.MustParseAddr(f.A2)}
		far := netip.MustParseAddr(f.Client)
		family := route.FamilyOf(far)
		if err := n.AddRoute("default via " + f.G2 + " table 9"); err != nil {
			t.Fatal(err)
		}
		selected := 0
		for range 200 {
			x := randomRule(r, family, far, sources)
			if err := rule.Add(t.Context(), n.Conn, x); err != nil {
				report.Errorf("%s: %v", x, err)
				continue
			}
			listed := x.Canonical() // as the kernel lists it
			for range 20 {
				q := route.Query{Dst: far, FibMatch: true, UID: route.Some(uint32(0)), Mark: uint32(r.IntN(16)),
					TOS: []uint8{0, 0, 0x10, 0x18, 0x08, 0x38, 0xb8}[r.IntN(7)]}
				if i := r.IntN(3); i < 2 {
					q.Src = sources[i]
				}
				if r.IntN(2) == 0 {
					q.IPProto = []route.IPProto{route.TCP, route.UDP}[r.IntN(2)]
					q.SPort, q.DPort = uint16(1024+r.IntN(2)), uint16(24+r.IntN(4))
				}
				got, err := route.Lookup(t.Context(), n.Conn, q)
				p := packet{q, ownInterface}
				if want := err == nil && got.Table == 9; p.isSelectedBy(&listed) != want {
					report.Errorf("%s and the packet %s: %t, and the kernel says %t (%v)", x, q, !want, want, err)
				} else if want {
					selected++
				}
			}
			if err := rule.Delete(t.Context(), n.Conn, x); err != nil {
				t.Fatal(err)
			}
		}
		if selected < 100 {
			t.Errorf("%d packets were selected", selected)
		}
	}
}
