package table

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// openEcho opens a socket for echo requests to an address, in the network
// namespace of the uplink.
func (s *probeSocket) openEcho(dst netip.Addr) (conn net.Conn, err error) {
	err = s.inside(func() error {
		family, proto := unix.AF_INET, unix.IPPROTO_ICMP
		if dst.Is6() {
			family, proto = unix.AF_INET6, unix.IPPROTO_ICMPV6
		}
		fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
		if err != nil {
			if err == unix.EACCES || err == unix.EPERM {
				err = errPingGroups
			}
			return s.unable(err)
		}
		// A connection has a descriptor of its own.
		f := os.NewFile(uintptr(fd), "echo")
		defer f.Close()
		if s.mark != 0 {
			if err := setMark(fd, s.mark); err != nil {
				return s.unable(fmt.Errorf("mark %#x: %w", s.mark, err))
			}
		}
		if err := unix.Bind(fd, sockaddr(s.source)); err != nil {
			return os.NewSyscallError("bind", err)
		}
		if err := unix.Connect(fd, sockaddr(dst)); err != nil {
			return os.NewSyscallError("connect", err)
		}
		conn, err = net.FileConn(f)
		return err
	})
	return conn, err
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
