package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic returns the time of CLOCK_MONOTONIC.
func monotonic() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // it cannot fail
	return time.Duration(t.Nano())
}

// isStream reports whether f is the stream of the journal with a name, which is the value of
// JOURNAL_STREAM: a device and an inode. Having the variable is not enough, because programs
// inherit it whose output does not go to the journal.
func isStream(f *os.File, name string) bool {
	fi, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && name == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// inNetns calls do in the network namespace with a path. Sockets that do opens belong to
// that namespace.
func inNetns(path string, do func() error) error {
	if path == "" {
		return do()
	}
	f, err := openNetns(path)
	if err != nil {
		return err
	}
	defer f.Close()
	done := make(chan error)
	go func() {
		// The thread stays locked, so that it ends with the goroutine.
		runtime.LockOSThread()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- &enterError{path, err}
			return
		}
		done <- do()
	}()
	return <-done
}

// peer returns the process and the user at the other end of a connection. For a client this
// is the process that listens.
func peer(c *net.UnixConn) (pid, uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); e != nil {
		return 0, 0, e
	}
	if err != nil {
		return 0, 0, os.NewSyscallError("getsockopt SO_PEERCRED", err)
	}
	return int(cred.Pid), int(cred.Uid), nil
}
