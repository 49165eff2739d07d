package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// States of an uplink.
const (
	stateComplete   = "complete"
	stateIncomplete = "incomplete"
	stateAbsent     = "absent"
)

// status compares what there is, which is what Remove would delete, with what
// Install would still do.
func (s *session) status() (int, error) {
	have, err := table.PlanRemove(s.ctx, s.conn, s.values()...)
	if err != nil {
		return exitFailure, err
	}
	installed := s.distribute(have.Net().Steps)
	todo, problems, err := s.todo()
	if err != nil {
		return exitFailure, err
	}
	status := exitOK
	for i, e := range s.report.Uplinks {
		e.Problem, e.Unnamed = problems[i], unnamed(todo, e.Name)
		e.complete(s.uplinks[i], installed[i], todo[i])
		e.assess(installed[i], todo[i])
		if e.State != stateComplete {
			status = exitPending
		}
	}
	if s.report.Keeper, err = ask(s.netns); err != nil {
		s.report.Warnings = append(s.report.Warnings, "who keeps the uplinks is not known: "+err.Error())
	}
	return status, nil
}

// distribute sorts steps by the uplink that they belong to.
func (s *session) distribute(steps []table.Step) [][]table.Step {
	all := make([][]table.Step, len(s.uplinks))
	for _, step := range steps {
		if i := s.uplinkOf(step); i >= 0 {
			all[i] = append(all[i], step)
		}
	}
	return all
}

// todo is what Install would do for each uplink. They are planned together,
// because they choose priorities and tables in turn. Where that fails for one,
// the state of the others is asked for one by one.
func (s *session) todo() (steps [][]table.Step, problems []string, err error) {
	problems = slices.Clone(s.unlearned)
	p, err := table.PlanInstall(s.ctx, s.conn, s.learned()...)
	if err == nil {
		return s.distribute(p.Net().Steps), problems, nil
	}
	name, together, ok := problem(err)
	if !ok {
		return nil, nil, err
	}
	steps = make([][]table.Step, len(s.uplinks))
	alone := false
	for i, u := range s.uplinks {
		if s.unlearned[i] != "" {
			continue
		}
		p, err := table.PlanInstall(s.ctx, s.conn, u.SourceRoutedUplink)
		if err != nil {
			if _, problems[i], ok = problem(err); !ok {
				return nil, nil, err
			}
			alone = true
		}
		steps[i] = p.Net().Steps
	}
	if !alone {
		// Each could be installed, but not beside the others.
		for i, u := range s.uplinks {
			if u.Name == name {
				problems[i] = together
			}
		}
	}
	return steps, problems, nil
}

// unnamed reports whether a name would be registered; the step is with one of
// the lines that have it.
func unnamed(todo [][]table.Step, name string) bool {
	for _, s := range slices.Concat(todo...) {
		if s.Op == table.AddName && s.Name == name {
			return true
		}
	}
	return false
}

// problem is why an uplink cannot be installed, and which; ok is false for an
// error that is not about an uplink.
func problem(err error) (name, reason string, ok bool) {
	var field *table.FieldError
	var conflict *table.ConflictError
	switch {
	case errors.As(err, &field):
		return field.Uplink, fmt.Sprintf("%s: %s", wordOf(field.Field), field.Reason), true
	case errors.As(err, &conflict):
		return conflict.Uplink, fmt.Sprintf("%s: %s", conflict.Reason, conflict.Object), true
	}
	return "", "", false
}

// assess works out the state from what Remove would delete and what Install
// would do.
func (e *entry) assess(installed, todo []table.Step) {
	present := slices.ContainsFunc(installed, func(s table.Step) bool { return s.Op != table.DeleteName })
	if !present {
		e.State = stateAbsent
		return
	}
	e.State = stateComplete
	for _, s := range todo {
		switch s.Op {
		case table.AddRoute, table.AddRule:
			e.Missing = append(e.Missing, object(s))
		case table.ReplaceRoute:
			e.Changed = append(e.Changed, change{Is: replaced(s, installed), Wanted: object(s)})
		case table.DeleteRoute, table.DeleteRule:
			e.Extra = append(e.Extra, object(s))
		}
	}
	if len(e.Missing)+len(e.Changed)+len(e.Extra) > 0 || e.Problem != "" {
		e.State = stateIncomplete
	}
}

// complete fills in what the line leaves to the host: the table, and the
// sources, which are those of the rules that there should be.
func (e *entry) complete(u uplink, installed, todo []table.Step) {
	sources := len(u.Sources) == 0
	for _, s := range slices.Concat(installed, todo) {
		if s.Op == table.AddName || s.Op == table.DeleteName {
			continue
		}
		e.setTable(s)
		a, ok := sourceOf(s.Rule)
		extra := s.Op == table.DeleteRule && slices.ContainsFunc(todo, func(x table.Step) bool {
			return x.Op == s.Op && x.Rule == s.Rule
		})
		if sources && ok && !extra {
			e.addSource(a)
		}
	}
}

// replaced is the route in whose place a step puts another.
func replaced(s table.Step, installed []table.Step) string {
	want := s.Route.Canonical()
	for _, x := range installed {
		if x.Op != table.DeleteRoute {
			continue
		}
		if r := x.Route.Canonical(); sameKey(r, want) {
			return object(x)
		}
	}
	return "route"
}

// sameKey reports whether one table cannot have both routes.
func sameKey(a, b route.Route) bool {
	return a.Family == b.Family && a.Table == b.Table && a.Dst == b.Dst && a.TOS == b.TOS && a.Priority == b.Priority
}

// object is what a step is about: its command without ip and the verb, and
// route or rule before it.
func object(s table.Step) string {
	kind, _, _ := strings.Cut(s.Op.String(), " ")
	_, words, _ := strings.Cut(s.String(), " "+s.Op.String()+" ")
	return kind + " " + words
}
