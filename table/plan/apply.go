package plan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// Apply does the steps: all of them or, after a failure, none. It waits for other
// processes that change uplinks in the same network namespace; see [ErrLocked]. Apply does
// not check whether the host has changed since the plan was made. A step that has become
// impossible fails.
//
// Apply writes names of tables after all other steps, so that no other step waits for a
// file. Apply waits a few seconds for another process that is writing them, and for a file
// system that does not answer.
//
// The error is a [*StepError] for a step that failed, and a [*NameError] if all steps were
// done except that a name could not be written.
func (p Plan) Apply(ctx context.Context, c route.Conn) error {
	if p.Empty() {
		return nil
	}
	return Lock(ctx, c, func() error {
		r := run{p: p, c: c} // others may have changed the rules since
		return r.all(ctx)
	})
}

// ApplyLocked is Apply for a caller of [Lock] who has made the plan under this lock.
func (p Plan) ApplyLocked(ctx context.Context, c route.Conn) error {
	r := run{p: p, c: c}
	r.rules.Listed(p.present...)
	return r.all(ctx)
}

// WriteNames is ApplyLocked for a plan that has only steps of names. It does not return while
// the file system of the names does not answer. ApplyLocked gives it up after a few seconds.
func (p Plan) WriteNames(ctx context.Context) error {
	r := run{p: p, isPatient: true}
	return r.all(ctx)
}

// all does all steps, or none. The names come last, whatever their place in the plan.
func (r *run) all(ctx context.Context) error {
	rest, names := r.p.SplitNames()
	for steps := rest.Steps; len(steps) > 0; {
		n, err := r.some(ctx, steps)
		steps = steps[n:]
		var failed *failure
		if errors.As(err, &failed) {
			s := failed.step
			return &StepError{
				Uplink: s.Uplink, Step: *s, Err: failed.err,
				RolledBack: len(r.done) > 0, Left: r.undo(ctx), command: r.p.Command(s),
			}
		}
	}
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx) // only names are left to write
	}
	var nameErr error // the uplink works without its name
	for steps := names.Steps; len(steps) > 0; {
		n := sameName(steps)
		nameErr = errors.Join(nameErr, r.names(ctx, steps[:n]))
		steps = steps[n:]
	}
	return nameErr
}

// A failure is a step that failed.
type failure struct {
	step *Step
	err  error
}

func (f *failure) Error() string { return f.err.Error() }

// A run is a plan that is being done.
type run struct {
	p    Plan
	c    route.Conn
	done []*Step
	// isPatient means to wait for a file system that does not answer.
	isPatient bool
	// unsure are the steps of done without a reply: they may not have been done.
	unsure map[*Step]bool
	// rules deletes rules exactly, after one listing, and adds them.
	rules rule.Deleter
}

// some does the first of some steps or, if these add or delete many gates or many rungs,
// all of them. It returns how many steps it has done or tried.
func (r *run) some(ctx context.Context, steps []Step) (int, error) {
	if n := claims(steps); n > 0 {
		return n, r.claim(ctx, steps[:n])
	}
	if n := anyOrder(steps); n >= manyRules {
		return n, r.changeRules(ctx, steps[:n])
	}
	s := &steps[0]
	if err := r.step(ctx, s); err != nil {
		return 1, &failure{s, err}
	}
	return 1, nil
}

// listAfter returns the rules that there are after a failure, or nil if they cannot be
// listed.
func (r *run) listAfter(ctx context.Context) form.Set {
	rules, err := rule.List(context.WithoutCancel(ctx), r.c, rule.Filter{})
	if err != nil {
		return nil
	}
	return form.MakeSet(rules...)
}

// step does one step.
func (r *run) step(ctx context.Context, s *Step) error {
	if s.ReadBack {
		if err := r.readBack(ctx); err != nil {
			return err
		}
	}
	err := r.do(ctx, s)
	r.note(s, err)
	return err
}

// do sends a step to the kernel.
func (r *run) do(ctx context.Context, s *Step) error {
	switch s.Op {
	case AddRoute:
		return route.Add(ctx, r.c, s.Route)
	case ReplaceRoute:
		return route.Replace(ctx, r.c, s.Route)
	case DeleteRoute:
		return route.Delete(ctx, r.c, s.Route)
	case AddRule:
		return r.rules.Add(ctx, r.c, s.Rule)
	case DeleteRule:
		return r.rules.Delete(ctx, r.c, s.Rule)
	case CommitNFT:
		return s.NFT.Commit(ctx, r.c)
	}
	return errors.ErrUnsupported
}

// readBack fails unless the results of all steps so far still exist. Another program may
// have changed them, and the kernel deletes routes when a link goes down.
func (r *run) readBack(ctx context.Context) error {
	want := r.results()
	missing, err := r.missingRules(ctx, want)
	if err != nil {
		return err
	}
	routes := make(map[tableOfFamily]map[form.RouteKey]route.Route)
	for _, s := range want {
		there := false
		if s.Op == AddRule {
			there = !missing.Has(s.Rule)
		} else {
			at := tableOfFamily{s.Route.Table, s.Route.Family}
			if routes[at] == nil {
				list, err := listRoutes(ctx, r.c, at)
				if err != nil {
					return err
				}
				routes[at] = list
			}
			have, ok := routes[at][form.KeyOf(&s.Route)]
			there = ok && form.SameRoute(&have, &s.Route)
		}
		if !there {
			return fmt.Errorf("another program or the kernel has undone an earlier step: %s", r.p.Command(s))
		}
	}
	return nil
}

// missingRules returns which of the rules that steps have added do not exist. It does not
// collect the other rules, because they may be many.
func (r *run) missingRules(ctx context.Context, steps []*Step) (form.Set, error) {
	missing, families := form.MakeSet(), make(map[route.Family]bool)
	for _, s := range steps {
		if s.Op == AddRule {
			missing[form.Bare(s.Rule)], families[s.Rule.Family] = struct{}{}, true
		}
	}
	filter := rule.Filter{}
	switch len(families) {
	case 0:
		return nil, nil
	case 1:
		for filter.Family = range families {
		}
	}
	for o, err := range rule.All(ctx, r.c, filter) {
		if err != nil {
			return nil, err
		}
		delete(missing, form.Bare(o))
	}
	return missing, nil
}

// A tableOfFamily is the routes of one family in a table.
type tableOfFamily struct {
	table  rttables.ID
	family route.Family
}

func listRoutes(ctx context.Context, c route.Conn, at tableOfFamily) (map[form.RouteKey]route.Route, error) {
	list, err := route.List(ctx, c, route.Filter{Table: at.table, Family: at.family})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // the kernel knows no such table
		return nil, fmt.Errorf("table: %w", err)
	}
	byKey := make(map[form.RouteKey]route.Route, len(list))
	for i := range list {
		byKey[form.KeyOf(&list[i])] = list[i]
	}
	return byKey, nil
}

// results returns the steps that have added or replaced a rule or a route which no later
// step has changed. A batch finds out by itself what other programs have changed.
func (r *run) results() []*Step {
	later := make(map[object]bool) // what later steps are about
	var results []*Step
	for _, s := range slices.Backward(r.done) {
		about := s.object()
		if s.Op.IsName() || s.Op == CommitNFT || later[about] {
			continue
		}
		later[about] = true
		if !s.Op.deletes() {
			results = append(results, s)
		}
	}
	slices.Reverse(results)
	return results
}
