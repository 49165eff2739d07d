package main

import (
	"errors"

	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// logKind returns the kind of an event that the log shows. All failures have one kind in the
// log.
func logKind(k maintain.EventKind) maintain.EventKind {
	switch k {
	case maintain.EventUpdateRefused, maintain.EventSocketFailed, maintain.EventCleanUpFailed,
		maintain.EventRemovalFailed, maintain.EventProbeFailed:
		return maintain.EventFailed
	}
	return k
}

// inWords returns an event with the error in the words of errorText.
func inWords(e maintain.Event) maintain.Event {
	switch {
	case e.Err == nil:
	case e.Kind == maintain.EventFailed:
		e.Err = errors.New(explainFailure(e.Err))
	default:
		e.Err = errors.New(errorText(e.Err))
	}
	return e
}

// describe returns an event as a line of the log.
func describe(e maintain.Event, verbose bool) string {
	e = inWords(e)
	if e.Kind == maintain.EventInstalled && e.Reason == "" && !verbose {
		e.Reason, e.Plan = summary(stepsOf(e.Plan)), plan.Plan{}
	}
	return oneLine(e.String())
}
