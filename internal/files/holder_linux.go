package files

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Holder returns the process that holds a lock of a file, in words such as
//
//	process 1234 ("uplinks")
//
// It is empty if no process is known, such as one of another PID namespace.
func Holder(path string) string {
	info, err := os.Lstat(path)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	locks, err := Read("/proc/locks")
	if err != nil {
		return ""
	}
	dev := uint64(st.Dev)
	return process(holderOf(string(locks), unix.Major(dev), unix.Minor(dev), st.Ino))
}

// holderOf returns the process that holds a lock of a file, as /proc/locks has it: 0 if
// there is none. The file systems of some, such as btrfs, have other numbers there than
// stat(2) shows: then the inode has to do.
func holderOf(locks string, major, minor uint32, inode uint64) int {
	other := 0
	for line := range strings.Lines(locks) {
		var pid int
		var m, n uint32
		var ino, number uint64
		var class, kind, access string
		// "7: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF". With "->" after the number, the
		// process waits for the lock.
		if fields, err := fmt.Sscanf(line, "%d: %s %s %s %d %x:%x:%d", &number, &class, &kind, &access, &pid, &m, &n, &ino); fields < 8 || err != nil {
			continue
		}
		switch {
		case ino != inode || pid <= 0:
		case m == major && n == minor:
			return pid
		default:
			other = pid
		}
	}
	return other
}

// process returns a process in words.
func process(pid int) string {
	if pid == 0 {
		return ""
	}
	name, err := Read(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%q)", pid, strings.TrimSuffix(string(name), "\n"))
}
