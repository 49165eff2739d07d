// Package iptext reads and writes objects in the words of ip(8).
//
// A selector of a rule or an attribute of a route is one [Word]: its names,
// how its arguments are read, and how it is printed. The words of an object
// form a table, in the order in which they are printed; they are read in any
// order.
//
// [Command] makes a command of them that a shell can be given, whatever the names
// in it.
package iptext
