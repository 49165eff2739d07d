package maintain_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// Someone moves the rule for local right before main, as VRFs need it, and back. The rules
// of an uplink follow: they look up local themselves while they come before it.
func TestLocalMoves(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		option := "-" + f.TCP[3:] + " "
		u := n.Uplink2(f)
		u.MainFirst, u.Unreachable = true, true
		u.Also = []rule.Rule{{FwMark: rule.FwMark(7)}}
		k := newKeeper(n, maintain.Config{}, maintained(u)...)
		move := func(from, to string) {
			t.Helper()
			if err := n.AddRule(option + to + ": from all lookup local proto kernel"); err != nil {
				t.Fatal(err)
			}
			if err := n.DeleteRule(option + from + ": from all lookup local proto kernel"); err != nil {
				t.Fatal(err)
			}
		}
		looksUpLocal := func(want int) func() bool {
			return func() bool {
				have := 0
				for r, err := range rule.All(t.Context(), n.Conn, rule.Filter{Table: rttables.Local}) {
					if err != nil {
						t.Fatal(err)
					}
					if r.Protocol == table.Protocol {
						have++
					}
				}
				p, err := u.Plan(t.Context(), n.Conn)
				return have == want && err == nil && p.Empty()
			}
		}
		for range 2 {
			move("0", "32765")
			k.until("local is behind", looksUpLocal(2))
			move("32765", "0")
			k.until("local is in front", looksUpLocal(0))
		}
	})
}

// wantOrder waits until nothing is left to do for two uplinks, and packets with a mark from
// the source of the second take its table, although the first has a rule for that mark.
func wantOrder(n *tabletest.Network, k *keeper, f tabletest.Family, what string, u1, u2 table.SourceRoutedUplink) {
	n.T.Helper()
	k.until(what, func() bool {
		q := route.Query{
			Src: netip.MustParseAddr(f.A2), Dst: netip.MustParseAddr(f.Client), Mark: 7, FibMatch: true,
		}
		found, err := route.Lookup(n.T.Context(), n.Conn, q)
		if err != nil || found.Table != u2.Table {
			return false
		}
		for _, u := range []table.SourceRoutedUplink{u1, u2} {
			if p, err := u.Plan(n.T.Context(), n.Conn); err != nil || !p.Empty() {
				return false
			}
		}
		return true
	})
}

// Someone adds rules of ours again at other priorities: one from a source behind a rule of
// Also of another uplink, or that rule of Also before the source. Both are repaired.
func TestWrongOrder(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		option := "-" + f.TCP[3:] + " "
		u1, u2 := n.Uplink1(f), n.Uplink2(f)
		u1.Also = []rule.Rule{{FwMark: rule.FwMark(7)}}
		k := newKeeper(n, maintain.Config{}, maintained(u1, u2)...)
		wantOrder(n, k, f, "both are installed", u1, u2)
		move := func(words string, id rttables.ID, to string) {
			t.Helper()
			for r, err := range rule.All(t.Context(), n.Conn, rule.Filter{Table: id}) {
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(r.String(), words) {
					err := errors.Join(rule.Delete(t.Context(), n.Conn, r),
						n.AddRule(fmt.Sprintf("%s%s: %s lookup %d proto 210", option, to, words, id)))
					if err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		move("from "+f.A2, 20, "32600")
		wantOrder(n, k, f, "the rule from the source is in front again", u1, u2)
		move("from all fwmark 0x7", 10, "200")
		wantOrder(n, k, f, "the rule of Also is behind again", u1, u2)
	})
}

// An uplink whose priority is behind the rules of Also of another one that is installed is
// installed together with that one, whose rules of Also make room.
func TestOrderOfGivenPriority(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u1, u2 := n.Uplink1(f), n.Uplink2(f)
		u1.Also = []rule.Rule{{FwMark: rule.FwMark(7)}}
		u2.Priority = 32100
		n.Install(u1)
		var field *plan.FieldError
		if err := u2.Install(t.Context(), n.Conn); !errors.As(err, &field) || field.Field != "Priority" || field.Uplink != "lan2" {
			t.Errorf("Install of the second alone: %v", err)
		}
		k := newKeeper(n, maintain.Config{}, maintained(u1, u2)...)
		wantOrder(n, k, f, "both are installed", u1, u2)
	})
}
