package route

import (
	"context"
	"fmt"
	"strings"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
)

// A Batch collects many writes and sends them in few system calls, about a
// hundred with each. Its methods have the names of the verbs and queue the
// requests that these send. [Batch.Do] sends them:
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
// The kernel does the requests one after the other. A batch is no transaction:
// a refused request does not stop the requests after it, unless StopAtFirst is
// set. A batch makes the same checks as [Add], before and after the request.
//
// Use rule.Batch for rules, and for routes among them. The zero Batch is empty
// and ready to use. It is not safe for concurrent use.
type Batch struct {
	// StopAtFirst makes Do stop at the first request that is refused. Each request is then
	// sent in a system call of its own, because the kernel executes all requests of a
	// system call.
	StopAtFirst bool

	queue rtnl.Queue
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
	r.setDeleteDefaults()
	b.route(verbDelete, &r)
}

// route queues a request about r.
func (b *Batch) route(v verb, r *Route) {
	data, err := r.appendRequest(b.queue.Buffer())
	if err != nil {
		b.queue.PushError(writeError(v, r, nil, err))
		return
	}
	b.queue.Push(&batchRequests[v], data)
}

// put queues a request that makes r, whose defaults are filled in. What needs
// more than one request is done when it is its turn.
func (b *Batch) put(v verb, r *Route) {
	if err := r.check(); err != nil {
		b.queue.PushError(writeError(v, r, nil, err))
		return
	}
	if len(r.recentAttrs()) > 0 {
		own := *r
		b.queue.PushPrepare(func(ctx context.Context, c rtnl.Executor) (netlink.Message, error) {
			return netlink.Message{}, own.put(ctx, c, v)
		}, nil)
		return
	}
	b.route(v, r)
}

// batchRequests are the requests of the verbs in a batch.
var batchRequests = [...]rtnl.Request{
	verbAdd: batchRequest(verbAdd), verbReplace: batchRequest(verbReplace), verbAppend: batchRequest(verbAppend),
	verbPrepend: batchRequest(verbPrepend), verbChange: batchRequest(verbChange), verbDelete: batchRequest(verbDelete),
}

func batchRequest(v verb) rtnl.Request {
	return rtnl.Request{
		Header: netlink.Header{Type: verbs[v].typ, Flags: verbs[v].flags},
		Fail: func(m netlink.Message, err error) error {
			var r Route
			_ = r.UnmarshalBinary(m.Data) // for its words
			return writeError(v, &r, m.Data, err)
		},
	}
}

// Len returns the number of requests in b. It is also the number that a
// [BatchError] gives to the next request.
func (b *Batch) Len() int { return b.queue.Len() }

// Do sends the requests in their order, and leaves b empty. If all were done, the error
// is nil; otherwise it is a [*BatchError].
//
// Do works with any Conn. If the Conn cannot send many requests at once, as a
// [Socket] can, it executes each request by itself.
func (b *Batch) Do(ctx context.Context, c Conn) error {
	b.queue.StopAtFirst = b.StopAtFirst
	o := b.queue.Run(ctx, c)
	if len(o.Refused) == 0 && o.Rest == 0 {
		return nil
	}
	e := &BatchError{Total: o.Total, Rest: o.Rest, Err: o.Err}
	for _, r := range o.Refused {
		e.Refused = append(e.Refused, Refusal(r))
	}
	return e
}

// A BatchError says which requests of a [Batch] were not done. [errors.Is] finds
// the cause of each failure.
type BatchError struct {
	// Refused are the requests that were refused, in their order.
	Refused []Refusal
	// Total is the number of requests.
	Total int
	// Rest is the number of requests at the end of the batch that have no answer, because
	// they were not sent. If Err is a failure of the socket, the first of them may have
	// been sent and done.
	Rest int
	// Err is the reason for Rest: the error of the context or of the socket. Nil: the
	// batch stopped because of Batch.StopAtFirst.
	Err error
}

// A Refusal is a request of a batch that was refused.
type Refusal struct {
	// N is the request's place in the batch, from 0.
	N int
	// Err is the error that the function with the name of the request, such as [Add],
	// would have returned.
	Err error
}

// Error returns how many requests were refused, and the first refusal.
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
