package maintain

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/plan"
)

const (
	// retryFirst is the time after which a failure is tried again. It doubles each time,
	// up to retryMost.
	retryFirst = 20 * time.Millisecond
	retryMost  = 10 * time.Second
	// reportAfter is how many times in a row something has to fail before that is
	// reported. A plan that was right when it was made can fail because the kernel's
	// state changes at the same time.
	reportAfter = 3
)

// A reporter sends events to the log and to the function of the configuration.
type reporter struct {
	logger   *slog.Logger
	event    func(Event)
	counters *Counters
	// complaint is the last failure that was reported and is not about a maintained
	// uplink. It is not reported again while it lasts.
	complaint string
}

// send reports an event.
func (r *reporter) send(e Event) {
	if r.logger != nil {
		r.logger.LogAttrs(context.Background(), e.Level(), e.Message(), e.Attrs()...)
	}
	if r.event != nil {
		r.event(e)
	}
}

// complain reports a failure that is tried again, once.
func (r *reporter) complain(e Event) {
	if text := e.String(); text != r.complaint {
		r.complaint = text
		r.send(e)
	}
}

// settle records that the complaint is over.
func (r *reporter) settle() { r.complaint = "" }

// A subject is what an event is about.
type subject struct {
	label  string
	owner  int
	family route.Family
}

// nobody is the subject of events that are about no uplink in particular.
var nobody = subject{owner: plan.NoOwner}

// event returns an event about the subject.
func (s subject) event(kind EventKind) Event {
	return Event{Kind: kind, Uplink: s.label, Owner: s.owner, Family: s.family}
}

// failure returns an event about the subject that has an error.
func (s subject) failure(kind EventKind, err error) Event {
	e := s.event(kind)
	e.Err = err
	return e
}

// A lastReport is what was last reported of an uplink.
type lastReport struct {
	kind     EventKind // zero: nothing yet
	reason   string
	failures int // in a row
	// wasComplete means that an EventInstalled was sent. Before the first one, begun is what
	// was added already, such as the rules of an address whose interface is down.
	wasComplete bool
	begun       []plan.Step
}

// retryIn returns when to look again after a failure. Zero: there was none.
func (r lastReport) retryIn() time.Duration {
	if r.failures == 0 {
		return 0
	}
	return min(retryMost, retryFirst<<min(r.failures-1, 20))
}

// An outcome is the result of a look for an uplink, or for the shared default.
type outcome struct {
	subject
	causes  cause
	plan    plan.Plan // what was done, without steps that undo one another
	waits   string    // what keeps it from being complete; empty: nothing
	nameErr error     // the name of a table could not be written
	err     error     // why it failed
}

// report reports what is new in an outcome, and returns the report that is then the last
// one.
func (r *reporter) report(last lastReport, o outcome) lastReport {
	if o.err != nil {
		return r.reportFailure(last, o)
	}
	next := lastReport{kind: EventInstalled, wasComplete: true}
	e := o.event(EventInstalled)
	begins := o.begins(last)
	if o.waits != "" {
		e.Kind, e.Reason = EventPending, o.waits
		next = lastReport{kind: e.Kind, reason: e.Reason, wasComplete: last.wasComplete, begun: last.begun}
		if begins {
			next.begun = slices.Concat(last.begun, o.plan.Steps)
		}
	} else {
		e.Plan, e.Err = o.plan, o.nameErr
		e.Plan.Steps = slices.Concat(last.begun, o.plan.Steps)
	}
	if !begins && o.isRepair(last) {
		repaired := o.event(EventRepaired)
		repaired.Reason, repaired.Plan = o.causes.String(), o.plan
		r.send(repaired)
	}
	if e.Kind != last.kind || e.Reason != last.reason {
		r.send(e)
	}
	return next
}

// mostBegun is how many steps of a first installation are kept until it is complete.
const mostBegun = 1000

// begins reports whether the outcome is a part of the first installation of an uplink that
// waits for something: it only adds, and no other program is the cause.
func (o *outcome) begins(last lastReport) bool {
	return o.waits != "" && !last.wasComplete && o.causes&(causeRoute|causeRule) == 0 &&
		len(last.begun)+len(o.plan.Steps) <= mostBegun &&
		!slices.ContainsFunc(o.plan.Steps, func(s plan.Step) bool {
			return s.Op != plan.AddRule && s.Op != plan.AddRoute && s.Op != plan.AddName
		})
}

// isRepair reports whether the outcome is a repair of what was reported before. It
// returns false if an uplink becomes complete that was not complete before.
func (o *outcome) isRepair(last lastReport) bool {
	switch {
	case o.plan.Empty():
		return false
	case o.waits != "":
		return last.kind != 0 && !hasOnlyNames(o.plan)
	}
	return last.kind == EventInstalled && (o.nameErr == nil || !hasOnlyNames(o.plan))
}

// reportFailure reports a failure, unless it may be over soon.
func (r *reporter) reportFailure(last lastReport, o outcome) lastReport {
	r.counters.Failures.Add(1)
	last.failures++
	lasts := isRefusal(o.err) && last.kind != EventInstalled || errors.Is(o.err, plan.ErrLocked)
	if last.failures < reportAfter && !lasts || last.kind == EventFailed && last.reason == o.err.Error() {
		return last
	}
	r.send(o.failure(EventFailed, o.err))
	last.kind, last.reason = EventFailed, o.err.Error()
	return last
}

// isRefusal reports whether an error says that an uplink cannot be installed.
func isRefusal(err error) bool {
	var field *plan.FieldError
	var conflict *plan.ConflictError
	return errors.As(err, &field) || errors.As(err, &conflict)
}

// isNameError reports whether an error says that all was done except for the name of a
// table.
func isNameError(err error) bool {
	var step *plan.StepError
	var name *plan.NameError
	return errors.As(err, &name) && !errors.As(err, &step)
}

// isUnreadable reports whether an error says that the kernel's state could not be read.
func isUnreadable(err error) bool {
	var step *plan.StepError
	return err != nil && !isRefusal(err) && !isNameError(err) && !errors.As(err, &step) && !errors.Is(err, plan.ErrLocked)
}

// hasOnlyNames reports whether a plan changes nothing but names of tables.
func hasOnlyNames(p plan.Plan) bool {
	return !slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return !s.Op.IsName() })
}
