package rtnl

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// bufSize holds any datagram of a dump, which the kernel limits to 32 KiB, and
// any reply to a request.
const bufSize = 64 << 10

// A Conn is a NETLINK_ROUTE socket with extended acknowledgements and strict
// checking. It is safe for concurrent use. A loop over a stream may use the
// Conn that it reads from: no lock is held while the loop's body runs.
type Conn struct {
	raw *socket
	pid uint32
	to  unix.SockaddrNetlink // the kernel

	// What one send takes: see limits.
	maxBatch, maxBytes int

	mu   sync.Mutex // of what follows, and of the exchange of request and replies
	io   transfer
	seq  uint32
	wbuf []byte
	rbuf []byte
	dump *dump  // the one that the kernel is in the middle of, if any
	free []byte // the buffer of the last finished dump
}

// A transfer is what one system call is about. The functions that make the
// calls are made once, so that a call allocates nothing.
type transfer struct {
	send, recv func(fd uintptr)
	buf        []byte
	n          int
	err        error
	calls      int // how many there were
}

var (
	errTruncated = errors.New("a datagram is larger than the receive buffer")
	errGroups    = errors.New("Config.Groups: a socket for requests takes no subscriptions")
)

// Dial opens a Conn. Of cfg, which may be nil, Groups must be zero and Strict
// is implied.
func Dial(cfg *netlink.Config) (*Conn, error) {
	var own netlink.Config
	if cfg != nil {
		own = *cfg
	}
	if own.Groups != 0 {
		return nil, &netlink.OpError{Op: "dial", Err: errGroups}
	}
	own.Strict = true
	nl, err := netlink.Dial(unix.NETLINK_ROUTE, &own)
	if err != nil {
		return nil, opError("dial", err)
	}
	// A refusal need not carry the request, which the caller has.
	if err := nl.SetOption(netlink.CapAcknowledge, true); err != nil {
		nl.Close()
		return nil, opError("dial", err)
	}
	raw, err := takeOver(nl)
	if err != nil {
		return nil, opError("dial", err)
	}
	c := &Conn{raw: raw, to: unix.SockaddrNetlink{Family: unix.AF_NETLINK}, rbuf: make([]byte, bufSize)}
	if err := c.setup(); err != nil {
		raw.Close()
		return nil, opError("dial", err)
	}
	return c, nil
}

func (c *Conn) setup() error {
	c.io.send = func(fd uintptr) {
		c.io.err = unix.EINTR
		for c.io.err == unix.EINTR {
			c.io.calls++
			c.io.err = unix.Sendto(int(fd), c.io.buf, 0, &c.to)
		}
	}
	c.io.recv = func(fd uintptr) {
		c.io.err = unix.EINTR
		for c.io.err == unix.EINTR {
			c.io.calls++
			c.io.n, c.io.err = unix.Read(int(fd), c.io.buf) // the socket does not block
		}
	}
	var inner error
	err := c.raw.Control(func(fd uintptr) { inner = c.setupSocket(int(fd)) })
	return errors.Join(err, inner)
}

func (c *Conn) setupSocket(fd int) error {
	// A connected socket takes no messages from other processes. There may be
	// some from before.
	if err := unix.Connect(fd, &c.to); err != nil {
		return err
	}
	for err := error(nil); err == nil; {
		_, err = unix.Read(fd, c.rbuf)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	c.pid = sa.(*unix.SockaddrNetlink).Pid
	return c.limits(fd)
}

// limits finds out how much the socket's buffers take: of replies, which wait
// in the receive queue until all requests of a send are done, and of a message
// to send, which is refused if it is larger than the send buffer less 32 bytes.
func (c *Conn) limits(fd int) error {
	recv, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return err
	}
	send, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err != nil {
		return err
	}
	c.maxBatch = min(maxBatch, max(recv/replySize, 1))
	c.maxBytes = min(maxBatchBytes, max(send-32, 0))
	return nil
}

// Close closes the socket. Streams in progress end with os.ErrClosed, as does
// every later use.
func (c *Conn) Close() error { return opError("close", c.raw.Close()) }

// SyscallConn gives access to the socket.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// SystemCalls is how often c has sent and received so far.
func (c *Conn) SystemCalls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.io.calls
}

