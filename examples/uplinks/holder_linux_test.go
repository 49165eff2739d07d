package main

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table/plan"
)

// A process that may not change anything does not stop up and down by its lock. Who has to
// wait is told for whom.
func TestHolder(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	before := h.state()
	_, release := h.ns.Hold(lab.Hold{Name: "x\x1b[2J"})
	for _, command := range []string{"up", "down"} {
		_, stderr := h.run(exitOK, command)
		want := regexp.MustCompile(`^uplinks: process \d+, "x\\x1b\[2J" of user \d+, has a lock of the network namespace, but does not have the privilege to change routes: continuing without it\n$`)
		if !want.MatchString(stderr) {
			t.Errorf("%s says %q", command, stderr)
		}
	}
	release()
	h.unchanged(before)
	// A change that takes long.
	entered, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- plan.Lock(context.Background(), h.conn, func() error {
			close(entered)
			<-leave
			return nil
		})
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, stderr := h.runIn(ctx, exitFailure, "-n", h.ns.Path(), "up")
	if !strings.Contains(stderr, "another process is changing the uplinks of this network namespace: process ") {
		t.Errorf("up beside a change that takes long says %q", stderr)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
	h.unchanged(before)
}
