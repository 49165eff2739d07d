package rtnl

import (
	"errors"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Transact sends the messages of a transaction in one datagram. See [Transactor]. At
// least one message should have the flag Acknowledge: if the kernel answers none of
// those that have it, and refuses nothing, the error is [ErrLostReply].
func (c *Conn) Transact(reqs []netlink.Message) ([]error, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.sequence(len(reqs))
	c.wbuf = c.wbuf[:0]
	for i, req := range reqs {
		req.Header.Flags |= netlink.Request
		c.wbuf = appendMessage(c.wbuf, req, first+uint32(i), c.pid)
	}
	if err := c.sendWhole(c.wbuf); err != nil {
		return nil, err
	}
	return c.answers(reqs, first)
}

// sendWhole writes one datagram, and makes the send buffer larger for it if necessary.
func (c *Conn) sendWhole(b []byte) error {
	err := c.send(b)
	if !errors.Is(err, unix.EMSGSIZE) {
		return err
	}
	// The kernel doubles the size, and wants some bytes more than the message has.
	_ = c.raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, len(b)) != nil {
			// Without CAP_NET_ADMIN the size is limited by net.core.wmem_max.
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, len(b))
		}
	})
	if err = c.send(b); errors.Is(err, unix.EMSGSIZE) {
		return NotSent(err)
	}
	return err
}

// answers reads all answers to the messages of a transaction, whose sequence numbers
// start at first. The kernel has queued the last of them when send returns. If some did not
// fit into the queue, one refusal is enough to know that nothing was done.
func (c *Conn) answers(reqs []netlink.Message, first uint32) ([]error, error) {
	errs := make([]error, len(reqs))
	answered, refused, lost := false, false, false
	for {
		n, err := c.recv(c.rbuf)
		switch {
		case err == unix.ENOBUFS:
			lost = true
			continue
		case err == unix.EAGAIN && (refused || answered && !lost):
			return errs, nil
		case err == unix.EAGAIN:
			return errs, opError("receive", ErrLostReply)
		case err != nil:
			return errs, opError("receive", os.NewSyscallError("read", err))
		}
		for b := c.rbuf[:n]; len(b) > 0; {
			var m netlink.Message
			if m, b, err = nextMessage(b); err != nil {
				return errs, opError("receive", err)
			}
			i := m.Header.Sequence - first
			if m.Header.Type != netlink.Error || m.Header.PID != c.pid || i >= uint32(len(errs)) {
				continue
			}
			errs[i] = verdict(m)
			refused = refused || errs[i] != nil
			answered = answered || reqs[i].Header.Flags&netlink.Acknowledge != 0
		}
	}
}
