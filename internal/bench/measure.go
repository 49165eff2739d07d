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
	// run does the work and returns the number of things that it did or saw, which has
	// to be the number of the row.
	run func() (int, error)
	// before and after prepare and clean up, and are not measured. They can be nil.
	before, after func() error
	// calls returns the number of system calls so far. It is nil if they are not counted.
	calls func() int
	// programs is set if run starts programs. Then their time and memory are measured.
	programs bool
}

// A row is a piece of work that several subjects do.
type row struct {
	name     string
	n        int // number of things in a run
	targets  []target
	subjects []subject
	note     string // the reason if a target is missed
}

// A sample is one run of a subject.
type sample struct {
	cpu       time.Duration // user and system, of all threads
	wall      time.Duration
	user, sys time.Duration // by the kernel, which samples
	allocs    uint64
	bytes     uint64 // allocated
	peak      int64  // largest growth of the resident memory, in bytes
	calls     int    // system calls; −1 means unknown
}

// measure runs s once, and checks the number of things that it did. A cold run starts with as
// little memory as possible. Other runs start with the memory that earlier runs have left, as
// in a process that has been running for some time.
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

// cpuTime returns the processor time of the process, in nanoseconds.
func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		panic(err) // Linux always has this clock
	}
	return time.Duration(ts.Nano())
}

func duration(t unix.Timeval) time.Duration { return time.Duration(t.Nano()) }

// resetPeak resets the highest resident memory to the current one, and returns it.
func resetPeak() int64 {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	return peak()
}

// peak returns the highest resident memory since resetPeak, in bytes.
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

// slow is the time of a run above which a subject is measured only three times, and verySlow
// that above which it is measured only once.
const (
	slow     = time.Second
	verySlow = 4 * time.Second
)

// A result has the samples of a row, by subject and round. A slow subject has fewer samples.
type result struct {
	row     row
	samples map[string][]sample
}

// measureRound measures each subject of the row once. Each round begins with another subject.
func (r *result) measureRound(round int) error {
	for i := range r.row.subjects {
		s := &r.row.subjects[(i+round)%len(r.row.subjects)]
		done := r.samples[s.who]
		if len(done) >= 3 && done[0].cpu > slow || len(done) >= 1 && done[0].cpu > verySlow {
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

// medianPer returns the median of a quantity of the subject who, for one thing of the row.
func (r *result) medianPer(who string, of func(sample) float64) (float64, bool) {
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

// memory returns the largest growth of the resident memory in a run.
func (r *result) memory(who string) (bytes float64, ok bool) {
	for _, s := range r.samples[who] {
		bytes = max(bytes, float64(s.peak))
	}
	return bytes, len(r.samples[who]) > 0
}

// A ratio is the time of one subject divided by that of another, over the rounds in which
// both were measured.
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

func cpuOf(s sample) float64    { return float64(s.cpu) }
func allocsOf(s sample) float64 { return float64(s.allocs) }
func bytesOf(s sample) float64  { return float64(s.bytes) }
