package rtnl

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrLocked is the error of [Lock] if it has waited in vain. The error is a
// [*LockedError].
var ErrLocked = errors.New("another process is changing the uplinks of this network namespace")

// A Holder is the process that has a lock.
type Holder struct {
	PID  int    // as /proc shows it; 0: the process cannot be seen
	Name string // as the process has set it, with any characters
	UID  uint32 // its real user
	Dead bool   // the process has ended, and another one has the file that it locked
	File uint64 // the inode of what is locked, which /proc/locks shows
}

// String returns the process in words.
func (h Holder) String() string {
	switch {
	case h.PID == 0:
		return fmt.Sprintf("a process that cannot be seen from here (lslocks shows inode %d where it can)", h.File)
	case h.Dead:
		return fmt.Sprintf("a child of process %d, which has ended,", h.PID)
	case h.Name == "":
		return fmt.Sprintf("process %d", h.PID)
	}
	return fmt.Sprintf("process %d, %q of user %d,", h.PID, h.Name, h.UID)
}

// A LockedError reports who has the lock that [Lock] has waited for in vain.
type LockedError struct {
	Holder Holder
	Err    error // of the context
}

// Error names the process, and says what to do.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%v: %s has the lock: wait until it has ended, or end it: %v", ErrLocked, e.Holder, e.Err)
}

// Unwrap returns ErrLocked and the error of the context.
func (e *LockedError) Unwrap() []error { return []error{ErrLocked, e.Err} }

// A LockNotice says what keeps a caller of [Lock] or [LockOwner] waiting.
type LockNotice struct {
	Holder Holder
	Waited time.Duration
	// Ignored says that the caller goes on in spite of the holder: Reason.
	Ignored bool
	Reason  string
}

// String returns the notice in one line.
func (n LockNotice) String() string {
	if n.Ignored {
		return fmt.Sprintf("%s has a lock of the network namespace, but %s: continuing without it", n.Holder, n.Reason)
	}
	return fmt.Sprintf("waiting for %s which has the lock of the network namespace", n.Holder)
}

// noticeKey is the key of the function that a context has for notices.
type noticeKey struct{}

// WithLockNotice returns a context with which [Lock] and [LockOwner] call fn when they
// have waited for a second, and when they go on in spite of a holder.
func WithLockNotice(ctx context.Context, fn func(LockNotice)) context.Context {
	return context.WithValue(ctx, noticeKey{}, fn)
}

// impatientKey is the key of a context of [Impatient].
type impatientKey struct{}

// Impatient returns a context with which [Lock] goes on without the lock rather than to
// wait in vain for another process: for one that has all of the lock it waits for half a
// minute in all, with the same allowance as for others, see [patience].
func Impatient(ctx context.Context) context.Context {
	return context.WithValue(ctx, impatientKey{}, true)
}

func isImpatient(ctx context.Context) bool { return ctx.Value(impatientKey{}) != nil }

// notify calls the function that ctx has for notices.
func notify(ctx context.Context, n LockNotice) {
	if fn, ok := ctx.Value(noticeKey{}).(func(LockNotice)); ok {
		fn(n)
	}
}
