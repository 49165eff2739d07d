package rtnl

import "golang.org/x/sys/unix"

// SetReadBuffer sets the size of the receive buffer in bytes. The kernel doubles it,
// for its own structures.
func (s *Subscription) SetReadBuffer(bytes int) error {
	if err := s.nl.SetReadBuffer(bytes); err != nil {
		return opError("set the receive buffer", err)
	}
	return nil
}

// Port returns the netlink port of c. Events of changes that were made over c have
// this port. It is zero if c has no socket.
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
