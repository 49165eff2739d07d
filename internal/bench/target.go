package main

import (
	"fmt"
	"math"
)

// A target is a bound that this library has to reach in a row.
type target struct {
	of    string // raw, peers, allocs, bytes, peak, programs, cpu ms, wall ms
	bound float64
}

func (t target) String() string {
	switch t.of {
	case "raw":
		return fmt.Sprintf("≤ %g × raw", t.bound)
	case "peers":
		return fmt.Sprintf("≥ %g × faster than each Go peer", t.bound)
	case "programs":
		return fmt.Sprintf("≥ %g × faster than ip", t.bound)
	case "allocs":
		return fmt.Sprintf("%g allocations", t.bound)
	case "bytes":
		return fmt.Sprintf("≤ %g B allocated each", t.bound)
	case "peak":
		return fmt.Sprintf("memory grows < %g MiB", t.bound)
	case "cpu ms":
		return fmt.Sprintf("≤ %.3g ms of processor time", t.bound)
	case "wall ms":
		return fmt.Sprintf("≤ %.3g ms", t.bound)
	}
	return t.of
}

// check compares the medians with the target, and returns the value that it compared.
func (t target) check(r *result) (ok bool, got string) {
	switch t.of {
	case "raw":
		x, ok := r.ratio(ours, limit)
		return ok && round2(x.median) <= t.bound, fmt.Sprintf("%.2f × raw", x.median)
	case "peers":
		least := math.Inf(1)
		for _, who := range []string{vish, jsim} {
			if x, ok := r.ratio(who, ours); ok {
				least = min(least, x.median)
			}
		}
		return least >= t.bound && !math.IsInf(least, 1), fmt.Sprintf("%.1f × faster", least)
	case "programs":
		x, ok := r.ratio(ip, ours)
		return ok && x.median >= t.bound, fmt.Sprintf("%.0f × faster than ip", x.median)
	case "allocs":
		// The Go runtime makes a few allocations of its own in a run.
		n, ok := r.medianPer(ours, allocsOf)
		return ok && math.Round(n) <= t.bound, fmt.Sprintf("%.0f allocations", n)
	case "bytes":
		n, ok := r.medianPer(ours, bytesOf)
		return ok && n <= t.bound, fmt.Sprintf("%.0f B", n)
	case "peak":
		n, ok := r.memory(ours)
		n /= 1 << 20
		return ok && n < t.bound, fmt.Sprintf("%.1f MiB", n)
	case "cpu ms":
		n, ok := r.medianPer(ours, cpuOf)
		return ok && n/1e6 <= t.bound, fmt.Sprintf("%.2f ms of processor time", n/1e6)
	case "wall ms":
		n, ok := r.medianPer(ours, func(s sample) float64 { return float64(s.wall) })
		return ok && n/1e6 <= t.bound, fmt.Sprintf("%.1f ms", n/1e6)
	}
	return false, "unknown"
}

func round2(x float64) float64 { return math.Round(x*100) / 100 }
