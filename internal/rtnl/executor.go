package rtnl

import (
	"errors"
	"iter"

	"github.com/mdlayher/netlink"
)

// An Executor sends one request and returns the replies, as *netlink.Conn does.
type Executor interface {
	Execute(netlink.Message) ([]netlink.Message, error)
}

// A Streamer yields the messages of a dump as they arrive. The Data of a message is
// valid until the next iteration.
type Streamer interface {
	Stream(netlink.Message) iter.Seq2[netlink.Message, error]
}

// A Batcher sends many requests in few system calls. Entry i of the result is the
// answer to request i. The second result is a failure of the socket. It is then
// unknown whether requests without an error were done.
type Batcher interface {
	Batch([]netlink.Message) ([]error, error)
}

// An Asker sends many requests that have one reply each, in few system calls. It calls
// a function with each reply, in order: a message, whose Data is valid during the
// call, or an error. It returns a failure of the socket.
type Asker interface {
	Ask([]netlink.Message, func(i int, m netlink.Message, err error)) error
}

// A Transactor sends the messages of a transaction of NETLINK_NETFILTER, from
// NFNL_MSG_BATCH_BEGIN to NFNL_MSG_BATCH_END, in one datagram. Entry i of the result is
// the refusal of message i. If there is one, the kernel has done nothing. The second
// result is a failure of the socket. Unless it is [IsVerdict], it is then unknown
// whether the transaction was done.
type Transactor interface {
	Transact([]netlink.Message) ([]error, error)
}

// Dump yields the messages that answer a dump request. The Data of a message is valid
// until the next iteration.
func Dump(c Executor, req netlink.Message) iter.Seq2[netlink.Message, error] {
	if s, ok := c.(Streamer); ok {
		return s.Stream(req)
	}
	return func(yield func(netlink.Message, error) bool) {
		msgs, err := c.Execute(req)
		if err != nil {
			yield(netlink.Message{}, err)
			return
		}
		for _, m := range msgs {
			if isData(m) && !yield(m, nil) {
				return
			}
		}
	}
}

// Replies executes a request and returns the replies that have data. A *netlink.Conn
// also returns the acknowledgement.
func Replies(c Executor, req netlink.Message) ([]netlink.Message, error) {
	msgs, err := c.Execute(req)
	if err != nil {
		return nil, err
	}
	data := msgs[:0:0]
	for _, m := range msgs {
		if isData(m) {
			data = append(data, m)
		}
	}
	return data, nil
}

// isData reports whether m is a message of rtnetlink. The types of netlink's own
// control messages are below NLMSG_MIN_TYPE.
func isData(m netlink.Message) bool { return m.Header.Type >= 0x10 }

// Ask executes requests that have one reply each, and calls fn with each reply, in
// order. fn must not use c.
func Ask(c Executor, reqs []netlink.Message, fn func(i int, m netlink.Message, err error)) error {
	if a, ok := c.(Asker); ok {
		return a.Ask(reqs, fn)
	}
	for i, req := range reqs {
		msgs, err := Replies(c, req)
		if err == nil && len(msgs) == 0 {
			err = errNoReply
		}
		if err != nil {
			fn(i, netlink.Message{}, err)
			continue
		}
		fn(i, msgs[0], nil)
	}
	return nil
}

var errNoReply = errors.New("there is no reply with data")

// Send executes requests that change something. A refusal does not stop the requests
// after it. Entry i of the result is the answer to request i. Send removes
// NLM_F_ECHO, so that there are no other replies.
func Send(c Executor, reqs []netlink.Message) ([]error, error) {
	if b, ok := c.(Batcher); ok {
		return b.Batch(reqs)
	}
	errs := make([]error, len(reqs))
	for i, req := range reqs {
		req.Header.Flags = acknowledged(req.Header.Flags)
		_, errs[i] = c.Execute(req)
	}
	return errs, nil
}

// acknowledged returns f for a request whose only reply is an acknowledgement. A
// *netlink.Conn reads one datagram for a request; with an echo there would be two.
func acknowledged(f netlink.HeaderFlags) netlink.HeaderFlags {
	return f&^netlink.Echo | netlink.Request | netlink.Acknowledge
}
