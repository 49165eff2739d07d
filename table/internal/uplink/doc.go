// Package uplink works out the rules and routes that an uplink should have on this
// host. A [Spec] is the uplink as an administrator writes it. From a Spec and a
// [host.State] it makes a [Policy]: the table, the sources, the routes, the rungs and
// the rules of Also.
//
// [Resolve] makes the policy of one uplink, [Join] checks the policies of several
// uplinks together, and [Owned] and [Others] find installed uplinks.
package uplink
