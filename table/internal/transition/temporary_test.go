package transition_test

import (
	"testing"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// A temporary table is none of those that no uplink can get: somebody else may have been
// faster to take one.
func TestTemporaryTableNotTaken(t *testing.T) {
	taken := map[rttables.ID]bool{1: true, 2: true, 3: true}
	claims := 0
	for _, c := range readCases(t) {
		if c.verb != "install" {
			continue
		}
		p, err := draft.Install(t.Context(), nil, c.world(t).state(), c.specs, uplink.Options{Taken: taken})
		if err != nil {
			continue
		}
		for i := range p.Steps {
			if r := &p.Steps[i].Route; form.IsClaim(r) {
				if claims++; taken[r.Table] {
					t.Errorf("%s claims a table that is taken: %s", c.name, p.Command(&p.Steps[i]))
				}
			}
		}
	}
	if claims == 0 {
		t.Error("no table is claimed: the test proves nothing")
	}
}
