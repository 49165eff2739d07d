package rtnl

import (
	"errors"
	"os"
	"runtime"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A socket is a netlink socket without the runtime's poller. A reply is there when the
// request returns, so nobody waits for it. With the poller, each reply would also
// wake up a thread that sleeps in epoll, which takes as long as a lookup.
//
// A socket is a syscall.RawConn.
type socket struct {
	cleanup runtime.Cleanup // closes the socket if Close is not called

	mu sync.RWMutex
	fd int // -1 after Close

	guard guard
}

// newSocket makes a socket of nl, and closes nl.
func newSocket(nl *netlink.Conn) (*socket, error) {
	raw, err := nl.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, nl.Close())
	}
	s := &socket{fd: -1}
	var dup error
	err = raw.Control(func(fd uintptr) { s.fd, dup = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	// Closing the other descriptor removes the socket from the poller.
	if err := errors.Join(err, dup, nl.Close()); err != nil {
		if s.fd >= 0 {
			unix.Close(s.fd)
		}
		return nil, err
	}
	s.cleanup = runtime.AddCleanup(s, func(fd int) { unix.Close(fd) }, s.fd)
	return s, nil
}

// Close waits until no other method uses the socket, and closes it.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return os.ErrClosed
	}
	s.cleanup.Stop()
	err := unix.Close(s.fd)
	s.fd = -1
	s.guard.close()
	return os.NewSyscallError("close", err)
}

// Control calls f with the descriptor, which stays open during the call.
func (s *socket) Control(f func(fd uintptr)) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.fd < 0 {
		return os.ErrClosed
	}
	f(uintptr(s.fd))
	return nil
}

// Read calls f until it returns true, each time the socket can be read.
func (s *socket) Read(f func(fd uintptr) bool) error { return s.until(f, unix.POLLIN) }

// Write calls f until it returns true, each time the socket can be written.
func (s *socket) Write(f func(fd uintptr) bool) error { return s.until(f, unix.POLLOUT) }

// tick is how long, in milliseconds, Read and Write can delay Close.
const tick = 50

func (s *socket) until(f func(fd uintptr) bool, events int16) error {
	for {
		done := false
		var pollErr error
		err := s.Control(func(fd uintptr) {
			if done = f(fd); !done {
				_, pollErr = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, tick)
			}
		})
		switch {
		case err != nil || done:
			return err
		case pollErr != nil && pollErr != unix.EINTR:
			return os.NewSyscallError("poll", pollErr)
		}
	}
}
