package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/maintain"
)

// A maintainer is the part of a report about the process that maintains the uplinks. That
// process sends it to status, as JSON.
type maintainer struct {
	PID     int           `json:"pid"`
	Since   time.Time     `json:"since"`
	File    string        `json:"file"`
	Uplinks []*lineStatus `json:"uplinks"`
	// Default has a line for each family of the shared default route.
	Default []*lineStatus `json:"default,omitempty"`
	// Fighting maps the name of an uplink to the program that keeps undoing it.
	Fighting map[string]string `json:"fighting,omitempty"`
	Repairs  uint64            `json:"repairs"`
	Failures uint64            `json:"failures"`
	Lost     uint64            `json:"lost"`
	// Reload is nil if the process is of a version that did not have it.
	Reload *reloadStatus `json:"reload,omitempty"`
}

// A lineStatus is a line of the file as the maintaining process has read it, with the
// state from the last event about it.
type lineStatus struct {
	Name   string `json:"name"`
	Family string `json:"family"`
	Config string `json:"config"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Health string `json:"health,omitempty"`
	// Overruled is the rule of another program that takes the packets. Empty: none does.
	Overruled string    `json:"overruled,omitempty"`
	Since     time.Time `json:"since"` // when State or Reason last changed

	family route.Family
}

// States of a line. Before the first event the state is lineStarting.
const (
	lineStarting  = "starting"
	lineInstalled = "installed"
	linePending   = "pending"
	lineFailed    = "failed"
)

// String returns the name and the family of the line, and its state.
func (l *lineStatus) String() string {
	text := fmt.Sprintf("%s %s: %s", l.Name, l.Family, l.State)
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	return text
}

// status returns the status of a line of the file, or nil if the process does not have it.
func (m *maintainer) status(e *entry) *lineStatus {
	i := slices.IndexFunc(m.Uplinks, func(o *lineStatus) bool { return o.Name == e.Name && o.Family == e.Family })
	if i < 0 {
		return nil
	}
	return m.Uplinks[i]
}

// withdrawn returns the rules of Also of an uplink that the process has deleted while the
// probes of the uplink fail, if it has the uplink as the file says. M can be nil.
func (m *maintainer) withdrawn(e *entry, u *uplink) []rule.Rule {
	if m == nil || u.Health == nil || !u.Health.Withdraw {
		return nil
	}
	line := m.status(e)
	if line == nil || line.Config != e.Config || line.Health != maintain.EventUnhealthy.String() {
		return nil
	}
	var all []rule.Rule
	for _, r := range u.Also {
		if isMarked := r.FwMark.Value()&r.FwMark.Mask() != 0 && !r.Not; !isMarked || u.Health.WithdrawMarked {
			all = append(all, r)
		}
	}
	return all
}

// write prints the process, and what is worth knowing about the lines that it maintains.
func (m *maintainer) write(w io.Writer, entries []*entry, now time.Time) {
	fmt.Fprintf(w, "kept by process %d since %s: %s\n", m.PID, m.Since.Format(time.DateTime), plural(int(m.Repairs), "repair"))
	if m.Reload != nil && m.Reload.Error != "" {
		fmt.Fprintf(w, "    the last reload was refused, the lines are those of before: %s\n", oneLine(m.Reload.Error))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Fighting)) {
		fmt.Fprintf(w, "    %s: repaired slowly, in a fight: %s\n", oneLine(name), oneLine(m.Fighting[name]))
	}
	for _, e := range entries {
		for _, text := range m.remarks(e, now) {
			fmt.Fprintf(w, "    %s %s: %s\n", e.Name, e.Family, oneLine(text))
		}
	}
	for _, line := range m.Default {
		fmt.Fprintf(w, "    shared default %s: %s\n", line.Family, oneLine(strings.TrimSuffix(line.State+": "+line.Reason, ": ")))
	}
	for _, line := range m.Uplinks {
		if !slices.ContainsFunc(entries, func(e *entry) bool { return e.Name == line.Name && e.Family == line.Family }) {
			fmt.Fprintf(w, "    %s %s: also kept, and not asked for here\n", line.Name, line.Family)
		}
	}
}

// remarks returns what is worth knowing about a line: that the process does not have it,
// that it waits, or that the process believes it complete and it is not.
func (m *maintainer) remarks(e *entry, now time.Time) []string {
	line := m.status(e)
	if line == nil {
		return []string{"not kept: run was not told of it, or has not read the file again"}
	}
	var all []string
	if line.Config != e.Config {
		all = append(all, "kept as another line, until the file is read again: "+line.Config)
	}
	since := " (for " + now.Sub(line.Since).Truncate(time.Second).String() + ")"
	switch {
	case line.State == linePending:
		all = append(all, "waits: "+line.Reason+since)
	case line.State == lineFailed:
		all = append(all, "failed, and is tried again: "+line.Reason+since)
	case line.State == lineStarting:
		all = append(all, "not looked at yet"+since)
	case e.State != stateComplete && e.Overruled == nil && line.Health != maintain.EventUnhealthy.String() && line.Config == e.Config:
		all = append(all, "the process holds it for complete: it may be at work just now; if this stays, look at its log")
	}
	if line.Overruled != "" && e.Overruled == nil {
		all = append(all, "overruled: "+line.Overruled)
	}
	if line.Health != "" {
		all = append(all, line.Health)
	}
	return all
}
