package rtnl

import (
	"context"
	"errors"
	"slices"

	"github.com/mdlayher/netlink"
)

// A Queue holds the requests of a batch until [Queue.Run] sends them in few
// system calls. The zero Queue is empty and ready to use. It is not safe for
// concurrent use.
type Queue struct {
	// StopAtFirst stops at the first request that is refused. Each request is
	// then sent by itself, since the kernel does all requests that it is sent.
	StopAtFirst bool

	blocks   [][]byte // payloads, one after the other
	block    int      // the index of the block that is being filled
	requests []queuedRequest
}

// A Request says how to send a payload and how to report a failure. Requests of
// the same kind share one.
type Request struct {
	// Header has the type and the flags of the message.
	Header netlink.Header
	// Prepare, if set, is called when the other requests before this one have
	// been sent or wait to be sent; c sends those that wait before it does
	// anything else. Prepare returns the message to send instead of the payload;
	// a zero message means that there is nothing to send. Its error is reported
	// like a refusal.
	Prepare func(ctx context.Context, c Executor) (netlink.Message, error)
	// Again, if set, is called with the requests that share this Request, were sent
	// together and refused, before their refusals are reported. It can send other
	// requests instead. It sets the errors of those that are done to nil.
	Again func(ctx context.Context, c Executor, refused []netlink.Message, errs []error)
	// Fail makes the error to report of the kernel's refusal of m. If Fail is
	// nil, the refusal itself is reported.
	Fail func(m netlink.Message, err error) error
}

// A queuedRequest is small, as there are many of them.
type queuedRequest struct {
	block, start uint32 // where its payload begins; it ends where the next one begins, or with the block
	request      *Request
}

// blockSize is how long a block is before another one is begun. What is in full
// blocks is not copied when there is more.
const blockSize = 64 << 10

// Buffer returns the buffer to append the payload of the next request to, for
// [Queue.Push].
func (q *Queue) Buffer() []byte {
	if len(q.blocks) > 0 && len(q.blocks[q.block]) >= blockSize {
		q.block++
	}
	if q.block == len(q.blocks) {
		var block []byte
		if q.block > 0 { // the first one grows, as most batches are small
			block = make([]byte, 0, blockSize+blockSize/16)
		}
		q.blocks = append(q.blocks, block)
	}
	return q.blocks[q.block]
}

// Push queues a request whose payload was appended to the result of
// [Queue.Buffer], which makes b.
func (q *Queue) Push(r *Request, b []byte) {
	start := len(q.blocks[q.block])
	q.blocks[q.block] = b
	if len(q.requests) == cap(q.requests) {
		q.requests = slices.Grow(q.requests, max(8, len(q.requests)))
	}
	q.requests = append(q.requests, queuedRequest{block: uint32(q.block), start: uint32(start), request: r})
}

// PushPrepare queues a request that prepare makes. See [Request].
func (q *Queue) PushPrepare(prepare func(context.Context, Executor) (netlink.Message, error), fail func(netlink.Message, error) error) {
	q.Push(&Request{Prepare: prepare, Fail: fail}, q.Buffer())
}

// PushError queues an error, which is reported like a refusal.
func (q *Queue) PushError(err error) {
	q.PushPrepare(func(context.Context, Executor) (netlink.Message, error) { return netlink.Message{}, err }, nil)
}

// Len returns the number of requests.
func (q *Queue) Len() int { return len(q.requests) }

// payload returns the payload of the i-th request.
func (q *Queue) payload(i int) []byte {
	r := q.requests[i]
	block := q.blocks[r.block]
	end := len(block)
	if i+1 < len(q.requests) && q.requests[i+1].block == r.block {
		end = int(q.requests[i+1].start)
	}
	return block[r.start:end:end]
}

// Reset empties q. It keeps the memory and StopAtFirst.
func (q *Queue) Reset() {
	clear(q.requests)
	for i := range q.blocks {
		q.blocks[i] = q.blocks[i][:0]
	}
	q.block, q.requests = 0, q.requests[:0]
}

// A Collector is an Executor to which [Queue.Run] gives the requests of a queue,
// in their order, instead of sending them. So one batch becomes a part of
// another.
type Collector struct{ Queue *Queue }

var errCollector = errors.New("requests are collected, not sent")

// Execute returns an error.
func (*Collector) Execute(netlink.Message) ([]netlink.Message, error) { return nil, errCollector }

func (c *Collector) collect(q *Queue) {
	for i := range q.requests {
		c.Queue.Push(q.requests[i].request, append(c.Queue.Buffer(), q.payload(i)...))
	}
}
