package lab

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// threadNS is the path of the namespace of the calling thread. /proc/self has that of the
// main thread.
const threadNS = "/proc/thread-self/ns/net"

// createNS makes a network namespace, and returns the descriptor that holds it. Nothing else
// holds it.
func createNS() (fd int, err error) {
	fd = -1
	err = restoreNSAfter(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		fd, err = openNS(threadNS)
		return err
	})
	return fd, err
}

// openNS opens the namespace with a path.
func openNS(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

func closeFD(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

// inNS runs fn in the namespace that fd holds.
func inNS(fd int, fn func() error) error {
	return restoreNSAfter(func() error {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return fn()
	})
}

// restoreNSAfter runs fn, which can change the namespace of its thread, and then restores the
// namespace, also if fn panics or ends the goroutine. If it cannot restore the namespace, the
// goroutine stays locked to the thread, so that the runtime does not use the thread for other
// goroutines and ends it with this one.
func restoreNSAfter(fn func() error) (err error) {
	runtime.LockOSThread()
	back, err := openNS(threadNS)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		if e := unix.Setns(back, unix.CLONE_NEWNET); e != nil {
			err = errors.Join(err, os.NewSyscallError("setns back", e))
		} else {
			runtime.UnlockOSThread()
		}
		unix.Close(back)
	}()
	return fn()
}

func setMark(fd int, mark uint32) error {
	return os.NewSyscallError("setsockopt SO_MARK", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark)))
}
