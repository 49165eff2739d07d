// Package transition plans the steps from the existing rules and routes to those of the
// policies. It is a pure function of a [host.State], and opens no socket.
//
// # Phases
//
// A transaction has ten phases. Only the steps of phase COMMIT change the way of
// packets, normally one step for each family. In comments, the rules from a source are
// its rungs, and all rungs of a source are its ladder. An example: an uplink with
// MainFirst and Unreachable, whose source is A, in the new table 20:
//
//	claim   ip route add throw default metric 4294967295 table 20   nobody else takes the table
//	gate    ip rule add nop pref 31004                              END
//	        ip rule add from A goto 31004 pref 30999                the gate: A skips what follows
//	route   ip route add default via G dev eth1 table 20            no rule leads there yet
//	rung    ip rule add from A lookup 20 suppress... pref 31000     hidden by the gate
//	        ip rule add from A lookup main suppress... pref 31001
//	        ip rule add from A lookup 20 pref 31002
//	        ip rule add from A unreachable pref 31003
//	COMMIT  ip rule del nop pref 31004                              the gate leads nowhere: A meets the rungs
//	also    new rules of Also
//	clean   old rungs, which the new ones or the gate hide by now
//	leave   old rules of Also; a gate may have led to one of them
//	drop    old routes, which no rule leads to any more; the claim
//	shut    ip rule del from A goto 31004 pref 30999                the gate is the mark of a transaction: it goes last
//
// To remove the same uplink, the transaction adds the gate first. Adding END is the
// COMMIT: the gate then skips the rungs, which are deleted in phase clean.
//
// For several sources, a single gate "from all goto END" is enough, unless rules of other
// programs are among the rungs. This gate is then the COMMIT: deleting it uncovers the
// rungs, and adding it hides them. END stays until the end, as the mark of the
// transaction.
//
// If a source has new and old rungs, those with the lower priority numbers decide. So
// if the new rungs come before the old ones, the COMMIT uncovers the new ones, as
// above. If the new rungs come after the old ones, the COMMIT hides the old ones, as in
// a removal. END is between both.
//
// If there is no room between the rules for local and main, as in the order of rules
// that VRFs need, the rungs come before both. Each source then has one more rung, in
// front:
//
//	from A lookup local
//
// If the rule for local moves, Install adds or deletes these rungs, as in any other
// change of a ladder.
//
// If only one rung is added or deleted, that step is the COMMIT and needs no gate.
package transition
