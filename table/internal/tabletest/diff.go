package tabletest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// WantText fails the test and prints the difference, unless two texts are equal.
func WantText(t testing.TB, what, want, got string) {
	t.Helper()
	if diff := Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// WantEither fails the test and prints the differences, unless a text equals one of two
// others.
func WantEither(t testing.TB, what, before, after, got string) {
	t.Helper()
	if got != before && got != after {
		t.Errorf("%s: neither as before (-before +got):\n%sor as after (-after +got):\n%s",
			what, Diff(before, got), Diff(after, got))
	}
}

// Diff returns the first lines in which two texts differ, and how many more there are.
// Lines only in want begin with "-", and lines only in got with "+". Of ten lines, at
// least five are of each kind, if there are that many. For equal texts, Diff returns
// nothing.
func Diff(want, got string) string {
	const most = 10
	lines := diffLines(strings.Split(want, "\n"), strings.Split(got, "\n"))
	if len(lines) == 0 {
		return ""
	}
	if more := len(lines) - most; more > 0 {
		lines = append(firstLines(lines, most), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n") + "\n"
}

// firstLines returns the first lines of each sign, as many altogether as most says.
func firstLines(lines []string, most int) []string {
	plus := 0
	for _, line := range lines {
		if line[0] == '+' {
			plus++
		}
	}
	room := map[byte]int{'-': most - min(plus, most/2)}
	room['-'] = min(room['-'], len(lines)-plus)
	room['+'] = most - room['-']
	var first []string
	for _, line := range lines {
		if room[line[0]] > 0 {
			room[line[0]]--
			first = append(first, line)
		}
	}
	return first
}

// diffLines returns the lines that are not in both, in their order.
func diffLines(a, b []string) []string {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a)*len(b) > 1<<22 { // too long to look for what they have in common
		return append(prefixed("-", a), prefixed("+", b)...)
	}
	common := commonLines(a, b)
	var lines []string
	for len(a) > 0 || len(b) > 0 {
		i, j := len(a), len(b)
		if len(common) > 0 {
			i, j = slices.Index(a, common[0]), slices.Index(b, common[0])
		}
		lines = append(append(lines, prefixed("-", a[:i])...), prefixed("+", b[:j])...)
		if len(common) > 0 {
			common, i, j = common[1:], i+1, j+1
		}
		a, b = a[i:], b[j:]
	}
	return lines
}

func prefixed(sign string, lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, sign+line)
	}
	return all
}

// commonLines returns the longest list of lines that both have in the same order.
func commonLines(a, b []string) []string {
	// long[i][j] is how long that of a[i:] and b[j:] is.
	long := make([][]int, len(a)+1)
	for i := range long {
		long[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				long[i][j] = long[i+1][j+1] + 1
			} else {
				long[i][j] = max(long[i+1][j], long[i][j+1])
			}
		}
	}
	var common []string
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			common = append(common, a[i])
			i, j = i+1, j+1
		case long[i+1][j] >= long[i][j+1]:
			i++
		default:
			j++
		}
	}
	return common
}
