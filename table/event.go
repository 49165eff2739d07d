package table

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/policyroute/policyroute/route"
)

// An EventKind is what an [Event] reports. The zero EventKind is none.
type EventKind uint8

// The kinds of events.
const (
	EventInstalled EventKind = iota + 1 // all of the uplink is there; Steps are what it took
	EventPending                        // the uplink waits for what Reason says
	EventRepaired                       // something was not as it should be; Steps put it right
	EventFailed                         // the uplink could not be put right: Err; it is tried again
	EventLost                           // the kernel had more events than the buffer took; all is looked at again
	EventFighting                       // someone keeps undoing the uplink; repairs are slow from now on
	EventCalm                           // the fight is over
	EventHealthy                        // the probe succeeds
	EventUnhealthy                      // the probe fails: Err
	EventReady                          // all uplinks were looked at once after the start, or an update
	EventRemoved                        // the uplink was removed
)

var eventNames = [...]string{
	"none", "installed", "pending", "repaired", "failed", "events lost", "fighting", "calm", "healthy", "unhealthy",
	"ready", "removed",
}

// String is the kind in a word or two.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// MarshalText returns what String does.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Level is that of the event in a log: Info, or Warn for what someone should
// look at.
func (k EventKind) Level() slog.Level {
	switch k {
	case EventPending, EventFailed, EventLost, EventFighting, EventUnhealthy:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// An Event is something that [Maintain] did or found.
type Event struct {
	Kind EventKind
	// Uplink is whose it is: its name, or interface and gateway; "(default)" of a
	// [SharedDefault]. Empty: it is about none in particular.
	Uplink string
	// Family is that of the uplink. Zero: both.
	Family route.Family
	// Reason says, of EventPending, what is waited for; of EventRepaired, what
	// made Maintain look; of EventFighting, who it is, as far as it can be told.
	Reason string
	// Steps are what was done, without those that undo one another; of
	// EventFighting, what would have been done.
	Steps []Step
	// Err is why, of EventFailed and EventUnhealthy. It is a [*NameError] where
	// only the name of a table could not be written.
	Err error
	// Port is, of EventFighting, the netlink port from which something of ours
	// was deleted last. As a rule it is the ID of a process. Zero: not known.
	Port uint32
}

// message is the event without what may vary.
func (e Event) message() string {
	if e.Uplink != "" {
		return "uplink " + e.Kind.String()
	}
	return e.Kind.String()
}

// String is the event in a line, in plain words.
func (e Event) String() string {
	var parts []string
	if e.Uplink != "" {
		parts = append(parts, "uplink", e.Uplink)
		if e.Family != 0 {
			parts = append(parts, ipName(e.Family))
		}
	}
	text := strings.Join(append(parts, e.Kind.String()), " ")
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if e.Err != nil {
		text += ": " + strings.TrimPrefix(e.Err.Error(), "table: ")
	}
	for i, s := range e.Steps {
		text += [...]string{": ", "; "}[min(i, 1)] + s.String()
	}
	return text
}

// LogValue is the event as a group: kind, and what else is set.
func (e Event) LogValue() slog.Value { return slog.GroupValue(e.attrs(true)...) }

func (e Event) attrs(kind bool) []slog.Attr {
	var attrs []slog.Attr
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	if kind {
		add("kind", e.Kind.String())
	}
	add("uplink", e.Uplink)
	if e.Family != 0 {
		add("family", e.Family.String())
	}
	add("reason", e.Reason)
	if e.Err != nil {
		add("error", strings.TrimPrefix(e.Err.Error(), "table: "))
	}
	var steps []string
	for _, s := range e.Steps {
		steps = append(steps, s.String())
	}
	add("steps", strings.Join(steps, "; "))
	if e.Port != 0 {
		attrs = append(attrs, slog.Uint64("port", uint64(e.Port)))
	}
	return attrs
}

// Counters count what [Maintain] does. They may be read at any time; a *Counters
// is an expvar.Var.
type Counters struct {
	Looks     atomic.Uint64 // times that the kernel's state was read and compared
	Repairs   atomic.Uint64 // transactions that changed something
	Steps     atomic.Uint64 // steps of those
	Failures  atomic.Uint64 // transactions that failed, and plans that were refused
	Lost      atomic.Uint64 // times that the kernel dropped events
	Fights    atomic.Uint64 // times that repairs had to be slowed down
	Postponed atomic.Uint64 // repairs that had to wait for that
	Redials   atomic.Uint64 // times that the sockets were opened again
	Probes    atomic.Uint64 // health probes
	// Uplinks are those that are maintained at the moment, Complete those of
	// them of which everything is there, and Unhealthy those whose probe fails.
	Uplinks, Complete, Unhealthy atomic.Int64
}

// String is the counters as a JSON object, with names in lower case.
func (c *Counters) String() string {
	b, _ := json.Marshal(map[string]int64{ // of numbers, it cannot fail
		"looks": int64(c.Looks.Load()), "repairs": int64(c.Repairs.Load()), "steps": int64(c.Steps.Load()),
		"failures": int64(c.Failures.Load()), "lost": int64(c.Lost.Load()), "fights": int64(c.Fights.Load()),
		"postponed": int64(c.Postponed.Load()), "redials": int64(c.Redials.Load()), "probes": int64(c.Probes.Load()),
		"uplinks": c.Uplinks.Load(), "complete": c.Complete.Load(), "unhealthy": c.Unhealthy.Load(),
	})
	return string(b)
}
