// Package form defines what the rules and routes of uplinks look like, and when two of
// them are the same. It reads and changes nothing.
//
// These words are also used in the other packages:
//
//   - A rung is one rule from a single source address: lookup of the uplink's
//     table, of main or of local, or unreachable.
//   - A ladder is the rungs of an uplink's sources in one family, at consecutive
//     priorities. Rung k of every source has the same priority.
//   - A gate is the rule "from A goto END". While END exists, it leads the packets
//     of A past the rules in between. If all of these are rungs of many sources, one
//     gate "from all goto END" is enough for all of them.
//   - END is the rule "nop" that gates lead to. A gate whose END does not exist has
//     no effect: the kernel goes on with the next rule.
//   - A claim is a route that reserves a table and changes nothing.
package form
