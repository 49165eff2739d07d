// Package ruleset changes one table of nf_tables from what it has to what it should have,
// with the text of nft(8) for each change.
//
// A [Change] is the difference of two [nft.Contents]. It keeps what stays: a set that both
// have keeps its elements, and a chain whose rules are the same is not touched. The kernel
// makes a Change in one step.
package ruleset
