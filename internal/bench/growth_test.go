package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
)

// A small run measures every series. Each subject checks the state afterwards.
func TestGrowth(t *testing.T) {
	l := lab.New()
	defer l.Close()
	o := options{n: 1000, rounds: 1}
	var out bytes.Buffer
	if err := runGrowth(t.Context(), l, &out, o); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, s := range allSeries(o) {
		if n := strings.Count(out.String(), "| "+s.name+" |"); n != len(s.sizes) {
			t.Errorf("%s has %d lines, want %d", s.name, n, len(s.sizes))
		}
		lines += len(s.sizes)
	}
	if strings.Count(out.String(), "raw limit") < lines/4 || strings.Contains(out.String(), "NaN") {
		t.Log(out.String())
		t.Error("the table lacks verdicts")
	}
}
