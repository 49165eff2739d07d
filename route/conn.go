package route

import (
	"iter"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
)

// A Conn sends requests to the kernel. Execute sends one request and returns the
// replies; if the kernel refuses the request, [errors.As] finds a *netlink.OpError in
// the error. *[Socket] and *netlink.Conn are Conns. Tests can use a Conn that records,
// refuses or fakes requests.
//
// A *netlink.Conn should be dialed with Config.Strict set. Otherwise the kernel does
// not filter dumps, and does not say why it refuses a request.
type Conn interface {
	Execute(netlink.Message) ([]netlink.Message, error)
}

// A Socket is the Conn that [Dial] returns. Besides Execute, it can stream a dump,
// send many requests at once, and give access to its network namespace. The
// functions of this module use these methods if a Conn has them. A Socket is safe
// for concurrent use, and a loop over a listing can use the Socket that it reads
// from.
type Socket struct {
	c *rtnl.Conn
}

// Dial opens a rtnetlink socket (NETLINK_ROUTE) with extended acknowledgements
// and strict checking, which Linux has from 4.20 on.
//
// A nil config means the network namespace of the calling thread. config.NetNS
// means another one: it is the descriptor of an open file such as
// /run/netns/NAME or /proc/PID/ns/net, which can be closed after Dial. [Watch] takes
// a namespace in the same way. All functions that take a [Conn] work in the namespace
// of its socket.
//
// config.PID should be zero, so that the kernel chooses the port. Dial always sets
// config.Strict. config.Groups must be zero, because a socket for requests has no
// subscriptions.
//
// Reading needs no privilege. Changing rules or routes needs CAP_NET_ADMIN in
// the user namespace that owns the network namespace. On systems other than Linux
// the error is errors.ErrUnsupported.
func Dial(config *netlink.Config) (*Socket, error) {
	c, err := rtnl.Dial(config)
	if err != nil {
		return nil, &rtnl.Error{Package: "route", Verb: "dial", Err: err}
	}
	return &Socket{c}, nil
}

// Close closes the socket. Listings that still read from it end with an error.
func (s *Socket) Close() error { return s.c.Close() }

// SyscallConn gives access to the socket, to set options and to find its network
// namespace. Do not read from the socket or write to it.
func (s *Socket) SyscallConn() (syscall.RawConn, error) { return s.c.SyscallConn() }

// Execute sends one request and returns the kernel's replies, without the
// acknowledgement. Length, Sequence and PID of its header are filled in.
func (s *Socket) Execute(m netlink.Message) ([]netlink.Message, error) { return s.c.Execute(m) }

// Stream yields the messages that answer a dump request. The Data of a message is
// valid until the next iteration. If the loop ends early, Stream reads and drops
// the rest.
func (s *Socket) Stream(m netlink.Message) iter.Seq2[netlink.Message, error] { return s.c.Stream(m) }

// Batch sends many requests in few system calls. Entry i of the result is the answer to
// request i; a refusal does not stop the requests after it. The second result is an
// error of the socket. If it is not nil, it is unknown whether requests without an
// error were done.
func (s *Socket) Batch(ms []netlink.Message) ([]error, error) { return s.c.Batch(ms) }

// Ask sends many requests that change nothing and have one reply each, such as lookups,
// in few system calls. It calls fn with each reply, in order: a message, whose Data is
// valid during the call, or an error. fn must not use s. If the socket fails, Ask
// returns the error and does not call fn again.
func (s *Socket) Ask(ms []netlink.Message, fn func(i int, m netlink.Message, err error)) error {
	return s.c.Ask(ms, fn)
}
