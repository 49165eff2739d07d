package fibtrace

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Tracer reads events. It is not safe for concurrent use.
type Tracer struct {
	config   Config
	fs       tracefs
	instance string
	page     pageLayout
	layouts  []*layout
	buffers  []buffer
	buf      []byte
	pending  []Event // read, and not returned yet, in the order of time
}

// A buffer is that of one processor.
type buffer struct{ cpu, fd int }

// tracepoints are the tracepoints of the families.
var tracepoints = map[int]string{4: "events/fib/fib_table_lookup", 6: "events/fib6/fib6_table_lookup"}

// Open starts to collect events. A nil config selects all lookups.
//
// The error is fs.ErrPermission for who is not root of the host, and fs.ErrNotExist if the
// kernel does not have the tracepoints.
func Open(config *Config) (*Tracer, error) {
	t := &Tracer{}
	if config != nil {
		t.config = *config
	}
	var err error
	if t.fs, err = openTracefs(); err != nil {
		return nil, err
	}
	t.fs.removeStale()
	if err := t.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("fibtrace: %w", err), t.Close())
	}
	return t, nil
}

// start makes the instance, and turns on the events last.
func (t *Tracer) start() (err error) {
	if t.instance, err = t.fs.makeInstance(); err != nil {
		return err
	}
	header, err := t.fs.read("events/header_page")
	if err != nil {
		return err
	}
	if t.page, err = parseHeaderPage(header); err != nil {
		return err
	}
	t.buf = make([]byte, t.page.size)
	for _, family := range []int{4, 6} {
		if t.config.Family != 0 && t.config.Family != family {
			continue
		}
		l, err := t.prepare(family)
		if err != nil {
			return err
		}
		t.layouts = append(t.layouts, l)
	}
	// The time of this clock is the same on all processors, and programs can read it.
	if err := t.set("trace_clock", "mono"); err != nil {
		return err
	}
	if err := t.set("buffer_size_kb", strconv.Itoa(cmp.Or(t.config.BufferKB, 1024))); err != nil {
		return err
	}
	// Wake up the reader for the first event, not for the first half of a buffer.
	// Kernels before 5.0 do not have the file.
	_ = t.set("buffer_percent", "0")
	if err := t.openBuffers(); err != nil {
		return err
	}
	for _, l := range t.layouts {
		if err := t.set(path.Join(tracepoints[l.family], "enable"), "1"); err != nil {
			return err
		}
	}
	return nil
}

// set writes to a file of the instance.
func (t *Tracer) set(name, value string) error {
	return t.fs.write(path.Join(t.instance, name), value)
}

// prepare reads the format of a tracepoint, and sets its filter.
func (t *Tracer) prepare(family int) (*layout, error) {
	dir := tracepoints[family]
	text, err := t.fs.read(path.Join(t.instance, dir, "format"))
	if err != nil {
		return nil, err
	}
	l, err := parseFormat(family, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	var filters []string
	if t.config.PID != 0 {
		filters = append(filters, "common_pid == "+strconv.Itoa(t.config.PID))
	}
	if dst := t.config.Dst; family == 4 && dst.Addr().Is4() && dst.IsSingleIP() {
		a := dst.Addr().As4()
		filters = append(filters, "dst == "+strconv.FormatUint(uint64(binary.NativeEndian.Uint32(a[:])), 10))
	}
	if len(filters) == 0 {
		return l, nil
	}
	// All filters are applied again to what is read: without those of the kernel
	// there is more to read.
	err = t.set(path.Join(dir, "filter"), strings.Join(filters, " && "))
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return nil, err
	}
	return l, nil
}

// openBuffers opens the buffers of all processors.
func (t *Tracer) openBuffers() error {
	names, err := t.fs.list(path.Join(t.instance, "per_cpu"))
	if err != nil {
		return err
	}
	for _, name := range names {
		cpu, err := strconv.Atoi(strings.TrimPrefix(name, "cpu"))
		if err != nil {
			continue
		}
		fd, err := t.fs.open(path.Join(t.instance, "per_cpu", name, "trace_pipe_raw"), unix.O_RDONLY|unix.O_NONBLOCK)
		if err != nil {
			return err
		}
		t.buffers = append(t.buffers, buffer{cpu, fd})
	}
	return nil
}

