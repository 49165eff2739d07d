package rtnl

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// errNoSocket is the answer for a connection that shows no socket.
var errNoSocket = errors.New("no socket to tell the network namespace by")

// NetNS finds the network namespace of a socket, c, which is a syscall.Conn:
// ours, *netlink.Conn, and what embeds them. The result is what
// netlink.Config.NetNS takes: 0 for the namespace of the calling thread, else a
// descriptor that the caller closes. For a c without a socket the error is
// errors.ErrUnsupported.
//
// The namespace of another thread can be told, and opened, only with
// CAP_NET_ADMIN in it.
func NetNS(c Executor) (fd int, err error) {
	raw, err := rawConn(c)
	if err != nil {
		return 0, err
	}
	here, err := threadCookie()
	var ioctlErr error
	closed := raw.Control(func(socket uintptr) {
		if err == nil {
			var there uint64
			there, err = cookie(int(socket))
			if err == nil && there == here {
				return
			}
		}
		fd, ioctlErr = unix.IoctlRetInt(int(socket), unix.SIOCGSKNS)
	})
	switch {
	case closed != nil:
		return 0, closed
	case ioctlErr == nil:
		return fd, nil
	case err != nil && errors.Is(ioctlErr, unix.EPERM):
		// Before Linux 5.14 there are no cookies. Whoever may not be told the
		// namespace has not entered another one either.
		return 0, nil
	}
	return 0, os.NewSyscallError("ioctl SIOCGSKNS", ioctlErr)
}

// openNetNS opens the network namespace of a socket, c, which is as for [NetNS].
// It takes CAP_NET_ADMIN there.
func openNetNS(c Executor) (fd int, err error) {
	raw, err := rawConn(c)
	if err != nil {
		return 0, err
	}
	closed := raw.Control(func(socket uintptr) {
		fd, err = unix.IoctlRetInt(int(socket), unix.SIOCGSKNS)
	})
	if closed != nil {
		return 0, closed
	}
	return fd, os.NewSyscallError("ioctl SIOCGSKNS", err)
}

// rawConn gives access to the socket of c.
func rawConn(c Executor) (syscall.RawConn, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil, errors.Join(errNoSocket, errors.ErrUnsupported)
	}
	return sc.SyscallConn()
}

// threadCookie is the number of the calling thread's namespace.
func threadCookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	return cookie(fd)
}

// cookie is the number of a socket's namespace, which no other one ever has.
func cookie(fd int) (uint64, error) {
	n, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	return n, os.NewSyscallError("getsockopt SO_NETNS_COOKIE", err)
}

// SubscribeLike is [Subscribe] in the namespace of c's socket. See [NetNS].
func SubscribeLike(c Executor, groups ...uint32) (*Subscription, error) {
	fd, err := NetNS(c)
	if err != nil {
		return nil, opError("subscribe", err)
	}
	if fd != 0 {
		defer unix.Close(fd) // the socket stays in the namespace without it
	}
	return Subscribe(&netlink.Config{NetNS: fd}, groups...)
}

// Inside runs fn in the namespace of c's socket: sockets that it opens belong
// there, and /proc/sys/net and /proc/thread-self/net are the namespace's. It
// runs on the caller's goroutine, which stays on one thread meanwhile. See
// [NetNS]; to enter another namespace takes CAP_SYS_ADMIN.
func Inside(c Executor, fn func() error) (err error) {
	runtime.LockOSThread()
	there, err := NetNS(c)
	if err != nil || there == 0 {
		defer runtime.UnlockOSThread()
		if err != nil {
			return err
		}
		return fn()
	}
	defer unix.Close(there)
	here, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(here)
		err = unix.Setns(there, unix.CLONE_NEWNET)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return os.NewSyscallError("enter the network namespace", err)
	}
	defer func() {
		// A thread that cannot go back stays with the goroutine, and ends
		// with it.
		if e := unix.Setns(here, unix.CLONE_NEWNET); e != nil {
			err = errors.Join(err, os.NewSyscallError("leave the network namespace", e))
			return
		}
		runtime.UnlockOSThread()
	}()
	return fn()
}
