package plan

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/policyroute/policyroute/rttables"
)

// CutNames returns the plan without steps that would fail because of a line in rt_tables
// that this package has not written, such as another name of the same table. It also
// returns an error for each such name. CutNames reads the files of the plan's directory.
func (p Plan) CutNames() (Plan, []*NameError) {
	var refused []*NameError
	if !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Op == AddName }) {
		return p, nil
	}
	files, _ := rttables.ReadFiles(p.etc) // what is unreadable is an error for each name
	var kept []Step
	for i := range p.Steps {
		s := &p.Steps[i]
		if err := p.refusal(files, s); err != nil {
			refused = append(refused, &NameError{Table: s.Table, Name: s.Name, Err: err})
			continue
		}
		kept = append(kept, *s)
	}
	p.Steps = kept
	return p, refused
}

// refusal returns why a name cannot be written, or nil. A line that the plan itself
// removes is not in the way.
func (p *Plan) refusal(files *rttables.Files, s *Step) error {
	if s.Op != AddName {
		return nil
	}
	err := files.Refusal(s.Table, s.Name)
	var conflict *rttables.ConflictError
	if errors.As(err, &conflict) && slices.ContainsFunc(p.Steps, func(o Step) bool {
		return o.Op == DeleteName && o.Table == conflict.HaveID && o.Name == conflict.HaveName
	}) {
		return nil
	}
	return err
}

// SplitNames returns the plan without steps that add or delete names, and a plan that has
// only these. The second plan deletes names before it adds others, because a name may
// move from one table to another.
func (p Plan) SplitNames() (rest, names Plan) {
	rest, names = p, p.with(nil)
	if !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Op.IsName() }) {
		return rest, names
	}
	rest.Steps = make([]Step, 0, len(p.Steps))
	for i := range p.Steps {
		if p.Steps[i].Op.IsName() {
			names.Steps = append(names.Steps, p.Steps[i])
		} else {
			rest.Steps = append(rest.Steps, p.Steps[i])
		}
	}
	slices.SortStableFunc(names.Steps, func(a, b Step) int {
		return cmp.Compare(boolInt(a.Op == AddName), boolInt(b.Op == AddName))
	})
	return rest, names
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Refused returns the error that [Plan.Apply] would return for a plan of nothing but
// names, if err prevented all of them from being written.
func (p Plan) Refused(err error) error {
	var all error
	for i := range p.Steps {
		all = errors.Join(all, p.Steps[i].nameError(err))
	}
	return all
}

// namesWithin is how long names wait for others who write names at the same time.
const namesWithin = 5 * time.Second

// sameName returns how many of the first steps add names, or delete names.
func sameName(steps []Step) int {
	n := 0
	for n < len(steps) && steps[n].Op.IsName() && steps[n].Op == steps[0].Op {
		n++
	}
	return n
}

// names writes the names of steps that all add or all delete names. The error joins a
// *NameError for each name that could not be written.
func (r *run) names(ctx context.Context, steps []Step) error {
	ctx, cancel := context.WithTimeout(ctx, namesWithin)
	defer cancel()
	entries := make([]rttables.Entry, len(steps))
	for i := range steps {
		entries[i] = rttables.Entry{ID: steps[i].Table, Name: steps[i].Name}
	}
	write := rttables.RegisterAll
	if steps[0].Op == DeleteName {
		write = rttables.UnregisterAll
	}
	errs := write(ctx, r.p.etc, entries...)
	for i, err := range errs {
		if err == nil {
			r.done = append(r.done, &steps[i])
		}
		errs[i] = steps[i].nameError(err)
	}
	return errors.Join(errs...)
}

func (s *Step) nameError(err error) error {
	if err == nil {
		return nil
	}
	return &NameError{Table: s.Table, Name: s.Name, Err: err}
}
