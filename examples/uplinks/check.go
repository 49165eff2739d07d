package main

import (
	"fmt"
	"io"

	"github.com/policyroute/policyroute/table"
)

// A finding is what check found, in a report.
type finding struct {
	Code     table.Code     `json:"code"`
	Severity table.Severity `json:"severity"`
	Uplink   string         `json:"uplink,omitempty"`
	Object   string         `json:"object,omitempty"`
	Text     string         `json:"text"`
	Cure     string         `json:"cure,omitempty"`
}

// check looks at the uplinks and at what around them will hurt.
func (s *session) check() (int, error) {
	found, err := table.Check(s.ctx, s.conn, s.learned()...)
	if err != nil {
		return exitFailure, err
	}
	status := exitOK
	for i, why := range s.unlearned {
		if why != "" {
			u := s.uplinks[i]
			s.report.Findings = append(s.report.Findings, finding{
				Code: "gateway-unlearned", Severity: table.Fault, Uplink: u.Name, Object: u.Interface, Text: why,
				Cure: "look at the DHCP client, or the router's advertisements",
			})
			status = exitPending
		}
	}
	for _, f := range found {
		s.report.Findings = append(s.report.Findings, finding(f))
		if f.Severity > table.Note {
			status = exitPending
		}
	}
	return status, nil
}

// writeFindings writes a line for each finding, and one below it for the cure.
func (r *report) writeFindings(w io.Writer) {
	for _, f := range r.Findings {
		about := f.Uplink
		if about == "" {
			about = "host"
		}
		fmt.Fprintf(w, "%s: %s: %s [%s]\n", about, f.Severity, f.Text, f.Code)
		if f.Cure != "" {
			fmt.Fprintf(w, "    cure: %s\n", f.Cure)
		}
	}
}
