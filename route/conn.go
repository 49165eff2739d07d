package route

import (
	"iter"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
)

// A Conn carries requests to the kernel. Execute sends one and returns its
// replies; a refusal is an error that [errors.As] finds to be a
// *netlink.OpError. *[Socket] and *netlink.Conn are Conns, and so are a few
// lines that record, refuse or fake requests.
//
// A *netlink.Conn should be dialed with Config.Strict set. Without it the
// kernel neither filters dumps nor explains refusals.
type Conn interface {
	Execute(netlink.Message) ([]netlink.Message, error)
}

// A Socket is the Conn that [Dial] returns. Beside Execute it can stream a dump,
// send a batch, and say which network namespace it is in, which the functions of this module use where they find
// them. It is safe for concurrent use, and a loop over a listing may use the
// Socket that the listing comes from.
type Socket struct {
	c *rtnl.Conn
}

// Dial opens a rtnetlink socket (NETLINK_ROUTE) with extended acknowledgements
// and strict checking, which Linux has from 4.20 on.
//
// A nil config is the right one for the network namespace of the calling
// thread. Of its fields, NetNS opens the socket in another namespace; PID
// should be left zero, so that the kernel chooses the port; Strict is implied;
// Groups must be zero, since a socket for requests takes no subscriptions.
//
// Reading needs no privilege. Changing rules or routes needs CAP_NET_ADMIN in
// the user namespace that owns the network namespace. On other systems than
// Linux the error is errors.ErrUnsupported.
func Dial(config *netlink.Config) (*Socket, error) {
	c, err := rtnl.Dial(config)
	if err != nil {
		return nil, &rtnl.Error{Package: "route", Verb: "dial", Err: err}
	}
	return &Socket{c}, nil
}

// Close closes the socket. Listings that it is still read from end with an
// error.
func (s *Socket) Close() error { return s.c.Close() }

// SyscallConn gives access to the socket, for its options, and to find the
// network namespace that it is in. Do not read from it or write to it.
func (s *Socket) SyscallConn() (syscall.RawConn, error) { return s.c.SyscallConn() }

// Execute sends one request and returns the kernel's replies, without the
// acknowledgement. Length, Sequence and PID of its header are filled in.
func (s *Socket) Execute(m netlink.Message) ([]netlink.Message, error) { return s.c.Execute(m) }

// Stream yields the messages that answer a dump request. A message's Data is
// valid until the next one is asked for. Leaving the loop early reads and
// drops the rest.
func (s *Socket) Stream(m netlink.Message) iter.Seq2[netlink.Message, error] { return s.c.Stream(m) }

// Batch sends many requests in few system calls. Entry i of the result is the
// answer to request i; a refusal does not stop the requests after it. The
// second result is a failure of the socket, after which the fate of the
// requests without an error is unknown.
func (s *Socket) Batch(ms []netlink.Message) ([]error, error) { return s.c.Batch(ms) }

// Ask sends many requests that change nothing and have one reply each, such as
// lookups, in few system calls. It calls fn with the reply to each, in order: a
// message, whose Data is valid during the call, or an error. fn must not use s.
// The result is a failure of the socket, after which there are no more calls.
func (s *Socket) Ask(ms []netlink.Message, fn func(i int, m netlink.Message, err error)) error {
	return s.c.Ask(ms, fn)
}
