package main

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"
)

// patience is how long a test waits for an event that takes milliseconds.
const patience = 20 * time.Second

// A log collects the output of a running service.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A daemon is a running service.
type daemon struct {
	*host
	stdout, stderr log
	stop           context.CancelFunc
	status         chan int
}

func (h *host) daemon(args ...string) *daemon {
	h.Helper()
	d := &daemon{host: h, status: make(chan int, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	args = append([]string{"-n", h.ns.Path(), "-f", h.file, "-etc", h.etc, "-control", h.control, "run"}, args...)
	go func() { d.status <- run(ctx, args, &d.stdout, &d.stderr) }()
	h.Cleanup(cancel)
	return d
}

// until waits until ok returns true.
func (d *daemon) until(what string, ok func() bool) {
	d.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			d.Fatalf("%s: not within %v\n%s%s", what, patience, &d.stdout, &d.stderr)
		}
	}
}

// says waits for a line of the log, and forgets the lines up to it.
func (d *daemon) says(text string) {
	d.Helper()
	d.until("the line "+text, func() bool {
		d.stderr.mu.Lock()
		defer d.stderr.mu.Unlock()
		all := d.stderr.b.String()
		i := strings.Index(all, text)
		if i < 0 {
			return false
		}
		d.stderr.b.Next(i + len(text))
		return true
	})
}

// asked returns the output of status.
func (d *daemon) asked() string {
	var out, errs bytes.Buffer
	run(d.Context(), []string{"-n", d.ns.Path(), "-f", d.file, "-etc", d.etc, "-control", d.control, "status"}, &out, &errs)
	return out.String() + errs.String()
}

// complete waits until status reports everything complete.
func (d *daemon) complete() {
	d.Helper()
	d.until("complete", func() bool {
		var out, errs bytes.Buffer
		return run(d.Context(), []string{"-n", d.ns.Path(), "-f", d.file, "-etc", d.etc, "-control", d.control, "status"}, &out, &errs) == exitOK
	})
}

// end stops the service, and checks its exit status.
func (d *daemon) end(status int) {
	d.Helper()
	d.stop()
	d.ended(status)
}

// ended waits until the service has ended.
func (d *daemon) ended(status int) {
	d.Helper()
	select {
	case got := <-d.status:
		if got != status {
			d.Errorf("exit %d, want %d\n%s%s", got, status, &d.stdout, &d.stderr)
		}
	case <-time.After(patience):
		d.Fatalf("it does not end\n%s%s", &d.stdout, &d.stderr)
	}
}
