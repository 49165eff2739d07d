package testrun

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A fakeTest notes what is printed, and what is to be done when it ends.
type fakeTest struct {
	testing.TB
	printed []string
	failed  bool
	skipped bool
	cleanup func()
}

func (*fakeTest) Helper()            {}
func (f *fakeTest) Cleanup(c func()) { f.cleanup = c }
func (f *fakeTest) Fail()            { f.failed = true }
func (f *fakeTest) Failed() bool     { return f.failed }
func (f *fakeTest) SkipNow()         { f.skipped = true }
func (f *fakeTest) Error(args ...any) {
	f.Fail()
	f.printed = append(f.printed, fmt.Sprint(args...))
}
func (f *fakeTest) Errorf(format string, args ...any) { f.Error(fmt.Sprintf(format, args...)) }

func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		name     string
		failures []string
		want     []string
	}{
		{"none", nil, nil},
		{"two", []string{"a", "b"}, []string{"a", "b"}},
		{"ten", strings.Fields("1 2 3 4 5 6 7 8 9 10"), strings.Fields("1 2 3 4 5 6 7 8 9 10")},
		{"twelve", strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12"),
			append(strings.Fields("1 2 3 4 5 6 7 8 9 10"), "and 2 more differences")},
		{"many lines", []string{lines(12), lines(12), lines(12), lines(1)},
			[]string{lines(12), lines(12), lines(12), "and 1 more differences"}},
		{"a long one", []string{lines(40)}, []string{lines(12) + "\n… and 28 more lines"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := new(fakeTest)
			r := Limit(f)
			for i, s := range tt.failures {
				if i%2 == 0 {
					r.Errorf("%s", s)
				} else {
					r.Error(s)
				}
			}
			f.cleanup()
			if got, want := strings.Join(f.printed, "\n|"), strings.Join(tt.want, "\n|"); got != want {
				t.Errorf("printed\n%s\nwant\n%s", got, want)
			}
			if f.failed != (len(tt.failures) > 0) {
				t.Errorf("the test failed: %t", f.failed)
			}
		})
	}
}

// The hidden failures alone fail a test as well.
func TestLimitHidden(t *testing.T) {
	f := new(fakeTest)
	r := Limit(f)
	for range MostFailures {
		r.Error("x")
	}
	f.failed = false
	if r.Error("hidden"); !f.failed || len(f.printed) != MostFailures {
		t.Errorf("failed: %t, printed %q", f.failed, f.printed)
	}
}

func lines(n int) string { return strings.TrimSuffix(strings.Repeat("line\n", n), "\n") }

func TestValues(t *testing.T) {
	if got, want := Values(1, 2), "\n got: 2\nwant: 1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := Values("1", 1), "\n got: 1\nwant: \"1\""; got != want {
		t.Errorf("equal texts: got %q, want %q", got, want)
	}
}

func TestError(t *testing.T) {
	if got := Error(nil); got != "no error" {
		t.Errorf("got %q", got)
	}
	if got := Error(errors.New("x")); got != "x" {
		t.Errorf("got %q", got)
	}
}

// After some seeds have failed, the others are left out. Seeds that pass do not count.
func TestSeeds(t *testing.T) {
	var seeds Seeds
	ran := 0
	for i := range 40 {
		f := new(fakeTest)
		if seeds.Next(f); f.skipped {
			continue
		}
		ran++
		if i >= 10 {
			f.Error("x")
		}
		f.cleanup()
	}
	if want := 10 + mostSeeds; ran != want {
		t.Errorf("%d seeds ran, want %d", ran, want)
	}
}

// A text of a few lines stays, and a longer one is cut.
func TestCut(t *testing.T) {
	if got := Cut("a\nb\n"); got != "a\nb\n" {
		t.Errorf("a short text: %q", got)
	}
	if got := Cut(lines(100)); strings.Count(got, "\n") != mostOfOne || !strings.Contains(got, " more lines") {
		t.Errorf("got\n%s", got)
	}
}
