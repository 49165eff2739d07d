package plan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
)

// ErrLocked is the error of [Lock], and of functions that use it, after it has waited too
// long for another process or goroutine that changes uplinks of the same network
// namespace. The error is a [*LockedError]. Nothing was changed.
var ErrLocked = rtnl.ErrLocked

// A Holder is a process that has the lock of a network namespace.
type Holder struct {
	PID  int    // 0: the process cannot be seen, as in another PID namespace
	Name string // as the process has set it; it may have control characters
	UID  uint32 // the user that has started it
	// Text describes the process, without control characters.
	Text string
}

// A LockedError reports the process that [Lock] has waited for too long.
type LockedError struct {
	Holder Holder
	Err    error // of the context

	text string
}

// Error names the process, and says what to do.
func (e *LockedError) Error() string { return "table: " + e.text }

// Unwrap returns [ErrLocked] and the error of the context.
func (e *LockedError) Unwrap() []error { return []error{ErrLocked, e.Err} }

// A LockNotice says that [Lock] is waiting, or that it has stopped waiting for the
// holder and continues.
type LockNotice struct {
	Holder Holder
	Waited time.Duration // so far
	// Ignored means that Lock continues although the holder has the lock.
	Ignored bool
	// Text describes the notice in one line.
	Text string
}

// WithLockNotice returns a context with which [Lock], and functions that use it, call fn
// after waiting for a second, and again if Lock continues although a holder has the lock.
func WithLockNotice(ctx context.Context, fn func(LockNotice)) context.Context {
	return rtnl.WithLockNotice(ctx, func(n rtnl.LockNotice) {
		fn(LockNotice{makeHolder(n.Holder), n.Waited, n.Ignored, n.String()})
	})
}

func makeHolder(h rtnl.Holder) Holder { return Holder{h.PID, h.Name, h.UID, h.String()} }

// Lock calls do while no other process or goroutine has the lock of the network namespace
// of c. If a program makes a plan and applies it with [Plan.ApplyLocked] under one Lock,
// no other user of Lock can change anything in between.
//
// Lock waits for other processes and goroutines until ctx ends, or for at most a minute
// if ctx has no deadline. The error is then [ErrLocked]. A change normally takes
// milliseconds. The lock has two parts, and every process in the namespace can lock one
// of them, so other programs can obstruct Lock. They cannot do so for long:
//
//   - Lock does not wait for a process without the privilege to change anything in the
//     namespace, or for the child of a process that took the lock and has ended.
//   - For other processes that have locked only that part, Lock waits for 10 seconds in
//     total. With each further minute, it may wait for another second.
//   - The other part is a file in /proc that only processes with the privilege to change
//     routes can open. So users of Lock exclude each other even if other programs obstruct
//     the first part, provided that they see the same mount of /proc. If that file cannot
//     be opened, Lock waits without the limit of 10 seconds for a process that it cannot
//     see, or that has the privilege to change something.
//
// See also [WithLockNotice].
//
// Lock finds the namespace by the socket of c, if c gives access to it with a method
// SyscallConn, as *[route.Socket] and *netlink.Conn do. If c has no such method, or if
// this process does not have the privilege to change anything in the namespace, Lock
// calls do without the lock.
func Lock(ctx context.Context, c route.Conn, do func() error) error {
	unlock, err := rtnl.Lock(ctx, c)
	var locked *rtnl.LockedError
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return do() // c has no socket
	case errors.Is(err, fs.ErrPermission):
		// The kernel's refusal of the change itself says more.
		return do()
	case errors.As(err, &locked):
		return &LockedError{makeHolder(locked.Holder), locked.Err, locked.Error()}
	case err != nil:
		return fmt.Errorf("table: %w", err)
	}
	err = do()
	if e := unlock(); e != nil && err == nil {
		err = fmt.Errorf("table: unlock: %w", e)
	}
	return err
}
