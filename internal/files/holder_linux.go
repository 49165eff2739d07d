package files

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

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
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return ""
	}
	defer locks.Close()
	dev := uint64(st.Dev)
	return process(holderOf(locks, unix.Major(dev), unix.Minor(dev), st.Ino))
}

// longestSearch is how long /proc/locks is searched. Every process can make it longer.
const longestSearch = time.Second / 2

// holderOf returns the process that holds a lock of a file, as /proc/locks has it: 0 if
// there is none. The file systems of some, such as btrfs, have other numbers there than
// stat(2) shows: then the inode has to do.
func holderOf(locks io.Reader, major, minor uint32, inode uint64) int {
	device, file := fmt.Sprintf("%02x:%02x", major, minor), fmt.Sprintf(":%d ", inode)
	other := 0
	end := time.Now().Add(longestSearch)
	lines := bufio.NewScanner(locks)
	for n := 1; lines.Scan(); n++ {
		if n%1024 == 0 && time.Now().After(end) {
			break
		}
		if !bytes.Contains(lines.Bytes(), []byte(file)) {
			continue
		}
		// "7: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF". With "->" after the number, the
		// process waits for the lock.
		words := strings.Fields(lines.Text())
		if len(words) < 6 || words[1] == "->" || !strings.HasSuffix(words[5]+" ", file) {
			continue
		}
		pid, err := strconv.Atoi(words[4])
		switch {
		case err != nil || pid <= 0: // of another PID namespace
		case strings.HasPrefix(words[5], device+":"):
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
