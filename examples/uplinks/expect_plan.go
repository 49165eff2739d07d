package main

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/plan"
)

// codeExpectation is the code of a finding about a packet that does not take the way that the
// file expects.
const codeExpectation check.Code = "expectation"

// An expectationError says that a plan would break expectations that hold.
type expectationError struct{ broken []tested }

func (e *expectationError) Error() string {
	var lines []string
	for i := range e.broken {
		r := &e.broken[i]
		lines = append(lines, r.position()+": after the change, "+r.failure())
	}
	return fmt.Sprintf("the change breaks what the file expects (-force makes it nevertheless): %s", strings.Join(lines, "; "))
}

// testPlan compares the expectations of the file with the host before and after a plan.
func (s *session) testPlan(p plan.Plan) ([]tested, error) {
	if len(s.expectations) == 0 {
		return nil, nil
	}
	before, err := explain.Take(s.ctx, s.conn)
	if err != nil {
		return nil, err
	}
	then, now := test(s.expectations, before.After(p.Steps)), test(s.expectations, before)
	for i := range then {
		then[i].Held = &now[i].Holds
	}
	return then, nil
}

// recordTests adds the expectations to the report of plan, and a warning for each one that does
// not hold after the plan.
func (s *session) recordTests(p plan.Plan) {
	tests, err := s.testPlan(p)
	if err != nil {
		s.report.Warnings = append(s.report.Warnings, "whether the file's expectations hold is not known: "+errorText(err))
		return
	}
	s.report.Tests = tests
	for i := range tests {
		r := &tests[i]
		if r.Holds {
			continue
		}
		text := r.position() + ": after the change, " + r.failure()
		if *r.Held {
			text += "; \"uplinks up\" refuses that without -force"
		}
		s.report.Warnings = append(s.report.Warnings, text)
	}
}

// keepExpectations returns an error if a plan breaks expectations that hold.
func (s *session) keepExpectations(p plan.Plan) error {
	if s.force || p.Empty() {
		return nil
	}
	tests, err := s.testPlan(p)
	if err != nil {
		return fmt.Errorf("whether the file's expectations hold is not known (-force installs the uplinks nevertheless): %w", err)
	}
	var e expectationError
	for _, r := range tests {
		if !r.Holds && *r.Held {
			e.broken = append(e.broken, r)
		}
	}
	if len(e.broken) > 0 {
		return &e
	}
	return nil
}

// checkExpectations returns a finding for each expectation that does not hold.
func (s *session) checkExpectations() ([]check.Finding, error) {
	if len(s.expectations) == 0 {
		return nil, nil
	}
	w, err := explain.Take(s.ctx, s.conn)
	if err != nil {
		return nil, err
	}
	var found []check.Finding
	for i, r := range test(s.expectations, w) {
		if r.Holds {
			continue
		}
		x := &s.expectations[i]
		f := check.Finding{
			Code: codeExpectation, Severity: check.Fault, Object: r.position(), Text: r.failure(),
			Cure: "uplinks -v explain " + r.Packet,
		}
		if x.way.isName {
			f.Uplink = x.way.name
		}
		found = append(found, f)
	}
	return found, nil
}
