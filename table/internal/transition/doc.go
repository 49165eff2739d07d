// Package transition plans the steps from the rules and routes that there are to those
// of the policies. It is pure: it gets a [host.State], and opens no socket.
//
// # Phases
//
// A transaction has ten phases. Of all its steps packets notice those of phase COMMIT,
// normally one a family. An example: an uplink with MainFirst and Unreachable, whose
// source is A, in the new table 20:
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
// To remove the same uplink, the gate comes first, and END is the COMMIT: adding END
// makes the gate lead past the rungs, which are then deleted in phase clean.
//
// Of several sources, one gate "from all goto END" does, unless rules of others are among
// the rungs. It is the COMMIT then: it is deleted to uncover the rungs, and added to hide
// them; and END is the mark of the transaction.
//
// If new and old rungs of one source stand beside each other, those with the lower
// priorities decide. So new rungs before the old ones are uncovered, as above; and if
// the new ones are behind, the old ones are hidden, as in a removal. END stands between
// both.
//
// Where the rules for local and main leave no room in between, as in the order of rules
// that VRFs need, the rungs come before both. Each source has one more then, in front:
//
//	from A lookup local
//
// If the rule for local moves, these rungs are to be added or deleted, as in any other
// change of a ladder.
//
// Where a single rung is added or deleted, that step is the COMMIT and needs no gate.
package transition
