package main

import (
	"slices"
	"strings"
)

// sortVersions sorts names that differ in their version, the newest last.
func sortVersions(names []string) {
	slices.SortFunc(names, compareVersions)
}

// compareVersions compares digits as numbers and everything else as text: 6.1.0-9 comes before
// 6.1.0-47.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		x, restA := part(a)
		y, restB := part(b)
		if isDigit(x[0]) && isDigit(y[0]) {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
		a, b = restA, restB
	}
	return len(a) - len(b)
}

// part splits off the longest beginning that has only digits or no digits.
func part(s string) (string, string) {
	for i := range s {
		if isDigit(s[i]) != isDigit(s[0]) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