// send writes one datagram of requests. Call with mu held.
func (c *Conn) send(b []byte) error {
	c.settle()
	c.io.buf = b
	if closed := c.raw.Control(c.io.send); closed != nil {
		c.io.err = os.ErrClosed
	}
	return opError("send", c.io.err)
}

// receive reads the next datagram from the kernel into buf. Nothing ever needs
// to be waited for: the kernel has put a reply into the queue when send
// returns, and the next part of a dump when the one before is read. So an
// empty queue, EAGAIN, means that there is no reply. Call with mu held.
func (c *Conn) receive(buf []byte) ([]byte, error) {
	n, err := c.recv(buf)
	if err == unix.ENOBUFS {
		// Replies were lost, and until the queue is empty all others are.
		for e := error(nil); e == nil; {
			_, e = c.recv(buf)
		}
	}
	if err != nil {
		return nil, opError("receive", err)
	}
	if n == len(buf) {
		return nil, opError("receive", errTruncated)
	}
	return buf[:n:n], nil
}

func (c *Conn) recv(buf []byte) (int, error) {
	c.io.buf = buf
	if closed := c.raw.Control(c.io.recv); closed != nil {
		return 0, os.ErrClosed
	}
	return c.io.n, c.io.err
}

// receiveFor reads datagrams into buf up to the first that answers one of the
// n requests from first on. Answers to earlier requests that nobody waited for
// are dropped. Call with mu held.
func (c *Conn) receiveFor(first uint32, n int, buf []byte) ([]byte, error) {
	for {
		b, err := c.receive(buf)
		if err != nil {
			return nil, err
		}
		m, _, err := nextMessage(b)
		if err != nil {
			return nil, opError("receive", err)
		}
		if m.Header.PID == c.pid && m.Header.Sequence-first < uint32(n) {
			return b, nil
		}
	}
}

// sequence returns the first of n new sequence numbers in a row. After the
// greatest comes 0. Call with mu held.
func (c *Conn) sequence(n int) (first uint32) {
	first = c.seq + 1
	c.seq += uint32(n)
	return first
}

// isGet tells a request that changes nothing: of four types in a row, GET is
// the third.
func isGet(h netlink.Header) bool { return h.Type&3 == 2 }

// isDump tells a dump request. With other types than GET the two bits mean
// REPLACE and EXCL.
func isDump(h netlink.Header) bool {
	return isGet(h) && h.Flags&netlink.Dump == netlink.Dump
}

// Execute sends one request and returns the kernel's replies to it, without
// the acknowledgement. A refusal is a *netlink.OpError.
func (c *Conn) Execute(req netlink.Message) ([]netlink.Message, error) {
	if isDump(req.Header) {
		var msgs []netlink.Message
		for m, err := range c.Stream(req) {
			if err != nil {
				return nil, err
			}
			m.Data = bytes.Clone(m.Data)
			msgs = append(msgs, m)
		}
		return msgs, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	seq := c.sequence(1)
	req.Header.Flags |= netlink.Request
	c.wbuf = appendMessage(c.wbuf[:0], req, seq, c.pid)
	if err := c.send(c.wbuf); err != nil {
		return nil, err
	}
	return c.replies(req.Header, seq)
}

// replies collects the replies to a request that is no dump.
func (c *Conn) replies(req netlink.Header, seq uint32) ([]netlink.Message, error) {
	acked := req.Flags&netlink.Acknowledge != 0
	var msgs []netlink.Message
	for {
		b, err := c.receiveFor(seq, 1, c.rbuf)
		if errors.Is(err, unix.EAGAIN) && !acked && !isGet(req) {
			// A write that was not refused, and that had nothing to echo: a
			// replacement of a route by the same one changes nothing.
			return msgs, nil
		}
		if err != nil {
			return nil, lost(err)
		}
		for len(b) > 0 {
			var m netlink.Message
			if m, b, err = nextMessage(b); err != nil {
				return nil, opError("receive", err)
			}
			switch m.Header.Type {
			case netlink.Error, netlink.Done:
				return msgs, verdict(m)
			}
			m.Data = bytes.Clone(m.Data)
			msgs = append(msgs, m)
			if !acked && m.Header.Flags&netlink.Multi == 0 {
				return msgs, nil
			}
		}
	}
}

// lost says what an empty queue means where there has to be a reply.
func lost(err error) error {
	if errors.Is(err, unix.EAGAIN) {
		return opError("receive", ErrLostReply)
	}
	return err
}
