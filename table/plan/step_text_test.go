package plan_test

import (
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/plan"
)

// The text of a step is for a shell, whatever the names in it.
func TestStepQuotes(t *testing.T) {
	for _, x := range []struct {
		step plan.Step
		want string
	}{
		{
			plan.Step{Op: plan.DeleteRule, Rule: rule.Rule{Family: route.IPv6, IIF: "a;id>x", Action: rule.ActionLookup, Table: 20}},
			`ip -6 rule del from all iif 'a;id>x' lookup 20`,
		},
		{
			plan.Step{Op: plan.ReplaceRoute, Route: route.Route{
				Family: route.IPv4, Gateway: netip.MustParseAddr("fe80::1"), PrefSrc: netip.MustParseAddr("192.0.2.2"), Table: 20, Protocol: 210,
			}},
			`ip -4 route replace default via inet6 fe80::1 table 20 proto 210 src 192.0.2.2`,
		},
		{plan.Step{Op: plan.AddName, Table: 20, Name: "lan2"}, `echo '20 lan2 # policyroute' >>/etc/iproute2/rt_tables`},
		{plan.Step{Op: plan.AddName, Table: 20, Name: "o'ne"}, `echo '20 o'\''ne # policyroute' >>/etc/iproute2/rt_tables`},
		{plan.Step{Op: plan.DeleteName, Table: 20, Name: "lan2"}, `sed -i '/^20[[:blank:]]lan2 # policyroute[[:space:]]*$/d' /etc/iproute2/rt_tables`},
		{plan.Step{Op: plan.DeleteName, Table: 20, Name: "a$(id)"}, `sed -i '/^20[[:blank:]]a\$(id) # policyroute[[:space:]]*$/d' /etc/iproute2/rt_tables`},
	} {
		if got := x.step.String(); got != x.want {
			t.Errorf("got  %s\nwant %s", got, x.want)
		}
	}
}

// The object of a step has the words of its command without ip and the verb.
func TestPlanObject(t *testing.T) {
	for _, x := range []struct {
		step plan.Step
		want string
	}{
		{
			plan.Step{Op: plan.AddRule, Rule: rule.Rule{Family: route.IPv6, IIF: "a;id>x", Action: rule.ActionLookup, Table: 20}},
			`rule from all iif 'a;id>x' lookup 20`,
		},
		{
			plan.Step{Op: plan.DeleteRoute, Route: route.Route{Family: route.IPv6, Type: route.TypeUnreachable, Table: 20, Protocol: 210}},
			`route unreachable default table 20 proto 210`,
		},
		{plan.Step{Op: plan.AddName, Table: 20, Name: "lan2"}, `name lan2`},
	} {
		if got := (plan.Plan{}).Object(&x.step); got != x.want {
			t.Errorf("got  %s\nwant %s", got, x.want)
		}
	}
}
