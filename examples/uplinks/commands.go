package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

type planFunc func(context.Context, route.Conn, ...table.SourceRoutedUplink) (table.Plan, error)

// install plans what up does.
func (s *session) install() planFunc {
	if s.prune {
		return table.PlanSync
	}
	return table.PlanInstall
}

// plan reports what up would do.
func (s *session) plan() (int, error) {
	p, err := s.install()(s.ctx, s.conn, s.values()...)
	if err != nil {
		return exitFailure, err
	}
	s.took(p.Steps)
	if p.Empty() {
		return exitOK, nil
	}
	return exitPending, nil
}

// up installs the uplinks, all or none.
func (s *session) up() (int, error) {
	plan := s.install()
	return s.change(func() (table.Plan, error) { return plan(s.ctx, s.conn, s.values()...) })
}

// down removes the uplinks, and the default route that they share.
func (s *session) down() (int, error) {
	if k, err := ask(s.netns); err == nil && k != nil {
		s.report.Warnings = append(s.report.Warnings, fmt.Sprintf("process %d maintains uplinks, "+
			"and brings back those of its file: stop it first, or delete lines and send it SIGHUP", k.PID))
	}
	if s.shared != nil {
		if err := s.shared.Remove(s.ctx, s.conn); err != nil {
			return exitFailure, err
		}
	}
	return s.change(func() (table.Plan, error) { return table.PlanRemove(s.ctx, s.conn, s.values()...) })
}

// recover cleans up what a command that was killed has left.
func (s *session) recover() (int, error) {
	protocols := []route.Protocol{table.Protocol}
	for _, u := range s.uplinks {
		if u.Protocol != 0 && !slices.Contains(protocols, u.Protocol) {
			protocols = append(protocols, u.Protocol)
		}
	}
	return s.change(func() (table.Plan, error) { return table.PlanRecover(s.ctx, s.conn, protocols...) })
}

// change does what a plan says, and reports it.
func (s *session) change(plan func() (table.Plan, error)) (int, error) {
	var p table.Plan
	var names []*table.NameError
	var err error
	for range attempts {
		if p, err = plan(); err != nil {
			return exitFailure, err
		}
		if p.Empty() {
			return exitOK, nil
		}
		if names, err = nameErrors(p.Apply(s.ctx, s.conn)); !overtaken(err) {
			break
		}
	}
	for _, e := range names {
		s.report.Warnings = append(s.report.Warnings, strings.TrimPrefix(e.Error(), "table: "))
	}
	if err != nil {
		s.left(err)
		return exitFailure, err
	}
	var done []table.Step
	for _, step := range p.Steps {
		if !failedName(names, step) {
			done = append(done, step)
		}
	}
	s.took(done)
	return exitOK, nil
}

// attempts is how often a command plans, and tries, until it gives up.
const attempts = 5

// overtaken reports whether an error can be due to another process, which has done
// something between the plan and the try. All that was tried is undone.
func overtaken(err error) bool {
	var step *table.StepError
	return errors.As(err, &step) && len(step.Left) == 0 &&
		(errors.Is(step.Err, fs.ErrExist) || errors.Is(step.Err, fs.ErrNotExist))
}

// failedName reports whether a step is about a name with an error.
func failedName(names []*table.NameError, step table.Step) bool {
	for _, e := range names {
		if e.Table == step.Table && e.Name == step.Name {
			return true
		}
	}
	return false
}

// took puts steps into the report, each with its uplink.
func (s *session) took(steps []table.Step) {
	s.report.steps = steps
	for _, step := range steps {
		if i := s.uplinkOf(step); i >= 0 {
			s.report.Uplinks[i].Steps = append(s.report.Uplinks[i].Steps, step.String())
		} else {
			o := s.report.other(step.Uplink)
			o.Steps = append(o.Steps, step.String())
		}
	}
	// What is only there for a while is not worth a word.
	for _, step := range (table.Plan{Steps: steps}).Net().Steps {
		if i := s.uplinkOf(step); i >= 0 {
			e := s.report.Uplinks[i]
			e.net = append(e.net, step)
			e.setTable(step)
		} else {
			o := s.report.other(step.Uplink)
			o.net = append(o.net, step)
		}
	}
}

// uplinkOf is the index of the uplink that a step belongs to: the first of its
// name that is of its family. A name belongs to both. It is -1 for an uplink that
// the file does not have.
func (s *session) uplinkOf(step table.Step) int {
	f := step.Family()
	named := -1
	for i, u := range s.uplinks {
		if u.Name != step.Uplink {
			continue
		}
		if g := u.family(); f == 0 || g == 0 || g == f {
			return i
		}
		named = i
	}
	return named
}

// summary says in a few words what was done.
func summary(steps []table.Step) string {
	count := make(map[table.Op]int)
	for _, s := range steps {
		count[s.Op]++
	}
	var parts []string
	for _, verb := range []struct {
		verb        string
		route, rule table.Op
	}{
		{"added", table.AddRoute, table.AddRule},
		{"replaced", table.ReplaceRoute, 0},
		{"deleted", table.DeleteRoute, table.DeleteRule},
	} {
		var what []string
		if n := count[verb.route]; n > 0 {
			what = append(what, plural(n, "route"))
		}
		if n := count[verb.rule]; n > 0 {
			what = append(what, plural(n, "rule"))
		}
		if len(what) > 0 {
			parts = append(parts, verb.verb+" "+strings.Join(what, " and "))
		}
	}
	for _, s := range steps {
		switch s.Op {
		case table.AddName:
			parts = append(parts, fmt.Sprintf("named table %d", uint32(s.Table)))
		case table.DeleteName:
			parts = append(parts, fmt.Sprintf("took the name from table %d", uint32(s.Table)))
		}
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
