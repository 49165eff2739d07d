package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/health"
)

// A keeper is a process that maintains uplinks, in a report. It tells status so itself,
// as JSON.
type keeper struct {
	PID     int         `json:"pid"`
	Since   time.Time   `json:"since"`
	File    string      `json:"file"`
	Uplinks []*keptLine `json:"uplinks"`
	// Default is what is shared, a line for each family.
	Default []*keptLine `json:"default,omitempty"`
	// Fighting has the opponents in fights that are not over, by the uplinks' names.
	Fighting map[string]string `json:"fighting,omitempty"`
	Repairs  uint64            `json:"repairs"`
	Failures uint64            `json:"failures"`
	Lost     uint64            `json:"lost"`
}

// A keptLine is a line of the file as the keeper has read it, and what the last event
// said about it.
type keptLine struct {
	Name   string    `json:"name"`
	Family string    `json:"family"`
	Config string    `json:"config"`
	State  string    `json:"state"`
	Reason string    `json:"reason,omitempty"`
	Health string    `json:"health,omitempty"`
	Since  time.Time `json:"since"` // of State and Reason

	family route.Family
}

// States of a line that is kept. Without any event it is looked at first.
const (
	keptStarting  = "starting"
	keptInstalled = "installed"
	keptPending   = "pending"
	keptFailed    = "failed"
)

// A record is what a service knows of its uplinks by the events. It may be used by
// several goroutines.
type record struct {
	mu  sync.Mutex
	is  keeper
	was []*keptLine // before an update that is not through yet
}

// begin says who keeps what.
func (r *record) begin(file string, uplinks []uplink) {
	if path, err := filepath.Abs(file); err == nil {
		file = path
	}
	r.is = keeper{PID: os.Getpid(), Since: time.Now(), File: file}
	r.declare(uplinks)
}

// declare says what is to be kept. What was known of a line stays.
func (r *record) declare(uplinks []uplink) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []*keptLine
	for _, u := range uplinks {
		e := newEntry(u)
		k := &keptLine{Name: e.Name, Family: e.Family, Config: e.Config, family: u.family(), State: keptStarting, Since: time.Now()}
		i := slices.IndexFunc(r.is.Uplinks, func(o *keptLine) bool { return o.Name == k.Name && o.Family == k.Family })
		if i >= 0 {
			o := r.is.Uplinks[i]
			k.State, k.Reason, k.Health, k.Since = o.State, o.Reason, o.Health, o.Since
		}
		lines = append(lines, k)
	}
	r.was, r.is.Uplinks = r.is.Uplinks, lines
}

// refused says that the last declaration is not taken over.
func (r *record) refused() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.was != nil {
		r.is.Uplinks, r.was = r.was, nil
	}
}

// note takes over what an event says.
func (r *record) note(e table.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Kind {
	case table.EventReady:
		r.was = nil
		return
	case table.EventFighting:
		if r.is.Fighting == nil {
			r.is.Fighting = make(map[string]string)
		}
		r.is.Fighting[e.Uplink] = e.Reason
		return
	case table.EventCalm:
		if delete(r.is.Fighting, e.Uplink); e.Uplink == "" {
			clear(r.is.Fighting)
		}
		return
	}
	k := r.line(e)
	if k == nil {
		return // it is about none of them, or one that goes
	}
	state, reason := k.State, k.Reason
	switch e.Kind {
	case table.EventRemoved:
		r.is.Default = slices.DeleteFunc(r.is.Default, func(o *keptLine) bool { return o == k })
	case table.EventInstalled:
		state, reason = keptInstalled, ""
	case table.EventPending:
		state, reason = keptPending, e.Reason
	case table.EventFailed:
		var name *table.NameError
		var probe *health.Error
		switch {
		case errors.As(e.Err, &probe):
			k.Health = explain(e.Err)
		case !errors.As(e.Err, &name):
			state, reason = keptFailed, explain(e.Err)
		}
	case table.EventHealthy, table.EventUnhealthy:
		k.Health = e.Kind.String()
	}
	if state != k.State || reason != k.Reason {
		k.State, k.Reason, k.Since = state, reason, time.Now()
	}
}

