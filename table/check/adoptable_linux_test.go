package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A script that runs again although its uplink was adopted makes the rule again. The finding is
// a note, and its cure deletes the rule. With main-first the rule also takes packets.
func TestFindingScriptRunsAgain(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		script := "from " + f.A2 + " lookup 20"
		for _, x := range []struct {
			mainFirst bool
			pref      string
			also      string // another finding
		}{
			{false, "", ""}, {false, "32000", ""},
			{true, "", "note overruled-partly rule " + script + " pref 30999\n"},
		} {
			u.MainFirst = x.mainFirst
			n.Install(u)
			made := script
			if x.pref != "" {
				made += " pref " + x.pref
			} else {
				x.pref = "30999"
			}
			harm(n, "rule "+made)
			found := scriptFindings(n, u)
			want := "note adoptable rule " + script + " pref " + x.pref + "\n" + x.also
			tabletest.WantText(t, "findings", want, words(found))
			if len(found) > 0 && !strings.HasPrefix(found[0].Cure, "uplinks adopt lan2, ") {
				t.Errorf("the cure is %q", found[0].Cure)
			}
			if err := table.Adopt(t.Context(), n.Conn, u); err != nil {
				t.Fatal(err)
			}
			tabletest.WantText(t, "findings after the cure", "", words(scriptFindings(n, u)))
			n.Remove(u)
		}
		// The rule of another program, and one that looks up another table, are not of a script.
		u.MainFirst = false
		n.Install(u)
		harm(n, "rule "+script+" proto bird pref 40", "rule from "+f.A2+" lookup 9 pref 41")
		tabletest.WantText(t, "findings about others", "note overruled-partly rule "+script+" proto bird pref 40\n", words(scriptFindings(n, u)))
	})
}

func scriptFindings(n *tabletest.Network, u table.SourceRoutedUplink) []check.Finding {
	return slices.DeleteFunc(findings(n, u), func(f check.Finding) bool {
		return f.Code != check.CodeAdoptable && f.Code != check.CodeOverruledPartly
	})
}
