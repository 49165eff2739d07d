// Package testrun says how the tests of the module run: how often they repeat things,
// and how much they print.
//
// The first differences explain a wrong line of code, and hundreds of others hide them.
// So tests over tables and corpora of cases report to [Limit].
package testrun
