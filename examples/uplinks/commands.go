package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/plan"
)

type planFunc func(context.Context, route.Conn, ...table.SourceRoutedUplink) (plan.Plan, error)

// installPlanner returns the function that makes the plan of up.
func (s *session) installPlanner() planFunc {
	if !s.prune {
		return table.PlanInstall
	}
	return func(ctx context.Context, c route.Conn, uplinks ...table.SourceRoutedUplink) (plan.Plan, error) {
		return table.PlanSyncIn(ctx, c, s.etc, uplinks...)
	}
}

// plan reports the steps of up without doing them.
func (s *session) plan() (int, error) {
	p, err := s.installPlanner()(s.ctx, s.conn, s.tableUplinks()...)
	if err != nil {
		return exitFailure, err
	}
	s.recordPlan(p)
	if p.Empty() {
		return exitOK, nil
	}
	return exitPending, nil
}

// up installs the uplinks, all or none.
func (s *session) up() (int, error) {
	makePlan := s.installPlanner()
	status, err := s.applyPlan(func() (plan.Plan, error) { return makePlan(s.ctx, s.conn, s.tableUplinks()...) })
	if errors.As(err, new(*plan.ConflictError)) {
		if p, adoptErr := table.PlanAdopt(s.ctx, s.conn, s.tableUplinks()...); adoptErr == nil && !p.Empty() {
			err = &adoptableError{err}
		}
	}
	return status, err
}

// down removes the uplinks, and the default route that they share.
func (s *session) down() (int, error) {
	if k, err := askMaintainer(s.netns); err == nil && k != nil {
		s.report.Warnings = append(s.report.Warnings, fmt.Sprintf("process %d maintains uplinks, "+
			"and brings back those of its file: stop it first, or delete lines and send it SIGHUP", k.PID))
	}
	if s.shared != nil {
		if err := s.shared.Remove(s.ctx, s.conn); err != nil {
			return exitFailure, err
		}
	}
	return s.applyPlan(func() (plan.Plan, error) { return table.PlanRemove(s.ctx, s.conn, s.tableUplinks()...) })
}

// recover cleans up after a command that was killed.
func (s *session) recover() (int, error) {
	protocols := []route.Protocol{table.Protocol}
	for _, u := range s.uplinks {
		if u.Protocol != 0 && !slices.Contains(protocols, u.Protocol) {
			protocols = append(protocols, u.Protocol)
		}
	}
	return s.applyPlan(func() (plan.Plan, error) { return table.PlanRecover(s.ctx, s.conn, protocols...) })
}

// applyPlan makes a plan, applies it under the lock, and reports it.
func (s *session) applyPlan(makePlan func() (plan.Plan, error)) (int, error) {
	var p, done plan.Plan
	var names []*plan.NameError
	applied := false
	err := plan.Lock(s.ctx, s.conn, func() (err error) {
		if p, err = makePlan(); err != nil || p.Empty() {
			return err
		}
		applied = true
		err = p.ApplyLocked(s.ctx, s.conn)
		done = p.Done(err)
		names, err = nameErrors(err)
		return err
	})
	for _, e := range names {
		s.report.Warnings = append(s.report.Warnings, strings.TrimPrefix(e.Error(), "table: "))
	}
	if err != nil {
		if applied {
			s.recordLeft(err)
		}
		return exitFailure, err
	}
	s.recordPlan(done)
	return exitOK, nil
}

// A step is a step of a plan. The plan has the names for its text.
type step struct {
	plan.Step
	plan plan.Plan
}

// command returns the ip command of the step.
func (s *step) command() string { return s.plan.Command(&s.Step) }

// object returns the route, rule or name of the step.
func (s *step) object() string { return s.plan.Object(&s.Step) }

// stepsOf returns the steps of a plan.
func stepsOf(p plan.Plan) []step {
	steps := make([]step, len(p.Steps))
	for i := range p.Steps {
		steps[i] = step{p.Steps[i], p}
	}
	return steps
}

// recordPlan adds the steps of a plan to the report, each to its uplink.
func (s *session) recordPlan(p plan.Plan) {
	p = p.InNetNS(s.givenNetNS)
	s.report.plan = p
	for _, step := range stepsOf(p) {
		if step.Owner != plan.NoOwner {
			e := s.report.Uplinks[step.Owner]
			e.Steps = append(e.Steps, step.command())
		} else {
			o := s.report.unlistedEntry(step.Uplink)
			o.Steps = append(o.Steps, step.command())
		}
	}
	// The text output leaves out temporary rules and routes.
	for _, step := range stepsOf(p.Net()) {
		if step.Owner != plan.NoOwner {
			e := s.report.Uplinks[step.Owner]
			e.net = append(e.net, step)
			e.setTable(step)
		} else {
			o := s.report.unlistedEntry(step.Uplink)
			o.net = append(o.net, step)
		}
	}
}

// summary returns the steps in a few words.
func summary(steps []step) string {
	count := make(map[plan.Op]int)
	for _, s := range steps {
		count[s.Op]++
	}
	var parts []string
	for _, verb := range []struct {
		verb        string
		route, rule plan.Op
	}{
		{"added", plan.AddRoute, plan.AddRule},
		{"replaced", plan.ReplaceRoute, 0},
		{"deleted", plan.DeleteRoute, plan.DeleteRule},
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
		case plan.AddName:
			parts = append(parts, fmt.Sprintf("named table %d", uint32(s.Table)))
		case plan.DeleteName:
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
