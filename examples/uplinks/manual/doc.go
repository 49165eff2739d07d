// Package manual is the manual of the program uplinks.
//
// The text is written once, as values. [Screen] and [Topic] print the parts that "uplinks
// help" shows. [Page8] and [Page5] print the manual pages uplinks(8) and
// uplinks.conf(5). [Completion] prints the scripts that complete command lines in a shell.
package manual
