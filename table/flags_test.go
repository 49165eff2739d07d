package table_test

import "flag"

// allOfIt makes the tests that take long as long as they should be: floods,
// kills and concurrent processes in full numbers, as in
//
//	go test ./table -full -timeout 60m
//
// Without it they do the same less often, so that all of them take a minute.
var allOfIt = flag.Bool("full", false, "repeat floods, kills and concurrent changes in full numbers")

// times is a number for a full run, or a smaller one.
func times(full, reduced int) int {
	if *allOfIt {
		return full
	}
	return reduced
}
