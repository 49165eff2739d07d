package rtnl

import "golang.org/x/sys/unix"

// SetReadBuffer sets the size of the receive buffer, in bytes, of which the kernel
// takes the double for its own needs.
func (s *Subscription) SetReadBuffer(bytes int) error {
	if err := s.nl.SetReadBuffer(bytes); err != nil {
		return opError("set the receive buffer", err)
	}
	return nil
}

// Port is the netlink port of c's socket, with which the kernel marks the events
// of what it changes. Zero: c tells none.
func Port(c Executor) uint32 {
	raw, err := rawConn(c)
	if err != nil {
		return 0
	}
	var port uint32
	_ = raw.Control(func(fd uintptr) {
		if sa, err := unix.Getsockname(int(fd)); err == nil {
			if nl, ok := sa.(*unix.SockaddrNetlink); ok {
				port = nl.Pid
			}
		}
	})
	return port
}
