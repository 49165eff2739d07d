package tabletest

import (
	"strconv"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	var long strings.Builder
	for i := range 30 {
		long.WriteString(strconv.Itoa(i) + "\n")
	}
	for _, x := range []struct{ name, want, got, diff string }{
		{"equal", "a\nb\n", "a\nb\n", ""},
		{"empty", "", "", ""},
		{"changed", "a\nb\nc\n", "a\nx\nc\n", "-b\n+x\n"},
		{"added", "a\nc\n", "a\nb\nc\n", "+b\n"},
		{"deleted", "a\nb\nc\n", "a\nc\n", "-b\n"},
		{"other order", "a\nb\n", "b\na\n", "-a\n+a\n"},
		{"one of two", "a\na\n", "a\n", "-a\n"},
		{"several", "a\nb\nc\nd\ne\n", "b\nx\nd\n", "-a\n-c\n+x\n-e\n"},
		{"end of line", "a", "a\n", "+\n"},
		{"nothing", "", "a\nb\n", "+a\n+b\n"},
		{"long", long.String(), "", "-0\n-1\n-2\n-3\n-4\n-5\n-6\n-7\n-8\n-9\nand 20 more\n"},
		{"all others", long.String(), "x\ny\n", "-0\n-1\n-2\n-3\n-4\n-5\n-6\n-7\n+x\n+y\nand 22 more\n"},
		{"within", long.String(), strings.Replace(long.String(), "\n20\n", "\n", 1), "-20\n"},
	} {
		if got := Diff(x.want, x.got); got != x.diff {
			t.Errorf("%s: got %q, want %q", x.name, got, x.diff)
		}
	}
}

// Texts too long to be compared line by line still differ.
func TestDiffTooLong(t *testing.T) {
	a := "first\n" + strings.Repeat("a\n", 3000) + "last\n"
	b := "first\n" + strings.Repeat("b\n", 3000) + "last\n"
	if got := Diff(a, b); !strings.HasPrefix(got, "-a\n") || !strings.HasSuffix(got, "\nand 5990 more\n") {
		t.Errorf("got %q", got)
	}
	if got := Diff(a, a); got != "" {
		t.Errorf("equal: got %q", got)
	}
}
