package rtnl

import (
	"cmp"
	"context"
	"errors"
	"os"
	"sync"
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
	if err := flock(ctx, ns); err != nil {
		unix.Close(ns)
		if ctx.Err() != nil {
			err = errors.Join(ErrLocked, err)
		}
		return nil, err
	}
	return func() error { return os.NewSyscallError("close", unix.Close(ns)) }, nil
}

// LockOwner is a lock for requests that take turns, and that a caller of [Lock] makes
// as well: flock(2) on the user namespace that owns the network namespace of c. Where c
// does not lead to it, only the goroutines of this process take turns. A process that
// keeps the lock for longer than a second is not waited for. If ctx ends first, the
// error is that of ctx.
func LockOwner(ctx context.Context, c Executor) (unlock func(), err error) {
	owner, err := openOwner(c)
	if err != nil {
		turns.Lock()
		return turns.Unlock, nil
	}
	turn, cancel := context.WithTimeout(ctx, longestTurn)
	defer cancel()
	if err := flock(turn, owner); ctx.Err() != nil || err != nil && turn.Err() == nil {
		unix.Close(owner)
		return nil, cmp.Or(ctx.Err(), err)
	}
	return func() { unix.Close(owner) }, nil
}

const longestTurn = time.Second

// turns are for connections without a socket.
var turns sync.Mutex

// openOwner opens the user namespace that owns the network namespace of c.
func openOwner(c Executor) (fd int, err error) {
	ns, err := openNetNS(c)
	if err != nil {
		return 0, err
	}
	defer unix.Close(ns)
	return unix.IoctlRetInt(ns, unix.NS_GET_USERNS)
}

// flock locks an open file for this process, or returns the error of ctx.
func flock(ctx context.Context, fd int) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 16*time.Millisecond) {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			return os.NewSyscallError("flock", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
