package rtnl

import (
	"errors"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The most requests and bytes of one send, if the socket's buffers allow them. More
// than 64 requests make it no faster.
const (
	maxBatch      = 128
	maxBatchBytes = 64 << 10
)

// replySize is more than a refusal takes of the receive buffer, including the kernel's
// own structures and its text. The default buffer of 212,992 bytes then holds
// maxBatch refusals.
const replySize = 1664

// Batch sends requests that change something, in as few system calls as the socket's
// buffers allow. Entry i of the result is the answer to request i; a refusal does not
// stop the requests after it. The second result is a failure of the socket. It is
// then unknown whether requests without an error were done.
func (c *Conn) Batch(reqs []netlink.Message) ([]error, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := make([]error, len(reqs))
	for done := 0; done < len(reqs); {
		n, err := c.batch(reqs[done:], errs[done:])
		if err != nil {
			return errs, err
		}
		done += n
	}
	return errs, nil
}

// batch sends as many of reqs as fit into one send, and returns how many.
func (c *Conn) batch(reqs []netlink.Message, errs []error) (int, error) {
	n := c.countFitting(reqs, c.maxBatch)
	for {
		first := c.sequence(n)
		c.wbuf = c.wbuf[:0]
		for i, req := range reqs[:n] {
			// Refusals always come. One acknowledgement, of the last request,
			// says that there are no more replies.
			req.Header.Flags = acknowledged(req.Header.Flags)
			if i < n-1 {
				req.Header.Flags &^= netlink.Acknowledge
			}
			c.wbuf = appendMessage(c.wbuf, req, first+uint32(i), c.pid)
		}
		err := c.send(c.wbuf)
		switch {
		case err == nil:
			return n, c.collect(first, errs[:n])
		case n > 1 && isTooLarge(err):
			n /= 2
		case errors.Is(err, unix.EMSGSIZE):
			errs[0] = err // the request is too large
			return n, nil
		default:
			return 0, err
		}
	}
}

// countFitting returns how many of reqs fit into one send, at least one.
func (c *Conn) countFitting(reqs []netlink.Message, most int) int {
	n, size := 0, 0
	for n < len(reqs) && n < most {
		size += headerLen + aligned(len(reqs[n].Data))
		if n > 0 && size > c.maxBytes {
			break
		}
		n++
	}
	return n
}

// isTooLarge reports whether a send failed because it was larger than the buffer or
// than the kernel's free memory.
func isTooLarge(err error) bool {
	return errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS)
}

// Ask sends requests that change nothing and have one reply each, in few system
// calls. It calls fn with each reply, in order: a message, whose Data is valid during
// the call, or an error. fn must not use c. Ask returns a failure of the socket,
// after which it does not call fn again.
func (c *Conn) Ask(reqs []netlink.Message, fn func(i int, m netlink.Message, err error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := max(c.maxBatch/4, 1) // a reply can be larger than a refusal
	for done := 0; done < len(reqs); {
		n, err := c.ask(reqs, done, most, fn)
		done += n
		switch {
		case errors.Is(err, unix.ENOBUFS) && most > 1:
			most = 1 // replies were lost: send the requests again
		case err != nil:
			return err
		}
	}
	return nil
}

// ask sends as many of reqs, from start on, as fit into one send, and returns how many
// were answered.
func (c *Conn) ask(reqs []netlink.Message, start, most int, fn func(int, netlink.Message, error)) (answered int, _ error) {
	n := c.countFitting(reqs[start:], most)
	first := c.sequence(n)
	c.wbuf = c.wbuf[:0]
	for i, req := range reqs[start : start+n] {
		req.Header.Flags |= netlink.Request
		c.wbuf = appendMessage(c.wbuf, req, first+uint32(i), c.pid)
	}
	if err := c.send(c.wbuf); err != nil {
		return 0, err
	}
	for answered < n {
		b, err := c.receiveFor(first, n, c.rbuf)
		if err != nil {
			return answered, missingReply(err)
		}
		m, _, err := nextMessage(b)
		switch {
		case err != nil:
			return answered, opError("receive", err)
		case m.Header.Sequence != first+uint32(answered):
			return answered, opError("receive", ErrLostReply)
		case m.Header.Type == netlink.Error:
			fn(start+answered, netlink.Message{}, verdict(m))
		default:
			fn(start+answered, m, nil)
		}
		answered++
	}
	return answered, nil
}

// collect reads the answers to the requests whose sequence numbers start at first.
func (c *Conn) collect(first uint32, errs []error) error {
	for {
		b, err := c.receiveFor(first, len(errs), c.rbuf)
		if err != nil {
			return missingReply(err)
		}
		for len(b) > 0 {
			var m netlink.Message
			if m, b, err = nextMessage(b); err != nil {
				return opError("receive", err)
			}
			i := m.Header.Sequence - first
			if m.Header.Type != netlink.Error || i >= uint32(len(errs)) {
				continue
			}
			errs[i] = verdict(m)
			if i == uint32(len(errs)-1) {
				return nil
			}
		}
	}
}
