package uplink

import (
	"errors"
	"io/fs"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/plan"
)

// RetryClaims plans and applies. If another program has taken a table that the plan
// claims, it plans and applies again. Attempt gets the tables that were lost this way.
func RetryClaims(attempt func(lost map[rttables.ID]bool) error) error {
	lost := make(map[rttables.ID]bool)
	for {
		err := attempt(lost)
		id, ok := lostClaim(err)
		if !ok {
			return err
		}
		lost[id] = true
	}
}

// lostClaim returns the table that another program has taken, if that is why a plan
// failed, and nothing is left of the plan.
func lostClaim(err error) (rttables.ID, bool) {
	var step *plan.StepError
	if errors.As(err, &step) && step.Step.Op == plan.AddRoute && form.IsClaim(&step.Step.Route) &&
		errors.Is(step.Err, fs.ErrExist) && len(step.Left) == 0 {
		return step.Step.Route.Table, true
	}
	return 0, false
}
