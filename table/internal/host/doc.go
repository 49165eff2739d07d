// Package host has the facts about a host that an uplink depends on, as they were read
// at one time: interfaces, addresses, rules, routes, and the names of tables. [Read]
// reads links, addresses and rules once. Routes are read table by table, when they are
// needed.
//
// A [State] does not change. [State.With] returns the state after a change, so that
// further changes can be planned on it.
package host
