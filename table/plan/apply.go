package plan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// Apply does the steps: all of them or, after a failure, none. It waits for others
// that change uplinks in the same network namespace; see [ErrLocked]. What has
// changed since the plan was made is not looked at; a step for which the kernel's
// state is not as it was fails.
//
// Names of tables are written after all other steps, because nothing else may wait for a
// file. Apply waits a few seconds for another process that is writing them.
//
// The error is a [*StepError] for a step that failed, and a [*NameError] if all was
// done but a name could not be written.
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

// all does all steps, or none. The names come last, whatever their place in the plan.
func (r *run) all(ctx context.Context) error {
	rest, names := r.p.SplitNames()
	for steps := rest.Steps; len(steps) > 0; {
		n, err := r.some(ctx, steps)
		steps = steps[n:]
		var failed *failure
		if errors.As(err, &failed) {
			s := failed.step
			return &StepError{Uplink: s.Uplink, Step: *s, Err: failed.err, Left: r.undo(ctx), command: r.p.Command(s)}
		}
	}
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx) // all has been done but for the names
	}
	var nameErr error // the uplink works without
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
	// rules deletes rules exactly, after one listing, and adds them.
	rules rule.Deleter
}

// some does the first of some steps or, where these add or delete many gates or many
// rungs, all of them. It returns how many steps it has done or tried.
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
	if err == nil || isUncertain(err) {
		r.done = append(r.done, s)
	}
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
	}
	return errors.ErrUnsupported
}

// isUncertain reports whether an error leaves open if the kernel has done what it
// was asked: its answer got lost.
func isUncertain(err error) bool {
	return errors.Is(err, syscall.ENOBUFS) || errors.Is(err, rtnl.ErrLostReply)
}

// undo undoes the steps that were done, or may have been, newest first, and returns
// those that it could not undo. It does not stop when ctx ends.
func (r *run) undo(ctx context.Context) []LeftError {
	ctx = context.WithoutCancel(ctx)
	var left leftOver
	for order := r.undoOrder(); len(order) > 0; {
		n, some := r.undoMany(ctx, order)
		order = order[n:]
		for _, s := range some {
			back := s.inverse()
			err := r.do(ctx, &back)
			if err == nil || back.Op.deletes() && errors.Is(err, fs.ErrNotExist) ||
				!back.Op.deletes() && errors.Is(err, fs.ErrExist) && r.isThere(ctx, &back) {
				continue
			}
			left.add(LeftError{Step: *s, Err: err, command: r.p.Command(s)})
		}
	}
	return left.all()
}

// A leftOver is the steps that could not be undone.
type leftOver struct {
	errs    []LeftError
	dropped map[int]bool
	places  map[object][]int // of those that are not dropped
}

// add adds a step. If an object was added and deleted again, and neither can be undone, it
// is not left over.
func (o *leftOver) add(e LeftError) {
	if o.places == nil {
		o.dropped, o.places = make(map[int]bool), make(map[object][]int)
	}
	about := e.Step.object()
	for _, k := range o.places[about] {
		if o.errs[k].Step.undoes(&e.Step) {
			o.dropped[k] = true
			o.places[about] = without(o.places[about], k)
			return
		}
	}
	o.places[about] = append(o.places[about], len(o.errs))
	o.errs = append(o.errs, e)
}

func (o *leftOver) all() []LeftError {
	var all []LeftError
	for k, e := range o.errs {
		if !o.dropped[k] {
			all = append(all, e)
		}
	}
	return all
}

// isThere reports whether the rule, the route or the name that a step was to add is
// there, after the answer that it exists. For a route, this answer can be about another
// one with the same key.
func (r *run) isThere(ctx context.Context, s *Step) bool {
	if !s.Op.IsRoute() {
		return true
	}
	routes, err := listRoutes(ctx, r.c, tableOfFamily{s.Route.Table, s.Route.Family})
	have, ok := routes[form.KeyOf(&s.Route)]
	return err == nil && ok && form.SameRoute(&have, &s.Route)
}

// undoOrder returns the steps in the order in which they are undone: newest first, except
// for rules that decided about nothing any more and were deleted from the first to the
// last. These are added in the same order, so that those of the same priority keep
// their places.
func (r *run) undoOrder() []*Step {
	places := make(map[rule.Rule]int)
	for _, list := range r.p.present {
		for i := range list {
			places[form.Bare(list[i])] = i
		}
	}
	order := make([]*Step, 0, len(r.done))
	for end := len(r.done); end > 0; {
		begin := end - 1
		for begin > 0 && isNext(r.done[begin-1], r.done[begin], places) {
			begin--
		}
		order = append(order, r.done[begin:end]...)
		end = begin
	}
	return order
}

// isNext reports whether two steps delete rules, the second one behind the first, that
// decide about nothing any more. Places are those of the rules that there were.
func isNext(a, b *Step, places map[rule.Rule]int) bool {
	if a.Op != DeleteRule || b.Op != DeleteRule || a.isNoticed() || b.isNoticed() || a.Rule.Family != b.Rule.Family {
		return false
	}
	first, foundFirst := places[form.Bare(a.Rule)]
	second, foundSecond := places[form.Bare(b.Rule)]
	if foundFirst && foundSecond {
		return first < second
	}
	return a.Rule.Priority.Or(0) <= b.Rule.Priority.Or(0)
}

// readBack fails unless the results of all steps so far are still there. Another
// program may have changed them, and a link that goes down takes routes along.
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
			return fmt.Errorf("an earlier step was undone by someone else: %s", r.p.Command(s))
		}
	}
	return nil
}

// missingRules returns which of the rules that steps have added are not there. It does not
// collect the others, which may be many.
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

// results returns the steps that have added or replaced something which no later
// step has changed.
func (r *run) results() []*Step {
	later := make(map[object]bool) // what later steps are about
	var results []*Step
	for _, s := range slices.Backward(r.done) {
		about := s.object()
		if s.Op.IsName() || later[about] {
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
