package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/plan"
)

// States of an uplink.
const (
	stateComplete   = "complete"
	stateIncomplete = "incomplete"
	stateAbsent     = "absent"
)

// status compares what is installed, which is what Remove would delete, with what Install
// would do.
func (s *session) status() (int, error) {
	removal, err := table.PlanRemove(s.ctx, s.conn, s.tableUplinks()...)
	if err != nil {
		return exitFailure, err
	}
	installed := s.stepsByUplink(removal.Net(), s.allIndexes())
	todo, problems, err := s.planRemaining()
	if err != nil {
		return exitFailure, err
	}
	absent, err := table.AbsentSources(s.ctx, s.conn, s.tableUplinks()...)
	if err != nil {
		return exitFailure, err
	}
	taken, err := check.Overruled(s.ctx, s.conn, s.tableUplinks()...)
	if err != nil {
		return exitFailure, err
	}
	s.askMaintainer()
	examined := s.examined(s.report.Maintainer)
	status := exitOK
	for i, e := range s.report.Uplinks {
		for _, a := range absent[i] {
			if problems[i] == "" { // else the problem says why
				e.Notes = append(e.Notes, fmt.Sprintf("%s is not an address of this host now", a))
			}
		}
		todo[i] = e.leaveOutWithdrawn(todo[i], &examined[i])
		e.Problem, e.Unnamed = problems[i], addsName(todo, e.Name)
		e.fillIn(s.uplinks[i], installed[i], todo[i])
		for _, f := range taken[i] {
			e.Overruled = append(e.Overruled, f.Text)
		}
		e.setState(installed[i], todo[i])
		if e.State != stateComplete {
			status = exitPending
		}
	}
	if complete, err := s.reportReplies(); err != nil {
		return exitFailure, err
	} else if !complete {
		status = exitPending
	}
	s.measure()
	return status, nil
}

// countPatience is how long connections are counted.
const countPatience = time.Second / 2

// measure adds the traffic and the connections. Both are for information: a kernel that does
// not tell them is not a failure.
func (s *session) measure() {
	if err := countConnections(s.netns, s.report.Uplinks, countPatience); err != nil {
		for _, e := range s.report.Uplinks {
			e.Connections = nil
		}
	}
	now, err := readTraffic(s.ctx, s.conn, interfacesOf(s.report.Uplinks))
	if err != nil {
		return
	}
	if s.ratesOver > 0 { // there is time for a second measurement
		select {
		case <-s.ctx.Done():
		case <-time.After(s.ratesOver):
		}
		if later, err := readTraffic(s.ctx, s.conn, interfacesOf(s.report.Uplinks)); err == nil {
			now = later.since(now)
		}
	} else if s.earlier != nil {
		now = now.since(*s.earlier)
	}
	now.setTraffic(s.report.Uplinks)
	s.sampled = now
}

// askMaintainer puts the process that maintains the uplinks into the report, or why it is
// not known. That is a warning too, unless nobody can change it or it is normal for the user.
func (s *session) askMaintainer() {
	m, err := askMaintainer(s.control)
	s.report.Maintainer = m
	if err == nil {
		return
	}
	s.report.Unknown = err.Error()
	if !errors.As(err, new(*unknownError)) {
		s.report.Warnings = append(s.report.Warnings, whoIsUnknown+s.report.Unknown)
	}
}

// allIndexes returns the indexes of all uplinks.
func (s *session) allIndexes() []int {
	all := make([]int, len(s.uplinks))
	for i := range all {
		all[i] = i
	}
	return all
}

// stepsByUplink returns the steps of each uplink in a plan. The plan was made for the
// uplinks whose indexes are in some.
func (s *session) stepsByUplink(p plan.Plan, some []int) [][]step {
	all := make([][]step, len(s.uplinks))
	for _, step := range stepsOf(p) {
		if step.Owner != plan.NoOwner {
			i := some[step.Owner]
			all[i] = append(all[i], step)
		}
	}
	return all
}

