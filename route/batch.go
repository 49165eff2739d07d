package route

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
)

// A Batch is many writes that go to the kernel in few system calls, about a
// hundred with each. Its methods have the names of the verbs, and queue what
// these send; [Batch.Do] sends it:
//
//	var b route.Batch
//	for _, r := range old {
//		b.Delete(r)
//	}
//	for _, r := range new {
//		b.Add(r)
//	}
//	if err := b.Do(ctx, c); err != nil {
//		return err // a *route.BatchError says which of them failed, and why
//	}
//
// The kernel does the requests one after the other. It is no transaction: one
// that is refused does not stop those after it, unless StopAtFirst is set. What
// [Add] refuses or looks at afterwards is refused and looked at here as well.
//
// rule.Batch is one for rules, and for routes among them. The zero Batch is
// empty and ready to use. It is not safe for concurrent use.
type Batch struct {
	// StopAtFirst has no request sent after one that was refused. Each is
	// then sent by itself, since the kernel does all that it is sent.
	StopAtFirst bool

	blocks [][]byte // of payloads, one after the other
	block  int      // the index of the block that is being filled
	queue  []queued
	others []Request // those that are not about routes
}

// A queued is a request of a Batch. It is small, as there are many.
type queued struct {
	block, start uint32 // where the payload is: up to that of the next one, or the block's end
	other        int32  // 1 + the index in others; 0 for a route
	verb         verb   // of a route
}

// blockSize is how long a block is before another one is begun. What is in full
// blocks is not copied when there is more.
const blockSize = 64 << 10

// payload is the place for the next payload, at the end of a block.
func (b *Batch) payload() *[]byte {
	if len(b.blocks) > 0 && len(b.blocks[b.block]) >= blockSize {
		b.block++
	}
	if b.block == len(b.blocks) {
		var block []byte
		if b.block > 0 { // the first one grows, as most batches are small
			block = make([]byte, 0, blockSize+blockSize/16)
		}
		b.blocks = append(b.blocks, block)
	}
	return &b.blocks[b.block]
}

// enqueue queues the payload from start on in the last block.
func (b *Batch) enqueue(start int, v verb, other int) {
	if len(b.queue) == cap(b.queue) {
		b.queue = slices.Grow(b.queue, max(8, len(b.queue)))
	}
	b.queue = append(b.queue, queued{block: uint32(b.block), start: uint32(start), verb: v, other: int32(other)})
}

// Add queues what the function [Add] does.
func (b *Batch) Add(r Route) {
	r.setDefaults()
	b.put(verbAdd, &r)
}

// Replace queues what the function [Replace] does.
func (b *Batch) Replace(r Route) {
	r.setDefaults()
	b.put(verbReplace, &r)
}

// Append queues what the function [Append] does.
func (b *Batch) Append(r Route) {
	r.setDefaults()
	b.put(verbAppend, &r)
}

// Prepend queues what the function [Prepend] does.
func (b *Batch) Prepend(r Route) {
	r.setDefaults()
	b.put(verbPrepend, &r)
}

// Change queues what the function [Change] does.
func (b *Batch) Change(r Route) {
	r.setDefaults()
	b.put(verbChange, &r)
}

// Delete queues what the function [Delete] does.
func (b *Batch) Delete(r Route) {
	r.setDeleted()
	b.route(verbDelete, &r)
}

// route queues a request about r.
func (b *Batch) route(v verb, r *Route) {
	p := b.payload()
	start := len(*p)
	var err error
	if *p, err = r.appendRequest(*p); err != nil {
		b.refuse(writeError(v, r, nil, err))
		return
	}
	b.enqueue(start, v, 0)
}

