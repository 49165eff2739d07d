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

// ErrLocked is the error of [Lock], and of what uses it, if it has waited in vain for
// another process or goroutine that changes uplinks of the same network namespace. The
// error is a [*LockedError]. Nothing was changed.
var ErrLocked = rtnl.ErrLocked

// A Holder is a process that has the lock of a network namespace.
type Holder struct {
	PID  int    // 0: the process cannot be seen, as in another PID namespace
	Name string // as the process has set it, which may be with control characters
	UID  uint32 // the user that has started it
	// Text says which process it is, without control characters.
	Text string
}

// A LockedError reports which process [Lock] has waited for in vain.
type LockedError struct {
	Holder Holder
	Err    error // of the context

	text string
}

// Error names the process, and says what to do.
func (e *LockedError) Error() string { return "table: " + e.text }

// Unwrap returns [ErrLocked] and the error of the context.
func (e *LockedError) Unwrap() []error { return []error{ErrLocked, e.Err} }

// A LockNotice says that [Lock] waits, or that it has stopped waiting.
type LockNotice struct {
	Holder Holder
	Waited time.Duration // so far
	// Ignored says that Lock goes on in spite of the holder.
	Ignored bool
	// Text says all of it in one line.
	Text string
}

// WithLockNotice returns a context with which [Lock], and what uses it, calls fn after it
// has waited for a second, and when it goes on in spite of a holder.
func WithLockNotice(ctx context.Context, fn func(LockNotice)) context.Context {
	return rtnl.WithLockNotice(ctx, func(n rtnl.LockNotice) {
		fn(LockNotice{makeHolder(n.Holder), n.Waited, n.Ignored, n.String()})
	})
}

func makeHolder(h rtnl.Holder) Holder { return Holder{h.PID, h.Name, h.UID, h.String()} }

// Lock calls do while no one else does, in the network namespace of c. To plan and
// to do the plan with [Plan.ApplyLocked] under one Lock is to do what was planned.
//
// Lock waits for other processes and goroutines until ctx ends, and for a minute at most
// if ctx has no deadline; the error is then [ErrLocked]. A change normally takes
// milliseconds. Other programs can obstruct Lock, since every process in the namespace
// can open and lock a part of what Lock locks. They cannot do so for long:
//
//   - A process that may not change anything in the namespace is not waited for. Nor is
//     the child of one that took the lock and has ended.
//   - Other processes that have only that part are waited for 10 seconds in all. A second
//     of such waiting is allowed again after each further minute.
//   - The other part is a file in /proc that only those can open who may change routes.
//     So those who use Lock exclude each other in spite of such programs, if they see the
//     same mount of /proc. Where that file cannot be opened, a process that cannot be
//     seen, or that may change something, is waited for as long as for any other.
//
// See also [WithLockNotice].
//
// The namespace is found by the socket of c, if c gives access to it as
// *[route.Socket] and *netlink.Conn do, with a method SyscallConn. For another c,
// and for a process that may not change anything in the namespace, Lock calls do
// without the lock.
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
