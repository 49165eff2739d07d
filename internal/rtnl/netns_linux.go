package rtnl

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// errNoSocket is the error for a connection without a socket.
var errNoSocket = errors.New("the connection has no socket, so its network namespace is not known")

// NetNS finds the network namespace of c, which must be a syscall.Conn, such as our
// Conn, a *netlink.Conn, or a type that embeds one. The result is a value for
// netlink.Config.NetNS: 0 for the namespace of the calling thread, or a descriptor
// that the caller must close. If c has no socket, the error is errors.ErrUnsupported.
//
// To open a namespace other than that of the calling thread takes CAP_NET_ADMIN in
// it.
func NetNS(c Executor) (fd int, err error) {
	raw, err := rawConn(c)
	if err != nil {
		return 0, err
	}
	own, err := threadCookie()
	var ioctlErr error
	closed := raw.Control(func(socket uintptr) {
		if err == nil {
			var number uint64
			number, err = cookie(int(socket))
			if err == nil && number == own {
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
		// Before Linux 5.14 there are no cookies. A caller that may not open the
		// namespace cannot have entered another one either.
		return 0, nil
	}
	return 0, os.NewSyscallError("ioctl SIOCGSKNS", ioctlErr)
}

// openNetNS opens the network namespace of c, which is as for [NetNS]. It takes
// CAP_NET_ADMIN in the namespace.
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

// IsNetNS reports whether a path is that of the network namespace of c, which is as for
// [NetNS]. The error is fs.ErrNotExist if there is nothing at the path. It takes
// CAP_NET_ADMIN in the namespace.
func IsNetNS(c Executor, path string) (bool, error) {
	var want, have unix.Stat_t
	if err := unix.Stat(path, &want); err != nil {
		return false, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	fd, err := openNetNS(c)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &have); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	return want.Dev == have.Dev && want.Ino == have.Ino, nil
}

// rawConn gives access to the socket of c.
func rawConn(c Executor) (syscall.RawConn, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil, errors.Join(errNoSocket, errors.ErrUnsupported)
	}
	return sc.SyscallConn()
}

// threadCookie returns the number of the calling thread's namespace.
func threadCookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	return cookie(fd)
}

// cookie returns the number of a socket's namespace. It is never used for another
// namespace.
func cookie(fd int) (uint64, error) {
	n, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	return n, os.NewSyscallError("getsockopt SO_NETNS_COOKIE", err)
}

// SubscribeLike is [Subscribe] in the namespace of c. See [NetNS].
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

// SubscribeNetfilterLike is [SubscribeNetfilter] in the namespace of c. See [NetNS].
func SubscribeNetfilterLike(c Executor, groups ...uint32) (*Subscription, error) {
	fd, err := NetNS(c)
	if err != nil {
		return nil, opError("subscribe", err)
	}
	if fd != 0 {
		defer unix.Close(fd)
	}
	return SubscribeNetfilter(&netlink.Config{NetNS: fd}, groups...)
}

// DialNetfilterLike is [DialNetfilter] in the namespace of c. See [NetNS].
func DialNetfilterLike(c Executor) (*Conn, error) {
	fd, err := NetNS(c)
	if err != nil {
		return nil, opError("dial", err)
	}
	if fd != 0 {
		defer unix.Close(fd)
	}
	return DialNetfilter(&netlink.Config{NetNS: fd})
}

// Inside runs fn in the namespace of c: it is the namespace of sockets that fn opens,
// and of /proc/sys/net and /proc/thread-self/net. fn runs on the caller's goroutine,
// which is locked to its thread. See [NetNS]. To enter another namespace takes
// CAP_SYS_ADMIN.
func Inside(c Executor, fn func() error) (err error) {
	runtime.LockOSThread()
	target, err := NetNS(c)
	if err != nil || target == 0 {
		defer runtime.UnlockOSThread()
		if err != nil {
			return err
		}
		return fn()
	}
	defer unix.Close(target)
	own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(own)
		err = unix.Setns(target, unix.CLONE_NEWNET)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return os.NewSyscallError("enter the network namespace", err)
	}
	defer func() {
		// A thread that cannot go back stays locked to the goroutine and ends
		// with it.
		if e := unix.Setns(own, unix.CLONE_NEWNET); e != nil {
			err = errors.Join(err, os.NewSyscallError("leave the network namespace", e))
			return
		}
		runtime.UnlockOSThread()
	}()
	return fn()
}
