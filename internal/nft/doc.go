// Package nft has the messages of nf_tables that policy routing of replies needs: tables,
// chains, rules, sets and their elements, and the expressions of rules that look at
// connections, marks, addresses and ports.
//
// The words are those of nft(8) and of linux/netfilter/nf_tables.h. A [Batch] holds
// changes, and [Commit] has the kernel make all of them or none. [Read] returns what the
// kernel has of a table at one moment, and [ReadHost] the tables, chains, sets and rules
// of all programs. [Watch] tells of each change, and who made it.
//
// Decoding loses nothing: a [Raw] is an expression that has no type here, and each type
// keeps the attributes that it has no field for. The kernel reports a rule in other words
// than those in which it was made; two values are to be compared in their canonical form,
// as [Contents.Canonical] returns it.
package nft
