package rtnl

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// lockPort is the port ID that whoever holds the lock is bound to: the letters
// "prou". It is beyond the process IDs, of which the kernel makes port IDs, and
// those that it chooses at random are negative.
const lockPort = 0x70726f75

// Lock waits until no one else has the lock of the network namespace that c is
// in, and takes it. The lock is a port ID of NETLINK_ROUTE, which one socket of a
// namespace at a time can be bound to; the kernel frees it with the process that
// has it. While it waits, ctx may end; the error is then ErrLocked.
//
// For a c without a socket the error is errors.ErrUnsupported. See [NetNS].
func Lock(ctx context.Context, c Executor) (unlock func() error, err error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 16*time.Millisecond) {
		unlock, err := tryLock(c)
		if !errors.Is(err, unix.EADDRINUSE) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ErrLocked, ctx.Err())
		case <-time.After(wait):
		}
	}
}

// tryLock is Lock without waiting: the error is EADDRINUSE instead.
func tryLock(c Executor) (unlock func() error, err error) {
	// The namespace may be told as that of the calling thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fd, err := NetNS(c)
	if err != nil {
		return nil, err
	}
	if fd != 0 {
		defer unix.Close(fd) // the socket stays in the namespace without it
	}
	lock, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: fd, PID: lockPort})
	if err != nil {
		return nil, opError("lock", err)
	}
	return lock.Close, nil
}
