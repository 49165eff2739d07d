// Package rttables translates between the numbers and the names of routing tables,
// and reads and writes the files that define the names.
//
// The kernel identifies a routing table by a number, an [ID]. The names that ip(8)
// shows and accepts come from text files, mainly rt_tables:
//
//	# id	name
//	255	local
//	20	lan2	# second uplink
//
// [Load] reads these files in the order in which iproute2 does, and returns a [Names], with
// which a program prints and parses tables as ip does. Route protocols, scopes, realms, DS
// fields and device groups have files of the same form. A Names also holds these names,
// with a [DB] for each kind.
//
// A [File] is one such file in memory. A change adds or removes one line, and keeps
// every byte of the other lines. [Edit] changes a file on disk atomically and under a
// lock: readers see the old or the new file, and two programs that edit at the same
// time both succeed. Only processes that may write to the directory can take the lock.
// [Register] gives a table a name, and [Unregister] removes it. They change only lines
// that Register wrote.
//
// # How iproute2 reads a file
//
// iproute2 reads lines with sscanf(3), and stops reading a file at the first line that
// it cannot read. It then reports an error in every later command that needs a name.
// This package reads exactly the lines that iproute2 reads, and reports a line that
// iproute2 cannot read as a [SyntaxError]. It never writes such a line, and does not
// change a file that contains one.
//
// # Other systems
//
// The package builds and parses on every system. Edit, Register and Unregister need a
// file lock. On systems without file locks, they fail with errors.ErrUnsupported.
package rttables
