package testrun

import "flag"

var full = flag.Bool("full", false, "repeat floods, kills and random changes in full numbers")

// Full reports whether the tests that take long are to take as long as they should:
// floods, kills and concurrent processes in full numbers, as in
//
//	go test ./table/... -full -timeout 60m
//
// Without -full they do the same less often.
func Full() bool { return *full }

// Times returns a number for a full run, or else a smaller one.
func Times(full, reduced int) int {
	if Full() {
		return full
	}
	return reduced
}
