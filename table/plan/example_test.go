package plan_test

import (
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/plan"
)

// A plan of one's own is steps. Apply does all of them or none.
func Example() {
	p := plan.Plan{Steps: []plan.Step{
		{Op: plan.AddRoute, Route: route.Route{
			Family: route.IPv4, Table: 20, Gateway: netip.MustParseAddr("192.168.2.1"), Protocol: route.ProtoStatic,
		}},
		{Op: plan.AddRule, Rule: rule.Rule{
			From: netip.MustParsePrefix("192.168.2.2/32"), Action: rule.ActionLookup, Table: 20, Priority: rule.Priority(1000),
		}},
	}}
	fmt.Print(p)
	// To do it: err := p.Apply(ctx, c)

	// Output:
	// ip route add default via 192.168.2.1 table 20 proto static
	// ip rule add from 192.168.2.2 lookup 20 pref 1000
}
