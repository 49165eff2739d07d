package rtnl

import (
	"context"
	"errors"
	"os"
	"runtime"
	"syscall"
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
// Without CAP_NET_ADMIN in the namespace the error is fs.ErrPermission.
func Lock(ctx context.Context, c syscall.Conn) (unlock func() error, err error) {
	ns, err := namespace(c)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	for wait := time.Millisecond; ; wait = min(2*wait, 16*time.Millisecond) {
		lock, err := dialIn(ns, &netlink.Config{PID: lockPort})
		if err == nil {
			return lock.Close, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, opError("lock", err)
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ErrLocked, ctx.Err())
		case <-time.After(wait):
		}
	}
}

// namespace opens the network namespace of a socket.
func namespace(c syscall.Conn) (*os.File, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var ns int
	var nsErr error
	if err := raw.Control(func(fd uintptr) { ns, nsErr = unix.IoctlRetInt(int(fd), unix.SIOCGSKNS) }); err != nil {
		return nil, err
	}
	if nsErr != nil {
		return nil, os.NewSyscallError("ioctl SIOCGSKNS", nsErr)
	}
	return os.NewFile(uintptr(ns), "network namespace"), nil
}

// dialIn opens a socket in a namespace. To enter one takes CAP_SYS_ADMIN, also if
// it is the own one, so that is not entered.
func dialIn(ns *os.File, cfg *netlink.Config) (*netlink.Conn, error) {
	runtime.LockOSThread() // another thread may be elsewhere
	defer runtime.UnlockOSThread()
	own, err := os.Stat("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	other, err := ns.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(own, other) {
		cfg.NetNS = int(ns.Fd())
	}
	return netlink.Dial(unix.NETLINK_ROUTE, cfg)
}
