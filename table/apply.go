package table

import (
	"context"
	"errors"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// Install makes the kernel's state what the uplinks say: all of them, or on a
// failure none. Routes come first and rules last, so that a rule never leads
// into a table that is not ready. What is there already is left alone, so that
// a second Install sends nothing that changes anything; what is there
// differently is changed, a gateway in one step; and what is there of the same
// owner in the same table and is not wanted any more is deleted at the end.
//
// On an error at any step, all that was done is undone, newest first, also
// after ctx has ended, and the error is a [*StepError]. Before anything is
// changed, it is a [*FieldError] for an uplink that cannot be, or a
// [*ConflictError] for something of others in its way. A [*NameError] is
// returned when all is installed but a name could not be registered.
//
// All uplinks have to agree on Etc; that of the first counts.
func Install(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	p, err := PlanInstall(ctx, c, uplinks...)
	if err != nil {
		return err
	}
	return p.Apply(ctx, c)
}

// Remove deletes the rules and routes that carry the uplinks' protocol in their
// tables, and nothing else; then the tables' names, if Install registered them
// and nothing of ours stays in the table. Neither the interface nor its
// addresses need to be there any more. What is not installed is removed already.
//
// Errors are those of [Install]: what was deleted before a failure is added
// again.
func Remove(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) error {
	p, err := PlanRemove(ctx, c, uplinks...)
	if err != nil {
		return err
	}
	return p.Apply(ctx, c)
}

// Apply does the steps: all of them or, after a failure, none. Errors are those
// of [Install]. What has changed since the plan was made is not looked at; a
// step for which the kernel's state is not as it was fails.
func (p Plan) Apply(ctx context.Context, c route.Conn) error {
	var nameErr error
	var done []Step
	for _, s := range p.Steps {
		err := s.do(ctx, c)
		var ne *NameError
		if errors.As(err, &ne) {
			// The uplink works without.
			nameErr = errors.Join(nameErr, err)
			continue
		}
		if err != nil {
			return &StepError{Uplink: s.Uplink, Step: s, Err: err, Left: undo(ctx, c, done)}
		}
		done = append(done, s)
	}
	return nameErr
}

// undo undoes the steps that were done, newest first, and returns those that it
// could not undo. It does not stop when ctx ends.
func undo(ctx context.Context, c route.Conn, done []Step) []LeftError {
	ctx = context.WithoutCancel(ctx)
	var left []LeftError
	for _, s := range slices.Backward(done) {
		if err := s.inverse().do(ctx, c); err != nil {
			left = append(left, LeftError{Step: s, Err: err})
		}
	}
	return left
}

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
