package plan

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/policyroute/policyroute/internal/files"
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
	names, err := files.Within(readWithin, p.dir(), func() (*rttables.Files, error) { return rttables.ReadFiles(p.etc) })
	var kept []Step
	for i := range p.Steps {
		s := &p.Steps[i]
		err := err // what is unreadable is an error for each name
		if names != nil {
			err = p.refusal(names, s)
		}
		if s.Op == AddName && err != nil {
			refused = append(refused, &NameError{Table: s.Table, Name: s.Name, Err: err})
			continue
		}
		kept = append(kept, *s)
	}
	p.Steps = kept
	return p, refused
}

// silence returns an error if the file system of the names does not answer.
func (p *Plan) silence() error {
	_, err := files.Within(readWithin, p.dir(), func() (any, error) {
		os.Stat(p.dir()) // whatever the answer is
		return nil, nil
	})
	return err
}

// dir returns the directory of the names.
func (p *Plan) dir() string { return cmp.Or(p.etc, "/etc/iproute2") }

// refusal returns why the name of a step cannot be added, or nil. A line that the plan itself
// removes is not in the way.
func (p *Plan) refusal(names *rttables.Files, s *Step) error {
	err := names.Refusal(s.Table, s.Name)
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

// readWithin is how long a file system may take to answer.
const readWithin = 2 * time.Second

// sameName returns how many of the first steps add names, or delete names.
func sameName(steps []Step) int {
	n := 0
	for n < len(steps) && steps[n].Op.IsName() && steps[n].Op == steps[0].Op {
		n++
	}
	return n
}

// names writes the names of steps that all add or all delete names. The error joins a
// *NameError for each name that could not be written. Only [Plan.WriteNames] waits for a file system
// that does not answer.
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
	do := func() ([]error, error) { return write(ctx, r.p.etc, entries...), nil }
	var errs []error
	var err error
	if r.isPatient {
		errs, err = do()
	} else if err = r.p.silence(); err == nil {
		errs, err = files.Within(namesWithin+readWithin, r.p.dir(), do)
	}
	if err != nil {
		errs = slices.Repeat([]error{err}, len(steps))
	}
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
