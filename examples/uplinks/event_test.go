package main

import (
	"bytes"
	"errors"
	"regexp"
	"syscall"
	"testing"

	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// The log has one word for all failures, as text and as JSON, because scripts wait for that
// word.
func TestFailuresHaveOneWord(t *testing.T) {
	field := &plan.FieldError{Uplink: "lan2", Field: "Sources", Reason: "are odd"}
	for _, tt := range []struct {
		event      maintain.Event
		text, json string
	}{
		{maintain.Event{Kind: maintain.EventFailed, Uplink: "lan2", Err: syscall.EINVAL},
			"uplink lan2 failed: invalid argument\n", `"WARN","msg":"uplink failed","uplink":"lan2","error":"invalid argument"}` + "\n"},
		{maintain.Event{Kind: maintain.EventFailed, Uplink: "lan2", Err: field}, "uplink lan2 failed: uplink lan2: src: are odd\n",
			`"WARN","msg":"uplink failed","uplink":"lan2","error":"uplink lan2: src: are odd"}` + "\n"},
		{maintain.Event{Kind: maintain.EventSocketFailed, Err: syscall.EBADF},
			"failed: bad file descriptor\n", `"WARN","msg":"failed","error":"bad file descriptor"}` + "\n"},
		{maintain.Event{Kind: maintain.EventCleanUpFailed, Err: syscall.EBUSY},
			"failed: device or resource busy\n", `"WARN","msg":"failed","error":"device or resource busy"}` + "\n"},
		{maintain.Event{Kind: maintain.EventRemovalFailed, Uplink: "lan2", Err: syscall.EBUSY},
			"uplink lan2 failed: device or resource busy\n",
			`"WARN","msg":"uplink failed","uplink":"lan2","error":"device or resource busy"}` + "\n"},
		{maintain.Event{Kind: maintain.EventProbeFailed, Uplink: "lan2", Err: &health.Error{Probe: "tcp", Err: errors.New("no")}},
			"uplink lan2 failed: cannot probe: tcp: no\n", `"WARN","msg":"uplink failed","uplink":"lan2","error":"cannot probe: tcp: no"}` + "\n"},
		{maintain.Event{Kind: maintain.EventUpdateRefused, Err: field},
			"f:0: lan2: src: are odd\nthe file was not loaded: the uplinks stay as they were\n",
			`"WARN","msg":"failed","error":"uplink lan2: src: are odd; nothing was changed"}` + "\n" +
				`"ERROR","msg":"f:0: lan2: src: are odd"}` + "\n" +
				`"ERROR","msg":"the file was not loaded: the uplinks stay as they were"}` + "\n"},
		{maintain.Event{Kind: maintain.EventLost}, "events lost\n", `"WARN","msg":"events lost"}` + "\n"},
	} {
		for _, json := range []bool{false, true} {
			var b bytes.Buffer
			s := &service{manager: new(manager), file: &config{name: "f"}, allLooked: make(chan struct{})}
			s.log = newLogger(options{json: json}, true, &b, &b)
			s.handleEvent(tt.event)
			s.log.close()
			got := regexp.MustCompile(`(?m)^<[34]>|^\{"time":"[^"]*","level":`).ReplaceAllString(b.String(), "")
			want := tt.text
			if json {
				want = tt.json
			}
			if got != want {
				t.Errorf("%s: the log has\n%swant\n%s", tt.event.Kind, got, want)
			}
		}
	}
}
