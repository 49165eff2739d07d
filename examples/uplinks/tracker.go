package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// A tracker follows the events of [maintain.Run] and knows the state of each line of the
// file. Several goroutines may use it.
type tracker struct {
	mu       sync.Mutex
	current  maintainer
	reload   reloadStatus
	events   uint64        // so far
	previous []*lineStatus // the lines before an update that may still be refused
	// previousReply is that of the lines about answers.
	previousReply *lineStatus
}

// start sets the file and its uplinks.
func (t *tracker) start(name string, file *config) {
	if path, err := filepath.Abs(name); err == nil {
		name = path
	}
	t.current = maintainer{PID: os.Getpid(), Since: time.Now(), File: name}
	t.declare(file)
}

// declare replaces the lines. A line that existed before keeps its state.
func (t *tracker) declare(file *config) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []*lineStatus
	for _, u := range file.uplinks {
		e := newEntry(u)
		l := &lineStatus{Name: e.Name, Family: e.Family, State: lineStarting, Since: time.Now()}
		i := slices.IndexFunc(t.current.Uplinks, func(o *lineStatus) bool { return o.Name == l.Name && o.Family == l.Family })
		if i >= 0 {
			*l = *t.current.Uplinks[i]
		}
		l.Config, l.family, l.Probed = e.Config, u.family(), u.Health != nil
		lines = append(lines, l)
	}
	t.previous, t.current.Uplinks = t.current.Uplinks, lines
	t.previousReply = t.current.Reply
	t.current.Reply = declareReply(t.current.Reply, file)
}

// declareReply returns the line about answers, which keeps its state, or nil if the file asks
// for nothing.
func declareReply(was *lineStatus, file *config) *lineStatus {
	if !file.asksForReplies() {
		return nil
	}
	l := &lineStatus{Name: replyName, State: lineStarting, Since: time.Now()}
	if was != nil {
		*l = *was
	}
	l.Config = strings.Join(file.reply.lines(), "\n")
	return l
}

// restorePrevious undoes the last declare after the update was refused.
func (t *tracker) restorePrevious() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.previous != nil {
		t.current.Uplinks, t.previous = t.previous, nil
		t.current.Reply = t.previousReply
	}
}

// handle updates the state with an event.
func (t *tracker) handle(e maintain.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.countEvent(e)
	switch e.Kind {
	case maintain.EventRepaired:
		t.current.Repairs++
	case maintain.EventReady:
		t.previous = nil
		return
	case maintain.EventFighting:
		if t.current.Fighting == nil {
			t.current.Fighting = make(map[string]string)
		}
		t.current.Fighting[e.Uplink] = e.Reason
		return
	case maintain.EventCalm:
		if delete(t.current.Fighting, e.Uplink); e.Uplink == "" {
			clear(t.current.Fighting)
		}
		return
	}
	l := t.findLine(e)
	if l == nil {
		return // an uplink that is not in the file, such as one that is being removed
	}
	state, reason := l.State, l.Reason
	switch e.Kind {
	case maintain.EventRemoved:
		t.current.Default = slices.DeleteFunc(t.current.Default, func(o *lineStatus) bool { return o == l })
	case maintain.EventInstalled:
		state, reason = lineInstalled, ""
	case maintain.EventPending:
		state, reason = linePending, e.Reason
	case maintain.EventFailed:
		var name *plan.NameError
		var probe *health.Error
		switch {
		case errors.As(e.Err, &probe):
			l.Health = errorText(e.Err)
		case !errors.As(e.Err, &name):
			state, reason = lineFailed, explainFailure(e.Err)
		}
	case maintain.EventHealthy, maintain.EventUnhealthy:
		l.Health = e.Kind.String()
	case maintain.EventOverruled:
		l.Overruled = e.Reason
	case maintain.EventInForce:
		l.Overruled = ""
	}
	if state != l.State || reason != l.Reason {
		l.State, l.Reason, l.Since = state, reason, time.Now()
	}
}

// findLine returns the line that an event applies to, or nil. The first event about the
// shared default of a family adds a line. The caller holds the lock.
func (t *tracker) findLine(e maintain.Event) *lineStatus {
	applies := func(l *lineStatus) bool {
		return l.Name == e.Uplink && (l.family == e.Family || l.family == 0 || e.Family == 0)
	}
	if i := slices.IndexFunc(t.current.Uplinks, applies); i >= 0 {
		return t.current.Uplinks[i]
	}
	switch e.Uplink {
	case replyName:
		return t.current.Reply
	case sharedName:
	default:
		return nil
	}
	i := slices.IndexFunc(t.current.Default, applies)
	if i < 0 {
		i = len(t.current.Default)
		t.current.Default = append(t.current.Default, &lineStatus{Name: e.Uplink, Family: e.Family.String(), family: e.Family})
	}
	return t.current.Default[i]
}

// incomplete returns the lines that are not complete, each with the reason.
func (t *tracker) incomplete() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	lines := slices.Concat(t.current.Uplinks, t.current.Default)
	if t.current.Reply != nil {
		lines = append(lines, t.current.Reply)
	}
	for _, l := range lines {
		if l.State != lineInstalled {
			all = append(all, l.String())
		}
	}
	return all
}

// beginReload counts a reload that begins.
func (t *tracker) beginReload() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reload.Begun++
}

// setReloadError sets the faults of the new file, or removes those of an earlier one.
func (t *tracker) setReloadError(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reload.Error = text
}

// endReload counts a reload that is done.
func (t *tracker) endReload() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reload.Done++
}

// reloads returns how often a reload has begun or ended.
func (t *tracker) reloads() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reload.Begun + t.reload.Done
}

// reloadError returns the faults of the new file.
func (t *tracker) reloadError() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reload.Error
}

// count returns the number of complete lines and the number of all lines.
func (t *tracker) count() (complete, all int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.current.Uplinks {
		if l.State == lineInstalled {
			complete++
		}
	}
	return complete, len(t.current.Uplinks)
}

// repairs returns how often something was repaired.
func (t *tracker) repairs() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current.Repairs
}

// snapshot returns what is sent to status.
func (t *tracker) snapshot(c *maintain.Counters) maintainer {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.current
	now.Fighting = maps.Clone(now.Fighting)
	now.Uplinks, now.Default = copyLines(now.Uplinks), copyLines(now.Default)
	if now.Reply != nil {
		now.Reply = copyLines([]*lineStatus{now.Reply})[0]
	}
	now.Events = slices.Clone(now.Events)
	reload := t.reload
	now.Reload = &reload
	now.Failures, now.Lost = c.Failures.Load(), c.Lost.Load()
	now.Looks, now.Steps, now.Changes = c.Looks.Load(), c.Steps.Load(), c.Repairs.Load()
	now.Fights, now.Postponed, now.Redials = c.Fights.Load(), c.Postponed.Load(), c.Redials.Load()
	return now
}

func copyLines(lines []*lineStatus) []*lineStatus {
	all := make([]*lineStatus, len(lines))
	for i, l := range lines {
		line := *l
		all[i] = &line
	}
	return all
}
