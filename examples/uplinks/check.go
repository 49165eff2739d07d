package main

import (
	"fmt"
	"io"
	"slices"

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
	config := check.Config{Multihomed: s.multihomed, Reply: s.reply.maintained()}
	others, err := s.installedOthers()
	if err != nil {
		return exitFailure, err
	}
	config.ReplyUplinks = others
	if d := s.shared; d != nil {
		config.Default = &check.Default{Table: d.Table, Metric: d.Metric, Protocol: d.Protocol}
	}
	m, _ := askMaintainer(s.control) // status says why it is not known
	found, err := check.Examine(s.ctx, s.conn, &config, s.examined(m)...)
	if err != nil {
		return exitFailure, err
	}
	unexpected, err := s.checkExpectations()
	if err != nil {
		return exitFailure, err
	}
	status := exitOK
	for _, f := range append(found, unexpected...) {
		f.Cure = iptext.InNetNS(s.givenNetNS, f.Cure)
		s.report.Findings = append(s.report.Findings, finding(f))
		if f.Severity > check.Note {
			status = exitPending
		}
	}
	return status, nil
}

// examined returns the uplinks in the type of package check. The maintainer can be nil.
func (s *session) examined(m *maintainer) []check.Uplink {
	all := make([]check.Uplink, len(s.uplinks))
	for i, u := range s.uplinks {
		all[i] = check.Uplink{SourceRoutedUplink: u.SourceRoutedUplink, Pending: s.noDefault[i], Masquerade: u.Masquerade}
		all[i].Withdrawn = m.withdrawn(s.report.Uplinks[i], &s.uplinks[i])
		if h := u.Health; h != nil {
			all[i].Targets = slices.Clone(h.Echo)
			for _, a := range h.TCP {
				all[i].Targets = append(all[i].Targets, a.Addr())
			}
		}
	}
	return all
}

// writeFindings prints a line for each finding, and below it a line for the cure.
func (r *report) writeFindings(w io.Writer) {
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "no problems found")
	}
	for _, f := range r.Findings {
		subject := f.Uplink
		if subject == "" {
			subject = "host"
		}
		fmt.Fprintf(w, "%s: %s: %s [%s]\n", oneLine(subject), f.Severity, oneLine(f.Text), f.Code)
		if f.Cure != "" {
			fmt.Fprintf(w, "    cure: %s\n", f.Cure)
		}
	}
}
