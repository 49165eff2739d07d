package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// The figures are what a run has found out.
type figures struct {
	Seed     uint64                   `json:"seed"`
	Length   string                   `json:"length"`
	Packets  counts                   `json:"packets"`
	Rounds   map[string]*repairFigure `json:"disturbances"`
	Actors   map[string]int           `json:"actors"`
	Commands map[string]*command      `json:"commands"`
	First    burden                   `json:"first"`
	Last     burden                   `json:"last"`
	PeakRSS  uint64                   `json:"peak_rss"`
	// Processor is the share of a processor that the daemon took in the last two thirds of
	// the time.
	Processor float64 `json:"processor"`
	// Goroutines are those of the daemon, at a third of the time and at the end.
	Goroutines [2]int `json:"goroutines"`
	Starts     int    `json:"starts"`
	// Late is how late this program was at most to do something. A machine that stands still
	// makes repairs longer.
	Late   time.Duration `json:"late"`
	Faults []string      `json:"faults,omitempty"`
	// Troubles are of this program.
	Troubles []string `json:"troubles,omitempty"`
	Log      string   `json:"log,omitempty"`

	mu        sync.Mutex
	isSettled bool
	pid       int
	samples   []burden // of the last process of the daemon
	log       *record
}

// A repairFigure is how often there was a disturbance, and how long it took until everything
// was complete after it.
type repairFigure struct {
	Count   int           `json:"count"`
	Longest time.Duration `json:"longest"`
	// LongestShared is for the shared default as well, which follows probes.
	LongestShared time.Duration `json:"longest_shared"`

	times []time.Duration
}

// A command is how often a command was run, and how it ended.
type command struct {
	Count    int           `json:"count"`
	Statuses map[int]int   `json:"statuses"`
	Longest  time.Duration `json:"longest"`
}

func newFigures(o options, log *record) *figures {
	return &figures{
		Seed: o.seed, Rounds: make(map[string]*repairFigure), Actors: make(map[string]int), Commands: make(map[string]*command), log: log,
	}
}

// fault notes something that must not happen.
func (f *figures) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	f.log.say("FAULT: %s", text)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.Faults) < 20 {
		f.Faults = append(f.Faults, text)
	}
}

// trouble notes what this program could not do.
func (f *figures) trouble(err error) {
	f.log.say("trouble: %v", err)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.Troubles) < 20 {
		f.Troubles = append(f.Troubles, err.Error())
	}
}

func (f *figures) late(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Late = max(f.Late, d)
}

func (f *figures) act(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Actors[name]++
}

func (f *figures) repaired(name string, own, shared time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.Rounds[name]
	if r == nil {
		r = new(repairFigure)
		f.Rounds[name] = r
	}
	r.Count++
	r.Longest, r.LongestShared = max(r.Longest, own), max(r.LongestShared, shared)
	r.times = append(r.times, own)
}

func (f *figures) command(name string, status int, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.Commands[name]
	if c == nil {
		c = &command{Statuses: make(map[int]int)}
		f.Commands[name] = c
	}
	c.Count++
	c.Statuses[status]++
	c.Longest = max(c.Longest, took)
}

func (f *figures) settled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.isSettled
}

// settle notes that the daemon lives from now on.
func (f *figures) settle(goroutines int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isSettled = true
	f.Goroutines[0] = goroutines
}

func (f *figures) sampled(pid int, b burden) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.PeakRSS = max(f.PeakRSS, b.RSS)
	if pid != f.pid {
		f.pid, f.samples = pid, nil
	}
	f.samples = append(f.samples, b)
}

// end compares what the daemon took after a third of the time with what it took at the end.
func (f *figures) end(goroutines int) {
	f.mu.Lock()
	f.Goroutines[1] = goroutines
	samples, first := f.samples, f.Goroutines[0]
	f.mu.Unlock()
	if first > 0 && goroutines > first+5 {
		f.fault("the daemon had %d goroutines, and has %d", first, goroutines)
	}
	if last := len(samples) - 1; last > 0 { // they are a second apart
		f.Processor = (samples[last].CPU - samples[0].CPU).Seconds() / float64(last)
	}
	n := max(1, len(samples)/10)
	if len(samples) < 2*n {
		return
	}
	f.First, f.Last = typical(samples[:n]), typical(samples[len(samples)-n:])
	if f.Last.RSS > f.First.RSS+f.First.RSS/2+8<<20 {
		f.fault("the daemon took %d KiB of memory, and takes %d KiB", f.First.RSS>>10, f.Last.RSS>>10)
	}
	if f.Last.Descriptors > f.First.Descriptors+2 {
		f.fault("the daemon had %d descriptors, and has %d", f.First.Descriptors, f.Last.Descriptors)
	}
}

// typical returns the median of the memory and the least number of descriptors: clients and
// probes take some for a moment.
func typical(samples []burden) burden {
	var rss []uint64
	b := burden{Descriptors: samples[0].Descriptors}
	for _, s := range samples {
		rss = append(rss, s.RSS)
		b.Descriptors = min(b.Descriptors, s.Descriptors)
	}
	slices.Sort(rss)
	b.RSS = rss[len(rss)/2]
	return b
}

func (f *figures) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(f)
}

// write prints the figures as text.
func (f *figures) write(w io.Writer) error {
	p := f.Packets
	fmt.Fprintf(w, "seed %d, %s; the machine was late by %s at most\n", f.Seed, f.Length, ms(f.Late))
	fmt.Fprintf(w, "packets: %d sent, %d right, %d astray, %d exposed, %d lost, %d refused\n",
		p.Sent, p.Right, p.Astray, p.Exposed, p.Lost, p.Refused)
	fmt.Fprintf(w, "daemon: %d starts; %.1f %% of a processor; memory %.1f to %.1f MiB, %.1f at most; descriptors %d to %d; goroutines %d to %d\n",
		f.Starts, 100*f.Processor, mib(f.First.RSS), mib(f.Last.RSS), mib(f.PeakRSS), f.First.Descriptors, f.Last.Descriptors, f.Goroutines[0], f.Goroutines[1])
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\ndisturbance\tcount\tmedian\tlongest\twith the shared default")
	for _, name := range slices.Sorted(maps.Keys(f.Rounds)) {
		r := f.Rounds[name]
		slices.Sort(r.times)
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\n", name, r.Count, ms(r.times[len(r.times)/2]), ms(r.Longest), ms(r.LongestShared))
	}
	fmt.Fprintln(t, "\ncommand\tcount\tlongest\tstatuses")
	for _, name := range slices.Sorted(maps.Keys(f.Commands)) {
		c := f.Commands[name]
		var statuses []string
		for _, s := range slices.Sorted(maps.Keys(c.Statuses)) {
			statuses = append(statuses, fmt.Sprintf("%d: %d", s, c.Statuses[s]))
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", name, c.Count, ms(c.Longest), strings.Join(statuses, ", "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var actors []string
	for _, name := range slices.Sorted(maps.Keys(f.Actors)) {
		actors = append(actors, fmt.Sprintf("%s %d", name, f.Actors[name]))
	}
	fmt.Fprintf(w, "\nin the background: %s\n", strings.Join(actors, ", "))
	for _, text := range f.Troubles {
		fmt.Fprintln(w, "could not be done:", text)
	}
	for _, text := range f.Faults {
		fmt.Fprintln(w, "FAULT:", text)
	}
	if f.Log != "" {
		fmt.Fprintln(w, "log:", f.Log)
	}
	_, err := fmt.Fprintf(w, "%d faults\n", len(f.Faults))
	return err
}

func mib(n uint64) float64 { return float64(n) / (1 << 20) }

func ms(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
