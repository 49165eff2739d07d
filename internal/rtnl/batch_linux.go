package rtnl

import (
	"errors"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// What goes into one send, if the socket's buffers take it. From 64 requests on
// more of them gain nothing.
const (
	maxBatch      = 128
	maxBatchBytes = 64 << 10
)

// replySize is what a refusal takes of the receive buffer, the kernel's own
// structures and its words included, and some more. The default buffer of
// 212,992 bytes then takes maxBatch of them.
const replySize = 1664

// Batch sends requests that change something, in as few system calls as the
// socket's buffers allow. Entry i of the result is the answer to request i: a
// refused request does not stop those after it. The second result is a failure
// of the socket, after which the fate of requests without an error is unknown.
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

// batch sends as many of reqs as one send takes, and reports how many.
func (c *Conn) batch(reqs []netlink.Message, errs []error) (int, error) {
	n := c.fitting(reqs, c.maxBatch)
	for {
		first := c.sequence(n)
		c.wbuf = c.wbuf[:0]
		for i, req := range reqs[:n] {
			// Refusals come unasked. One acknowledgement, of the last request,
			// says that all replies are there.
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
		case n > 1 && tooMuch(err):
			n /= 2
		case errors.Is(err, unix.EMSGSIZE):
			errs[0] = err // the socket is sound, the request too large
			return n, nil
		default:
			return 0, err
		}
	}
}

// fitting is how many of reqs go into one send: one at least.
func (c *Conn) fitting(reqs []netlink.Message, most int) int {
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

// tooMuch reports whether a send failed for its size: larger than the buffer,
// or than the memory that the kernel had at hand.
func tooMuch(err error) bool {
	return errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS)
}

// Ask sends requests that change nothing and have one reply each, in few system
// calls, and calls fn with the reply to each, in order: a message, whose Data
// is valid during the call, or an error. fn must not use c. The result is a
// failure of the socket, after which there are no more calls.
func (c *Conn) Ask(reqs []netlink.Message, fn func(i int, m netlink.Message, err error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := max(c.maxBatch/4, 1) // an answer may be larger than a refusal
	for done := 0; done < len(reqs); {
		n, err := c.ask(reqs, done, most, fn)
		done += n
		switch {
		case errors.Is(err, unix.ENOBUFS) && most > 1:
			most = 1 // answers were lost; they can be asked for again
		case err != nil:
			return err
		}
	}
	return nil
}

// ask sends as many of reqs from start on as one send takes, and reports how
// many were answered.
func (c *Conn) ask(reqs []netlink.Message, start, most int, fn func(int, netlink.Message, error)) (answered int, _ error) {
	n := c.fitting(reqs[start:], most)
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
			return answered, lost(err)
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

// collect reads the answers to the requests from first on, up to the last one's.
func (c *Conn) collect(first uint32, errs []error) error {
	for {
		b, err := c.receiveFor(first, len(errs), c.rbuf)
		if err != nil {
			return lost(err)
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
