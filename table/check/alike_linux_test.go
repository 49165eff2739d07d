package check

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// manySources adds some sources of an uplink besides its first one, installs it, and returns it.
func manySources(n *tabletest.Network, f tabletest.Family, first, end int) Uplink {
	for i := first; i < end; i++ {
		if f == tabletest.IPv6 {
			n.Server.Addr("u2", fmt.Sprintf("2001:db8:2::1%02x/64", i))
		} else {
			n.Server.Addr("u2", fmt.Sprintf("10.2.0.%d/24", 20+i))
		}
	}
	u := n.Uplink2(f)
	n.Install(u)
	return Uplink{SourceRoutedUplink: u}
}

// lookups returns how many routes of packets Run asks the kernel for.
func lookups(n *tabletest.Network, u table.SourceRoutedUplink) int {
	n.T.Helper()
	asked := 0
	rec := &tabletest.Recorder{Conn: n.Conn, Fail: func(_ int, m netlink.Message) error {
		if m.Header.Type == uapi.RTM_GETROUTE && m.Header.Flags&netlink.Dump != netlink.Dump {
			asked++
		}
		return nil
	}}
	if _, err := Run(n.T.Context(), rec, u); err != nil {
		n.T.Fatal(err)
	}
	return asked
}

// The kernel is asked as often about an uplink with many sources as about one with few, unless
// a rule of others treats one of them otherwise.
func TestLookupsOfManySources(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := manySources(n, f, 0, 2).SourceRoutedUplink
		few := lookups(n, u)
		u = manySources(n, f, 2, 30).SourceRoutedUplink
		if many := lookups(n, u); many != few || few == 0 {
			t.Errorf("%d lookups for 3 sources, and %d for 31", few, many)
		}
		one := netip.MustParseAddr(map[tabletest.Family]string{tabletest.IPv4: "10.2.0.25", tabletest.IPv6: "2001:db8:2::105"}[f])
		other := rule.Rule{From: netip.PrefixFrom(one, one.BitLen()), Table: 99, Priority: rule.Priority(100)}
		if err := rule.Add(t.Context(), n.Conn, other); err != nil {
			t.Fatal(err)
		}
		if got := lookups(n, u); got != few+len(farAddrs[route.FamilyOf(one)]) {
			t.Errorf("%d lookups beside a rule for one of the sources, and %d without it", got, few)
		}
	})
}

// ruleOfOthers returns a rule that another program may have before those of an uplink.
func ruleOfOthers(rnd *rand.Rand) rule.Rule {
	r := rule.Rule{
		Family: route.IPv4, Priority: rule.Priority(1 + rnd.Uint32N(31_100)), Protocol: route.ProtoStatic,
		Not: rnd.IntN(5) == 0, Action: rule.ActionLookup, Table: 98,
	}
	if rnd.IntN(4) > 0 {
		bits := []int{0, 8, 27, 29, 30, 31, 32}[rnd.IntN(7)]
		r.From = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(18 + rnd.IntN(16))}), bits).Masked()
	}
	switch rnd.IntN(8) {
	case 0:
		r.FwMark = rule.FwMark(1)
	case 1:
		r.IIF = "lo"
	case 2:
		r.To = netip.MustParsePrefix("128.0.0.0/1")
	case 3:
		r.UIDRange = rule.UIDRange(0, 10)
	}
	switch rnd.IntN(5) {
	case 0:
		r.Action, r.Table = rule.ActionUnreachable, 0
	case 1:
		r.Action, r.Table = rule.ActionNop, 0
	case 2:
		r.SuppressPrefixLength = rule.SuppressPrefixLength(0)
	}
	return r
}

// Whatever the rules of others are like, the answer for each source is the one that the kernel
// gives if it is asked about that source.
func TestLookupsOfManySourcesExact(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := manySources(n, tabletest.IPv4, 0, 12)
	if err := route.Add(t.Context(), n.Conn, route.Route{Table: 98, Gateway: netip.MustParseAddr(tabletest.IPv4.G1)}); err != nil {
		t.Fatal(err)
	}
	spared, differing := 0, 0
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		for range 1 + rnd.IntN(6) {
			// Rules that others are like are refused.
			if r := ruleOfOthers(rnd); rule.Add(t.Context(), n.Conn, r) != nil && seed == 0 {
				t.Logf("refused: %v", r)
			}
		}
		now, err := host.Read(t.Context(), n.Conn, "")
		if err != nil {
			t.Fatal(err)
		}
		f := newFacts(now, []Uplink{u})
		planned := &planner{finished: now, named: make(map[string]*host.State), uplinks: f.uplinks}
		if err := planned.findInstalled(t.Context(), n.Conn); err != nil {
			t.Fatal(err)
		}
		got, want := newPaths(f), newPaths(f)
		if err := got.lookUp(t.Context(), n.Conn); err != nil {
			t.Fatal(err)
		}
		queries := want.queries()
		if err := want.ask(t.Context(), n.Conn, queries); err != nil {
			t.Fatal(err)
		}
		for i, place := range f.representatives(queries) {
			if place != i {
				spared++
			}
		}
		routes := make(map[string]bool)
		for _, q := range queries {
			a, ok1 := got.answers[q]
			b, ok2 := want.answers[q]
			if ok1 != ok2 || a.Text(nil) != b.Text(nil) {
				t.Errorf("seed %d: %v: got %v %v, want %v %v", seed, q, ok1, a, ok2, b)
			}
			routes[fmt.Sprint(b.Table, b.Gateway)] = true
		}
		if len(routes) > 1 {
			differing++
		}
		if _, err := rule.Flush(t.Context(), n.Conn, rule.Filter{Protocol: route.ProtoStatic}); err != nil {
			t.Fatal(err)
		}
	}
	if spared < 100 || differing < 20 {
		t.Errorf("%d lookups were spared, and sources differed %d times: the test proves nothing", spared, differing)
	}
}
