package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
)

// ErrLocked is the error of [Install] and others whose context has ended while
// they waited for another process, or goroutine, that changes uplinks of the same
// network namespace. It is also what the context says. Nothing was changed.
//
// Such work takes milliseconds. But any process in the namespace can hold the
// lock, by mischance or malice, so a context with a deadline is a good idea.
var ErrLocked = rtnl.ErrLocked

// locked does something while no one else does, in the network namespace of c.
//
// The namespace is found by the socket of c, if that gives access to it as
// *[route.Socket] and *netlink.Conn do. Another Conn has to see to it that it is
// alone, or have their method SyscallConn.
func locked(ctx context.Context, c route.Conn, do func() error) error {
	unlock, err := rtnl.Lock(ctx, c)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return do() // it shows no socket
	case errors.Is(err, fs.ErrPermission):
		// Who may not lock may not change anything either. The kernel's refusal
		// of that says more.
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
