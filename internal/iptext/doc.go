// Package iptext reads and writes objects in the words of ip(8).
//
// A selector of a rule or an attribute of a route is one [Word]: its names, a function
// that reads its arguments, and a function that prints it. The words of an object
// form a [Table]. They are printed in its order, and read in any order.
//
// An [Output] prints objects as ip(8) does, as text or JSON.
//
// [Command] makes a command of words that a shell can be given, whatever the names
// in it.
package iptext
