package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// A line for each check, and the output of those that failed.
func TestCheckReport(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []wire.Event
		want   string
		ok     bool
	}{
		{"passed", []wire.Event{
			{Kind: wire.Ready, Text: "systemd 257"},
			{Kind: wire.Start, Package: "boot"},
			{Kind: wire.Output, Data: []byte("$ ip rule\n")},
			{Kind: wire.Done, Package: "boot", Elapsed: time.Second, Text: "complete"},
		}, "# Debian 13, systemd 257, uplinks.service, booted in Ts\nok  \tboot\tTs\tcomplete\n" +
			"ok  \tDebian 13, uplinks.service\tTs\t1 passed, 0 failed\n", true},
		{"failed", []wire.Event{
			{Kind: wire.Output, Data: []byte("$ ip rule\n")},
			{Kind: wire.Done, Package: "boot", Elapsed: time.Second, Text: "no rule", Exit: 1},
			{Kind: wire.Done, Package: "names", Elapsed: time.Second},
		}, "$ ip rule\nFAIL\tboot\tTs\tno rule\nok  \tnames\tTs\t\n" +
			"FAIL\tDebian 13, uplinks.service\tTs\t1 passed, 1 failed\n", false},
		{"nothing ran", nil, "FAIL\tDebian 13, uplinks.service\tTs\t0 passed, 0 failed\n", false},
		{"not set up", []wire.Event{
			{Kind: wire.Note, Text: "no namespace"}, {Kind: wire.Done, Package: "names"},
		}, "# no namespace\nok  \tnames\tTs\t\nFAIL\tDebian 13, uplinks.service\tTs\t1 passed, 1 failed\n", false},
	} {
		var b strings.Builder
		d, err := findDebian("trixie")
		if err != nil {
			t.Fatal(err)
		}
		r := newCheckReport(&b, d, "uplinks.service")
		for _, e := range tt.events {
			r.handle(e)
		}
		if ok := r.summary(); ok != tt.ok {
			t.Errorf("%s: %t", tt.name, ok)
		}
		if got := regexp.MustCompile(`[0-9.]+s\b`).ReplaceAllString(b.String(), "Ts"); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}
