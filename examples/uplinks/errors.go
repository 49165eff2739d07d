package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/plan"
)

// An enterError says that a network namespace could not be entered. Entering one needs
// CAP_SYS_ADMIN, unlike everything else.
type enterError struct {
	path string
	err  error
}

func (e *enterError) Error() string {
	switch {
	case errors.Is(e.err, syscall.EINVAL), // of setns(2)
		errors.Is(e.err, files.ErrNotRegular):
		return e.path + " is not a network namespace"
	case errors.Is(e.err, fs.ErrNotExist):
		return fmt.Sprintf("the network namespace %s does not exist: ip netns list shows the names", e.path)
	}
	return fmt.Sprintf("network namespace %s: %v", e.path, e.err)
}

func (e *enterError) Unwrap() error { return e.err }

// An adoptableError says that up is refused because of rules or routes that adopt would take
// over.
type adoptableError struct{ err error }

func (e *adoptableError) Error() string { return e.err.Error() }
func (e *adoptableError) Unwrap() error { return e.err }

// The end of the text of an error of a command that has changed nothing, or has undone its
// changes.
const (
	nothingChanged = "; nothing was changed"
	rolledBack     = "; all changes were rolled back"
)

// explainFailure returns the text of the error of an uplink that run cannot install
// completely. Run installs everything else of the uplink, so the text does not say that
// nothing was changed or that all changes were rolled back.
func explainFailure(err error) string {
	return strings.TrimSuffix(strings.TrimSuffix(errorText(err), nothingChanged), rolledBack)
}

// errorText returns the text of err for an administrator: with the words of the file instead
// of the names of fields, the privilege that is missing, and the state of the host.
func errorText(err error) string {
	text := strings.TrimPrefix(err.Error(), "table: ")
	var step *plan.StepError
	var field *plan.FieldError
	var conflict *plan.ConflictError
	var enter *enterError
	var probe *health.Error
	left := ""
	switch {
	case errors.As(err, &step):
		text = cmp.Or(replyFailure(err), text)
		switch {
		case len(step.Left) > 0: // its text has them
		case step.RolledBack:
			left = rolledBack
		default:
			left = nothingChanged
		}
	case errors.As(err, &field):
		text = aboutUplink(field.Uplink) + field.InWords()
		left = nothingChanged
	case errors.As(err, &conflict):
		text = aboutUplink(conflict.Uplink) + conflict.InWords()
		if conflict.Uplink == sharedName { // it may exist behind another route
			break
		}
		left = nothingChanged
	}
	var name *plan.NameError
	if errors.As(err, new(*adoptableError)) {
		left += "; \"uplinks adopt\" replaces what scripts have made"
	}
	if errors.Is(err, fs.ErrPermission) {
		switch {
		case errors.As(err, &name) && step == nil: // its text has the file that cannot be written
		case errors.As(err, &probe): // its text says what it needs
		case errors.As(err, &enter):
			text += ": needs root or CAP_SYS_ADMIN"
		default:
			text += ": needs root or CAP_NET_ADMIN"
		}
	}
	return text + left
}

// aboutUplink begins the text of an error about an uplink, or about answers if it has no name.
func aboutUplink(name string) string {
	if name == "" {
		return ""
	}
	return "uplink " + name + ": "
}

// nameErrors splits err into the errors about names in rt_tables and the rest. A name that
// could not be added or deleted is not a failure: the uplinks work, and ip(8) shows the
// numbers of their tables.
func nameErrors(err error) (names []*plan.NameError, rest error) {
	var step *plan.StepError
	if errors.As(err, &step) {
		return nil, err // it may contain a name that could not be undone
	}
	switch e := err.(type) {
	case *plan.NameError:
		return []*plan.NameError{e}, nil
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			more, other := nameErrors(err)
			names, rest = append(names, more...), errors.Join(rest, other)
		}
		return names, rest
	}
	return nil, err
}