// planRemaining returns the steps of Install for each uplink, and the reason why an uplink
// cannot be installed. The uplinks are planned together, because they choose priorities and
// tables in turn. If that fails, each uplink is planned alone.
func (s *session) planRemaining() (steps [][]step, problems []string, err error) {
	problems = slices.Clone(s.noDefault)
	p, err := table.PlanInstall(s.ctx, s.conn, s.resolvedUplinks()...)
	if err == nil {
		return s.stepsByUplink(p.Net(), s.resolvedIndexes()), problems, nil
	}
	name, together, ok := problemOf(err)
	if !ok {
		return nil, nil, err
	}
	steps = make([][]step, len(s.uplinks))
	fails := false // an uplink cannot be installed even alone
	for i, u := range s.uplinks {
		if s.noDefault[i] != "" {
			continue
		}
		p, err := table.PlanInstall(s.ctx, s.conn, u.SourceRoutedUplink)
		if err != nil {
			if _, problems[i], ok = problemOf(err); !ok {
				return nil, nil, err
			}
			fails = true
		}
		steps[i] = stepsOf(p.Net())
	}
	if !fails {
		// Each uplink can be installed alone, but not with the others.
		for i, u := range s.uplinks {
			if u.Name == name {
				problems[i] = together
			}
		}
	}
	return steps, problems, nil
}

// addsName reports whether Install would add a name to rt_tables. Of several lines with the
// name, one has the step.
func addsName(todo [][]step, name string) bool {
	for _, s := range slices.Concat(todo...) {
		if s.Op == plan.AddName && s.Name == name {
			return true
		}
	}
	return false
}

// problemOf returns the uplink that an error is about, and the reason why it cannot be
// installed. The result ok is false if the error is not about an uplink.
func problemOf(err error) (name, reason string, ok bool) {
	var field *plan.FieldError
	var conflict *plan.ConflictError
	switch {
	case errors.As(err, &field):
		return field.Uplink, field.InWords(), true
	case errors.As(err, &conflict):
		return conflict.Uplink, conflict.InWords(), true
	}
	return "", "", false
}

// setState sets the state from what Remove would delete and what Install would do.
func (e *entry) setState(installed, todo []step) {
	present := slices.ContainsFunc(installed, func(s step) bool { return s.Op != plan.DeleteName })
	if !present {
		e.State = stateAbsent
		return
	}
	e.State = stateComplete
	for _, s := range todo {
		switch s.Op {
		case plan.AddRoute, plan.AddRule:
			e.Missing = append(e.Missing, s.object())
		case plan.ReplaceRoute:
			e.Changed = append(e.Changed, change{Is: replaced(s, installed), Wanted: s.object()})
		case plan.DeleteRoute, plan.DeleteRule:
			e.Extra = append(e.Extra, s.object())
		}
	}
	if len(e.Missing)+len(e.Changed)+len(e.Extra)+len(e.Overruled) > 0 || e.Problem != "" {
		e.State = stateIncomplete
	}
}

// leaveOutWithdrawn returns the steps without those that would add what the maintaining
// process has withdrawn, which it notes.
func (e *entry) leaveOutWithdrawn(todo []step, u *check.Uplink) []step {
	var left []step
	var withdrawn []string
	for _, s := range todo {
		if s.Op == plan.AddRule && u.IsWithdrawn(s.Rule) {
			withdrawn = append(withdrawn, s.object())
		} else {
			left = append(left, s)
		}
	}
	if len(withdrawn) > 0 {
		e.Notes = append(e.Notes, "withdrawn while the probes fail: "+strings.Join(withdrawn, ", "))
	}
	return left
}

// fillIn sets what the line leaves to the host: the table, and the sources, which are those
// of the rules that should exist.
func (e *entry) fillIn(u uplink, installed, todo []step) {
	anySource := u.takesAll()
	for _, s := range slices.Concat(installed, todo) {
		if s.Op == plan.AddName || s.Op == plan.DeleteName {
			continue
		}
		e.setTable(s)
		a, ok := sourceOf(s.Rule)
		extra := s.Op == plan.DeleteRule && slices.ContainsFunc(todo, func(x step) bool {
			return x.Op == s.Op && x.Rule == s.Rule
		})
		if ok && !extra && (anySource || !a.IsSingleIP()) {
			e.addSource(a)
		}
	}
}

// replaced returns the installed route that a step replaces.
func replaced(s step, installed []step) string {
	want := s.Route.Canonical()
	for _, x := range installed {
		if x.Op != plan.DeleteRoute {
			continue
		}
		if r := x.Route.Canonical(); sameKey(r, want) {
			return x.object()
		}
	}
	return "route"
}

// sameKey reports whether a table can have only one of both routes.
func sameKey(a, b route.Route) bool {
	return a.Family == b.Family && a.Table == b.Table && a.Dst == b.Dst && a.TOS == b.TOS && a.Priority == b.Priority
}
