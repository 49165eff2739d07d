package tabletest

import "github.com/policyroute/policyroute/internal/testrun"

// Full reports whether the tests that take long are to take as long as they should: see
// [testrun.Full].
func Full() bool { return testrun.Full() }

// Times returns a number for a full run, or else a smaller one.
func Times(full, reduced int) int { return testrun.Times(full, reduced) }
