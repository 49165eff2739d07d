package lab

// A Hold says which process [NS.Hold] starts, and what it does with a lock that it has no
// business with.
type Hold struct {
	// File is what it locks with flock(2). Default: /proc/self/ns/net.
	File string
	// Name is what the process calls itself.
	Name string

	Able   bool // it keeps the capabilities of the caller
	PIDNS  bool // it is in a PID namespace of its own
	UserNS bool // it is in a user namespace of its own, and has all capabilities there
	Setuid bool // it is a program with set-user-ID, which was started with the locked file

	Shared bool // the lock is shared
	Orphan bool // the process that took the lock has ended, and a child has the file
	Again  bool // it frees the lock and takes it again, all the time
}
