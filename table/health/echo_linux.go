package health

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// openEcho opens a socket for echo requests to an address.
func (d *dialer) openEcho(dst netip.Addr) (c net.Conn, err error) {
	err = d.inNamespace(func() error {
		family, proto := unix.AF_INET, unix.IPPROTO_ICMP
		if dst.Is6() {
			family, proto = unix.AF_INET6, unix.IPPROTO_ICMPV6
		}
		fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
		if err != nil {
			if err == unix.EACCES || err == unix.EPERM {
				err = errPingGroups
			}
			return d.cannot(err)
		}
		// FileConn duplicates the descriptor.
		f := os.NewFile(uintptr(fd), "echo")
		defer f.Close()
		if err := d.setOptions(fd); err != nil {
			return err
		}
		if err := unix.Bind(fd, sockaddr(d.source)); err != nil {
			return os.NewSyscallError("bind", err)
		}
		if err := unix.Connect(fd, sockaddr(dst)); err != nil {
			return os.NewSyscallError("connect", err)
		}
		c, err = net.FileConn(f)
		return err
	})
	return c, err
}

func sockaddr(a netip.Addr) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Addr: a.As16()}
}

func setMark(fd int, mark uint32) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark))
}

func bindToDevice(fd int, dev string) error { return unix.BindToDevice(fd, dev) }
