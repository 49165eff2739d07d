package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// A report prints the events of one machine in the format of go test.
type report struct {
	w       io.Writer
	verbose bool
	began   time.Time

	release string // of the kernel, once it has booted
	pkg     string // the package that runs now
	results *results
	ran     map[string]bool // packages that have ended

	passed, failed, skipped int // tests
	failures                int // failed packages, and failures outside of packages
}

func newReport(w io.Writer, verbose bool) *report {
	return &report{w: w, verbose: verbose, began: time.Now(), ran: map[string]bool{}}
}

func (r *report) printf(format string, args ...any) { fmt.Fprintf(r.w, format, args...) }

// handle takes the next event.
func (r *report) handle(e wire.Event) {
	switch e.Kind {
	case wire.Ready:
		r.release = e.Text
		r.printf("# linux %s, booted in %s\n", e.Text, seconds(time.Since(r.began)))
	case wire.Note: // the guest could not set up something that tests need
		r.failures++
		r.printf("# %s\n", e.Text)
	case wire.Start:
		r.pkg, r.results = e.Package, newResults()
	case wire.Output:
		if r.verbose {
			r.printf("%s", strings.ReplaceAll(string(e.Data), mark, ""))
		}
		if r.results != nil {
			r.results.Write(e.Data)
		}
	case wire.Done:
		r.reportPackage(e)
	}
}

// reportPackage prints the result of a package. It does not rely on the exit status alone,
// because a process can end early with status 0.
func (r *report) reportPackage(e wire.Event) {
	res := r.results
	res.flush()
	passed, failed, skipped := len(res.names("PASS")), len(res.names("FAIL")), res.names("SKIP")
	unfinished := len(res.names(""))
	r.passed += passed
	r.failed += failed + unfinished
	r.skipped += len(skipped)
	r.ran[e.Package] = true
	r.pkg = ""

	ok := e.Exit == 0 && !e.Killed && failed+unfinished == 0 && res.complete
	counts := fmt.Sprintf("%d passed", passed)
	if failed+unfinished > 0 {
		counts += fmt.Sprintf(", %d failed", failed+unfinished)
	}
	if len(skipped) > 0 {
		counts += fmt.Sprintf(", %d skipped: %s", len(skipped), strings.Join(skipped, " "))
	}
	if ok {
		r.printf("ok  \t%s\t%s\t%s\n", e.Package, seconds(e.Elapsed), counts)
		return
	}
	r.failures++
	if !r.verbose {
		r.printf("%s", res.failure())
	}
	if e.Killed {
		r.printf("killed\n")
	}
	r.printf("FAIL\t%s\t%s\t%s\n", e.Package, seconds(e.Elapsed), counts)
}

// reportBuildFailure reports a package that did not compile.
func (r *report) reportBuildFailure(pkg string, err error) {
	r.failures++
	r.ran[pkg] = true
	r.printf("# %s\n%v\nFAIL\t%s [build failed]\n", pkg, err, pkg)
}

// reportCrash reports the packages that did not finish because the machine went down.
func (r *report) reportCrash(pkgs []string, err error) {
	if r.pkg != "" && r.results != nil && !r.verbose {
		r.results.flush()
		r.printf("%s", r.results.failure())
	}
	r.printf("# %v\n", err)
	for _, pkg := range pkgs {
		if !r.ran[pkg] {
			r.failures++
			r.printf("FAIL\t%s\t[not finished]\n", pkg)
		}
	}
}

// summary prints the last line of a kernel, and returns whether the run passed. A run without
// tests does not pass.
func (r *report) summary() bool {
	ok := r.failures == 0 && r.passed > 0
	word := "ok  "
	if !ok {
		word = "FAIL"
	}
	r.printf("%s\tlinux %s\t%s\t%d passed, %d failed, %d skipped", word, r.release,
		seconds(time.Since(r.began)), r.passed, r.failed, r.skipped)
	if r.failures > 0 {
		r.printf("; failures: %d", r.failures)
	}
	r.printf("\n")
	return ok
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3fs", d.Seconds()) }
