package plan

import (
	"errors"
	"slices"

	"github.com/policyroute/policyroute/rttables"
)

// CutNames returns the plan without the names that [Plan.Apply] cannot write because a
// line of rt_tables is in the way that is not ours, such as another name of the same
// table, and an error for each of them. Apply does all the rest of such a plan. CutNames
// reads the files of the plan's directory.
func (p Plan) CutNames() (Plan, []*NameError) {
	var refused []*NameError
	var kept []Step
	for i := range p.Steps {
		s := &p.Steps[i]
		if err := p.refusal(s); err != nil {
			refused = append(refused, &NameError{Table: s.Table, Name: s.Name, Err: err})
			continue
		}
		kept = append(kept, *s)
	}
	p.Steps = kept
	return p, refused
}

// refusal returns why a name cannot be written, and nil for other steps. A line that the
// plan itself removes is not in the way.
func (p *Plan) refusal(s *Step) error {
	if s.Op != AddName {
		return nil
	}
	err := rttables.Refusal(p.etc, s.Table, s.Name)
	var conflict *rttables.ConflictError
	if errors.As(err, &conflict) && slices.ContainsFunc(p.Steps, func(o Step) bool {
		return o.Op == DeleteName && o.Table == conflict.HaveID && o.Name == conflict.HaveName
	}) {
		return nil
	}
	return err
}
