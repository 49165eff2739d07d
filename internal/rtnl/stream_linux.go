package rtnl

import (
	"bytes"
	"iter"

	"github.com/mdlayher/netlink"
)

// A dump is a dump in progress. The kernel makes the next part when the last one has
// been read. Between parts it accepts other requests, except for a second dump. To
// keep the exchanges on the socket apart, any other request first reads the rest of
// the dump into memory: see parkDump.
type dump struct {
	seq       uint32
	buf       []byte   // the present part
	parked    [][]byte // the other parts, if they were read into memory
	end       error    // why parked ends; EAGAIN after the last part
	abandoned bool     // the loop has ended; the rest is dropped
}

// Stream yields the messages of a dump. The Data of a message is valid until the next
// iteration. If the loop ends early, Stream reads and drops the rest of the dump.
//
// Stream reads the dump while the loop runs. If the body of the loop, or another
// goroutine, sends another request over the same Conn, that request first reads the
// rest of the dump into memory; the loop gets the same messages. During a large dump
// it is better to use a second Conn for other requests.
func (c *Conn) Stream(req netlink.Message) iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		d, err := c.startDump(req)
		if err != nil {
			yield(netlink.Message{}, err)
			return
		}
		whole := false // the dump was read to its end
		defer func() { c.endDump(d, whole) }()
		for {
			b, err := c.nextPart(d)
			for len(b) > 0 && err == nil {
				n, ok := messageLen(b)
				if !ok {
					err = opError("receive", errDatagram)
					break
				}
				m := netlink.Message{Header: header(b), Data: b[headerLen:n:n]}
				b = b[min(aligned(n), len(b)):]
				switch {
				case m.Header.Type == netlink.Done || m.Header.Type == netlink.Error:
					if whole, err = true, verdict(m); err == nil {
						return
					}
				case !yield(m, nil):
					return
				}
			}
			if err != nil {
				yield(netlink.Message{}, err)
				return
			}
		}
	}
}

func (c *Conn) startDump(req netlink.Message) (*dump, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := &dump{seq: c.sequence(1)}
	req.Header.Flags |= netlink.Request
	c.wbuf = appendMessage(c.wbuf[:0], req, d.seq, c.pid)
	if err := c.send(c.wbuf); err != nil {
		return nil, err
	}
	if d.buf, c.free = c.free, nil; d.buf == nil {
		d.buf = make([]byte, bufSize)
	}
	c.dump = d
	return d, nil
}

// nextPart returns the next datagram of d.
func (c *Conn) nextPart(d *dump) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dump == d {
		b, err := c.receiveFor(d.seq, 1, d.buf)
		return b, missingReply(err)
	}
	if len(d.parked) == 0 {
		return nil, missingReply(d.end)
	}
	b := d.parked[0]
	d.parked[0], d.parked = nil, d.parked[1:]
	return b, nil
}

// parkDump reads the rest of the dump in progress, if there is one, into memory, from
// which its loop then reads. Call with mu held.
func (c *Conn) parkDump() {
	d := c.dump
	c.dump = nil
	for d != nil && d.end == nil {
		var b []byte
		if b, d.end = c.receiveFor(d.seq, 1, c.rbuf); d.end == nil && !d.abandoned {
			d.parked = append(d.parked, bytes.Clone(b))
		}
	}
}

// endDump drops the rest of d. whole says that there is none.
func (c *Conn) endDump(d *dump, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch d.abandoned = true; {
	case c.dump != d:
	case whole:
		c.dump = nil
	default:
		c.parkDump()
	}
	c.free, d.parked = d.buf, nil
}
