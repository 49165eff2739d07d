package tabletest

import "github.com/policyroute/policyroute/internal/testrun"

// Full reports whether long tests run at full length: see [testrun.Full].
func Full() bool { return testrun.Full() }

// Times returns the first number in a full run, and otherwise the smaller one.
func Times(full, reduced int) int { return testrun.Times(full, reduced) }
