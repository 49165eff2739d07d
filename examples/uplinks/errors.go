package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/health"
)

// An enterError is a network namespace that could not be entered. Unlike all
// else, that takes CAP_SYS_ADMIN.
type enterError struct {
	path string
	err  error
}

func (e *enterError) Error() string { return fmt.Sprintf("network namespace %s: %v", e.path, e.err) }
func (e *enterError) Unwrap() error { return e.err }

// explain is err for an administrator: in the words of the file instead of the
// names of fields, with what is to be done, and what state the host is in.
func explain(err error) string {
	text := strings.TrimPrefix(err.Error(), "table: ")
	var step *table.StepError
	var field *table.FieldError
	var conflict *table.ConflictError
	var enter *enterError
	var probe *health.Error
	left := ""
	switch {
	case errors.As(err, &step):
		if len(step.Left) == 0 {
			left = "; nothing was left of what was done before"
		}
	case errors.As(err, &field):
		text = fmt.Sprintf("uplink %s: %s: %s", field.Uplink, wordOf(field.Field), field.Reason)
		left = "; nothing was changed"
	case errors.As(err, &conflict) && conflict.Uplink == sharedName: // it may be there, behind another
	case errors.As(err, &conflict):
		left = "; nothing was changed"
	}
	if errors.Is(err, fs.ErrPermission) {
		switch {
		case errors.As(err, &probe): // it says what it needs
		case errors.As(err, &enter):
			text += ": needs root or CAP_SYS_ADMIN"
		default:
			text += ": needs root or CAP_NET_ADMIN"
		}
	}
	return text + left
}

// wordOf is the word of the file for a field of an uplink.
func wordOf(field string) string {
	words := map[string]string{
		"Name": "name", "Interface": "dev", "Gateway": "via", "Sources": "src", "Priority": "pref",
		"Protocol": "proto", "Routes": "to", "Metric": "metric", "Health": "probe",
	}
	if word, ok := words[field]; ok {
		return word
	}
	return strings.ToLower(field)
}

// nameErrors splits off the names that could not be registered, or taken away
// again, which is no failure: the uplinks work, and ip(8) shows numbers.
func nameErrors(err error) (names []*table.NameError, rest error) {
	var step *table.StepError
	if errors.As(err, &step) {
		return nil, err // one that could not be undone may be in it
	}
	switch e := err.(type) {
	case *table.NameError:
		return []*table.NameError{e}, nil
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			more, other := nameErrors(err)
			names, rest = append(names, more...), errors.Join(rest, other)
		}
		return names, rest
	}
	return nil, err
}
