package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// A small run measures every row. The runs themselves check that each subject did the work:
// they count what they did or saw, and check the state afterwards.
func TestBench(t *testing.T) {
	var out bytes.Buffer
	results, err := bench(t.Context(), &out, options{n: 1000, rounds: 2, md: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 45 {
		t.Errorf("%d rows, want 45", len(results))
	}
	for _, r := range results {
		name := r.row.name
		if len(r.row.targets) == 0 && r.row.note == "" {
			t.Errorf("%s has neither a target nor a note", name)
		}
		for _, s := range r.row.subjects {
			samples := r.samples[s.who]
			if len(samples) != 2 {
				t.Errorf("%s: %s was measured %d times, want 2", name, s.who, len(samples))
			}
			for _, m := range samples {
				if m.cpu <= 0 || m.wall <= 0 || s.calls != nil && m.calls <= 0 {
					t.Errorf("%s: %s: %+v", name, s.who, m)
				}
			}
		}
		if !strings.Contains(out.String(), "| "+name+" |") {
			t.Errorf("%s is not in the table", name)
		}
		for _, target := range r.row.targets {
			if _, got := target.check(r); got == "" || strings.Contains(got, "Inf") || strings.Contains(got, "unknown") {
				t.Errorf("%s: target %s: %s", name, target, got)
			}
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// A subject that does too little is an error.
func TestShortRun(t *testing.T) {
	r := result{
		row: row{name: "nothing", n: 2, subjects: []subject{
			{who: ours, run: func() (int, error) { return 1, nil }},
		}},
		samples: make(map[string][]sample),
	}
	if err := r.measureRound(0); err == nil || !strings.Contains(err.Error(), "did or saw 1 things, want 2") {
		t.Errorf("got %v", err)
	}
}

// In the end our subscribers know the state of the kernel. The one with the large buffer loses
// no event.
func TestWatching(t *testing.T) {
	l := lab.Test(t)
	w, err := newWorld(t.Context(), l, "watch")
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	seen, total, err := w.watch(20_000)
	if err != nil {
		t.Fatal(err)
	}
	if large := seen[0]; large.seen != total || !large.exact || large.loss != "none" {
		t.Errorf("with the large buffer: %+v, of %d changes", large, total)
	}
	if ordinary := seen[1]; !ordinary.exact || ordinary.loss == "not reported" {
		t.Errorf("with the default buffer: %+v, of %d changes", ordinary, total)
	}
	printWatch(io.Discard, seen, total)
}

func TestRatio(t *testing.T) {
	r := result{row: row{n: 10}, samples: map[string][]sample{
		ours:  {{cpu: 110}, {cpu: 90}, {cpu: 240}},
		limit: {{cpu: 100}, {cpu: 100}, {cpu: 200}},
	}}
	if got, ok := r.ratio(ours, limit); !ok || got != (ratio{1.1, 0.9, 1.2}) {
		t.Errorf("got %v", got)
	}
	if _, ok := r.ratio(ours, vish); ok {
		t.Error("a ratio to a subject that was not measured")
	}
	if got, _ := r.medianPer(ours, cpuOf); got != 11 {
		t.Errorf("median %v, want 11", got)
	}
	if ok, got := (target{"raw", 1.1}).check(&r); !ok || got != "1.10 × raw" {
		t.Errorf("got %v, %s", ok, got)
	}
}
