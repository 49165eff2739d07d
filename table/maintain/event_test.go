package maintain_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"expvar"
	"log/slog"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// The text of an event, and its fields in a log.
func TestEventText(t *testing.T) {
	for _, c := range []struct {
		event     maintain.Event
		text, log string
	}{
		{
			maintain.Event{Kind: maintain.EventReady},
			"ready", `level=INFO msg=event event.kind=ready`,
		},
		{
			maintain.Event{Kind: maintain.EventPending, Uplink: "lan2", Family: route.IPv6, Reason: "the interface u2 is down"},
			"uplink lan2 IPv6 pending: the interface u2 is down",
			`level=WARN msg=event event.kind=pending event.uplink=lan2 event.family=inet6 event.reason="the interface u2 is down"`,
		},
		{
			maintain.Event{Kind: maintain.EventFailed, Uplink: "lan2", Err: errors.New("table: no")},
			"uplink lan2 failed: no", `level=WARN msg=event event.kind=failed event.uplink=lan2 event.error=no`,
		},
		{
			maintain.Event{Kind: maintain.EventFighting, Reason: "process 7 (x) keeps undoing it", Port: 7, Plan: plan.Make([]plan.Step{
				{Op: plan.AddName, Table: 20, Name: "lan2"}, {Op: plan.AddName, Table: 21, Name: "lan3"},
			}, nil, "")},
			"fighting: process 7 (x) keeps undoing it: echo '20 lan2 # policyroute' >>/etc/iproute2/rt_tables; " +
				"echo '21 lan3 # policyroute' >>/etc/iproute2/rt_tables",
			`level=WARN msg=event event.kind=fighting event.reason="process 7 (x) keeps undoing it" ` +
				`event.steps="echo '20 lan2 # policyroute' >>/etc/iproute2/rt_tables; echo '21 lan3 # policyroute' >>/etc/iproute2/rt_tables" event.port=7`,
		},
		{
			maintain.Event{Kind: maintain.EventInstalled, Uplink: "lan2", Err: &plan.NameError{Table: 20, Name: "lan2", Err: errors.New("no")}},
			"uplink lan2 installed: the name lan2 of table 20: no",
			`level=WARN msg=event event.kind=installed event.uplink=lan2 event.error="the name lan2 of table 20: no"`,
		},
		{maintain.Event{Kind: 99}, "event 99", `level=INFO msg=event event.kind="event 99"`},
	} {
		if got := c.event.String(); got != c.text {
			t.Errorf("text %q, want %q", got, c.text)
		}
		var b bytes.Buffer
		h := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
		slog.New(h).Log(t.Context(), c.event.Level(), "event", "event", c.event)
		if got := b.String(); got != c.log+"\n" {
			t.Errorf("log\n%swant\n%s", got, c.log)
		}
	}
}

// Counters are a variable of expvar.
func TestCounters(t *testing.T) {
	var c maintain.Counters
	var v expvar.Var = &c
	c.Repairs.Add(2)
	c.Complete.Store(1)
	var got map[string]int
	if err := json.Unmarshal([]byte(v.String()), &got); err != nil || got["repairs"] != 2 || got["complete"] != 1 || len(got) != 12 {
		t.Errorf("%s: %v", v, err)
	}
}

// Every kind has a word of its own, which is read again.
func TestEventKindText(t *testing.T) {
	words := make(map[string]bool)
	for k := maintain.EventKind(0); k <= maintain.EventObstructed; k++ {
		text, err := k.MarshalText()
		var again maintain.EventKind
		if err != nil || words[string(text)] || again.UnmarshalText(text) != nil || again != k {
			t.Errorf("kind %d is %q, error %v, and is read as %v", k, text, err, again)
		}
		words[string(text)] = true
	}
	unchanged := maintain.EventLost
	for _, text := range []string{"", "event 99", "3", "Ready"} {
		if err := unchanged.UnmarshalText([]byte(text)); err == nil || unchanged != maintain.EventLost {
			t.Errorf("%q is read as %v, error %v", text, unchanged, err)
		}
	}
	if err := unchanged.UnmarshalText([]byte("pendin")); err == nil || !strings.Contains(err.Error(), "pending") {
		t.Errorf("no suggestion: %v", err)
	}
}
