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
// The error is a [*StepError] for a step that failed, and a [*NameError] if all was
// done but a name could not be written.
func (p Plan) Apply(ctx context.Context, c route.Conn) error {
	if p.Empty() {
		return nil
	}
	return Lock(ctx, c, func() error { return p.ApplyLocked(ctx, c) })
}

// ApplyLocked is Apply for a caller of [Lock], who has the lock.
func (p Plan) ApplyLocked(ctx context.Context, c route.Conn) error {
	r := run{p: p, c: c}
	var nameErr error
	for i := range p.Steps {
		s := &p.Steps[i]
		err := r.step(ctx, s)
		var ne *NameError
		if errors.As(err, &ne) {
			nameErr = errors.Join(nameErr, err) // the uplink works without
			continue
		}
		if err != nil {
			return &StepError{Uplink: s.Uplink, Step: *s, Err: err, Left: r.undo(ctx), command: p.Command(s)}
		}
	}
	return nameErr
}

// A run is a plan that is being done.
type run struct {
	p    Plan
	c    route.Conn
	done []*Step
	// deleter deletes rules exactly, after one listing.
	deleter rule.Deleter
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
	if err == nil && s.isClaim() {
		err = checkClaim(ctx, r.c, s.Route.Table)
	}
	return err
}

// do sends a step to the kernel, or writes it to rt_tables.
func (r *run) do(ctx context.Context, s *Step) error {
	switch s.Op {
	case AddRoute:
		return route.Add(ctx, r.c, s.Route)
	case ReplaceRoute:
		return route.Replace(ctx, r.c, s.Route)
	case DeleteRoute:
		return route.Delete(ctx, r.c, s.Route)
	case AddRule:
		return rule.Add(ctx, r.c, s.Rule)
	case DeleteRule:
		return r.deleter.Delete(ctx, r.c, s.Rule)
	case AddName:
		return s.nameError(rttables.Register(r.p.etc, s.Table, s.Name))
	case DeleteName:
		return s.nameError(rttables.Unregister(r.p.etc, s.Table, s.Name))
	}
	return errors.ErrUnsupported
}

func (s *Step) nameError(err error) error {
	if err == nil {
		return nil
	}
	return &NameError{Table: s.Table, Name: s.Name, Err: err}
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
	var left []LeftError
	for _, s := range slices.Backward(r.done) {
		back := s.inverse()
		err := r.do(ctx, &back)
		if err == nil || back.Op.deletes() && errors.Is(err, fs.ErrNotExist) ||
			!back.Op.deletes() && errors.Is(err, fs.ErrExist) {
			continue
		}
		// If an object was added and deleted again, and neither can be undone, it is
		// not left over.
		i := slices.IndexFunc(left, func(l LeftError) bool {
			return l.Step.object() == s.object() && l.Step.undoes(s)
		})
		if i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		left = append(left, LeftError{Step: *s, Err: err, command: r.p.Command(s)})
	}
	return left
}

// readBack fails unless the results of all steps so far are still there. Another
// program may have changed them, and a link that goes down takes routes along.
func (r *run) readBack(ctx context.Context) error {
	want := r.results()
	var rules form.Set
	routes := make(map[rttables.ID]map[form.RouteKey]route.Route)
	for _, s := range want {
		if s.Op == AddRule && rules == nil {
			list, err := rule.List(ctx, r.c, rule.Filter{})
			if err != nil {
				return err
			}
			rules = form.MakeSet(list...)
		}
		if s.Op.IsRoute() && routes[s.Route.Table] == nil {
			list, err := route.List(ctx, r.c, route.Filter{Table: s.Route.Table})
			if err != nil {
				return fmt.Errorf("table: %w", err)
			}
			byKey := make(map[form.RouteKey]route.Route, len(list))
			for i := range list {
				byKey[form.KeyOf(&list[i])] = list[i]
			}
			routes[s.Route.Table] = byKey
		}
		there := false
		if s.Op == AddRule {
			there = rules.Has(s.Rule)
		} else if have, ok := routes[s.Route.Table][form.KeyOf(&s.Route)]; ok {
			there = form.SameRoute(&have, &s.Route)
		}
		if !there {
			return fmt.Errorf("an earlier step was undone by someone else: %s", r.p.Command(s))
		}
	}
	return nil
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

// checkClaim fails with fs.ErrExist if a table that was claimed turns out to be in
// use: someone has taken it between the look at it and the claim.
func checkClaim(ctx context.Context, c route.Conn, id rttables.ID) error {
	for r, err := range route.All(ctx, c, route.Filter{Table: id}) {
		if err != nil {
			return err
		}
		if !form.IsClaim(&r) {
			return fmt.Errorf("table %d has got a route: %w", uint32(id), fs.ErrExist)
		}
	}
	for r, err := range rule.All(ctx, c, rule.Filter{Table: id}) {
		if err != nil {
			return err
		}
		return fmt.Errorf("table %d has got a rule, %s: %w", uint32(id), r, fs.ErrExist)
	}
	return nil
}
