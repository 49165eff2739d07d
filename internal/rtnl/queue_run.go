package rtnl

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"syscall"

	"github.com/mdlayher/netlink"
)

// An Outcome says what became of the requests of a queue.
type Outcome struct {
	// Refused are the requests that were refused, in their order.
	Refused []Refusal
	// Total is the number of requests.
	Total int
	// Rest is the number of requests, the last ones, without an answer.
	Rest int
	// Err is why there is a Rest: the error of the context or of the socket. It
	// is nil if Run stopped at the first refusal.
	Err error
}

// A Refusal is a request that was refused.
type Refusal struct {
	N   int // the place of the request, from 0
	Err error
}

// Done returns the number of requests that were done.
func (o *Outcome) Done() int { return o.Total - o.Rest - len(o.Refused) }

// Run sends the requests in their order, and leaves q empty.
func (q *Queue) Run(ctx context.Context, c Executor) Outcome {
	defer q.Reset()
	if to, ok := c.(*Collector); ok {
		to.collect(q)
		return Outcome{}
	}
	run := batchRun{ctx: ctx, queue: q, c: c, most: maxWaiting}
	if q.StopAtFirst {
		run.most = 1
	}
	rest := run.all()
	slices.SortFunc(run.refused, func(x, y Refusal) int { return cmp.Compare(x.N, y.N) })
	return Outcome{Refused: run.refused, Total: len(q.requests), Rest: rest, Err: run.err}
}

// A batchRun is the state of [Queue.Run]. It is the Executor of Prepare.
type batchRun struct {
	ctx   context.Context
	queue *Queue
	c     Executor
	most  int // requests that wait

	waiting []netlink.Message // to be sent
	places  []int             // of the waiting requests in the queue
	refused []Refusal
	err     error
}

// maxWaiting is how many requests wait before they are sent. How many one system
// call takes is up to the Executor.
const maxWaiting = 512

// all does the requests up to the first that cannot be sent, and returns how
// many are left.
func (r *batchRun) all() (rest int) {
	requests := r.queue.requests
	for i := range requests {
		if len(r.waiting) == 0 && r.err == nil {
			r.err = r.ctx.Err()
		}
		if r.err != nil {
			return r.left(i)
		}
		m, err := r.message(i)
		switch {
		case err != nil:
			r.refuse(i, err)
		case m.Header.Type != 0:
			r.waiting, r.places = append(r.waiting, m), append(r.places, i)
		}
		if len(r.waiting) >= r.most {
			r.flush()
		}
		if r.queue.StopAtFirst && len(r.refused) > 0 && r.err == nil {
			return len(requests) - i - 1
		}
	}
	r.flush()
	return r.left(len(requests))
}

// left returns the number of requests without an answer, if those from next on
// were not looked at.
func (r *batchRun) left(next int) int {
	if len(r.places) > 0 {
		next = r.places[0]
	}
	return len(r.queue.requests) - next
}

// message returns the message of the i-th request.
func (r *batchRun) message(i int) (netlink.Message, error) {
	request := r.queue.requests[i].request
	if request.Prepare != nil {
		return request.Prepare(r.ctx, r)
	}
	return netlink.Message{Header: request.Header, Data: r.queue.payload(i)}, nil
}

func (r *batchRun) refuse(place int, err error) {
	r.refused = append(r.refused, Refusal{place, err})
}

// flush sends the waiting requests. If the socket fails they stay.
func (r *batchRun) flush() {
	if len(r.waiting) == 0 || r.err != nil {
		return
	}
	errs, err := Send(r.c, r.waiting)
	if err == nil {
		r.again(errs)
	}
	for i, err := range errs {
		if err == nil {
			continue
		}
		if fail := r.queue.requests[r.places[i]].request.Fail; fail != nil {
			err = fail(r.waiting[i], err)
		}
		r.refuse(r.places[i], err)
	}
	if r.err = err; err == nil {
		r.waiting, r.places = r.waiting[:0], r.places[:0]
	}
}

// again lets the kinds of requests that were refused send others instead.
func (r *batchRun) again(errs []error) {
	var asked []*Request
	for i, err := range errs {
		request := r.queue.requests[r.places[i]].request
		if err == nil || request.Again == nil || slices.Contains(asked, request) {
			continue
		}
		asked = append(asked, request)
		var refused []int
		var messages []netlink.Message
		var reasons []error
		for k, err := range errs {
			if err != nil && r.queue.requests[r.places[k]].request == request {
				refused, messages, reasons = append(refused, k), append(messages, r.waiting[k]), append(reasons, err)
			}
		}
		request.Again(r.ctx, r.c, messages, reasons)
		for n, k := range refused {
			errs[k] = reasons[n]
		}
	}
}

// SyscallConn gives access to the socket of the Executor that sends.
func (r *batchRun) SyscallConn() (syscall.RawConn, error) {
	if c, ok := r.c.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Execute sends the waiting requests, then m.
func (r *batchRun) Execute(m netlink.Message) ([]netlink.Message, error) {
	if r.flush(); r.err != nil {
		return nil, r.err
	}
	return r.c.Execute(m)
}

// Stream sends the waiting requests, then the dump request m.
func (r *batchRun) Stream(m netlink.Message) iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		if r.flush(); r.err != nil {
			yield(netlink.Message{}, r.err)
			return
		}
		for m, err := range Dump(r.c, m) {
			if !yield(m, err) {
				return
			}
		}
	}
}
