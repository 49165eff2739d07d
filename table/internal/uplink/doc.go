// Package uplink says what there should be of an uplink on this host. A [Spec] is
// the uplink as an administrator writes it. With the [host.State] it makes a
// [Policy]: the table, the sources, the routes, the rungs and the rules of Also.
//
// [Resolve] makes the policy of one uplink, [Join] looks at those of several
// together, and [Owned] and [Others] find what is installed.
package uplink
