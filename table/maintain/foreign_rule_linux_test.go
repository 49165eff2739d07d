package maintain_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// A rule of others replaces one of ours at a priority that was given. That is a conflict, which
// an event names. The other rules stay, and routes are repaired all the same.
func TestForeignRuleAtPriority(t *testing.T) {
	for prio, words := range map[string]string{
		"31100": "from ADDRESS lookup 20", "31101": "from ADDRESS unreachable", "32100": "from all fwmark 0x2 lookup 20",
	} {
		t.Run(prio, func(t *testing.T) {
			tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
				testForeignRule(t, n, f, prio, strings.ReplaceAll(words, "ADDRESS", f.A2))
			})
		})
	}
}

func testForeignRule(t *testing.T, n *tabletest.Network, f tabletest.Family, prio, words string) {
	ours := prio + ": " + words + " proto 210"
	family := map[tabletest.Family]route.Family{tabletest.IPv4: route.IPv4, tabletest.IPv6: route.IPv6}
	u, other := n.Uplink2(f), n.Uplink2(tabletest.IPv4)
	if f == tabletest.IPv4 {
		other = n.Uplink2(tabletest.IPv6)
	}
	u.Unreachable, u.Priority = true, 31100
	u.Also = []rule.Rule{{FwMark: rule.FwMark(2), Priority: rule.Priority(32100)}}
	k := newKeeper(n, maintain.Config{Rate: 100}, maintained(u, other)...)
	k.settles(u, other)
	whole, rules := n.Table(20), n.Kernel()
	if !strings.Contains(rules, ours) {
		t.Fatalf("there is no rule %q:\n%s", ours, rules)
	}
	theirs := fmt.Sprintf("%s: from %s to %s lookup main proto static", prio, f.A2, f.Client)
	if err := n.AddRule(theirs); err != nil {
		t.Fatal(err)
	}
	for r, err := range rule.All(t.Context(), n.Conn, rule.Filter{Family: family[f]}) {
		if err == nil && strings.TrimPrefix(r.String(), "-6 ") == ours {
			err = rule.Delete(t.Context(), n.Conn, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	at := k.await(0, "conflict", func(e maintain.Event) bool {
		var conflict *plan.ConflictError
		return e.Kind == maintain.EventFailed && e.Family == family[f] && errors.As(e.Err, &conflict) &&
			conflict.Owner == route.ProtoStatic && strings.Contains(conflict.Reason, "has the priority of one of the uplink's rules")
	})
	for range 2 {
		for _, line := range routeLines(whole) {
			if err := n.DeleteRoute(line); err != nil {
				t.Fatal(err)
			}
			k.until("the route is back: "+line, func() bool { return strings.Contains(n.Table(20), line) })
		}
	}
	want := strings.Replace(strings.ReplaceAll(rules, "-6 "+ours, ours), ours, theirs, 1)
	n.WantKernel("with their rule", want)
	if err := n.DeleteRule(theirs); err != nil {
		t.Fatal(err)
	}
	k.awaitKind(at, maintain.EventInstalled)
	k.untilTable("theirs is gone", whole)
	k.settles(u, other)
}

// routeLines returns the routes of a table, those with a gateway first.
func routeLines(table string) []string {
	var first, second []string
	for line := range strings.Lines(table) {
		words, isRoute := strings.CutPrefix(strings.TrimSpace(line), "route ")
		switch {
		case isRoute && strings.Contains(words, " via "):
			first = append(first, words)
		case isRoute:
			second = append(second, words)
		}
	}
	return append(first, second...)
}
