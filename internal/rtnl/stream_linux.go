package rtnl

import (
	"bytes"
	"iter"

	"github.com/mdlayher/netlink"
)

// A dump is a dump in progress. The kernel makes its next part when the last
// one is read, and takes other requests meanwhile, except for a second dump.
// So that no two exchanges mix on the socket, any other request first reads
// the rest of the dump into memory: see settle.
type dump struct {
	seq    uint32
	buf    []byte   // the part that the loop is at
	parked [][]byte // the rest, once it was settled
	end    error    // why parked ends; EAGAIN after the last part
	left   bool     // the loop is over, nobody wants the rest
}

// Stream yields the messages of a dump, whose Data is valid until the next one
// is asked for or the loop ends. Leaving the loop early reads and drops the
// rest of the dump.
//
// The kernel is asked for more as the loop goes on. A request through the same
// Conn meanwhile, by the loop's body or another goroutine, takes the rest of
// the dump into memory; it has no part in what the loop yields. Beside a large
// dump a second Conn is better.
func (c *Conn) Stream(req netlink.Message) iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		d, err := c.startDump(req)
		if err != nil {
			yield(netlink.Message{}, err)
			return
		}
		whole := false // all of it was read
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
		return b, lost(err)
	}
	if len(d.parked) == 0 {
		return nil, lost(d.end)
	}
	b := d.parked[0]
	d.parked[0], d.parked = nil, d.parked[1:]
	return b, nil
}

// settle takes the dump in progress, if any, off the socket: its loop goes on
// in memory. Call with mu held.
func (c *Conn) settle() {
	d := c.dump
	c.dump = nil
	for d != nil && d.end == nil {
		var b []byte
		if b, d.end = c.receiveFor(d.seq, 1, c.rbuf); d.end == nil && !d.left {
			d.parked = append(d.parked, bytes.Clone(b))
		}
	}
}

// endDump drops what is left of d, of which there is nothing if whole.
func (c *Conn) endDump(d *dump, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch d.left = true; {
	case c.dump != d:
	case whole:
		c.dump = nil
	default:
		c.settle()
	}
	c.free, d.parked = d.buf, nil
}
