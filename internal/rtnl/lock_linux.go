package rtnl

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Lock locks the network namespace of c. It waits until no other process has the lock.
// The lock is flock(2) on the namespace, which the socket of c gives access to. The
// kernel frees it when the process ends. If ctx ends first, the error is ErrLocked.
//
// If c has no socket, the error is errors.ErrUnsupported. Without CAP_NET_ADMIN in the
// namespace it is fs.ErrPermission.
func Lock(ctx context.Context, c Executor) (unlock func() error, err error) {
	ns, err := openNetNS(c)
	if err != nil {
		return nil, err
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 16*time.Millisecond) {
		err := unix.Flock(ns, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() error { return os.NewSyscallError("close", unix.Close(ns)) }, nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			unix.Close(ns)
			return nil, os.NewSyscallError("flock", err)
		}
		select {
		case <-ctx.Done():
			unix.Close(ns)
			return nil, errors.Join(ErrLocked, ctx.Err())
		case <-time.After(wait):
		}
	}
}
