package testrun

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// MostFailures is how many failures a Reporter prints. A test that runs a subtest for each
// case stops after as many.
const MostFailures = 10

const (
	mostLines = 30 // after which a Reporter prints no other failure
	mostOfOne = 12 // lines of one failure
)

// A Reporter is a test that prints its first failures alone. It is for tests over
// tables and corpora of cases:
//
//	t := testrun.Limit(t)
//	for _, c := range cases {
//		…
//		t.Errorf("%s: got %s, want %s", c, got, want)
type Reporter struct {
	testing.TB

	mu             sync.Mutex
	printed, lines int
	hidden         int
}

// Limit returns a Reporter for a test. When the test ends, the Reporter says how many
// failures it did not print.
func Limit(t testing.TB) *Reporter {
	r := &Reporter{TB: t}
	t.Cleanup(func() {
		if r.hidden > 0 {
			t.Errorf("and %d more differences", r.hidden)
		}
	})
	return r
}

// Errorf prints a failure, unless enough of them are printed.
func (r *Reporter) Errorf(format string, args ...any) {
	r.TB.Helper()
	r.report(fmt.Sprintf(format, args...))
}

// Error prints a failure, unless enough of them are printed.
func (r *Reporter) Error(args ...any) {
	r.TB.Helper()
	r.report(strings.TrimSuffix(fmt.Sprintln(args...), "\n"))
}

// report prints a failure, or counts it.
func (r *Reporter) report(text string) {
	r.TB.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.printed == MostFailures || r.lines >= mostLines {
		r.hidden++
		r.TB.Fail()
		return
	}
	text = Cut(text)
	r.printed++
	r.lines += 1 + strings.Count(text, "\n")
	r.TB.Error(text)
}

// Cut returns the first lines of a text, and says how many more there are.
func Cut(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) <= mostOfOne {
		return text
	}
	return fmt.Sprintf("%s\n… and %d more lines", strings.Join(lines[:mostOfOne], "\n"), len(lines)-mostOfOne)
}

// Values returns two values that are not the same, as text. Values with equal texts
// are printed with their fields.
func Values(want, got any) string {
	w, g := fmt.Sprint(want), fmt.Sprint(got)
	if w == g {
		w, g = fmt.Sprintf("%#v", want), fmt.Sprintf("%#v", got)
	}
	return fmt.Sprintf("\n got: %s\nwant: %s", g, w)
}

// Error returns the text of an error, which may be nil.
func Error(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// Seeds bounds what a fuzz test prints of seeds that fail. The zero Seeds is ready:
//
//	var seeds testrun.Seeds
//	f.Fuzz(func(t *testing.T, b []byte) {
//		seeds.Next(t)
type Seeds struct {
	mu     sync.Mutex
	failed int
}

// mostSeeds is how many seeds may fail before the others are left out.
const mostSeeds = 5

// Next is called for each seed. After some seeds have failed, and the test with them, it
// skips the seed.
func (s *Seeds) Next(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	failed := s.failed
	s.mu.Unlock()
	if failed >= mostSeeds {
		t.SkipNow()
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.failed++
		}
	})
}