// line is the one that an event is about. The lock is held.
func (r *record) line(e table.Event) *keptLine {
	about := func(k *keptLine) bool {
		return k.Name == e.Uplink && (k.family == e.Family || k.family == 0 || e.Family == 0)
	}
	if i := slices.IndexFunc(r.is.Uplinks, about); i >= 0 {
		return r.is.Uplinks[i]
	}
	if e.Uplink != sharedName {
		return nil
	}
	i := slices.IndexFunc(r.is.Default, about)
	if i < 0 {
		i = len(r.is.Default)
		r.is.Default = append(r.is.Default, &keptLine{Name: e.Uplink, Family: e.Family.String(), family: e.Family})
	}
	return r.is.Default[i]
}

// missing are the lines that are not complete, each with why.
func (r *record) missing() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, k := range slices.Concat(r.is.Uplinks, r.is.Default) {
		if k.State != keptInstalled {
			all = append(all, k.String())
		}
	}
	return all
}

// count is how many lines are complete, and how many there are.
func (r *record) count() (complete, all int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.is.Uplinks {
		if k.State == keptInstalled {
			complete++
		}
	}
	return complete, len(r.is.Uplinks)
}

// String is the line and its state in words.
func (k *keptLine) String() string {
	text := fmt.Sprintf("%s %s: %s", k.Name, k.Family, k.State)
	if k.Reason != "" {
		text += ": " + k.Reason
	}
	return text
}

// now is what status is told.
func (r *record) now(c *table.Counters) keeper {
	r.mu.Lock()
	defer r.mu.Unlock()
	is := r.is
	is.Fighting = maps.Clone(is.Fighting)
	is.Uplinks, is.Default = copyLines(is.Uplinks), copyLines(is.Default)
	is.Repairs, is.Failures, is.Lost = c.Repairs.Load(), c.Failures.Load(), c.Lost.Load()
	return is
}

func copyLines(lines []*keptLine) []*keptLine {
	all := make([]*keptLine, len(lines))
	for i, k := range lines {
		line := *k
		all[i] = &line
	}
	return all
}

// kept looks up a line.
func (k *keeper) kept(e *entry) *keptLine {
	i := slices.IndexFunc(k.Uplinks, func(o *keptLine) bool { return o.Name == e.Name && o.Family == e.Family })
	if i < 0 {
		return nil
	}
	return k.Uplinks[i]
}

// write says who keeps the uplinks, and what of that does not go without saying.
func (k *keeper) write(w io.Writer, entries []*entry, now time.Time) {
	fmt.Fprintf(w, "kept by process %d since %s: %s\n", k.PID, k.Since.Format(time.DateTime), plural(int(k.Repairs), "repair"))
	for _, name := range slices.Sorted(maps.Keys(k.Fighting)) {
		fmt.Fprintf(w, "    %s: repaired slowly, in a fight: %s\n", name, k.Fighting[name])
	}
	for _, e := range entries {
		for _, text := range k.about(e, now) {
			fmt.Fprintf(w, "    %s %s: %s\n", e.Name, e.Family, text)
		}
	}
	for _, line := range k.Default {
		fmt.Fprintf(w, "    shared default %s: %s\n", line.Family, strings.TrimSuffix(line.State+": "+line.Reason, ": "))
	}
	for _, line := range k.Uplinks {
		if !slices.ContainsFunc(entries, func(e *entry) bool { return e.Name == line.Name && e.Family == line.Family }) {
			fmt.Fprintf(w, "    %s %s: also kept, and not asked for here\n", line.Name, line.Family)
		}
	}
}

// about is what there is to be said of a line: that the process does not know it, that
// it waits, or that it holds for complete what is not.
func (k *keeper) about(e *entry, now time.Time) []string {
	line := k.kept(e)
	if line == nil {
		return []string{"not kept: run was not told of it, or has not read the file again"}
	}
	var all []string
	if line.Config != e.Config {
		all = append(all, "kept as another line, until the file is read again: "+line.Config)
	}
	since := " (for " + now.Sub(line.Since).Truncate(time.Second).String() + ")"
	switch {
	case line.State == keptPending:
		all = append(all, "waits: "+line.Reason+since)
	case line.State == keptFailed:
		all = append(all, "failed, and is tried again: "+line.Reason+since)
	case line.State == keptStarting:
		all = append(all, "not looked at yet"+since)
	case e.State != stateComplete && line.Health != table.EventUnhealthy.String() && line.Config == e.Config:
		all = append(all, "the process holds it for complete: it may be at work just now; if this stays, look at its log")
	}
	if line.Health != "" {
		all = append(all, line.Health)
	}
	return all
}

// oneLine is an error or an event in one line.
func oneLine(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ") }
