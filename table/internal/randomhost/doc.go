// Package randomhost makes random hosts for tests: interfaces, addresses, settings, rules,
// routes, nexthop objects and neighbours, and packets that meet them. A host is a list of
// commands of ip(8) and sysctl(8), so that a failure can be read and repeated by hand, and a
// test can leave out commands until it no longer fails.
//
// The commands run in a network namespace of their own: see [Enter].
package randomhost
