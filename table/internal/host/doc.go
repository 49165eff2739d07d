// Package host holds what an uplink depends on, as it was found at one look at the
// host: interfaces, addresses, rules, routes, and the names of tables. [Read] reads
// links, addresses and rules once; routes are read table by table, when they are
// asked for.
//
// A [State] does not change. [State.With] returns what it would be after a change,
// so that what follows can be planned on it.
package host
