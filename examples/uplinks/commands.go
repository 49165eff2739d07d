package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
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

// plan reports the steps of up without doing them. It reports the steps of adopt if -adopt
// is given, or if up refuses and adopt does not.
func (s *session) plan() (int, error) {
	s.onlyPlans = true
	makePlan := s.installPlanner()
	if s.takesOver {
		makePlan = table.PlanAdopt
	}
	p, err := makePlan(s.ctx, s.conn, s.tableUplinks()...)
	if err == nil {
		p, err = s.withReplies(p)
	} else if isConflict(err) && !s.prune && !s.takesOver {
		if adopted, adoptErr := table.PlanAdopt(s.ctx, s.conn, s.tableUplinks()...); adoptErr == nil {
			text := explainFailure(err)
			s.report.Warnings = append(s.report.Warnings, "these are the steps of \"uplinks adopt\", because \"uplinks up\" would fail: "+text)
			p, err = s.withReplies(adopted)
		}
	}
	if err != nil {
		return exitFailure, err
	}
	p, names := p.CutNames()
	s.warnOfNames(names)
	s.recordPlan(p)
	s.recordTests(p)
	if s.impact {
		s.recordImpact(p)
	}
	if p.Empty() {
		return exitOK, nil
	}
	return exitPending, nil
}

// up installs the uplinks, all or none.
func (s *session) up() (int, error) {
	makePlan := s.installPlanner()
	status, err := s.applyPlan(s.installWith(makePlan))
	if conflict := new(plan.ConflictError); errors.As(err, &conflict) && conflict.Uplink != "" {
		if p, adoptErr := table.PlanAdopt(s.ctx, s.conn, s.tableUplinks()...); adoptErr == nil && !p.Empty() {
			err = &adoptableError{err}
		}
	}
	return status, err
}

// installWith returns the function that plans to install the uplinks, and to let answers leave
// by them.
func (s *session) installWith(makePlan planFunc) func() (plan.Plan, error) {
	return func() (plan.Plan, error) {
		p, err := makePlan(s.ctx, s.conn, s.tableUplinks()...)
		if err != nil {
			return p, err
		}
		if p, err = s.withReplies(p); err != nil {
			return p, err
		}
		return p, s.keepExpectations(p)
	}
}

// isConflict reports whether an error is about a rule or route of another program.
func isConflict(err error) bool {
	var conflict *plan.ConflictError
	return errors.As(err, &conflict)
}

// adopt installs the uplinks and replaces what scripts have made for them.
func (s *session) adopt() (int, error) {
	status, err := s.applyPlan(s.installWith(table.PlanAdopt))
	if err != nil {
		return status, err
	}
	if s.report.tookOver() {
		s.report.Warnings = append(s.report.Warnings, "remove the commands that made the old rules and routes, "+
			"such as those in /etc/rc.local: they would make these rules and routes again")
	}
	return status, s.reportStaying()
}

// reportStaying warns of other programs' rules that look up the uplinks' tables.
func (s *session) reportStaying() error {
	links, err := route.ListLinks(s.ctx, s.conn)
	if err != nil {
		return err
	}
	for r, err := range rule.All(s.ctx, s.conn, rule.Filter{}) {
		if err != nil {
			return err
		}
		for i, e := range s.report.Uplinks {
			u := s.uplinks[i]
			if own := cmp.Or(u.Protocol, table.Protocol); r.Table != 0 && uint32(r.Table) == e.Table && r.Protocol != own &&
				(u.family() == 0 || u.family() == r.Family) {
				s.report.Warnings = append(s.report.Warnings, fmt.Sprintf("uplink %s: a rule that is not in the file also looks up the uplink's table, and was not changed: %s",
					u.Name, r.Text(&route.Names{Links: links})))
				break
			}
		}
	}
	return nil
}

// tookOver reports whether a plan has replaced or deleted a rule or route of another
// program.
func (r *report) tookOver() bool {
	for _, e := range r.Uplinks {
		for _, s := range e.net {
			if s.Op == plan.DeleteRule && s.Rule.Protocol != e.protocol ||
				s.Op == plan.ReplaceRoute && s.Replaced.Protocol != e.protocol {
				return true
			}
		}
	}
	return false
}

// down removes the uplinks, and the default route that they share.
func (s *session) down() (int, error) {
	switch k, err := askMaintainer(s.control); {
	case err != nil && !errors.As(err, new(*unknownError)):
		s.report.Warnings = append(s.report.Warnings, "\"uplinks run\" may install the uplinks again: "+whoIsUnknown+err.Error())
	case k != nil:
		s.report.Warnings = append(s.report.Warnings, fmt.Sprintf("process %d maintains uplinks, "+
			"and will install them again: stop the process first, or delete the lines from the file and run \"uplinks reload\"", k.PID))
	}
	if s.shared != nil {
		if err := s.shared.Remove(s.ctx, s.conn); err != nil {
			return exitFailure, err
		}
	}
	status, err := s.applyPlan(func() (plan.Plan, error) {
		p, err := table.PlanRemove(s.ctx, s.conn, s.tableUplinks()...)
		if err != nil {
			return p, err
		}
		return s.withoutReplies(p)
	})
	if s.lacksNames { // a name is left
		status = exitFailure
	}
	if err != nil && s.shared != nil { // its removal was another transaction
		s.report.Warnings = append(s.report.Warnings, "the default route that the uplinks share is removed, "+
			"but the uplinks are not: correct the error, and run \"uplinks down\" again")
	}
	return status, err
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
	s.warnOfNames(names)
	if err != nil {
		if applied {
			s.recordLeft(err)
		}
		return exitFailure, err
	}
	s.recordPlan(done)
	return exitOK, nil
}

// warnOfNames adds the names that cannot be in rt_tables to the report.
func (s *session) warnOfNames(names []*plan.NameError) {
	s.lacksNames = len(names) > 0
	for _, e := range names {
		s.report.Warnings = append(s.report.Warnings, strings.TrimPrefix(e.Error(), "table: "))
	}
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
			o := s.report.unlistedEntry(cmp.Or(step.Uplink, replyName))
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
			o := s.report.unlistedEntry(cmp.Or(step.Uplink, replyName))
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
		case plan.CommitNFT:
			parts = append(parts, "changed table "+s.NFT.Table()+" of nf_tables")
		case plan.AddName:
			parts = append(parts, fmt.Sprintf("named table %d %s", uint32(s.Table), s.Name))
		case plan.DeleteName:
			parts = append(parts, fmt.Sprintf("removed the name %s of table %d", s.Name, uint32(s.Table)))
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
