package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// The states of lines follow events, and some survive a change of the file.
func TestTracker(t *testing.T) {
	declare := func(r *tracker, text string) {
		uplinks, err := parseLines("f", text)
		if err != nil {
			t.Fatal(err)
		}
		r.declare(uplinks)
	}
	r := new(tracker)
	states := func() string {
		var all []string
		for _, k := range r.snapshot(new(maintain.Counters)).Uplinks {
			all = append(all, k.String())
		}
		return strings.Join(all, "\n")
	}
	want := func(text string) {
		t.Helper()
		if got := states(); got != text {
			t.Errorf("got\n%s\nwant\n%s", got, text)
		}
	}
	declare(r, "a dev eth0 via 10.0.0.1\na dev eth0 via 2001:db8::1\nb dev eth1")
	want("a inet: starting\na inet6: starting\nb any: starting")
	for _, e := range []maintain.Event{
		{Kind: maintain.EventInstalled, Uplink: "a", Family: route.IPv4},
		{Kind: maintain.EventPending, Uplink: "a", Family: route.IPv6, Reason: "it rains"},
		{Kind: maintain.EventInstalled, Uplink: "b", Family: route.IPv4},
		{Kind: maintain.EventFailed, Uplink: "b", Err: errors.New("table: no luck")},
		{Kind: maintain.EventFailed, Uplink: "a", Family: route.IPv4, Err: &plan.NameError{Name: "a"}}, // an uplink works without its name
		{Kind: maintain.EventRemoved, Uplink: "c"},
		{Kind: maintain.EventReady},
	} {
		r.handle(e)
	}
	want("a inet: installed\na inet6: pending: it rains\nb any: failed: no luck")
	if complete, all := r.count(); complete != 1 || all != 3 || len(r.incomplete()) != 2 {
		t.Errorf("%d of %d, missing %q", complete, all, r.incomplete())
	}

	// One change of the file is refused, and the next one is not.
	declare(r, "a dev eth0 via 10.0.0.9\nc dev eth1")
	want("a inet: installed\nc any: starting")
	r.restorePrevious()
	want("a inet: installed\na inet6: pending: it rains\nb any: failed: no luck")
	declare(r, "b dev eth1")
	r.handle(maintain.Event{Kind: maintain.EventReady})
	r.restorePrevious() // there is no update to undo
	want("b any: failed: no luck")

	// The shared default counts as a line.
	r.handle(maintain.Event{Kind: maintain.EventInstalled, Uplink: "b"})
	r.handle(maintain.Event{Kind: maintain.EventFailed, Uplink: sharedName, Family: route.IPv4, Err: errors.New("no")})
	if got := strings.Join(r.incomplete(), "\n"); got != "(default) inet: failed: no" {
		t.Errorf("missing %s", got)
	}
	r.handle(maintain.Event{Kind: maintain.EventRemoved, Uplink: sharedName, Family: route.IPv4})
	if got := r.incomplete(); got != nil {
		t.Errorf("missing %q, which was removed", got)
	}
}

// Status prints the remarks about each line.
func TestMaintainerWrite(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	k := &maintainer{
		PID: 7, Since: at, Repairs: 2, Fighting: map[string]string{"lan1": "process 8 (manager) keeps undoing it"},
		Uplinks: []*lineStatus{
			{Name: "lan1", Family: "inet", Config: "lan1 dev eth0", State: lineInstalled, Since: at, Overruled: "a rule"},
			{Name: "lan2", Family: "inet", Config: "lan2 dev eth1", State: linePending, Reason: "it rains", Since: at},
			{Name: "lan3", Family: "inet", Config: "lan3 dev eth2", State: lineInstalled, Since: at, Health: "unhealthy"},
			{Name: "lan5", Family: "inet", Config: "lan5 dev eth3", State: lineStarting, Since: at},
			{Name: "lan6", Family: "inet", Config: "lan6 dev eth4", State: lineInstalled, Since: at},
		},
		Default: []*lineStatus{{Name: sharedName, Family: "inet", State: lineFailed, Reason: "it is another's"}},
	}
	entries := []*entry{
		{Name: "lan1", Family: "inet", Config: "lan1 dev eth0", State: stateComplete},
		{Name: "lan2", Family: "inet", Config: "lan2 dev eth1 metric 7", State: stateIncomplete},
		{Name: "lan3", Family: "inet", Config: "lan3 dev eth2", State: stateIncomplete},
		{Name: "lan4", Family: "inet", State: stateAbsent},
		{Name: "lan5", Family: "inet", Config: "lan5 dev eth3", State: stateAbsent},
		{Name: "lan6", Family: "inet", Config: "lan6 dev eth4", State: stateIncomplete},
	}
	var b bytes.Buffer
	k.write(&b, entries, at.Add(90*time.Second))
	const want = `kept by process 7 since 2026-01-02 03:04:05: 2 repairs
    lan1: repaired slowly, in a fight: process 8 (manager) keeps undoing it
    lan1 inet: overruled: a rule
    lan2 inet: kept as another line, until the file is read again: lan2 dev eth1
    lan2 inet: waits: it rains (for 1m30s)
    lan3 inet: unhealthy
    lan4 inet: not kept: run was not told of it, or has not read the file again
    lan5 inet: not looked at yet (for 1m30s)
    lan6 inet: the process holds it for complete: it may be at work just now; if this stays, look at its log
    shared default inet: failed: it is another's
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}
