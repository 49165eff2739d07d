package table_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"expvar"
	"log/slog"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// An event is a line for people, and fields for a log.
func TestEventText(t *testing.T) {
	for _, c := range []struct {
		event     table.Event
		text, log string
	}{
		{
			table.Event{Kind: table.EventReady},
			"ready", `level=INFO msg=event event.kind=ready`,
		},
		{
			table.Event{Kind: table.EventPending, Uplink: "lan2", Family: route.IPv6, Reason: "the interface u2 is down"},
			"uplink lan2 IPv6 pending: the interface u2 is down",
			`level=WARN msg=event event.kind=pending event.uplink=lan2 event.family=inet6 event.reason="the interface u2 is down"`,
		},
		{
			table.Event{Kind: table.EventFailed, Uplink: "lan2", Err: errors.New("table: no")},
			"uplink lan2 failed: no", `level=WARN msg=event event.kind=failed event.uplink=lan2 event.error=no`,
		},
		{
			table.Event{Kind: table.EventFighting, Reason: "process 7 (x) keeps undoing it", Port: 7, Steps: []table.Step{
				{Op: table.AddName, Table: 20, Name: "lan2"}, {Op: table.AddName, Table: 21, Name: "lan3"},
			}},
			"fighting: process 7 (x) keeps undoing it: echo '20 lan2' >>/etc/iproute2/rt_tables; " +
				"echo '21 lan3' >>/etc/iproute2/rt_tables",
			`level=WARN msg=event event.kind=fighting event.reason="process 7 (x) keeps undoing it" ` +
				`event.steps="echo '20 lan2' >>/etc/iproute2/rt_tables; echo '21 lan3' >>/etc/iproute2/rt_tables" event.port=7`,
		},
		{table.Event{Kind: 99}, "event 99", `level=INFO msg=event event.kind="event 99"`},
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
		slog.New(h).Log(t.Context(), c.event.Kind.Level(), "event", "event", c.event)
		if got := b.String(); got != c.log+"\n" {
			t.Errorf("log\n%swant\n%s", got, c.log)
		}
	}
}

// Counters are a variable of expvar.
func TestCounters(t *testing.T) {
	var c table.Counters
	var v expvar.Var = &c
	c.Repairs.Add(2)
	c.Complete.Store(1)
	var got map[string]int
	if err := json.Unmarshal([]byte(v.String()), &got); err != nil || got["repairs"] != 2 || got["complete"] != 1 || len(got) != 12 {
		t.Errorf("%s: %v", v, err)
	}
}
