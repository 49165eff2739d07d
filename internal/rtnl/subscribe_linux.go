package rtnl

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// eventBuffer is the size of a subscription's receive buffer, of which the
// kernel takes memory only for events that wait. At 200,000 changes a second
// the default one loses events; from 1 MiB on none are lost by a reader that
// keeps up. This holds 100,000 for one that is kept from it.
const eventBuffer = 64 << 20

// A Subscription is a socket that receives the kernel's events.
type Subscription struct {
	nl  *netlink.Conn
	raw syscall.RawConn
	buf []byte
}

// Subscribe opens a socket in the namespace of cfg, which may be nil, and joins
// multicast groups, RTNLGRP_*. From when it returns, no event is missed.
func Subscribe(cfg *netlink.Config, groups ...uint32) (*Subscription, error) {
	var own netlink.Config
	if cfg != nil {
		own.NetNS = cfg.NetNS
	}
	nl, err := netlink.Dial(unix.NETLINK_ROUTE, &own)
	if err != nil {
		return nil, opError("dial", err)
	}
	s := &Subscription{nl: nl, buf: make([]byte, bufSize)}
	if err := s.setup(groups); err != nil {
		nl.Close()
		return nil, opError("subscribe", err)
	}
	return s, nil
}

func (s *Subscription) setup(groups []uint32) (err error) {
	if s.raw, err = s.nl.SyscallConn(); err != nil {
		return err
	}
	var forced error
	if err := s.raw.Control(func(fd uintptr) {
		forced = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, eventBuffer)
	}); err != nil {
		return err
	}
	if forced != nil {
		// An ordinary user gets what net.core.rmem_max allows.
		if err := s.nl.SetReadBuffer(eventBuffer); err != nil {
			return err
		}
	}
	for _, g := range groups {
		if err := s.nl.JoinGroup(g); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the subscription. A Receive that waits returns with an error.
func (s *Subscription) Close() error { return s.nl.Close() }

// Receive waits for events and calls fn for each message of one datagram. Its
// Data is valid during the call. The error is that of ctx when it ends,
// [ErrOverrun] after which Receive may be called again, fn's, or the socket's.
func (s *Subscription) Receive(ctx context.Context, fn func(netlink.Message) error) error {
	b, err := s.next(ctx)
	if err != nil {
		return err
	}
	return each(b, fn)
}

// Pending calls fn for each message that has arrived, and does not wait for
// more. Errors are those of Receive.
func (s *Subscription) Pending(fn func(netlink.Message) error) error {
	for {
		b, err := s.poll()
		if err == nil && b != nil {
			err = each(b, fn)
		}
		if err != nil || b == nil {
			return err
		}
	}
}

// each calls fn for each message of a datagram.
func each(b []byte, fn func(netlink.Message) error) (err error) {
	for len(b) > 0 {
		var m netlink.Message
		if m, b, err = nextMessage(b); err != nil {
			return opError("receive", err)
		}
		if isData(m) {
			if err := fn(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// next waits for a datagram until ctx ends. What was read is returned even if
// ctx has ended meanwhile: the next call would not see it.
func (s *Subscription) next(ctx context.Context) ([]byte, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.nl.SetReadDeadline(time.Time{}); err != nil {
			return nil, opError("receive", os.ErrClosed)
		}
		past := time.Unix(1, 0)
		stop := context.AfterFunc(ctx, func() { _ = s.nl.SetReadDeadline(past) })
		b, err := s.wait()
		stop()
		// A deadline may also come late, from the ctx of the call before.
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return b, err
		}
	}
}

// wait returns the next datagram from the kernel.
func (s *Subscription) wait() ([]byte, error) {
	for {
		var r received
		err := s.raw.Read(func(fd uintptr) bool {
			r = s.recv(fd)
			return r.err != unix.EAGAIN
		})
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, err
		case err != nil:
			return nil, opError("receive", os.ErrClosed)
		}
		if b, err := s.datagram(r); b != nil || err != nil {
			return b, err
		}
	}
}

// poll returns the next datagram from the kernel, nil if none has arrived.
func (s *Subscription) poll() ([]byte, error) {
	for {
		var r received
		if err := s.raw.Control(func(fd uintptr) { r = s.recv(fd) }); err != nil {
			return nil, opError("receive", os.ErrClosed)
		}
		if r.err == unix.EAGAIN {
			return nil, nil
		}
		if b, err := s.datagram(r); b != nil || err != nil {
			return b, err
		}
	}
}

// A received is what recvfrom(2) returned.
type received struct {
	n    int
	from unix.Sockaddr
	err  error
}

func (s *Subscription) recv(fd uintptr) (r received) {
	for {
		r.n, r.from, r.err = unix.Recvfrom(int(fd), s.buf, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
		if r.err != unix.EINTR {
			return r
		}
	}
}

// datagram is what was received if it is from the kernel, else nil.
func (s *Subscription) datagram(r received) ([]byte, error) {
	switch {
	case errors.Is(r.err, unix.ENOBUFS):
		// The kernel drops all events, without another word, until the
		// queue is empty. Those that are in it are out of date anyway.
		s.drain()
		return nil, ErrOverrun
	case r.err != nil:
		return nil, opError("receive", r.err)
	case r.n > len(s.buf):
		return nil, ErrOverrun // of one event
	}
	if sa, ok := r.from.(*unix.SockaddrNetlink); ok && sa.Pid == 0 {
		return s.buf[:r.n:r.n], nil
	}
	return nil, nil
}

// drain empties the queue.
func (s *Subscription) drain() {
	s.raw.Control(func(fd uintptr) {
		for err := error(nil); err == nil || err == unix.EINTR || err == unix.ENOBUFS; {
			_, _, err = unix.Recvfrom(int(fd), s.buf, unix.MSG_DONTWAIT)
		}
	})
}
