package check_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// ruleOrder returns the findings about the order among the rules of uplinks.
func ruleOrder(n *tabletest.Network, uplinks ...table.SourceRoutedUplink) []check.Finding {
	n.T.Helper()
	var found []check.Finding
	for _, f := range findings(n, uplinks...) {
		if f.Code == check.CodeRuleOrder {
			found = append(found, f)
		}
	}
	return found
}

// A rule of Also of one uplink that comes before the rule from the source of another one is
// told, with both rules and who is hurt, and what the finding says cures it.
func TestRuleOrder(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		option := "-" + f.TCP[3:] + " "
		u1, u2 := n.Uplink1(f), n.Uplink2(f)
		u1.Also = []rule.Rule{{FwMark: rule.FwMark(7)}}
		n.Install(u1, u2)
		if found := ruleOrder(n, u1, u2); len(found) > 0 {
			t.Errorf("nothing is wrong: %v", found)
		}
		want := func(what, uplink string, severity check.Severity, texts ...string) check.Finding {
			t.Helper()
			found := ruleOrder(n, u1, u2)
			if len(found) != 1 || found[0].Uplink != uplink || found[0].Severity != severity {
				t.Fatalf("%s: %v", what, found)
			}
			for _, text := range texts {
				if !strings.Contains(found[0].Text, text) {
					t.Errorf("%s: %q is not in %q", what, text, found[0].Text)
				}
			}
			return found[0]
		}
		err := errors.Join(n.AddRule(option+"32500: from "+f.A2+" lookup 20 proto 210"),
			n.DeleteRule(option+"31001: from "+f.A2+" lookup 20 proto 210"))
		if err != nil {
			t.Fatal(err)
		}
		want("someone moves the rule from the source behind", "lan2", check.Fault,
			"the rule at 32001,", "(of uplink lan1)", "the rule at 32500,", "packets with fwmark 0x7 from "+f.A2)
		n.Install(u2)
		if found := ruleOrder(n, u1, u2); len(found) > 0 {
			t.Errorf("after Install: %v", found)
		}

		if err := n.AddRule(option + "100: from all fwmark 0x9 lookup 10 proto 210"); err != nil {
			t.Fatal(err)
		}
		want("someone adds a rule of ours before", "lan2", check.Fault, "the rule at 100,", "with fwmark 0x9")
		n.Install(u1, u2)
		if found := ruleOrder(n, u1, u2); len(found) > 0 {
			t.Errorf("after Install of both: %v", found)
		}

		u1.Also[0].Priority = rule.Priority(500)
		n.Install(u1, u2)
		finding := want("the line says so", "lan2", check.Note, "as the line of lan1 says")
		if !strings.Contains(finding.Cure, "pref 500") {
			t.Errorf("the cure is %q", finding.Cure)
		}
		if p, err := table.PlanInstall(t.Context(), n.Conn, u1, u2); err != nil || !p.Empty() {
			t.Errorf("a second Install: %v\n%s", err, p)
		}
	})
}
