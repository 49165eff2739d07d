package main

import (
	"fmt"
	"io"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/table/check"
)

// A finding is a [check.Finding] in a report.
type finding struct {
	Code     check.Code     `json:"code"`
	Severity check.Severity `json:"severity"`
	Uplink   string         `json:"uplink,omitempty"`
	Object   string         `json:"object,omitempty"`
	Text     string         `json:"text"`
	Cure     string         `json:"cure,omitempty"`
}

// check reports what is wrong with the uplinks, and what else on the host will cause trouble.
func (s *session) check() (int, error) {
	found, err := check.Run(s.ctx, s.conn, s.resolvedUplinks()...)
	if err != nil {
		return exitFailure, err
	}
	status := exitOK
	for i, reason := range s.noDefault {
		if reason != "" {
			u := s.uplinks[i]
			s.report.Findings = append(s.report.Findings, finding{
				Code: "gateway-unlearned", Severity: check.Fault, Uplink: u.Name, Object: u.Interface, Text: reason,
				Cure: "look at the DHCP client, or the router's advertisements",
			})
			status = exitPending
		}
	}
	for _, f := range found {
		f.Cure = iptext.InNetNS(s.givenNetNS, f.Cure)
		s.report.Findings = append(s.report.Findings, finding(f))
		if f.Severity > check.Note {
			status = exitPending
		}
	}
	return status, nil
}

// writeFindings prints a line for each finding, and below it a line for the cure.
func (r *report) writeFindings(w io.Writer) {
	for _, f := range r.Findings {
		subject := f.Uplink
		if subject == "" {
			subject = "host"
		}
		fmt.Fprintf(w, "%s: %s: %s [%s]\n", subject, f.Severity, f.Text, f.Code)
		if f.Cure != "" {
			fmt.Fprintf(w, "    cure: %s\n", f.Cure)
		}
	}
}