// put queues a request that makes r, whose defaults are filled in. What needs
// more than one request is done when it is its turn.
func (b *Batch) put(v verb, r *Route) {
	if err := r.check(); err != nil {
		b.refuse(writeError(v, r, nil, err))
		return
	}
	if len(r.newer()) > 0 {
		own := *r
		b.Queue(Request{Prepare: func(ctx context.Context, c Conn) (netlink.Message, error) {
			return netlink.Message{}, own.put(ctx, c, v)
		}})
		return
	}
	b.route(v, r)
}

// refuse queues an error.
func (b *Batch) refuse(err error) {
	b.Queue(Request{Prepare: func(context.Context, Conn) (netlink.Message, error) { return netlink.Message{}, err }})
}

// A Request is one that a [Batch] has no method for. Either Message or Prepare
// is set.
type Request struct {
	// Message is the request, a write of any kind that rtnetlink has. Its
	// Data is copied.
	Message netlink.Message
	// Prepare is called when it is the request's turn, and returns the message
	// to send; a zero one, that there is none. The requests before it have been
	// sent before c does anything, so that Prepare can look at what they did.
	// Its error is reported like a refusal.
	Prepare func(ctx context.Context, c Conn) (netlink.Message, error)
	// Fail makes the error that is reported of the kernel's refusal. Nil: that
	// is reported as it is.
	Fail func(m netlink.Message, err error) error
}

// Queue queues a request of another kind.
func (b *Batch) Queue(r Request) {
	p := b.payload()
	start := len(*p)
	*p = append(*p, r.Message.Data...)
	r.Message.Data = nil
	b.others = append(b.others, r)
	b.enqueue(start, verbAdd, len(b.others))
}

// Len is the number of requests in b, which is also what the next one is called
// in a [BatchError].
func (b *Batch) Len() int { return len(b.queue) }

// Do sends the requests in their order, and leaves b empty. If all were done
// the error is nil, else it is a [*BatchError].
//
// It works with any Conn. One that cannot send a batch, as a [Socket] can,
// executes each request by itself.
func (b *Batch) Do(ctx context.Context, c Conn) error {
	d := doing{batch: b, c: c}
	rest := d.all(ctx)
	total := len(b.queue)
	b.reset()
	if len(d.refused) == 0 && rest == 0 {
		return nil
	}
	slices.SortFunc(d.refused, func(x, y Refusal) int { return x.N - y.N })
	return &BatchError{Refused: d.refused, Total: total, Rest: rest, Err: d.err}
}

// reset empties b, and keeps its memory.
func (b *Batch) reset() {
	clear(b.others)
	for i := range b.blocks {
		b.blocks[i] = b.blocks[i][:0]
	}
	b.block, b.queue, b.others = 0, b.queue[:0], b.others[:0]
}

// A BatchError says what of a [Batch] was not done. [errors.Is] finds the cause
// of each failure.
type BatchError struct {
	// Refused are the requests that were refused, in their order.
	Refused []Refusal
	// Total is the number of requests.
	Total int
	// Rest is the number of requests, the last ones, without an answer: they
	// were not sent. If Err is a failure of the socket, the first of them may
	// have been done.
	Rest int
	// Err is why there is a Rest: the error of the context or of the socket.
	// Nil: Batch.StopAtFirst.
	Err error
}

// A Refusal is a request of a batch that was refused.
type Refusal struct {
	// N is the request's place in the batch, from 0.
	N int
	// Err is what the function of the same name would have returned.
	Err error
}

// Error is how many requests were refused, and the first refusal.
func (e *BatchError) Error() string {
	var parts []string
	if n := len(e.Refused); n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d requests refused, first request %d: %v",
			n, e.Total, e.Refused[0].N, e.Refused[0].Err))
	}
	if e.Rest > 0 {
		s := fmt.Sprintf("the last %d of %d requests not sent", e.Rest, e.Total)
		if e.Err != nil {
			s += ": " + rtnl.Reason(e.Err)
		}
		parts = append(parts, s)
	}
	return "batch: " + strings.Join(parts, "; ")
}

