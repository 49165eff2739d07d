// Package iptext reads and writes objects in the words of ip(8).
//
// A selector of a rule or an attribute of a route is one [Word]: its names, a function
// that reads its arguments, and a function that prints it. The words of an object form
// a [Table]. Words are printed in the order of the table, and read in any order.
//
// An [Output] prints objects as ip(8) does, as text or JSON.
//
// [Command] makes a shell command from words, and quotes names if necessary.
package iptext
