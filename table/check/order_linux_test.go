package check_test

import (
	"strings"
	"testing"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// In the order of rules that VRFs need, with local right before main, an uplink whose rules
// look up local first is healthy, and one whose rules do not is told.
func TestFindingsInOrderOfVRFs(t *testing.T) {
	n, u := healthy(t, tabletest.IPv4, nil)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(n.AddRule("1000: l3mdev proto kernel"))
	do(n.AddRule("32765: from all lookup local proto kernel"))
	do(n.DeleteRule("0: from all lookup local proto kernel"))
	wantFindings(n, `
fault before-local rule from 10.2.0.2 lookup 20 proto 210 pref 31000
fault missing rule from 10.2.0.2 lookup local proto 210 pref 30999
`, u)
	n.Install(u)
	wantFindings(n, "", u)

	do(n.DeleteRule("30999: from 10.2.0.2 lookup local proto 210"))
	wantFindings(n, `
fault before-local rule from 10.2.0.2 lookup 20 proto 210 pref 31000
fault missing rule from 10.2.0.2 lookup local proto 210 pref 30999
`, u)
	n.Install(u)
	wantFindings(n, "", u)

	u.Also = []rule.Rule{{FwMark: rule.FwMark(7)}}
	n.Install(u)
	wantFindings(n, "", u)
	u.Also[0].Priority = rule.Priority(32100)
	n.Install(u)
	found := findings(n, u)
	if len(found) != 1 || found[0].Code != check.CodeBeforeLocal || !strings.Contains(found[0].Cure, "remove pref 32100") {
		t.Errorf("a rule of Also with a priority, before local: %v", found)
	}
}
