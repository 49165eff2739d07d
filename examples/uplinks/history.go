package main

import (
	"log/slog"
	"strings"
	"time"

	"github.com/policyroute/policyroute/table/maintain"
)

// A loggedEvent is a line of the log that status and watch show.
type loggedEvent struct {
	// Number counts the events since the process began, from 1.
	Number uint64    `json:"number"`
	Time   time.Time `json:"time"`
	Level  string    `json:"level"` // info, warning or error
	Text   string    `json:"text"`
}

// maxEvents is how many events the process remembers, and maxEventText how many bytes of a
// text.
const (
	maxEvents    = 50
	maxEventText = 500
)

// addEvent remembers a line of the log.
func (t *tracker) addEvent(level slog.Level, text string) {
	name := "info"
	switch {
	case level >= slog.LevelError:
		name = "error"
	case level >= slog.LevelWarn:
		name = "warning"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events++
	if n := len(t.current.Events); n >= maxEvents {
		t.current.Events = append(t.current.Events[:0], t.current.Events[n-maxEvents+1:]...)
	}
	t.current.Events = append(t.current.Events, loggedEvent{t.events, time.Now(), name, cutText(text, maxEventText)})
}

// cutText returns the beginning of a text that is too long.
func cutText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// countEvent counts what happens to an uplink. The caller holds the lock.
func (t *tracker) countEvent(e maintain.Event) {
	switch e.Kind {
	case maintain.EventRepaired, maintain.EventFailed, maintain.EventFighting:
	default:
		return
	}
	if e.Uplink == sharedName && e.Kind == maintain.EventFighting {
		return // it says nothing about the state of a line, and so must not add one
	}
	l := t.findLine(e)
	if l == nil {
		return
	}
	switch e.Kind {
	case maintain.EventRepaired:
		l.Repairs++
	case maintain.EventFailed:
		l.Failures++
	case maintain.EventFighting:
		l.Fights++
	}
}

// handleProbe notes the result of a probe.
func (t *tracker) handleProbe(p maintain.ProbeResult) {
	text := ""
	if p.Err != nil {
		text = cutText(errorText(p.Err), maxEventText)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.findLine(maintain.Event{Uplink: p.Uplink, Family: p.Family})
	if l == nil {
		return
	}
	l.Probes++
	if p.Err != nil {
		l.ProbeFailures++
	}
	l.LastProbe, l.ProbeSeconds, l.ProbeError = time.Now(), p.Took.Seconds(), text
}