// Unwrap returns the causes.
func (e *BatchError) Unwrap() []error {
	var errs []error
	for _, r := range e.Refused {
		errs = append(errs, r.Err)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// A doing is a batch that is being done. It is the Conn of Prepare.
type doing struct {
	batch *Batch
	c     Conn

	waiting []netlink.Message // to be sent
	places  []int             // of these in the batch
	refused []Refusal
	err     error
}

// inFlight is how many requests wait before they are sent. What one system call
// takes is up to the Conn.
const inFlight = 512

// all does the requests up to the first that cannot be sent, and returns how
// many are left.
func (d *doing) all(ctx context.Context) (rest int) {
	most := inFlight
	if d.batch.StopAtFirst {
		most = 1
	}
	queue := d.batch.queue
	for i := range queue {
		if len(d.waiting) == 0 && d.err == nil {
			d.err = ctx.Err()
		}
		if d.err != nil {
			return d.left(i)
		}
		m, err := d.message(ctx, i)
		switch {
		case err != nil:
			d.refuse(i, err)
		case m.Header.Type != 0:
			d.waiting, d.places = append(d.waiting, m), append(d.places, i)
		}
		if len(d.waiting) >= most {
			d.flush()
		}
		if d.batch.StopAtFirst && len(d.refused) > 0 && d.err == nil {
			return len(queue) - i - 1
		}
	}
	d.flush()
	return d.left(len(queue))
}

// left is the number of requests without an answer, where those from next on
// were not looked at.
func (d *doing) left(next int) int {
	if len(d.places) > 0 {
		next = d.places[0]
	}
	return len(d.batch.queue) - next
}

// message is that of the i-th request.
func (d *doing) message(ctx context.Context, i int) (netlink.Message, error) {
	b := d.batch
	q := b.queue[i]
	block := b.blocks[q.block]
	end := len(block)
	if i+1 < len(b.queue) && b.queue[i+1].block == q.block {
		end = int(b.queue[i+1].start)
	}
	data := block[q.start:end:end]
	if q.other == 0 {
		v := &verbs[q.verb]
		return netlink.Message{Header: netlink.Header{Type: v.typ, Flags: v.flags}, Data: data}, nil
	}
	o := &b.others[q.other-1]
	if o.Prepare != nil {
		return o.Prepare(ctx, d)
	}
	return netlink.Message{Header: o.Message.Header, Data: data}, nil
}

func (d *doing) refuse(place int, err error) {
	d.refused = append(d.refused, Refusal{place, err})
}

// flush sends what waits. If the socket fails, that goes on waiting.
func (d *doing) flush() {
	if len(d.waiting) == 0 || d.err != nil {
		return
	}
	errs, err := rtnl.Send(d.c, d.waiting)
	for i, err := range errs {
		if err == nil {
			continue
		}
		d.refuse(d.places[i], d.reason(d.places[i], d.waiting[i], err))
	}
	if d.err = err; err == nil {
		d.waiting, d.places = d.waiting[:0], d.places[:0]
	}
}

// reason is what to report of the refusal of m, the i-th request.
func (d *doing) reason(i int, m netlink.Message, err error) error {
	q := d.batch.queue[i]
	if q.other == 0 {
		var r Route
		_ = r.UnmarshalBinary(m.Data) // for its words
		return writeError(q.verb, &r, m.Data, err)
	}
	if fail := d.batch.others[q.other-1].Fail; fail != nil {
		return fail(m, err)
	}
	return err
}

// Execute sends what waits, then m.
func (d *doing) Execute(m netlink.Message) ([]netlink.Message, error) {
	if d.flush(); d.err != nil {
		return nil, d.err
	}
	return d.c.Execute(m)
}

// Stream sends what waits, then the dump request m.
func (d *doing) Stream(m netlink.Message) iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		if d.flush(); d.err != nil {
			yield(netlink.Message{}, d.err)
			return
		}
		for m, err := range rtnl.Dump(d.c, m) {
			if !yield(m, err) {
				return
			}
		}
	}
}
