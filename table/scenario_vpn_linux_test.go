package table_test

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// pieces are what VPNs put beside a default route to take all traffic.
var pieces = map[tabletest.Family][]string{
	tabletest.IPv4: {"0.0.0.0/1", "128.0.0.0/1"},
	tabletest.IPv6: {"::/1", "8000::/1", "2000::/3", "2000::/4", "3000::/4"},
}

// A default route in pieces is a default route: what comes first of main leaves it out,
// and it is not what an uplink has in any case.
func TestDefaultInPieces(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		u := n.FullUplink(f)
		u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}}
		n.Install(u)
		// marked says where marked packets without a source go.
		marked := func() (ways string) {
			for _, dst := range f.Destinations() {
				r, err := route.Lookup(t.Context(), n.Conn, route.Query{Dst: netip.MustParseAddr(dst), Mark: 2})
				if err != nil {
					t.Fatal(err)
				}
				ways += dst + " by " + r.Gateway.String() + "\n"
			}
			return ways
		}
		fromA2, withMark := n.Matrix(f, f.A2), marked()
		want := func(what string) {
			t.Helper()
			tabletest.WantText(t, what+": packets from A2", fromA2, n.Matrix(f, f.A2))
			tabletest.WantText(t, what+": marked packets", withMark, marked())
		}
		for _, piece := range pieces[f] {
			if err := n.AddRoute(piece + " via " + f.Destinations()[0]); err != nil {
				t.Fatal(err)
			}
			want("main has " + piece)
		}
		if r, err := route.Lookup(t.Context(), n.Conn, route.Query{Dst: netip.MustParseAddr(f.Client)}); err != nil ||
			r.Gateway.String() != f.Destinations()[0] {
			t.Errorf("packets to the Internet do not take the pieces but %v, %v: the test proves nothing", r, err)
		}
		for _, piece := range pieces[f] {
			u.Routes = append(u.Routes, netip.MustParsePrefix(piece))
			n.Install(u)
			want("the uplink has " + piece)
		}
	})
}

// What others delete by table and suppress_prefixlength alone are not rules of ours.
func TestMainFirstIsNotDeletedByOthers(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		u := n.FullUplink(f)
		u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}}
		n.Install(u)
		before := n.Snapshot()
		option := "-" + f.TCP[3:] + " "
		if err := n.AddRule(option + "32764: from all lookup main suppress_prefixlength 0"); err != nil {
			t.Fatal(err)
		}
		if err := n.DeleteFirstRule(f, uint32(rttables.Main), 0); err != nil {
			t.Fatal(err)
		}
		n.WantSnapshot("theirs was deleted", before)
		if err := n.DeleteFirstRule(f, uint32(rttables.Main), 0); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("one more: %v", err)
		}
	})
}

// Rules as earlier versions made them, with suppress_prefixlength 0, are ours: Install
// replaces them, and Remove removes them.
func TestEarlierMainFirst(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.AddLAN()
		nothing := n.Snapshot()
		u := n.FullUplink(f)
		u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}}
		n.Install(u)
		rules, matrix := n.Table(u.Table), n.Matrix(f, f.A2)
		makeEarlier := func() {
			t.Helper()
			for have, err := range rule.All(t.Context(), n.Conn, rule.Filter{}) {
				if err != nil {
					t.Fatal(err)
				}
				if !have.SuppressPrefixLength.IsSet() || have.Protocol != table.Protocol {
					continue
				}
				earlier := have
				earlier.SuppressPrefixLength = route.Some(uint32(0))
				if err := errors.Join(rule.Add(t.Context(), n.Conn, earlier), rule.Delete(t.Context(), n.Conn, have)); err != nil {
					t.Fatal(err)
				}
			}
		}
		makeEarlier()
		n.Install(u)
		if strings.Contains(n.Kernel(), "suppress_prefixlength 0") {
			t.Errorf("rules of the earlier version are left:\n%s", n.Kernel())
		}
		tabletest.WantText(t, "matrix", matrix, n.Matrix(f, f.A2))
		if got := n.Table(u.Table); strings.Count(got, "\n") != strings.Count(rules, "\n") {
			t.Errorf("in the table there is\n%swant as many as\n%s", got, rules)
		}
		n.WantNothingToDo(u)
		makeEarlier()
		n.Remove(u)
		n.WantSnapshot("Remove", nothing)
	})
}
