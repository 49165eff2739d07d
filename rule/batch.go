package rule

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A Batch is many writes of rules, and of routes among them, that go to the
// kernel in few system calls. See [route.Batch], whose words hold here.
//
//	var b rule.Batch
//	b.Routes.Replace(route.Route{Gateway: gateway, Table: 20})
//	b.Add(rule.Rule{From: lan2, Table: 20, Priority: rule.Pref(1000)})
//	b.Delete(old)
//	err := b.Do(ctx, c)
//
// All that [Add] and [Delete] check is checked. A rule with a selector for
// which Add looks at what the kernel made of it is sent by itself. Delete has
// to know the rules that there are: they are listed once for all deletions, and
// again for one of a rule that was not there then, but added since.
//
// To add thousands of rules [AddAll] is quicker.
type Batch struct {
	// Routes queues routes, in the same order as rules. Its StopAtFirst is
	// that of the whole batch.
	Routes route.Batch

	buf []byte
	// index is that of the deletions; nil if there are none yet.
	index *ruleIndex
	// added are the groups that rules were queued to be added to after the first
	// deletion. addedAnywhere is set if the kernel is to choose the priority of
	// one of these rules.
	added         map[group]bool
	addedAnywhere bool
}

// Len is the number of requests in b, which is also what the next one is called
// in a [route.BatchError].
func (b *Batch) Len() int { return b.Routes.Len() }

// Do sends the requests in their order, and leaves b empty. If all were done
// the error is nil, else it is a [*route.BatchError].
func (b *Batch) Do(ctx context.Context, c route.Conn) error {
	return b.Routes.Do(ctx, c)
}

// begin forgets what was known of the batch before, which is done.
func (b *Batch) begin() {
	if b.Len() == 0 {
		b.index, b.addedAnywhere = nil, false
		clear(b.added)
	}
}

// Add queues what the function [Add] does.
func (b *Batch) Add(r Rule) {
	r.setDefaults()
	b.add(&r, netlink.Create|netlink.Excl)
}

// add queues the rule r, whose defaults are filled in.
func (b *Batch) add(r *Rule, flags netlink.HeaderFlags) {
	b.begin()
	if b.index != nil {
		if b.added == nil {
			b.added = make(map[group]bool)
		}
		b.added[group{r.Family, r.Priority}] = true
		b.addedAnywhere = b.addedAnywhere || !r.Priority.IsSet()
	}
	if r.newer() != "" {
		own := *r
		b.prepare(func(ctx context.Context, c route.Conn) (netlink.Message, error) {
			return netlink.Message{}, Add(ctx, c, own)
		}, nil)
		return
	}
	err := r.check()
	if err == nil {
		b.buf, err = r.append(b.buf[:0])
	}
	if err != nil {
		b.refuse(fail("add", *r, err))
		return
	}
	b.Routes.Queue(route.Request{
		Message: netlink.Message{Header: netlink.Header{Type: uapi.RTM_NEWRULE, Flags: flags}, Data: b.buf},
		Fail:    refusedAdd,
	})
}

