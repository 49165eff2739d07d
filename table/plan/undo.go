package plan

import (
	"context"
	"errors"
	"io/fs"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// note records a step that was done, or that may have been done.
func (r *run) note(s *Step, err error) {
	switch {
	case err == nil:
	case rtnl.IsVerdict(err):
		return
	default:
		r.doubt(s)
	}
	r.done = append(r.done, s)
}

// doubt records that a step may or may not have been done.
func (r *run) doubt(s *Step) {
	if r.unsure == nil {
		r.unsure = make(map[*Step]bool)
	}
	r.unsure[s] = true
}

// undo undoes the steps that were done, or may have been done, newest first, and returns
// those that it could not undo. It does not stop when ctx ends.
func (r *run) undo(ctx context.Context) []LeftError {
	ctx = context.WithoutCancel(ctx)
	var left leftOver
	for order := r.undoOrder(); len(order) > 0; {
		n, some := r.undoMany(ctx, order)
		order = order[n:]
		for _, s := range some {
			if err := r.undoStep(ctx, s); err == nil {
				left.settle(s)
			} else {
				left.add(LeftError{Step: *s, Err: err, Uncertain: r.unsure[s], command: r.p.Command(s)})
			}
		}
	}
	return left.all()
}

// undoTries is how often undoStep tries to undo a step while replies are lost.
const undoTries = 3

// undoStep undoes a step. If replies are lost, it finds out whether the step is done.
func (r *run) undoStep(ctx context.Context, s *Step) (err error) {
	back := s.inverse()
	for range undoTries {
		err = r.do(ctx, &back)
		if err == nil || back.Op.deletes() && errors.Is(err, fs.ErrNotExist) ||
			!back.Op.deletes() && errors.Is(err, fs.ErrExist) && r.isThere(ctx, &back) {
			return nil
		}
		if rtnl.IsVerdict(err) {
			return err
		}
		r.doubt(s)
	}
	if s.Op == CommitNFT { // which has looked whether it is done
		return err
	}
	there, readErr := r.find(ctx, &back)
	if readErr != nil {
		return err
	}
	delete(r.unsure, s)
	if there != back.Op.deletes() {
		return nil
	}
	return err
}

// isThere reports whether the rule or the route that a step was to add exists, after the
// kernel has answered that it exists. For a route, this answer can be about another route
// with the same key.
func (r *run) isThere(ctx context.Context, s *Step) bool {
	if !s.Op.IsRoute() {
		return true
	}
	there, err := r.find(ctx, s)
	return err == nil && there
}

// find reports whether the rule or the route of a step exists.
func (r *run) find(ctx context.Context, s *Step) (bool, error) {
	if s.Op.IsRule() {
		missing, err := r.missingRules(ctx, []*Step{{Op: AddRule, Rule: s.Rule}})
		return len(missing) == 0, err
	}
	routes, err := listRoutes(ctx, r.c, tableOfFamily{s.Route.Table, s.Route.Family})
	have, ok := routes[form.KeyOf(&s.Route)]
	return ok && form.SameRoute(&have, &s.Route), err
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
		if newer := &o.errs[k]; newer.Step.undoes(&e.Step) {
			o.dropped[k] = true
			o.places[about] = without(o.places[about], k)
			if !newer.Uncertain && !e.Uncertain {
				return
			}
			e.Uncertain = true // the newer step may not have been done
		}
	}
	o.places[about] = append(o.places[about], len(o.errs))
	o.errs = append(o.errs, e)
}

// settle records that a step was undone. Later steps on the same object leave nothing
// over.
func (o *leftOver) settle(s *Step) {
	if len(o.places) > 0 {
		about := s.object()
		for _, k := range o.places[about] {
			o.dropped[k] = true
		}
		delete(o.places, about)
	}
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

// undoOrder returns the steps in the order in which they are undone: newest first, except
// for rules that decided about no packet any more and were deleted from the first to the
// last. These are added in the same order, so that rules with the same priority keep their
// places.
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

// isNext reports whether two steps delete rules that decide about no packet any more, the
// second one behind the first. Places are the places of the rules when the plan was made.
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