// Close ends the collection and removes the instance. A second Close does nothing.
func (t *Tracer) Close() error {
	for _, b := range t.buffers {
		unix.Close(b.fd)
	}
	t.buffers = nil
	var err error
	if t.instance != "" {
		err = t.fs.removeInstance(t.instance)
		t.instance = ""
	}
	if t.fs.fd >= 0 {
		t.fs.close()
		t.fs.fd = -1
	}
	if err != nil {
		return fmt.Errorf("fibtrace: %w", err)
	}
	return nil
}

// Lost returns how many events were lost so far, because the buffer of a processor was full.
func (t *Tracer) Lost() (lost uint64, err error) {
	for _, b := range t.buffers {
		text, err := t.fs.read(path.Join(t.instance, "per_cpu", fmt.Sprintf("cpu%d", b.cpu), "stats"))
		if err != nil {
			return 0, fmt.Errorf("fibtrace: %w", err)
		}
		n, err := parseStats(text)
		if err != nil {
			return 0, fmt.Errorf("fibtrace: processor %d: %w", b.cpu, err)
		}
		lost += n
	}
	return lost, nil
}

// maxPages is how many pages of a processor Read reads at once. They have about 100
// thousand events.
const maxPages = 2048

// Read appends to events what has happened until now, in the order of time, and does not
// wait. A flood of events is returned in parts.
func (t *Tracer) Read(events []Event) ([]Event, error) {
	now, err := monotonic()
	if err != nil {
		return events, err
	}
	for _, b := range t.buffers {
		full, err := t.readBuffer(b)
		if err != nil {
			return events, err
		}
		if full {
			// What the other processors have seen since comes with the rest.
			now = min(now, t.pending[len(t.pending)-1].Time)
		}
	}
	slices.SortStableFunc(t.pending, func(a, b Event) int { return cmp.Compare(a.Time, b.Time) })
	// An event of another processor can come that is older than the last ones here.
	n := len(t.pending)
	for n > 0 && t.pending[n-1].Time > now {
		n--
	}
	events = append(events, t.pending[:n]...)
	t.pending = append(t.pending[:0], t.pending[n:]...)
	return events, nil
}

// readBuffer reads the buffer of a processor into t.pending. It returns true if there may be
// more, and something was read.
func (t *Tracer) readBuffer(b buffer) (more bool, err error) {
	before := len(t.pending)
	for range maxPages {
		n, err := unix.Read(b.fd, t.buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN || err == nil && n == 0:
			return false, nil
		case err != nil:
			return false, fmt.Errorf("fibtrace: read the buffer of processor %d: %w", b.cpu, err)
		}
		err = t.page.parse(t.buf[:n], func(at time.Duration, record []byte) {
			e := Event{Time: at, CPU: b.cpu}
			for _, l := range t.layouts {
				if l.decode(record, &e) && t.config.selects(&e) {
					t.pending = append(t.pending, e)
				}
			}
		})
		if err != nil {
			return false, err
		}
	}
	return len(t.pending) > before, nil
}

// poll is how long Events waits at most before it looks whether ctx has ended.
const poll = 100 * time.Millisecond

// Events yields the events, in the order of time, until ctx ends, whose error is the last
// value, or until the loop ends.
func (t *Tracer) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var events []Event
		for {
			var err error
			if events, err = t.Read(events[:0]); err == nil {
				for _, e := range events {
					if !yield(e, nil) {
						return
					}
				}
				err = ctx.Err()
			}
			if err == nil && len(events) == 0 {
				err = t.wait()
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

// wait waits until there are events, for a short time.
func (t *Tracer) wait() error {
	if len(t.pending) > 0 {
		return nil
	}
	fds := make([]unix.PollFd, len(t.buffers))
	for i, b := range t.buffers {
		fds[i] = unix.PollFd{Fd: int32(b.fd), Events: unix.POLLIN}
	}
	if _, err := unix.Poll(fds, int(poll.Milliseconds())); err != nil && err != unix.EINTR {
		return fmt.Errorf("fibtrace: wait for events: %w", err)
	}
	return nil
}

// monotonic returns the clock of the events.
func monotonic() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, err
	}
	return time.Duration(min(ts.Nano(), math.MaxInt64)), nil
}

// Now returns the time of the clock of the events.
func (t *Tracer) Now() (time.Duration, error) { return monotonic() }

// Comm returns the name of the program of a thread that is still there, else nothing.
func (t *Tracer) Comm(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}
