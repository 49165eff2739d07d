// Package rttables knows routing tables by number and by name, and reads and
// writes the files that give them names.
//
// The kernel knows a routing table by a number, an [ID]. The names that ip(8)
// shows and accepts come from text files, rt_tables above all:
//
//	# id	name
//	255	local
//	20	lan2	# second uplink
//
// [Load] reads those files in the order in which iproute2 does, and gives a
// [Names], from which a program prints and parses tables as ip does. The same
// files exist for route protocols, scopes, realms, DS fields and device groups;
// Names has them as well, each as a [DB].
//
// A [File] is one such file in memory, every byte of it, so that a change adds
// or removes one line and leaves the rest alone. [Edit] changes a file on disk,
// under a lock and in one step: readers see the file as before or as after,
// and two programs that edit at once both succeed. [Register] and [Unregister]
// give a table its name and take it away, and never touch what they did not
// write.
//
// # What iproute2 makes of a file
//
// iproute2 reads lines with sscanf(3), and stops reading a file at the first
// line that it cannot read. It then complains in every later command that needs
// a name. So this package reads exactly what iproute2 reads, reports such a line
// as a [SyntaxError], and never writes one, nor into a file that has one.
//
// # Other systems
//
// The package builds and parses everywhere. Edit, Register and Unregister need a
// file lock, and fail with [errors.ErrUnsupported] where there is none.
package rttables
