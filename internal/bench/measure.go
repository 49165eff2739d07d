package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A subject is one way to do the work of a row.
type subject struct {
	who string
	// run does the work and returns how many things it did or saw, which has to
	// be the row's number.
	run func() (int, error)
	// before and after put things in place and away, unmeasured. They may be nil.
	before, after func() error
	// calls is how many system calls were made so far; nil where nobody counts.
	calls func() int
	// programs says that run starts programs: their time and memory are measured.
	programs bool
}

// A row is work that several subjects do.
type row struct {
	name     string
	n        int // things in a run
	targets  []target
	subjects []subject
	note     string // why a target is missed, if it is
}

// A sample is one run of a subject.
type sample struct {
	cpu       time.Duration // user and system, of all threads
	wall      time.Duration
	user, sys time.Duration // as the kernel splits it, which is by sampling
	allocs    uint64
	bytes     uint64 // allocated
	peak      int64  // growth of the resident memory at its highest, bytes
	calls     int    // system calls, −1 unknown
}

// measure runs s once and checks what it did. A cold run starts with as little
// memory as there can be, any other with what earlier runs have left, as in a
// process that has been at work for a while.
func (s *subject) measure(n int, cold bool) (m sample, err error) {
	if s.before != nil {
		if err := s.before(); err != nil {
			return m, fmt.Errorf("%s: before: %w", s.who, err)
		}
	}
	if cold {
		debug.FreeOSMemory()
	} else {
		runtime.GC()
	}
	who := unix.RUSAGE_SELF
	if s.programs {
		who = unix.RUSAGE_CHILDREN
	}
	var before, after runtime.MemStats
	var use0, use1 unix.Rusage
	calls := 0
	if s.calls != nil {
		calls = s.calls()
	}
	rss := resetPeak()
	runtime.ReadMemStats(&before)
	if err := unix.Getrusage(who, &use0); err != nil {
		return m, err
	}
	start, cpu := time.Now(), cpuTime()
	got, err := s.run()
	m.cpu, m.wall = cpuTime()-cpu, time.Since(start)
	if err := unix.Getrusage(who, &use1); err != nil {
		return m, err
	}
	runtime.ReadMemStats(&after)
	m.peak = peak() - rss
	m.user, m.sys = duration(use1.Utime)-duration(use0.Utime), duration(use1.Stime)-duration(use0.Stime)
	m.allocs, m.bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	m.calls = -1
	if s.calls != nil {
		m.calls = s.calls() - calls
	}
	if s.programs {
		m.cpu, m.allocs, m.bytes = m.user+m.sys, 0, 0
		m.peak = use1.Maxrss << 10
	}
	if err == nil && got != n {
		err = fmt.Errorf("did or saw %d things, want %d", got, n)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", s.who, err)
	}
	if s.after != nil {
		if err := s.after(); err != nil {
			return m, fmt.Errorf("%s: after: %w", s.who, err)
		}
	}
	return m, nil
}

// cpuTime is that of the process, to the nanosecond.
func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		panic(err) // Linux has it
	}
	return time.Duration(ts.Nano())
}

func duration(t unix.Timeval) time.Duration { return time.Duration(t.Nano()) }

// resetPeak makes the highest resident memory the present one, and returns it.
func resetPeak() int64 {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return peak()
}

// peak is the highest resident memory since resetPeak, in bytes.
func peak() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, b, _ = bytes.Cut(b, []byte("VmHWM:"))
	b, _, _ = bytes.Cut(b, []byte("kB"))
	n, _ := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	return n << 10
}

// slow is from when on a subject is measured three times only.
const slow = time.Second

// A result is the samples of a row, by subject and round. A slow subject has
// fewer.
type result struct {
	row     row
	samples map[string][]sample
}

// do measures the row once more. The subjects take turns at being first.
func (r *result) do(round int) error {
	for i := range r.row.subjects {
		s := &r.row.subjects[(i+round)%len(r.row.subjects)]
		if done := r.samples[s.who]; len(done) >= 3 && done[0].cpu > slow {
			continue
		}
		m, err := s.measure(r.row.n, round == 0)
		if err != nil {
			return fmt.Errorf("%s: %w", r.row.name, err)
		}
		r.samples[s.who] = append(r.samples[s.who], m)
	}
	return nil
}

// per is the median of a quantity of who, for one thing of the row.
func (r *result) per(who string, of func(sample) float64) (float64, bool) {
	var v []float64
	for _, s := range r.samples[who] {
		v = append(v, of(s)/float64(r.row.n))
	}
	if len(v) == 0 {
		return 0, false
	}
	slices.Sort(v)
	return v[len(v)/2], true
}

// memory is the most that the resident memory grew by in a run.
func (r *result) memory(who string) (bytes float64, ok bool) {
	for _, s := range r.samples[who] {
		bytes = max(bytes, float64(s.peak))
	}
	return bytes, len(r.samples[who]) > 0
}

// A ratio is how the times of two subjects compare in the rounds in which both
// were measured.
type ratio struct{ median, low, high float64 }

func (r *result) ratio(who, to string) (ratio, bool) {
	var v []float64
	for i, s := range r.samples[who] {
		if others := r.samples[to]; i < len(others) {
			v = append(v, float64(s.cpu)/float64(others[i].cpu))
		}
	}
	if len(v) == 0 {
		return ratio{}, false
	}
	slices.Sort(v)
	return ratio{v[len(v)/2], v[0], v[len(v)-1]}, true
}

func cpu(s sample) float64    { return float64(s.cpu) }
func allocs(s sample) float64 { return float64(s.allocs) }
func octets(s sample) float64 { return float64(s.bytes) }
