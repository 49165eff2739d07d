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

// eventBuffer is the size of a subscription's receive buffer. The kernel uses memory
// only for events that wait. At 200,000 changes a second, the default buffer loses
// events; a buffer of 1 MiB loses none if the reader keeps up. This size holds
// 100,000 events for a reader that does not.
const eventBuffer = 64 << 20

// A Subscription is a socket that receives the kernel's events.
type Subscription struct {
	nl  *netlink.Conn
	raw syscall.RawConn
	buf []byte
}

// Subscribe opens a socket in the namespace of cfg, which can be nil, and joins
// multicast groups, RTNLGRP_*. No event is missed after it returns.
func Subscribe(cfg *netlink.Config, groups ...uint32) (*Subscription, error) {
	return subscribe(unix.NETLINK_ROUTE, cfg, groups)
}

// SubscribeNetfilter is [Subscribe] for groups of NETLINK_NETFILTER, NFNLGRP_*.
func SubscribeNetfilter(cfg *netlink.Config, groups ...uint32) (*Subscription, error) {
	return subscribe(unix.NETLINK_NETFILTER, cfg, groups)
}

func subscribe(protocol int, cfg *netlink.Config, groups []uint32) (*Subscription, error) {
	var own netlink.Config
	if cfg != nil {
		own.NetNS = cfg.NetNS
	}
	nl, err := netlink.Dial(protocol, &own)
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
		// Without CAP_NET_ADMIN the size is limited by net.core.rmem_max.
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

// Close ends the subscription. A waiting Receive returns an error.
func (s *Subscription) Close() error { return s.nl.Close() }

// Receive waits for events and calls fn for each message of one datagram. The Data of
// a message is valid during the call. The error is that of ctx if ctx ends,
// [ErrOverrun], after which Receive can be called again, an error of fn, or a failure
// of the socket.
func (s *Subscription) Receive(ctx context.Context, fn func(netlink.Message) error) error {
	b, err := s.next(ctx)
	if err != nil {
		return err
	}
	return each(b, fn)
}

// Pending calls fn for each message that has arrived. It does not wait for more. The
// errors are those of Receive.
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

// Wait waits until [Subscription.Pending] has something to return, and reads nothing. The
// error is that of ctx if ctx ends, or a failure of the socket.
func (s *Subscription) Wait(ctx context.Context) error {
	return s.until(ctx, func() error {
		err := s.raw.Read(isReadable)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return opError("receive", os.ErrClosed)
		}
		return err
	})
}

// isReadable reports whether recvfrom(2) would return at once.
func isReadable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n > 0 || err != nil && err != unix.EINTR
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

// next waits for a datagram until ctx ends. A datagram that was read is returned even
// if ctx has ended, since the next call would not get it.
func (s *Subscription) next(ctx context.Context) (b []byte, err error) {
	err = s.until(ctx, func() (err error) {
		b, err = s.wait()
		return err
	})
	return b, err
}

// until calls wait, which waits for the socket, and has it return when ctx ends.
func (s *Subscription) until(ctx context.Context, wait func() error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.nl.SetReadDeadline(time.Time{}); err != nil {
			return opError("receive", os.ErrClosed)
		}
		past := time.Unix(1, 0)
		stop := context.AfterFunc(ctx, func() { _ = s.nl.SetReadDeadline(past) })
		err := wait()
		stop()
		// The deadline can also come from the ctx of an earlier call.
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// wait waits for the next datagram from the kernel.
func (s *Subscription) wait() ([]byte, error) {
	for {
		var r recvResult
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

// poll returns the next datagram from the kernel, or nil if none has arrived.
func (s *Subscription) poll() ([]byte, error) {
	for {
		var r recvResult
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

// A recvResult is a result of recvfrom(2).
type recvResult struct {
	n    int
	from unix.Sockaddr
	err  error
}

func (s *Subscription) recv(fd uintptr) (r recvResult) {
	for {
		r.n, r.from, r.err = unix.Recvfrom(int(fd), s.buf, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
		if r.err != unix.EINTR {
			return r
		}
	}
}

// datagram returns the received datagram, or nil if it is not from the kernel.
func (s *Subscription) datagram(r recvResult) ([]byte, error) {
	switch {
	case errors.Is(r.err, unix.ENOBUFS):
		// The kernel silently drops all events until the queue is empty. The
		// queued events are out of date.
		s.drain()
		return nil, ErrOverrun
	case r.err != nil:
		return nil, opError("receive", r.err)
	case r.n > len(s.buf):
		return nil, ErrOverrun // one event was cut off
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
