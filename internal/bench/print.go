package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// count returns n with commas.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// nanos returns a time in nanoseconds with a suitable unit.
func nanos(n float64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%.0f ns", n)
	case n < 10_000:
		return fmt.Sprintf("%.2f µs", n/1e3)
	case n < 1e6:
		return fmt.Sprintf("%.1f µs", n/1e3)
	}
	return fmt.Sprintf("%.1f ms", n/1e6)
}

func mebibytes(n float64) string {
	if math.Abs(n) < 1<<20 {
		return "< 1 MiB"
	}
	return fmt.Sprintf("%.0f MiB", n/(1<<20))
}

// verdict returns whether the targets are met, and which are not.
func (r *result) verdict() string {
	if len(r.row.targets) == 0 {
		return r.row.note
	}
	var missed []string
	for _, t := range r.row.targets {
		if ok, got := t.check(r); !ok {
			missed = append(missed, got)
		}
	}
	if len(missed) == 0 {
		return "met"
	}
	s := "**missed**: " + strings.Join(missed, ", ")
	if r.row.note != "" {
		s += "; " + r.row.note
	}
	return s
}

func (r *result) targetText() string {
	var all []string
	for _, t := range r.row.targets {
		all = append(all, t.String())
	}
	return strings.Join(all, ", ")
}

// time returns the median time for one thing.
func (r *result) time(who string) string {
	n, ok := r.medianPer(who, cpuOf)
	if !ok {
		return "–"
	}
	return nanos(n)
}

// peerCell returns the time of another subject, and its ratio to ours.
func (r *result) peerCell(who string) string {
	x, ok := r.ratio(who, ours)
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%s, %s ×", r.time(who), factor(x.median))
}

func factor(x float64) string {
	if x < 10 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// ourCell returns our time, and its ratio to the raw limit: the median, the lowest and the
// highest of the rounds.
func (r *result) ourCell() string {
	s := r.time(ours)
	if x, ok := r.ratio(ours, limit); ok {
		s += fmt.Sprintf(", **%.2f × raw** (%.2f to %.2f)", x.median, x.low, x.high)
	}
	return s
}

// printMarkdown prints the results as tables.
func printMarkdown(w io.Writer, results []*result) {
	fmt.Fprintf(w, "| work | target | raw limit | policyroute | %s | %s | ip(8) | |\n", vish, jsim)
	fmt.Fprintln(w, "| --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, r := range results {
		program := ip
		if _, ok := r.samples[ipBatch]; ok {
			program = ipBatch
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", r.row.name, r.targetText(),
			r.time(limit), r.ourCell(), r.peerCell(vish), r.peerCell(jsim), r.peerCell(program), r.verdict())
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "What one of them costs beside time, and by how much the process's memory grows in a run:")
	fmt.Fprintln(w)
	fmt.Fprintf(w, "| work | allocations: policyroute, %s, %s | bytes allocated | memory | system calls: raw, policyroute |\n", vish, jsim)
	fmt.Fprintln(w, "| --- | --- | --- | --- | --- |")
	for _, r := range results {
		three := func(text func(who string) string) string {
			return text(ours) + ", " + text(vish) + ", " + text(jsim)
		}
		number := func(of func(sample) float64) func(string) string {
			return func(who string) string {
				n, ok := r.medianPer(who, of)
				if !ok {
					return "–"
				}
				return fmt.Sprintf("%.0f", n)
			}
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s, %s |\n", r.row.name, three(number(allocsOf)), three(number(bytesOf)),
			three(func(who string) string {
				n, ok := r.memory(who)
				if !ok {
					return "–"
				}
				return mebibytes(n)
			}), r.calls(limit), r.calls(ours))
	}
}

// calls returns the median number of system calls for one thing.
func (r *result) calls(who string) string {
	n, ok := r.medianPer(who, func(s sample) float64 { return float64(s.calls) })
	if !ok || n < 0 {
		return "–"
	}
	return strconv.FormatFloat(n, 'g', 2, 64)
}

// printPlain prints one line for each subject of a row.
func printPlain(w io.Writer, r *result) {
	fmt.Fprintf(w, "%s: %s\n", r.row.name, r.verdict())
	for _, s := range r.row.subjects {
		samples := r.samples[s.who]
		if len(samples) == 0 {
			continue
		}
		total := func(of func(sample) time.Duration) time.Duration {
			n, _ := r.medianPer(s.who, func(s sample) float64 { return float64(of(s)) })
			return time.Duration(n * float64(r.row.n)).Round(10 * time.Microsecond)
		}
		n, _ := r.medianPer(s.who, allocsOf)
		b, _ := r.medianPer(s.who, bytesOf)
		p, _ := r.memory(s.who)
		fmt.Fprintf(w, "  %-22s %10s each", s.who, r.time(s.who))
		if x, ok := r.ratio(s.who, limit); ok {
			fmt.Fprintf(w, "  %7.2f × raw (%.2f to %.2f)", x.median, x.low, x.high)
		}
		fmt.Fprintf(w, "  wall %v user %v sys %v  %.1f allocs %.0f B each  peak %s  calls %s\n",
			total(func(s sample) time.Duration { return s.wall }), total(func(s sample) time.Duration { return s.user }),
			total(func(s sample) time.Duration { return s.sys }), n, b, mebibytes(p), r.calls(s.who))
	}
}

// printWatch prints the results of the subscribers.
func printWatch(w io.Writer, seen []watchResult, total int) {
	fmt.Fprintf(w, "| watching %s changes at full speed | lost | told | state afterwards |\n| --- | --- | --- | --- |\n", count(total))
	for _, x := range seen {
		state := "exact"
		if !x.exact {
			state = "wrong"
		}
		fmt.Fprintf(w, "| %s | %s (%s a second) | %s | %s |\n", x.who, percent(total-x.seen, total),
			count(int(float64(total)/x.took.Seconds())), x.loss, state)
	}
}

func percent(n, of int) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}
