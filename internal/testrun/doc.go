// Package testrun controls how often tests repeat things, and how much they print.
//
// The first few differences are enough to find an error, and hundreds of others would
// hide them. So tests over tables and corpora of cases report to [Limit].
package testrun
