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

// bufSize is enough for any datagram of a dump, which the kernel limits to 32 KiB, and
// for any reply to a request.
const bufSize = 64 << 10

// A Conn is a NETLINK_ROUTE or NETLINK_NETFILTER socket with extended acknowledgements
// and strict checking. It is safe for concurrent use. A loop over a stream can use the Conn that
// it reads from: no lock is held while the body of the loop runs.
type Conn struct {
	raw *socket
	pid uint32
	to  unix.SockaddrNetlink // the kernel

	netfilter bool // NETLINK_NETFILTER, whose types of messages have another order

	// The most requests and bytes of one send: see limits.
	maxBatch, maxBytes int

	mu   sync.Mutex // protects the fields below, and one exchange of request and replies
	io   transfer
	seq  uint32
	wbuf []byte
	rbuf []byte
	dump *dump  // the dump that the kernel has not finished, if any
	free []byte // the buffer of the last finished dump
}

// A transfer has the arguments and results of one system call. The functions that
// make the calls are made once, so that a call does not allocate.
type transfer struct {
	send, recv func(fd uintptr)
	buf        []byte
	n          int
	err        error
	calls      int // the number of system calls so far
}

var (
	errTruncated = errors.New("a datagram is larger than the receive buffer")
	errGroups    = errors.New("Config.Groups: a socket for requests takes no subscriptions")
)

// Dial opens a Conn for NETLINK_ROUTE. cfg can be nil. cfg.Groups must be zero, and
// cfg.Strict is implied.
func Dial(cfg *netlink.Config) (*Conn, error) { return dial(unix.NETLINK_ROUTE, cfg) }

// DialNetfilter opens a Conn for NETLINK_NETFILTER. cfg is as for [Dial].
func DialNetfilter(cfg *netlink.Config) (*Conn, error) { return dial(unix.NETLINK_NETFILTER, cfg) }

func dial(protocol int, cfg *netlink.Config) (*Conn, error) {
	var own netlink.Config
	if cfg != nil {
		own = *cfg
	}
	if own.Groups != 0 {
		return nil, &netlink.OpError{Op: "dial", Err: errGroups}
	}
	own.Strict = true
	nl, err := netlink.Dial(protocol, &own)
	if err != nil {
		return nil, opError("dial", err)
	}
	// A refusal need not contain the request, which the caller has.
	if err := nl.SetOption(netlink.CapAcknowledge, true); err != nil {
		nl.Close()
		return nil, opError("dial", err)
	}
	raw, err := newSocket(nl)
	if err != nil {
		return nil, opError("dial", err)
	}
	c := &Conn{
		raw: raw, to: unix.SockaddrNetlink{Family: unix.AF_NETLINK}, rbuf: make([]byte, bufSize),
		netfilter: protocol == unix.NETLINK_NETFILTER,
	}
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
	// A connected socket receives no messages from other processes. Drop those
	// that came before.
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

// limits computes how much one send can have. All replies to a send wait in the
// receive buffer until its last request is done. The kernel refuses a message that
// is larger than the send buffer minus 32 bytes.
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

// Close closes the socket. Streams in progress and all later calls fail with
// os.ErrClosed.
func (c *Conn) Close() error { return opError("close", c.raw.Close()) }

// SyscallConn gives access to the socket.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// SystemCalls returns how often c has sent and received so far.
func (c *Conn) SystemCalls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.io.calls
}

// send writes one datagram of requests. Call with mu held.
func (c *Conn) send(b []byte) error {
	c.parkDump()
	c.io.buf = b
	if closed := c.raw.Control(c.io.send); closed != nil {
		c.io.err = os.ErrClosed
	}
	return opError("send", c.io.err)
}

// receive reads the next datagram from the kernel into buf. It never waits: the
// kernel has queued the reply when send returns, and the next part of a dump when
// the part before has been read. So an empty queue, EAGAIN, means that there is no
// reply. Call with mu held.
func (c *Conn) receive(buf []byte) ([]byte, error) {
	n, err := c.recv(buf)
	if err == unix.ENOBUFS {
		// Replies were lost. The kernel drops all others until the queue is empty.
		for e := error(nil); e == nil; {
			_, e = c.recv(buf)
		}
	}
	if err != nil {
		// A refusal of the kernel is not in an os.SyscallError: see IsVerdict.
		return nil, opError("receive", os.NewSyscallError("read", err))
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

// receiveFor reads datagrams into buf up to the first that answers one of the n
// requests whose sequence numbers start at first. It drops answers to earlier
// requests. Call with mu held.
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

// sequence returns the first of n new consecutive sequence numbers. After the
// greatest number comes 0. Call with mu held.
func (c *Conn) sequence(n int) (first uint32) {
	first = c.seq + 1
	c.seq += uint32(n)
	return first
}

// isGet reports whether a request changes nothing. GET is the third of each group of
// four types of NETLINK_ROUTE. In NETLINK_NETFILTER it is the second of three, for all
// objects but flow tables.
func (c *Conn) isGet(h netlink.Header) bool {
	if c.netfilter {
		return h.Type&0xff%3 == 1
	}
	return h.Type&3 == 2
}

// isDump reports whether a request is for a dump. For types other than GET, the two
// bits mean REPLACE and EXCL.
func (c *Conn) isDump(h netlink.Header) bool {
	return c.isGet(h) && h.Flags&netlink.Dump == netlink.Dump
}

// Execute sends one request and returns the kernel's replies, without the
// acknowledgement. A refusal is a *netlink.OpError.
func (c *Conn) Execute(req netlink.Message) ([]netlink.Message, error) {
	if c.isDump(req.Header) {
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

// replies collects the replies to a request that is not for a dump.
func (c *Conn) replies(req netlink.Header, seq uint32) ([]netlink.Message, error) {
	acked := req.Flags&netlink.Acknowledge != 0
	var msgs []netlink.Message
	for {
		b, err := c.receiveFor(seq, 1, c.rbuf)
		if errors.Is(err, unix.EAGAIN) && !acked && !c.isGet(req) {
			// A write that was done and not echoed: the replacement of a route
			// by the same route changes nothing.
			return msgs, nil
		}
		if err != nil {
			return nil, missingReply(err)
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

// missingReply returns the error for an empty queue when there must be a reply.
func missingReply(err error) error {
	if errors.Is(err, unix.EAGAIN) {
		return opError("receive", ErrLostReply)
	}
	return err
}
