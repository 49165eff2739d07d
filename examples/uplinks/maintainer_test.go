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
		file, err := parseConfig("f", text)
		if err != nil {
			t.Fatal(err)
		}
		r.declare(file)
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
func TestStatusText(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	k := &maintainer{
		PID: 7, Since: at, Repairs: 2, Fighting: map[string]string{"lan1": "process 8 (manager) keeps undoing it"},
		Uplinks: []*lineStatus{
			{Name: "lan1", Family: "inet", Config: "lan1 dev eth0", State: lineInstalled, Since: at, Overruled: "a rule"},
			{Name: "lan2", Family: "inet", Config: "lan2 dev eth1", State: linePending, Reason: "it rains", Since: at},
			{Name: "lan3", Family: "inet", Config: "lan3 dev eth2", State: lineInstalled, Since: at, Health: "unhealthy", Probed: true, LastProbe: at.Add(80 * time.Second), ProbeError: "no answer"},
			{Name: "lan5", Family: "inet", Config: "lan5 dev eth3", State: lineStarting, Since: at},
			{Name: "lan6", Family: "inet", Config: "lan6 dev eth4", State: lineInstalled, Since: at},
		},
		Events: []loggedEvent{
			{1, at, "info", "too old"},
			{2, at, "warning", "uplink lan2 IPv4 pending: it rains"},
			{3, at.Add(85 * time.Second), "info", "uplink lan1 IPv4 repaired"},
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
	r := report{Uplinks: entries, Maintainer: k}
	var b bytes.Buffer
	if err := writeLines(&b, terminal{}, r.statusLines(terminal{}, at.Add(90*time.Second), 2)); err != nil {
		t.Fatal(err)
	}
	const want = `NAME  FAMILY  DEV  STATE       SINCE  HEALTH              SOURCES
lan1  inet    -    complete    1m     -                   -
    overruled: a rule
lan2  inet    -    incomplete  1m     -                   -
    monitored with the old line, until "uplinks run" reads the file again: lan2 dev eth1
    waits: it rains (for 1m30s)
lan3  inet    -    incomplete  1m     unhealthy, 10s ago  -
    the last probe failed: no answer
lan4  inet    -    absent      -      -                   -
    not monitored: "uplinks run" was started without this uplink, or has not read the file again
lan5  inet    -    absent      1m     -                   -
    not checked yet (for 1m30s)
lan6  inet    -    incomplete  1m     -                   -
    "uplinks run" has not repaired this yet: if it stays, see its log
monitored by process 7 since 2026-01-02 03:04:05: 2 repairs
    lan1: repairs are limited: process 8 (manager) keeps undoing it
    shared default inet: failed: it is another's
last events:
    1m ago  uplink lan2 IPv4 pending: it rains
    5s ago  uplink lan1 IPv4 repaired
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}
