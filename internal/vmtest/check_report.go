package main

import (
	"fmt"
	"io"
	"time"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// A checkReport prints the events of a machine with systemd: a line for each check.
type checkReport struct {
	w        io.Writer
	verbose  bool
	began    time.Time
	debian   debian
	scenario string

	output         []byte // of the check that runs now
	passed, failed int
}

func newCheckReport(w io.Writer, d debian, scenario string) *checkReport {
	return &checkReport{w: w, began: time.Now(), debian: d, scenario: scenario}
}

// handle takes the next event.
func (r *checkReport) handle(e wire.Event) {
	switch e.Kind {
	case wire.Ready:
		fmt.Fprintf(r.w, "# Debian %s, %s, %s, booted in %s\n", r.debian.version, e.Text, r.scenario, seconds(time.Since(r.began)))
	case wire.Note:
		fmt.Fprintf(r.w, "# %s\n", e.Text)
		r.failed++
	case wire.Output:
		if r.verbose {
			r.w.Write(e.Data)
		} else {
			r.output = append(r.output, e.Data...)
		}
	case wire.Done:
		word := "ok  "
		if e.Exit != 0 {
			word = "FAIL"
			r.failed++
			r.w.Write(r.output)
		} else {
			r.passed++
		}
		r.output = nil
		fmt.Fprintf(r.w, "%s\t%s\t%s\t%s\n", word, e.Package, seconds(e.Elapsed), e.Text)
	}
}

// summary prints the last line, and returns whether the run passed.
func (r *checkReport) summary() bool {
	ok := r.failed == 0 && r.passed > 0
	word := "ok  "
	if !ok {
		word = "FAIL"
	}
	fmt.Fprintf(r.w, "%s\tDebian %s, %s\t%s\t%d passed, %d failed\n", word, r.debian.version, r.scenario,
		seconds(time.Since(r.began)), r.passed, r.failed)
	return ok
}
