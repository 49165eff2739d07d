//go:build unix

package files

import "syscall"

const (
	// openFlags: open(2) neither waits for the other end of a pipe nor makes a terminal
	// that of the process.
	openFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY
	dirFlags  = syscall.O_DIRECTORY | syscall.O_NONBLOCK
)
