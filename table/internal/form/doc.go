// Package form says what the rules and routes of uplinks look like, and when two
// of them are the same. It reads and changes nothing.
//
// The words, which the other packages use as well:
//
//   - A rung is one rule from a single source address: lookup of the uplink's
//     table, of main or of local, or unreachable.
//   - A ladder is the rungs of an uplink's sources in one family, at consecutive
//     priorities. Rung k of every source has the same priority.
//   - A gate is the rule "from A goto END". While END exists, it leads the packets
//     of A past the rules in between. Where these are rungs of many sources and
//     nothing else, one gate "from all goto END" does for all of them.
//   - END is a rule "nop", where gates lead to. A gate whose END does not exist has
//     no effect: the kernel goes on with the next rule.
//   - A claim is a route that reserves a table and changes nothing.
package form
