package maintain

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/plan"
)

// An EventKind is the kind of an [Event]. The zero EventKind is none.
type EventKind uint8

// The kinds of events.
const (
	EventInstalled        EventKind = iota + 1 // all rules and routes of the uplink are installed; Plan has the steps that were needed
	EventPending                               // the uplink waits for an interface, an address or a gateway; Reason names it
	EventRepaired                              // a rule or route was missing or wrong; Plan has the repair
	EventFailed                                // the uplink could not be repaired: Err; Run tries again
	EventUpdateRefused                         // an Update is invalid: Err; the uplinks before it stay in force
	EventSocketFailed                          // a socket failed, or could not be opened: Err; Run opens another one
	EventCleanUpFailed                         // the temporary rules and routes of a killed process could not be deleted: Err; Run tries again
	EventRemovalFailed                         // an uplink or route that is no longer wanted could not be deleted: Err; Run tries again
	EventProbeFailed                           // the uplink could not be probed: Err; its health stays as it was
	EventLost                                  // the kernel had more events than the buffer could hold; Run checks everything again
	EventFighting                              // another program keeps undoing the uplink; repairs are limited from now on
	EventCalm                                  // after EventFighting: the other program no longer undoes the uplink
	EventHealthy                               // the probe succeeds
	EventUnhealthy                             // the probe fails: Err
	EventReady                                 // all uplinks have been checked once after the start, or after an Update
	EventRemoved                               // the uplink was removed
	EventOverruled                             // a rule of another program takes packets of the uplink: Reason
	EventInForce                               // after EventOverruled: no rule of another program takes packets of the uplink any more
	EventObstructed                            // another process has the lock that repairs need: Reason names the process, and says whether Run waits
	EventConnectionsEnded                      // connections of a withdrawn uplink were deleted from connection tracking: Reason; or could not be: Err
)

var eventNames = iptext.Enum{
	{N: 0, Name: "none"},
	{N: uint8(EventInstalled), Name: "installed"},
	{N: uint8(EventPending), Name: "pending"},
	{N: uint8(EventRepaired), Name: "repaired"},
	{N: uint8(EventFailed), Name: "failed"},
	{N: uint8(EventUpdateRefused), Name: "update refused"},
	{N: uint8(EventSocketFailed), Name: "socket failed"},
	{N: uint8(EventCleanUpFailed), Name: "clean-up failed"},
	{N: uint8(EventRemovalFailed), Name: "removal failed"},
	{N: uint8(EventProbeFailed), Name: "probe failed"},
	{N: uint8(EventLost), Name: "events lost"},
	{N: uint8(EventFighting), Name: "fighting"},
	{N: uint8(EventCalm), Name: "calm"},
	{N: uint8(EventHealthy), Name: "healthy"},
	{N: uint8(EventUnhealthy), Name: "unhealthy"},
	{N: uint8(EventReady), Name: "ready"},
	{N: uint8(EventRemoved), Name: "removed"},
	{N: uint8(EventOverruled), Name: "overruled"},
	{N: uint8(EventInForce), Name: "in force"},
	{N: uint8(EventObstructed), Name: "obstructed"},
	{N: uint8(EventConnectionsEnded), Name: "connections ended"},
}

// String returns the kind in one or two words, such as "installed".
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames.Name(uint8(k))
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// MarshalText returns what String returns.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText returns for the constants of this type.
func (k *EventKind) UnmarshalText(text []byte) error {
	for _, x := range eventNames {
		if x.Name == string(text) {
			*k = EventKind(x.N)
			return nil
		}
	}
	return fmt.Errorf("table: %q is not the kind of an event%s", text, iptext.Suggest(string(text), eventNames.Names()))
}

// Level returns the level of the event in a log: Info, or Warn if someone should look
// at it.
func (k EventKind) Level() slog.Level {
	switch k {
	case EventPending, EventFailed, EventUpdateRefused, EventSocketFailed, EventCleanUpFailed, EventRemovalFailed,
		EventProbeFailed, EventLost, EventFighting, EventUnhealthy, EventOverruled, EventObstructed:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// An Event is something that [Run] did or found.
type Event struct {
	Kind EventKind

	// Uplink says which uplink the event is about, for people: the name of the uplink, or
	// its interface and gateway. Two uplinks without names can have the same text. For a
	// [Default], it is "(default)", and for a policy for answers "(reply)". Empty: the event is not about a particular uplink.
	Uplink string
	// Owner is the index of the uplink among those that Run was called with, or that
	// the last [Update] had. It is [plan.NoOwner] if the event is about none of them.
	Owner int
	// Family is the family of the uplink. Zero: both.
	Family route.Family

	// Reason depends on the kind. For EventPending it is what the uplink waits for. For
	// EventRepaired it is the event that made Run check the uplink. For EventFighting it
	// is the other program, if it is known. For EventOverruled it is the rule, its owner,
	// and the packets that it takes.
	Reason string
	// Plan has the steps that were done, without steps that undo one another. For
	// EventFighting it has the steps that would have been done.
	Plan plan.Plan
	// Err is the error of an event that reports a failure, and of EventUnhealthy. For
	// EventInstalled it is a [*plan.NameError] if only the name of a table could not be
	// written.
	Err error
	// Port is set for EventFighting. It is the netlink port of the socket that last
	// deleted a rule or route of the uplink. It is not a process ID. Zero: it is not
	// known.
	Port uint32
}

// Level returns the level of the event in a log. It is the level of its kind, but at
// least Warn if Err is set, as for an EventInstalled whose table could not be named.
func (e Event) Level() slog.Level {
	if e.Err != nil {
		return max(slog.LevelWarn, e.Kind.Level())
	}
	return e.Kind.Level()
}

// Message returns the constant part of the event, as the message of a log record. The
// attributes that [Event.Attrs] returns have the rest.
func (e Event) Message() string {
	if e.Uplink != "" {
		return "uplink " + e.Kind.String()
	}
	return e.Kind.String()
}

// String returns the event in one line, in plain words.
func (e Event) String() string {
	var parts []string
	if e.Uplink != "" {
		parts = append(parts, "uplink", e.Uplink)
		if e.Family != 0 {
			parts = append(parts, form.FamilyName(e.Family))
		}
	}
	text := strings.Join(append(parts, e.Kind.String()), " ")
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if e.Err != nil {
		text += ": " + errorText(e.Err)
	}
	if !e.Plan.Empty() {
		text += ": " + strings.Join(e.Plan.Commands(), "; ")
	}
	return text
}

// errorText returns an error without the prefix that all errors of this module have.
func errorText(err error) string { return strings.TrimPrefix(err.Error(), "table: ") }

// LogValue returns the event as a group of its kind and the attributes that
// [Event.Attrs] returns.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(append([]slog.Attr{slog.String("kind", e.Kind.String())}, e.Attrs()...)...)
}

// Attrs returns the fields of the event that are set, except for its kind, as the
// attributes of a log record.
func (e Event) Attrs() []slog.Attr {
	var attrs []slog.Attr
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("uplink", e.Uplink)
	if e.Family != 0 {
		add("family", e.Family.String())
	}
	add("reason", e.Reason)
	if e.Err != nil {
		add("error", errorText(e.Err))
	}
	add("steps", strings.Join(e.Plan.Commands(), "; "))
	if e.Port != 0 {
		attrs = append(attrs, slog.Uint64("port", uint64(e.Port)))
	}
	return attrs
}
