package table

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
)

// Install makes the kernel's state what the uplinks say: all of them, or on a
// failure none. Packets from the sources of a family change over in one step, of
// which the package documentation says more. What is there already is left
// alone, so that a second Install sends nothing that changes anything. What is
// there differently is changed, and what is there of the same owner in the same
// table and is not wanted any more is deleted.
//
// On an error at any step, all that was done is undone, newest first, also
// after ctx has ended, and the error is a [*StepError]. Before anything is
// changed, it is a [*FieldError] for an uplink that cannot be, or a
// [*ConflictError] for something of others in its way. A [*NameError] is
// returned when all is installed but a name could not be registered.
//
// Install waits for others that install or remove uplinks in the same network
// namespace; see [ErrLocked].
//
// All uplinks have to agree on Etc; that of the first counts.
func Install(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	return locked(ctx, c, func() error {
		return untilClaimed(ctx, c, func(claimed []rttables.ID) (Plan, error) {
			return planInstall(ctx, c, claimed, uplinks)
		})
	})
}

// untilClaimed plans and applies; again without a table that others were faster to
// take.
func untilClaimed(ctx context.Context, c route.Conn, plan func(claimed []rttables.ID) (Plan, error)) error {
	var claimed []rttables.ID
	for {
		p, err := plan(claimed)
		if err != nil {
			return err
		}
		err = p.apply(ctx, c)
		id, ok := lostClaim(err)
		if !ok {
			return err
		}
		claimed = append(claimed, id)
	}
}

// lostClaim is the table that someone else was faster to take, where that is why
// a plan failed, and nothing is left of it.
func lostClaim(err error) (rttables.ID, bool) {
	var step *StepError
	if errors.As(err, &step) && step.Step.claim && errors.Is(step.Err, fs.ErrExist) && len(step.Left) == 0 {
		return step.Step.Route.Table, true
	}
	return 0, false
}

// Remove deletes the rules and routes that carry the uplinks' protocol in their
// tables, and nothing else; then the tables' names, if Install registered them
// and nothing of ours stays in the table. Neither the interface nor its
// addresses need to be there any more. What is not installed is removed already.
//
// Errors are those of [Install]: what was deleted before a failure is added
// again.
func Remove(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	return locked(ctx, c, func() error {
		p, err := PlanRemove(ctx, c, uplinks...)
		if err != nil {
			return err
		}
		return p.apply(ctx, c)
	})
}

// Apply does the steps: all of them or, after a failure, none. Errors are those
// of [Install], for which it waits as that does. What has changed since the plan
// was made is not looked at; a step for which the kernel's state is not as it was
// fails.
func (p Plan) Apply(ctx context.Context, c route.Conn) error {
	if p.Empty() {
		return nil
	}
	return locked(ctx, c, func() error { return p.apply(ctx, c) })
}

// apply is Apply without the lock.
func (p Plan) apply(ctx context.Context, c route.Conn) error {
	var nameErr error
	done := make([]Step, 0, len(p.Steps))
	for _, s := range p.Steps {
		var err error
		if s.verify {
			err = readBack(ctx, c, done)
		}
		if err == nil {
			err = s.do(ctx, c)
		}
		var ne *NameError
		if errors.As(err, &ne) {
			// The uplink works without.
			nameErr = errors.Join(nameErr, err)
			continue
		}
		if err == nil || lost(err) {
			done = append(done, s)
		}
		if err == nil && s.claim {
			err = checkClaim(ctx, c, s.Route.Table)
		}
		if err != nil {
			return &StepError{Uplink: s.Uplink, Step: s, Err: err, Left: undo(ctx, c, done)}
		}
	}
	return nameErr
}

// readBack fails unless all that was done is still so. Others may have changed it
// meanwhile, and a link that goes down takes routes along.
func readBack(ctx context.Context, c route.Conn, done []Step) error {
	s := &state{routes: make(map[rttables.ID][]route.Route)}
	if slices.ContainsFunc(done, func(step Step) bool { return step.Op == AddRule }) {
		var err error
		if s.rules, err = rule.List(ctx, c, rule.Filter{}); err != nil {
			return err
		}
	}
	for i, step := range done {
		gone := slices.ContainsFunc(done[i:], func(o Step) bool {
			return step.Op == AddRule && o.Op == DeleteRule && bare(o.Rule) == bare(step.Rule) ||
				(step.Op == AddRoute || step.Op == ReplaceRoute) && o.Op == DeleteRoute && keyOf(o.Route) == keyOf(step.Route)
		})
		if gone {
			continue
		}
		switch step.Op {
		case AddRule:
			if !contains(s.rules, step.Rule) {
				return fmt.Errorf("what was done before is gone: %s", step)
			}
		case AddRoute, ReplaceRoute:
			if err := s.readRoutes(ctx, c, step.Route.Table); err != nil {
				return err
			}
			have, ok := s.route(keyOf(step.Route))
			if !ok || !have.Canonical().Equal(step.Route.Canonical()) {
				return fmt.Errorf("what was done before is gone: %s", step)
			}
		}
	}
	return nil
}

// lost reports whether an error leaves open if the kernel has done what it was
// asked: its answer got lost.
func lost(err error) bool {
	return errors.Is(err, syscall.ENOBUFS) || errors.Is(err, rtnl.ErrLostReply)
}

// undo undoes the steps that were done, or may have been, newest first, and
// returns those that it could not undo. It does not stop when ctx ends.
func undo(ctx context.Context, c route.Conn, done []Step) []LeftError {
	ctx = context.WithoutCancel(ctx)
	var left []LeftError
	for _, s := range slices.Backward(done) {
		back := s.inverse()
		err := back.do(ctx, c)
		if err == nil || back.deletes() && errors.Is(err, fs.ErrNotExist) || !back.deletes() && errors.Is(err, fs.ErrExist) {
			continue
		}
		// What was added and deleted again is left as little as what was not.
		i := slices.IndexFunc(left, func(l LeftError) bool { return l.Step.cancels(s) })
		if i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		left = append(left, LeftError{Step: s, Err: err})
	}
	return left
}

// deletes reports whether a step takes something away.
func (s *Step) deletes() bool { return s.Op == DeleteRoute || s.Op == DeleteRule || s.Op == DeleteName }

// do does the step.
func (s Step) do(ctx context.Context, c route.Conn) error {
	switch s.Op {
	case AddRoute:
		return route.Add(ctx, c, s.Route)
	case ReplaceRoute:
		return route.Replace(ctx, c, s.Route)
	case DeleteRoute:
		return route.Delete(ctx, c, s.Route)
	case AddRule:
		return rule.Add(ctx, c, s.Rule)
	case DeleteRule:
		return rule.Delete(ctx, c, s.Rule)
	case AddName:
		return s.nameError(rttables.Register(s.etc, s.Table, s.Name))
	case DeleteName:
		return s.nameError(rttables.Unregister(s.etc, s.Table, s.Name))
	}
	return errors.ErrUnsupported
}

func (s *Step) nameError(err error) error {
	if err == nil {
		return nil
	}
	return &NameError{Table: s.Table, Name: s.Name, Err: err}
}

// inverse is the step that undoes s.
func (s Step) inverse() Step {
	switch s.Op {
	case AddRoute:
		s.Op = DeleteRoute
	case ReplaceRoute:
		s.Route, s.Replaced = s.Replaced, s.Route
	case DeleteRoute:
		s.Op = AddRoute
	case AddRule:
		s.Op = DeleteRule
	case DeleteRule:
		s.Op = AddRule
	case AddName:
		s.Op = DeleteName
	case DeleteName:
		s.Op = AddName
	}
	return s
}
