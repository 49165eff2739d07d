package rtnl

import (
	"errors"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// What goes into one send. 256 refusals just fit into the default receive
// buffer, and from 64 requests on more of them gain nothing.
const (
	maxBatch      = 128
	maxBatchBytes = 64 << 10
)

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
	n, size := 0, 0
	for n < len(reqs) && n < maxBatch {
		size += headerLen + aligned(len(reqs[n].Data))
		if n > 0 && size > maxBatchBytes {
			break
		}
		n++
	}
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
	if n == 1 && errors.Is(err, unix.EMSGSIZE) {
		errs[0] = err // the socket is sound, the request too large
		return n, nil
	}
	if err != nil {
		return 0, err
	}
	return n, c.collect(first, errs[:n])
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
