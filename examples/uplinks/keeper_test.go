package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// What events say of the lines of a file, and what survives another file.
func TestRecord(t *testing.T) {
	declare := func(r *record, text string) {
		uplinks, err := parseLines("f", text)
		if err != nil {
			t.Fatal(err)
		}
		r.declare(uplinks)
	}
	r := new(record)
	states := func() string {
		var all []string
		for _, k := range r.now(new(table.Counters)).Uplinks {
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
	for _, e := range []table.Event{
		{Kind: table.EventInstalled, Uplink: "a", Family: route.IPv4},
		{Kind: table.EventPending, Uplink: "a", Family: route.IPv6, Reason: "it rains"},
		{Kind: table.EventInstalled, Uplink: "b", Family: route.IPv4},
		{Kind: table.EventFailed, Uplink: "b", Err: errors.New("table: no luck")},
		{Kind: table.EventFailed, Uplink: "a", Family: route.IPv4, Err: &table.NameError{Name: "a"}}, // it works without
		{Kind: table.EventRemoved, Uplink: "c"},
		{Kind: table.EventReady},
	} {
		r.note(e)
	}
	want("a inet: installed\na inet6: pending: it rains\nb any: failed: no luck")
	if complete, all := r.count(); complete != 1 || all != 3 || len(r.missing()) != 2 {
		t.Errorf("%d of %d, missing %q", complete, all, r.missing())
	}

	// Another file, which is refused after all; and one that is not.
	declare(r, "a dev eth0 via 10.0.0.9\nc dev eth1")
	want("a inet: installed\nc any: starting")
	r.refused()
	want("a inet: installed\na inet6: pending: it rains\nb any: failed: no luck")
	declare(r, "b dev eth1")
	r.note(table.Event{Kind: table.EventReady})
	r.refused() // it was something else
	want("b any: failed: no luck")

	// A shared default counts, too.
	r.note(table.Event{Kind: table.EventInstalled, Uplink: "b"})
	r.note(table.Event{Kind: table.EventFailed, Uplink: sharedName, Family: route.IPv4, Err: errors.New("no")})
	if got := strings.Join(r.missing(), "\n"); got != "(default) inet: failed: no" {
		t.Errorf("missing %s", got)
	}
	r.note(table.Event{Kind: table.EventRemoved, Uplink: sharedName, Family: route.IPv4})
	if got := r.missing(); got != nil {
		t.Errorf("missing %q, which was removed", got)
	}
}

// Status says of each line what does not go without saying.
func TestKeeperWrite(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	k := &keeper{
		PID: 7, Since: at, Repairs: 2, Fighting: map[string]string{"lan1": "process 8 (manager) keeps undoing it"},
		Uplinks: []*keptLine{
			{Name: "lan1", Family: "inet", Config: "lan1 dev eth0", State: keptInstalled, Since: at},
			{Name: "lan2", Family: "inet", Config: "lan2 dev eth1", State: keptPending, Reason: "it rains", Since: at},
			{Name: "lan3", Family: "inet", Config: "lan3 dev eth2", State: keptInstalled, Since: at, Health: "unhealthy"},
			{Name: "lan5", Family: "inet", Config: "lan5 dev eth3", State: keptStarting, Since: at},
			{Name: "lan6", Family: "inet", Config: "lan6 dev eth4", State: keptInstalled, Since: at},
		},
		Default: []*keptLine{{Name: sharedName, Family: "inet", State: keptFailed, Reason: "it is another's"}},
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
