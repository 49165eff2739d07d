package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
)

// A series is one piece of work for growing numbers of things. The time for each thing should
// stay the same, or that of all should stay below a number of listings by the kernel.
type series struct {
	name  string
	of    string // what grows in number
	sizes []int
	// row returns the row for a size. The namespace has what the sizes before needed.
	row func(w *world, size int) (row, error)
	// most is the growth of the time for each, from the first size to the last, that is
	// proportional. Zero: what grows is beside the work, whose time may grow by so many raw
	// limits.
	most, limits float64
	total        time.Duration // of the last size, at most; zero: any
	peak         float64       // memory of the last size, at most, in MiB; zero: any
	note         string        // the reason if a target is missed
}

// runGrowth measures the series that o selects, and prints a table.
func runGrowth(ctx context.Context, l *lab.Lab, out io.Writer, o options) error {
	head := false
	for _, s := range allSeries(o) {
		if !strings.Contains("growth: "+s.name, o.only) {
			continue
		}
		if !head {
			head = true
			fmt.Fprintln(out, "\n| work | number | processor time | each | raw limit | × raw | memory | target |")
			fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- |")
		}
		w, err := newWorld(ctx, l, "growth")
		if err != nil {
			return err
		}
		err = s.measure(w, out, o.rounds)
		w.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// measure measures a series, and prints its lines.
func (s *series) measure(w *world, out io.Writer, rounds int) error {
	var results []*result
	for i, size := range s.sizes {
		r, err := s.row(w, size)
		if err != nil {
			return fmt.Errorf("%s, %d: %w", s.name, size, err)
		}
		r.name = s.name
		res := &result{row: r, samples: make(map[string][]sample)}
		for round := range rounds {
			if err := res.measureRound(round); err != nil {
				return fmt.Errorf("%s, %d: %w", s.name, size, err)
			}
		}
		results = append(results, res)
		verdict := ""
		if i == len(s.sizes)-1 {
			verdict = s.verdict(results)
		}
		ratio := "–"
		if x, ok := res.ratio(ours, limit); ok {
			ratio = fmt.Sprintf("%.2f", x.median)
		}
		memory, _ := res.memory(ours)
		fmt.Fprintf(out, "| %s | %s %s | %s | %s | %s | %s | %s | %s |\n", s.name, count(size), s.of,
			nanos(res.totalOf(ours)), res.time(ours), nanos(res.totalOf(limit)), ratio, mebibytes(memory), verdict)
	}
	return nil
}

// totalOf returns the median time of a run.
func (r *result) totalOf(who string) float64 {
	n, _ := r.medianPer(who, cpuOf)
	return n * float64(r.row.n)
}

// verdict says which targets there are, and which are missed.
func (s *series) verdict(results []*result) string {
	first, last := results[0], results[len(results)-1]
	var targets, missed []string
	add := func(target string, ok bool, got string) {
		if targets = append(targets, target); !ok {
			missed = append(missed, got)
		}
	}
	if s.most > 0 {
		growth := func(who string) float64 {
			a, _ := first.medianPer(who, cpuOf)
			b, _ := last.medianPer(who, cpuOf)
			return b / a
		}
		add(fmt.Sprintf("each grows ≤ %g ×", s.most), growth(ours) <= s.most,
			fmt.Sprintf("it grows %.1f ×, and the raw limit %.1f ×", growth(ours), growth(limit)))
	} else {
		more := (last.totalOf(ours) - first.totalOf(ours)) / last.totalOf(limit)
		add(fmt.Sprintf("≤ %g raw limits more", s.limits), more <= s.limits, fmt.Sprintf("%.1f raw limits", more))
	}
	if s.total > 0 {
		got := time.Duration(last.totalOf(ours))
		add("≤ "+s.total.String(), got <= s.total, got.Round(time.Millisecond).String())
	}
	if s.peak > 0 {
		got, _ := last.memory(ours)
		add(fmt.Sprintf("memory grows < %g MiB", s.peak), got < s.peak*(1<<20), mebibytes(got))
	}
	text := strings.Join(targets, ", ")
	if len(missed) == 0 {
		return text + ": met"
	}
	text += ": **missed**: " + strings.Join(missed, ", ")
	if s.note != "" {
		text += "; " + s.note
	}
	return text
}