// Delete queues what the function [Delete] does.
func (b *Batch) Delete(r Rule) {
	b.begin()
	if r.isEmpty() {
		b.refuse(fail("delete", r, errEmpty))
		return
	}
	if b.index == nil {
		b.index = new(ruleIndex)
	}
	x := b.index
	addedSince := b.addedAnywhere || b.added[group{r.Canonical().Family, r.Priority}]
	// The first rule of any priority may be one that was added.
	listAgain := !r.Priority.IsSet() && len(b.added) > 0
	b.prepare(func(ctx context.Context, c route.Conn) (netlink.Message, error) {
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

// listAndTake is take, after a listing if there was none yet.
func (x *ruleIndex) listAndTake(ctx context.Context, c route.Conn, r Rule) (Rule, error) {
	if !x.loaded {
		if err := x.loadAll(ctx, c); err != nil {
			return Rule{}, err
		}
	}
	return x.take(r)
}

func (b *Batch) prepare(fn func(context.Context, route.Conn) (netlink.Message, error), fail func(netlink.Message, error) error) {
	b.Routes.Queue(route.Request{Prepare: fn, Fail: fail})
}

// refuse queues an error.
func (b *Batch) refuse(err error) {
	b.prepare(func(context.Context, route.Conn) (netlink.Message, error) { return netlink.Message{}, err }, nil)
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

// AddAll adds many rules, each as [Add] does, in the order that the kernel is
// quickest with: from the highest priority number to the lowest, and without
// NLM_F_EXCL, with which it compares each rule with all before it. Ten thousand
// take 15 ms instead of a second. Rules of the same priority keep their order.
//
// AddAll itself looks once at what is there, and does not send a rule that is
// there already or comes twice: its error is fs.ErrExist. So a rule that
// another process adds at the same time can be there twice. Unlike with Add,
// rules are the same only if they are so in all fields of their [Rule.Canonical]
// form. Each has to have a Priority.
//
// If any was not added the error is a [*route.BatchError], which calls them by
// their index in rules.
func AddAll(ctx context.Context, c route.Conn, rules []Rule) error {
	order := downward(rules)
	there, err := presentAt(ctx, c, rules, order)
	if err != nil {
		return listError(err)
	}
	var b Batch
	total := route.BatchError{Total: len(rules)}
	for n, i := range order {
		r := rules[i]
		r.setDefaults()
		// Only where others are of the same priority can one be the same.
		shared := n > 0 && rules[order[n-1]].Priority == r.Priority ||
			n+1 < len(order) && rules[order[n+1]].Priority == r.Priority
		var key Rule
		if shared || len(there) > 0 {
			key = r.Canonical()
			key.Flags = 0
		}
		switch {
		case !r.Priority.IsSet():
			b.refuse(fail("add", r, errNoPriority))
		case there[key]:
			b.refuse(fail("add", r, syscall.EEXIST))
		default:
			if shared {
				there[key] = true
			}
			b.add(&r, netlink.Create)
		}
		if b.Len() == atOnce || n+1 == len(order) {
			part := order[n+1-b.Len() : n+1]
			if !gather(&total, b.Do(ctx, c), part) {
				total.Rest += len(order) - n - 1
				break
			}
		}
	}
	if len(total.Refused) == 0 && total.Rest == 0 {
		return nil
	}
	slices.SortFunc(total.Refused, func(x, y route.Refusal) int { return x.N - y.N })
	return &total
}

// atOnce is how many of many rules are made into requests before they are sent,
// so that these stay in the processor's caches.
const atOnce = 512

// gather adds what a part of a batch has failed in to total, and reports whether
// the rest can be sent. order has the places of the part's requests.
func gather(total *route.BatchError, err error, order []int) bool {
	if err == nil {
		return true
	}
	var be *route.BatchError
	if !errors.As(err, &be) { // which Do does not return
		total.Rest, total.Err = len(order), err
		return false
	}
	for _, r := range be.Refused {
		total.Refused = append(total.Refused, route.Refusal{N: order[r.N], Err: r.Err})
	}
	total.Rest, total.Err = be.Rest, be.Err
	return be.Rest == 0
}

// downward is the order of rules from the highest priority number to the lowest.
// Those of the same priority stay in their order.
func downward(rules []Rule) []int {
	keys := make([]uint64, len(rules)) // numbers are sorted without a call for each comparison
	for i := range rules {
		keys[i] = uint64(^rules[i].Priority.Or(0))<<32 | uint64(i)
	}
	slices.Sort(keys)
	order := make([]int, len(rules))
	for n, key := range keys {
		order[n] = int(uint32(key))
	}
	return order
}

// presentAt are the rules that there are at the priorities of others, which
// order sorts from the highest down.
func presentAt(ctx context.Context, c route.Conn, rules []Rule, order []int) (map[Rule]bool, error) {
	there := make(map[Rule]bool)
	for r, err := range dump(ctx, c, 0) {
		if err != nil {
			return nil, err
		}
		r.toListed()
		if _, ok := slices.BinarySearchFunc(order, r.Priority.Or(0), func(i int, priority uint32) int {
			return cmp.Compare(priority, rules[i].Priority.Or(0))
		}); ok {
			r.Flags = 0
			there[*r] = true
		}
	}
	return there, nil
}

var errNoPriority = errors.New("one of many rules needs a priority")
