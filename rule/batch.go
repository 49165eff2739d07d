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
// A batch makes the same checks as [Add] and [Delete]. Some requests are sent in a system call of their
// own: additions after which Add compares the rule that the kernel made, and, of several additions with
// the same priority, all but the first. If the kernel refuses a rule only because it resembles another
// one, the batch sends it again, as Add does. That second request comes after the other requests that
// were sent together with the first one. To find the rules to delete, the batch lists the rules once
// for all deletions. It lists them again for a rule that it did not find and that the batch itself may
// have added in the meantime.
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
	// adds are the groups that rules were queued to be added to, and addedSince
	// those after the first deletion. addedAnywhere is set if the kernel is to
	// choose the priority of one of these rules.
	adds, addedSince map[ruleGroup]bool
	addedAnywhere    bool
}

// Len returns the number of requests in b. It is also the number that a
// [route.BatchError] gives to the next request.
func (b *Batch) Len() int { return b.queue.Len() + b.Routes.Len() }

// Do sends the requests in their order, and leaves b empty. If all were done
// the error is nil, else it is a [*route.BatchError].
func (b *Batch) Do(ctx context.Context, c route.Conn) error {
	b.collectRoutes()
	b.queue.StopAtFirst = b.Routes.StopAtFirst
	o := b.queue.Run(ctx, c)
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
		clear(b.adds)
		clear(b.addedSince)
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
	group := ruleGroup{r.Family, r.Priority}
	if b.index != nil {
		setTrue(&b.addedSince, group)
		b.addedAnywhere = b.addedAnywhere || !r.Priority.IsSet()
	}
	if b.adds[group] && r.Priority.IsSet() {
		// If the kernel refuses the one before it for a rule that differs, that one
		// is added after what was sent with it. Rules of the same priority have to
		// keep their order.
		pushAlone(&b.queue, &r)
		return
	}
	setTrue(&b.adds, group)
	pushAdd(&b.queue, &addRequest, &r)
}

// setTrue sets an entry of a map, which it makes if it is nil.
func setTrue[K comparable](m *map[K]bool, key K) {
	if *m == nil {
		*m = make(map[K]bool)
	}
	(*m)[key] = true
}

// pushAdd queues the addition of r, whose defaults are filled in, by a request.
func pushAdd(q *rtnl.Queue, request *rtnl.Request, r *Rule) {
	if r.newAttributes() != "" {
		pushAlone(q, r)
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

// pushAlone queues the addition of r in a request that is sent by itself, after the
// answers to those before it.
func pushAlone(q *rtnl.Queue, r *Rule) {
	own := *r
	q.PushPrepare(func(ctx context.Context, c rtnl.Executor) (netlink.Message, error) {
		return netlink.Message{}, Add(ctx, c, own)
	}, nil)
}

// addRequest is the request of [Add], addManyRequest that of [AddAll].
var (
	addRequest = rtnl.Request{
		Header: netlink.Header{Type: uapi.RTM_NEWRULE, Flags: netlink.Create | netlink.Excl}, Fail: refusedAdd,
		Again: addAgain,
	}
	addManyRequest = rtnl.Request{
		Header: netlink.Header{Type: uapi.RTM_NEWRULE, Flags: netlink.Create}, Fail: refusedAdd,
	}
)

// deleteRequest is the request of a [Deleter] that deletes many rules.
var deleteRequest = rtnl.Request{Header: netlink.Header{Type: uapi.RTM_DELRULE}, Fail: refusedDelete}

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
	addedSince := b.addedAnywhere || b.addedSince[ruleGroup{r.Canonical().Family, r.Priority}]
	// The first rule of any priority may be one that was added.
	listAgain := !r.Priority.IsSet() && len(b.addedSince) > 0
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
	if m.Header.Type == uapi.RTM_DELRULE {
		r.normalize() // the request has the rule as the kernel reported it
	}
	return fail(verb, r, &refusal{attr: rtnl.AttrAt(err, m.Data, uapi.SizeofFibRuleHdr, codec.Name), err: err})
}
