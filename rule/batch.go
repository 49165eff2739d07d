package rule

import (
	"context"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A Batch collects many writes of rules, and of routes among them, and sends
// them in few system calls. It works as a [route.Batch] does.
//
//	var b rule.Batch
//	b.Routes.Replace(route.Route{Gateway: gateway, Table: 20})
//	b.Add(rule.Rule{From: lan2, Table: 20, Priority: rule.Priority(1000)})
//	b.Delete(old)
//	err := b.Do(ctx, c)
//
// A batch makes the same checks as [Add] and [Delete]. If Add looks at the rule
// that the kernel made, so does the batch, and the request is sent by itself. To
// delete rules, the batch has to find them: it lists the rules once for all
// deletions, and again for a rule that it did not find and that may have been
// added by the batch since.
//
// [AddAll] is faster for thousands of additions.
type Batch struct {
	// Routes queues routes, in the same order as the rules. Its StopAtFirst
	// applies to the whole batch. Use the Len and Do of the Batch, not those of
	// Routes.
	Routes route.Batch

	queue rtnl.Queue
	// index is that of the deletions; nil if there are none yet.
	index *ruleIndex
	// added are the groups that rules were queued to be added to after the first
	// deletion. addedAnywhere is set if the kernel is to choose the priority of
	// one of these rules.
	added         map[ruleGroup]bool
	addedAnywhere bool
}

// Len returns the number of requests in b. It is also the number that a
// [route.BatchError] gives to the next request.
func (b *Batch) Len() int { return b.queue.Len() + b.Routes.Len() }

// Do sends the requests in their order, and leaves b empty. If all were done
// the error is nil, else it is a [*route.BatchError].
func (b *Batch) Do(ctx context.Context, c route.Conn) error {
	b.collectRoutes()
	o := b.queue.Run(ctx, c, b.Routes.StopAtFirst)
	if len(o.Refused) == 0 && o.Rest == 0 {
		return nil
	}
	e := &route.BatchError{Total: o.Total, Rest: o.Rest, Err: o.Err}
	for _, r := range o.Refused {
		e.Refused = append(e.Refused, route.Refusal(r))
	}
	return e
}

// begin prepares b for the next request about a rule.
func (b *Batch) begin() {
	if b.Len() == 0 {
		b.index, b.addedAnywhere = nil, false
		clear(b.added)
	}
	b.collectRoutes()
}

// collectRoutes moves the requests about routes to the queue, so that they are
// sent before the next one about a rule.
func (b *Batch) collectRoutes() {
	if b.Routes.Len() > 0 {
		_ = b.Routes.Do(context.Background(), &rtnl.Collector{Queue: &b.queue}) // sends nothing, and so cannot fail
	}
}

// Add queues what the function [Add] does.
func (b *Batch) Add(r Rule) {
	b.begin()
	r.setDefaults()
	if b.index != nil {
		if b.added == nil {
			b.added = make(map[ruleGroup]bool)
		}
		b.added[ruleGroup{r.Family, r.Priority}] = true
		b.addedAnywhere = b.addedAnywhere || !r.Priority.IsSet()
	}
	pushAdd(&b.queue, &addRequest, &r)
}

// pushAdd queues the addition of r, whose defaults are filled in, by a request.
func pushAdd(q *rtnl.Queue, request *rtnl.Request, r *Rule) {
	if r.newAttributes() != "" {
		own := *r
		q.PushPrepare(func(ctx context.Context, c rtnl.Executor) (netlink.Message, error) {
			return netlink.Message{}, Add(ctx, c, own)
		}, nil)
		return
	}
	err := r.check()
	if err == nil {
		var b []byte
		if b, err = r.append(q.Buffer()); err == nil {
			q.Push(request, b)
			return
		}
	}
	q.PushError(fail("add", *r, err))
}

// addRequest is the request of [Add], addManyRequest that of [AddAll].
var (
	addRequest = rtnl.Request{
		Header: netlink.Header{Type: uapi.RTM_NEWRULE, Flags: netlink.Create | netlink.Excl}, Fail: refusedAdd,
	}
	addManyRequest = rtnl.Request{
		Header: netlink.Header{Type: uapi.RTM_NEWRULE, Flags: netlink.Create}, Fail: refusedAdd,
	}
)

// Delete queues what the function [Delete] does.
func (b *Batch) Delete(r Rule) {
	b.begin()
	if r.isEmpty() {
		b.queue.PushError(fail("delete", r, errEmpty))
		return
	}
	if b.index == nil {
		b.index = new(ruleIndex)
	}
	x := b.index
	addedSince := b.addedAnywhere || b.added[ruleGroup{r.Canonical().Family, r.Priority}]
	// The first rule of any priority may be one that was added.
	listAgain := !r.Priority.IsSet() && len(b.added) > 0
	b.queue.PushPrepare(func(ctx context.Context, c rtnl.Executor) (netlink.Message, error) {
		if listAgain {
			x.loaded = false
		}
		found, err := x.listAndTake(ctx, c, r)
		if err == errMissing && addedSince {
			x.loaded = false
			found, err = x.listAndTake(ctx, c, r)
		}
		if err != nil {
			return netlink.Message{}, failedDelete(r, err)
		}
		return found.request(uapi.RTM_DELRULE, 0)
	}, refusedDelete)
}

func refusedAdd(m netlink.Message, err error) error    { return refusedRequest("add", m, err) }
func refusedDelete(m netlink.Message, err error) error { return refusedRequest("delete", m, err) }

// refusedRequest says which rule the request m was about, and which attribute
// the refusal points at.
func refusedRequest(verb string, m netlink.Message, err error) error {
	var r Rule
	_ = r.UnmarshalBinary(m.Data) // for its words
	return fail(verb, r, &refusal{attr: rtnl.AttrAt(err, m.Data, uapi.SizeofFibRuleHdr, codec.Name), err: err})
}
