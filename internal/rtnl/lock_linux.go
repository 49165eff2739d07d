package rtnl

import (
	"cmp"
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The lock of a network namespace has three parts, which are taken in this order:
//
//  1. A token for the goroutines of this process.
//  2. flock(2) of the guard, a file that only processes with the privilege to change
//    routes can open. So no other process can obstruct it. But each mount of /proc has
//    its own guard, and a process may have none.
//  3. flock(2) of the namespace, which the socket of c gives access to. It is the same
//    for all processes, but every process in the namespace can open and lock it. So Lock
//    ignores a holder that does not have the privilege to change anything, and a process
//    that has the guard does not wait for long.
//
// The kernel frees the locks when the process ends.

const (
	// longestWait is how long Lock waits with a context that has no deadline.
	longestWait = time.Minute
	// mostPatience is how long a process waits, in all, for those who have the lock of a
	// namespace without the guard. See [patience].
	mostPatience = 10 * time.Second
	// mostGuardPatience is the same for processes that have the guard, if the guard
	// exists.
	mostGuardPatience = 30 * time.Second
	// longestTurn is how long LockOwner waits.
	longestTurn = time.Second
)

// Lock locks the network namespace of c. It waits until no other process that may change
// something there has the lock, for a minute at most if ctx has no deadline. If it has
// waited in vain, the error is a [*LockedError]. See also [WithLockNotice].
//
// If c has no socket, the error is errors.ErrUnsupported. Without CAP_NET_ADMIN in the
// namespace it is fs.ErrPermission.
func Lock(ctx context.Context, c Executor) (unlock func() error, err error) {
	fd, err := openNetNS(c)
	if err != nil {
		return nil, err
	}
	ns, err := newLockFile(fd)
	if err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, longestWait)
		defer cancel()
	}
	t := enterQueue(ns.id, mostPatience)
	if err := t.wait(ctx); err != nil {
		ns.close()
		return nil, err
	}
	var forGuard *patience
	if isImpatient(ctx) {
		forGuard = &t.guardPatience
	}
	guard, err := lockGuard(ctx, c, &ns, forGuard)
	if err == nil {
		w := wait{file: &ns, owner: ns.openOwner, strict: true}
		if guard != nil || isImpatient(ctx) {
			w.patience = &t.patience
		}
		err = w.lock(ctx)
	}
	unlock = func() error {
		guard.unlock()
		err := ns.close()
		t.leave()
		return err
	}
	if err != nil {
		_ = unlock()
		return nil, err
	}
	return unlock, nil
}

// LockOwner is a lock for requests that take turns, and that a caller of [Lock] makes
// as well: flock(2) on the user namespace that owns the network namespace of c. Where c
// does not lead to it, only the goroutines of this process take turns. LockOwner goes on
// without the lock after a second, and does so sooner when that has happened before. If
// ctx ends first, the error is that of ctx.
func LockOwner(ctx context.Context, c Executor) (unlock func(), err error) {
	fd, err := openOwner(c)
	if err != nil {
		turns.Lock()
		return turns.Unlock, nil
	}
	owner, err := newLockFile(fd)
	if err != nil {
		return nil, err
	}
	t := enterQueue(owner.id, longestTurn)
	turn, cancel := context.WithTimeout(ctx, longestTurn)
	defer cancel()
	if t.wait(turn) != nil { // another goroutine keeps the lock
		owner.close()
		return func() {}, ctx.Err()
	}
	w := wait{file: &owner, owner: func() (int, error) { return unix.FcntlInt(uintptr(owner.fd), unix.F_DUPFD_CLOEXEC, 0) }, strict: true, patience: &t.patience}
	unlock = func() {
		owner.close()
		t.leave()
	}
	if err := w.lock(ctx); err != nil {
		unlock()
		return nil, cmp.Or(ctx.Err(), err)
	}
	return unlock, nil
}

// turns are for connections without a socket.
var turns sync.Mutex

// openOwner opens the user namespace that owns a network namespace.
func (f *lockFile) openOwner() (fd int, err error) {
	return unix.IoctlRetInt(f.fd, unix.NS_GET_USERNS)
}

// openOwner opens the user namespace that owns the network namespace of c.
func openOwner(c Executor) (fd int, err error) {
	ns, err := openNetNS(c)
	if err != nil {
		return 0, err
	}
	defer unix.Close(ns)
	return unix.IoctlRetInt(ns, unix.NS_GET_USERNS)
}
