// Package picture draws how packets leave a host: which rules look up which tables, and
// which gateways and interfaces the routes of these tables lead to. It draws any
// [explain.World], of a host or from a file, and marks the path of a packet in it.
//
// A [Picture] has four forms: lines for a terminal, and the languages of Graphviz, Mermaid
// and SVG. The same World always gives the same text. Control characters in names are
// replaced, and each form escapes what it has to.
//
// Routes of a table that lead to the same place are one row, so that a table with a million
// routes fits. Routes of the types broadcast, multicast and anycast that the kernel has made
// are left out, unless the packet takes one.
//
// The name beside a rule is that of the program that appears to have made it, judged by
// the rule's priority, mark, table and protocol.
package picture
