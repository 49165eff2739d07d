package rtnl

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// What the tests that run against the kernel need of a Conn's inside.

// MaxBatch is the number of requests in one send.
const MaxBatch = maxBatch

// Port is the port ID of the socket.
func (c *Conn) Port() uint32 { return c.pid }

// Left takes what is in the receive queue, and returns how many datagrams
// there were.
func (c *Conn) Left() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if _, err := c.recv(c.rbuf); err != nil {
			return n
		}
		n++
	}
}

// WrapAfter makes the sequence numbers start again after n more.
func (c *Conn) WrapAfter(n uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq = math.MaxUint32 - n
}

// SetBuffers sets the sizes of the receive and the send buffer.
func (c *Conn) SetBuffers(recv, send int) error {
	var err error
	closed := c.raw.Control(func(fd uintptr) {
		err = errors.Join(
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, recv),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, send),
			c.limits(int(fd)))
	})
	return errors.Join(closed, err)
}

// Overdo has a send take as many requests as the default buffers do.
func (c *Conn) Overdo() { c.maxBatch, c.maxBytes = maxBatch, maxBatchBytes }

// Dumping reports whether the kernel is in the middle of a dump.
func (c *Conn) Dumping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dump != nil
}

// Forget sends a request and does not read the reply.
func (c *Conn) Forget(req netlink.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.send(appendMessage(nil, req, c.sequence(1), c.pid))
}

// LosePatience leaves only some of the patience with those who have the lock of the
// namespace of c without the guard.
func LosePatience(t interface{ Fatal(...any) }, c Executor, left time.Duration) {
	fd, err := openNetNS(c)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := newLockFile(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.close()
	q := enterQueue(ns.id, mostPatience)
	if err := q.wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	q.patience.spend(mostPatience-left+freeWait, time.Now())
	q.leave()
}
