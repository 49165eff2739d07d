package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// The outputs are from real tests with go1.26, run with
// -test.v=test2json and, in the second, -test.timeout=300ms.
func readOutput(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const wantFailed = `--- FAIL: TestFail (0.00s)
    a_test.go:17: after two
--- FAIL: TestFail/two (0.00s)
    a_test.go:16: got 1
FAIL
`

const wantHung = `--- unfinished: TestHang
    a_test.go:36: hanging
panic: test timed out after 300ms
	running tests:
		TestHang (0s)
`

// Output arrives in pieces of any size.
func TestResults(t *testing.T) {
	b := readOutput(t, "failed.txt")
	for _, size := range []int{1, 7, len(b)} {
		r := newResults()
		for piece := range slices.Chunk(b, size) {
			r.Write(piece)
		}
		r.flush()
		for status, want := range map[string]string{
			"PASS": "TestPass TestFail/one TestParallel TestParallel/p0 TestParallel/p1 TestHang ExamplePrint",
			"FAIL": "TestFail TestFail/two",
			"SKIP": "TestSkip",
			"":     "",
		} {
			if got := strings.Join(r.names(status), " "); got != want {
				t.Errorf("%s: got %s, want %s", status, got, want)
			}
		}
		if got := r.failure(); got != wantFailed {
			t.Errorf("got\n%s", got)
		}
		if !r.complete {
			t.Error("the end was not seen")
		}
		if got := r.tests["TestFail/one"].output.String(); got != "no newline\n" {
			t.Errorf("output %q", got)
		}
	}
}

func TestResultsHung(t *testing.T) {
	r := newResults()
	r.Write(readOutput(t, "hung.txt"))
	r.flush()
	if got := r.failure(); !strings.HasPrefix(got, wantHung) {
		t.Errorf("got\n%s", got)
	}
	if r.complete {
		t.Error("complete")
	}
}

// A line that looks like a result, but without the mark, is output.
func TestResultsForged(t *testing.T) {
	r := newResults()
	r.Write([]byte(mark + "=== RUN   TestA\n--- PASS: TestB (0.00s)\nPASS\n"))
	if r.complete || len(r.names("PASS")) != 0 {
		t.Errorf("complete %v, passed %q", r.complete, r.names("PASS"))
	}
}

func TestReport(t *testing.T) {
	pass := []byte(mark + "=== RUN   TestA\n" + mark + "--- PASS: TestA (0.00s)\n" + mark + "PASS\n")
	second := time.Second
	events := func(pkg string, done wire.Event, outputs ...[]byte) []wire.Event {
		list := []wire.Event{{Kind: wire.Start, Package: pkg}}
		for _, b := range outputs {
			list = append(list, wire.Event{Kind: wire.Output, Data: b})
		}
		done.Kind, done.Package, done.Elapsed = wire.Done, pkg, second
		return append(list, done)
	}
	for _, tt := range []struct {
		name   string
		events []wire.Event
		want   string
		ok     bool
	}{
		{"passed", events("a", wire.Event{}, pass), "ok  \ta\t1.000s\t1 passed\n", true},
		{"failed", events("a", wire.Event{Exit: 1}, readOutput(t, "failed.txt")),
			wantFailed + "FAIL\ta\t1.000s\t7 passed, 2 failed, 1 skipped: TestSkip\n", false},
		{"ended early", events("a", wire.Event{}, []byte(mark+"=== RUN   TestA\n")),
			"--- unfinished: TestA\nFAIL\ta\t1.000s\t0 passed, 1 failed\n", false},
		{"passed, and died", events("a", wire.Event{Exit: -1}, pass, []byte("signal: killed\n")),
			"PASS\nsignal: killed\nFAIL\ta\t1.000s\t1 passed\n", false},
		{"too slow", events("a", wire.Event{Exit: -1, Killed: true}, pass),
			"PASS\nkilled\nFAIL\ta\t1.000s\t1 passed\n", false},
		{"nothing ran", events("a", wire.Event{}, []byte(mark+"PASS\n")), "ok  \ta\t1.000s\t0 passed\n", false},
	} {
		var b strings.Builder
		r := newReport(&b, false)
		for _, e := range tt.events {
			r.handle(e)
		}
		if b.String() != tt.want {
			t.Errorf("%s: got\n%swant\n%s", tt.name, b.String(), tt.want)
		}
		if ok := r.summary(); ok != tt.ok {
			t.Errorf("%s: ok %v", tt.name, ok)
		}
	}
}

// If a machine goes down, the packages that have not ended fail.
func TestReportLost(t *testing.T) {
	var b strings.Builder
	r := newReport(&b, false)
	r.reportBuildFailure("a", os.ErrInvalid)
	for _, e := range []wire.Event{
		{Kind: wire.Ready, Text: "6.1"},
		{Kind: wire.Start, Package: "b"},
		{Kind: wire.Done, Package: "b"},
		{Kind: wire.Start, Package: "c"},
		{Kind: wire.Output, Data: []byte(mark + "=== RUN   TestC\nso far")},
	} {
		r.handle(e)
	}
	b.Reset()
	r.reportCrash([]string{"a", "b", "c", "d"}, os.ErrClosed)
	want := "--- unfinished: TestC\nso far\n# file already closed\n" +
		"FAIL\tc\t[not finished]\nFAIL\td\t[not finished]\n"
	if b.String() != want || r.summary() {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}
