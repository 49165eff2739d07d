package rule

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"syscall"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
)

// AddAll adds many rules, each as [Add] does, in the order in which the kernel is
// fastest: from the highest priority number to the lowest. It does not use NLM_F_EXCL,
// because with that flag the kernel compares each rule with all rules before it. Ten
// thousand rules take 15 ms instead of a second. Rules of the same priority keep their
// order.
//
// AddAll lists the rules once. It does not send a rule that is listed, or that comes
// twice in rules: the error of that rule is fs.ErrExist. If another process adds the
// same rule at the same time, the rule can then exist twice. Each rule must have a
// Priority.
//
// If a rule was not added the error is a [*route.BatchError], in which the number
// of a request is the index of the rule in rules.
func AddAll(ctx context.Context, c route.Conn, rules []Rule) error {
	order := highestFirst(rules)
	present, err := listAt(ctx, c, rules, order)
	if err != nil {
		return listError(err)
	}
	return addAll(ctx, c, rules, order, present)
}

// addAll adds rules in an order, except for those that are present.
func addAll(ctx context.Context, c route.Conn, rules []Rule, order []int, present map[Rule]bool) error {
	var q rtnl.Queue
	total := route.BatchError{Total: len(rules)}
	for n, i := range order {
		r := rules[i]
		r.setDefaults()
		// Two rules can be the same only if they have the same priority.
		shared := n > 0 && rules[order[n-1]].Priority == r.Priority ||
			n+1 < len(order) && rules[order[n+1]].Priority == r.Priority
		var key Rule
		if shared || len(present) > 0 {
			key = r.bare()
		}
		switch {
		case !r.Priority.IsSet():
			q.PushError(fail("add", r, errNoPriority))
		case present[key]:
			q.PushError(fail("add", r, syscall.EEXIST))
		default:
			if shared {
				present[key] = true
			}
			pushAdd(&q, &addManyRequest, &r)
		}
		if q.Len() < addAllChunk && n+1 < len(order) {
			continue
		}
		sent := order[n+1-q.Len() : n+1]
		o := q.Run(ctx, c)
		for _, refused := range o.Refused {
			total.Refused = append(total.Refused, route.Refusal{N: sent[refused.N], Err: refused.Err})
		}
		if o.Rest > 0 {
			total.Rest, total.Err = o.Rest+len(order)-n-1, o.Err
			break
		}
	}
	if len(total.Refused) == 0 && total.Rest == 0 {
		return nil
	}
	slices.SortFunc(total.Refused, func(x, y route.Refusal) int { return x.N - y.N })
	return &total
}

var errNoPriority = errors.New("the rule has no Priority, which AddAll needs")

// addAllChunk is how many of many rules are made into requests before they are
// sent, so that the requests stay in the processor's caches.
const addAllChunk = 512

// highestFirst returns the indices of rules from the highest priority number to
// the lowest. Rules of the same priority stay in their order.
func highestFirst(rules []Rule) []int {
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

// listAt returns the rules of the kernel that have the priority of one of rules,
// which order sorts from the highest priority number down.
func listAt(ctx context.Context, c route.Conn, rules []Rule, order []int) (map[Rule]bool, error) {
	present := make(map[Rule]bool)
	for r, err := range dump(ctx, c, 0) {
		if err != nil {
			return nil, err
		}
		r.normalizeListed()
		if _, ok := slices.BinarySearchFunc(order, r.Priority.Or(0), func(i int, priority uint32) int {
			return cmp.Compare(priority, rules[i].Priority.Or(0))
		}); ok {
			r.Flags = 0
			present[*r] = true
		}
	}
	return present, nil
}
