package plan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
)

// ErrLocked is the error of [Lock], and of what uses it, if its context ends while
// it waits for another process or goroutine that changes uplinks of the same
// network namespace. The error also wraps the context's error. Nothing was changed.
//
// Such work takes milliseconds. But any process in the namespace can hold the lock,
// accidentally or deliberately: use a context with a deadline.
var ErrLocked = rtnl.ErrLocked

// Lock calls do while no one else does, in the network namespace of c. To plan and
// to do the plan with [Plan.ApplyLocked] under one Lock is to do what was planned.
//
// The namespace is found by the socket of c, if c gives access to it as
// *[route.Socket] and *netlink.Conn do, with a method SyscallConn. For another c,
// and for a process that may not change anything in the namespace, Lock calls do
// without the lock.
func Lock(ctx context.Context, c route.Conn, do func() error) error {
	unlock, err := rtnl.Lock(ctx, c)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return do() // c has no socket
	case errors.Is(err, fs.ErrPermission):
		// The kernel's refusal of the change itself says more.
		return do()
	case err != nil:
		return fmt.Errorf("table: %w", err)
	}
	err = do()
	if e := unlock(); e != nil && err == nil {
		err = fmt.Errorf("table: unlock: %w", e)
	}
	return err
}
