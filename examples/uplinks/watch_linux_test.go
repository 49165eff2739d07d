package main

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// A watched is a running watch.
type watched struct {
	*daemon
}

// watch starts the command watch.
func (h *host) watch(args ...string) *watched {
	h.Helper()
	d := &daemon{host: h, status: make(chan int, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	args = append([]string{"-n", h.ns.Path(), "-f", h.file, "-etc", h.etc, "-control", h.control, "watch"}, args...)
	go func() { d.status <- run(ctx, args, &d.stdout, &d.stderr) }()
	h.Cleanup(cancel)
	return &watched{d}
}

// prints waits for a text on standard output.
func (w *watched) prints(text string) {
	w.Helper()
	w.until("the text "+text, func() bool { return strings.Contains(w.stdout.String(), text) })
}

// Without a terminal, watch prints the state of uplinks when it changes, and the events of a
// run that begins and ends meanwhile.
func TestWatch(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1\n")
	w := h.watch("lan2")
	w.prints(" " + notMaintained + "\n")
	w.prints(" lan2 inet: absent\n")
	d := h.daemon()
	d.says("ready\n")
	w.prints(" monitored by process ")
	w.prints(" lan2 inet: complete\n")
	h.rule("del", "from 192.168.2.2 lookup 20 proto 210 pref 31001")
	w.prints(" uplink lan2 IPv4 repaired: rules changed: ip rule add from 192.168.2.2 ")
	d.end(exitOK)
	w.until("the end of run", func() bool { return strings.Count(w.stdout.String(), notMaintained) == 2 })
	h.rule("del", "from 192.168.2.2 lookup 20 proto 210 pref 31001")
	w.prints(" lan2 inet: incomplete; missing: rule from 192.168.2.2 lookup 20 proto 210 pref 31001\n")
	h.write(h.file, "lan2 table x\n")
	w.prints(`word 3 "x": `)
	w.end(exitOK)
	line := regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(Z|[-+][0-9:]{5}) .+\n$`)
	events := make(map[string]bool)
	for l := range strings.Lines(w.stdout.String()) {
		if strings.Contains(l, " uplink lan2 ") && events[l] {
			t.Errorf("it comes twice: %s", l)
		}
		events[l] = true
		if !line.MatchString(l) || strings.Contains(l, "lan1 inet") {
			t.Errorf("the line %q", l)
		}
	}
	if errs := w.stderr.String(); errs != "" {
		t.Errorf("standard error has %s", errs)
	}
}

// With -json each line is the object of status.
func TestWatchJSON(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	w := h.watch("-json")
	w.until("three lines", func() bool { return strings.Count(w.stdout.String(), "\n") >= 3 })
	w.end(exitOK)
	for l := range strings.Lines(w.stdout.String()) {
		var r report
		if err := json.Unmarshal([]byte(l), &r); err != nil || r.Command != "watch" || r.Time.IsZero() || len(r.Uplinks) != 1 || r.Uplinks[0].State != stateAbsent {
			t.Errorf("%v: %s", err, l)
		}
	}
	if first, later, _ := strings.Cut(w.stdout.String(), "\n"); strings.Contains(first, "_per_second") || !strings.Contains(later, `"received_bytes_per_second":`) {
		t.Errorf("the rates are not those since the line before:\n%s\n%s", first, later)
	}
}

// Watch ends with an error if there is nothing to watch.
func TestWatchFails(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	_, stderr := h.runIn(t.Context(), exitFailure, "-n", "/nonexistent", "watch")
	if !strings.Contains(stderr, "/nonexistent") {
		t.Errorf("it says %q", stderr)
	}
	h.run(exitUsage, "watch", "lan9")
}

// What is drawn fits on the terminal, and has no control characters but its own.
func TestWatchFrame(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := busyReport(now)
	for range 60 {
		r.Maintainer.Events = append(r.Maintainer.Events, loggedEvent{Time: now, Text: "one more\x1b[2J"})
	}
	for _, rows := range []int{1, 2, 10, 24, 60} {
		w := &watcher{report: r}
		text := w.frame(terminal{columns: 80, rows: rows}, now)
		lines := strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, screenHome), "\n"+clearBelow), "\n")
		if len(lines) > max(1, rows-1) || rows > 24 && len(lines) != rows-1 && len(lines) < rows-3 {
			t.Errorf("a terminal of %d rows gets %d lines:\n%s", rows, len(lines), text)
		}
		for _, l := range lines {
			l, ok := strings.CutSuffix(l, clearLine)
			if !ok || utf8.RuneCountInString(l) > 80 || strings.Contains(l, "\x1b") {
				t.Errorf("the line %q", l)
			}
		}
	}
}

// On a terminal, watch draws on the alternate screen, and leaves it at the end.
func TestWatchTerminal(t *testing.T) {
	master, f := openTerminalPair(t)
	if f == nil {
		return
	}
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan int, 1)
	go func() {
		var errs bytes.Buffer
		done <- run(ctx, []string{"-n", h.ns.Path(), "-f", h.file, "-etc", h.etc, "-control", h.control, "watch"}, f, &errs)
	}()
	var screen log
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			screen.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	d := &daemon{host: h}
	d.until("two frames", func() bool { return strings.Count(screen.String(), clearBelow) >= 2 })
	cancel()
	if got := <-done; got != exitOK {
		t.Errorf("exit %d", got)
	}
	d.until("the end of the screen", func() bool { return strings.HasSuffix(screen.String(), leaveScreen) })
	if text := screen.String(); !strings.HasPrefix(text, enterScreen+screenHome) || !strings.Contains(text, "lan2") || !strings.Contains(text, "absent") {
		t.Errorf("the screen is %q", text)
	}
}
