package main

import (
	"fmt"
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
	// Reply is the line about answers. Its Config can have several lines, or none.
	Reply *lineStatus `json:"reply,omitempty"`
	// Fighting maps the name of an uplink to the program that keeps undoing it.
	Fighting map[string]string `json:"fighting,omitempty"`
	Repairs  uint64            `json:"repairs"`
	Failures uint64            `json:"failures"`
	Lost     uint64            `json:"lost"`
	// These count everything that the process did, for all uplinks together.
	Looks     uint64 `json:"looks,omitempty"`
	Changes   uint64 `json:"changes,omitempty"`
	Steps     uint64 `json:"steps,omitempty"`
	Fights    uint64 `json:"fights,omitempty"`
	Postponed uint64 `json:"postponed,omitempty"`
	Redials   uint64 `json:"redials,omitempty"`
	// Events are the last events, the oldest first.
	Events []loggedEvent `json:"events,omitempty"`
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

	// Probed says that the line has a probe.
	Probed bool `json:"probed,omitempty"`
	// LastProbe is when the last probe ended, ProbeSeconds how long it took, and
	// ProbeError why it failed.
	LastProbe    time.Time `json:"last_probe,omitzero"`
	ProbeSeconds float64   `json:"probe_seconds,omitempty"`
	ProbeError   string    `json:"probe_error,omitempty"`

	// How often something happened to this uplink since the process began.
	Repairs       uint64 `json:"repairs,omitempty"`
	Failures      uint64 `json:"failures,omitempty"`
	Fights        uint64 `json:"fights,omitempty"`
	Probes        uint64 `json:"probes,omitempty"`
	ProbeFailures uint64 `json:"probe_failures,omitempty"`

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
	text := strings.TrimSpace(l.Name+" "+l.Family) + ": " + l.State
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	return text
}

// status returns the status of a line of the file, or nil if the process does not have it.
// M can be nil.
func (m *maintainer) status(e *entry) *lineStatus {
	if m == nil {
		return nil
	}
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

// lines returns the process, and what is worth knowing about it and the lines that it has.
func (m *maintainer) lines(entries []*entry, t terminal, now time.Time) []line {
	lines := wrapped(plain, fmt.Sprintf("monitored by process %d since %s: %s",
		m.PID, m.Since.Format(time.DateTime), plural(int(m.Repairs), "repair")), t)
	add := func(s style, format string, args ...any) {
		lines = append(lines, wrapped(s, "    "+oneLine(fmt.Sprintf(format, args...)), t)...)
	}
	if m.Reload != nil && m.Reload.Error != "" {
		add(red, "the last reload was refused, and the old lines are still in use: %s", m.Reload.Error)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Fighting)) {
		add(red, "%s: repairs are limited: %s", name, m.Fighting[name])
	}
	for _, l := range m.Default {
		s := red
		if l.State == lineInstalled {
			s = plain
		}
		add(s, "shared default %s: %s", l.Family, strings.TrimSuffix(l.State+": "+l.Reason, ": "))
	}
	if l := m.Reply; l != nil && l.State != lineInstalled {
		add(red, "answers: %s", strings.TrimSuffix(l.State+": "+l.Reason, ": "))
	}
	for _, l := range m.Uplinks {
		if !slices.ContainsFunc(entries, func(e *entry) bool { return e.Name == l.Name && e.Family == l.Family }) {
			add(plain, "%s %s: monitored as well, but not selected here", l.Name, l.Family)
		}
	}
	return lines
}

// remarks returns what is worth knowing about a line: that the process does not have it,
// that it waits, or that the process believes it complete and it is not.
func (m *maintainer) remarks(e *entry, now time.Time) []string {
	line := m.status(e)
	if line == nil {
		return []string{"not monitored: \"uplinks run\" was started without this uplink, or has not read the file again"}
	}
	var all []string
	if line.Config != e.Config {
		all = append(all, "monitored with the old line, until \"uplinks run\" reads the file again: "+line.Config)
	}
	since := " (for " + now.Sub(line.Since).Truncate(time.Second).String() + ")"
	switch {
	case line.State == linePending:
		all = append(all, "waits: "+line.Reason+since)
	case line.State == lineFailed:
		all = append(all, "failed, and will be tried again: "+line.Reason+since)
	case line.State == lineStarting:
		all = append(all, "not checked yet"+since)
	case e.State != stateComplete && e.Overruled == nil && line.Health != maintain.EventUnhealthy.String() && line.Config == e.Config:
		all = append(all, "\"uplinks run\" has not repaired this yet: if it stays, see its log")
	}
	if line.Overruled != "" && e.Overruled == nil {
		all = append(all, "overruled: "+line.Overruled)
	}
	switch {
	case line.ProbeError != "" && line.Health != maintain.EventHealthy.String():
		all = append(all, "the last probe failed: "+line.ProbeError)
	case line.Health == maintain.EventUnhealthy.String():
		all = append(all, "the probes fail")
	case line.Health != "" && line.Health != maintain.EventHealthy.String():
		all = append(all, line.Health) // why nothing can be probed
	}
	return all
}
