package rule

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A Deleter deletes rules one by one, each exactly as [Delete] does. It lists
// the rules when the first one is to be deleted, and remembers the listing.
//
//	var d rule.Deleter
//	for _, r := range rules {
//		if err := d.Delete(ctx, c, r); err != nil {
//			return err
//		}
//	}
//
// The listing may be out of date. Rules that are added later do no harm, because the
// kernel puts them behind the existing rules of the same priority. If a rule is not in
// the listing, or the kernel does not find it, the Deleter lists again before it
// returns an error. One case remains: another process deletes a rule R of the listing
// and adds, at the same priority, a rule with the selectors of R and more. If the
// Deleter is then asked to delete R, the kernel deletes the other rule. Use a Deleter
// for one sequence of deletions, not for the life of a program.
//
// The zero Deleter is ready to use. It is not safe for concurrent use, and all its
// calls must be for the same network namespace.
type Deleter struct {
	index ruleIndex
	// given are the rules that Listed was called with, each list of one family. Those of
	// the groups that are known are in index.
	given   [][]Rule
	isGiven bool
	known   map[ruleGroup]bool
}

// Listed gives the Deleter the rules of a listing that the caller has just made, in the
// order of that listing, so that the Deleter need not list them. They have to be all
// rules of both families, or all rules of the only family that the Deleter will delete
// from. To delete a rule whose selectors can have masks, the Deleter lists the rules all
// the same. The reason is that the kernel reports a mask of all bits, which a Rule does
// not keep; and a delete request without a mask can match a rule with another mask.
func (d *Deleter) Listed(rules ...[]Rule) {
	d.forget()
	if len(rules) == 0 {
		return
	}
	for _, list := range rules {
		for len(list) > 0 {
			n, _ := slices.BinarySearchFunc(list, list[0].Family, func(r Rule, f route.Family) int {
				if r.Family == f {
					return -1 // the kernel lists one family after the other
				}
				return 1
			})
			d.given, list = append(d.given, list[:n:n]), list[n:]
		}
	}
	d.isGiven, d.known = true, make(map[ruleGroup]bool)
	d.index = ruleIndex{loaded: true, groups: make(map[ruleGroup][]int32), same: make(map[Rule][]int32)}
}

// addGroup adds to the index the given rules of the family and the priority of r, unless
// they are in it. There may be thousands of others, which nobody asks for.
func (d *Deleter) addGroup(r *Rule) {
	key := r.bare()
	at := ruleGroup{key.Family, key.Priority}
	if !d.isGiven || d.known[at] {
		return
	}
	d.known[at] = true
	for _, list := range d.given {
		if list[0].Family != at.family {
			continue
		}
		prio := at.priority.Or(0)
		n, _ := slices.BinarySearchFunc(list, prio, func(r Rule, prio uint32) int {
			if r.Priority.Or(0) < prio {
				return -1
			}
			return 1
		})
		for ; n < len(list) && list[n].Priority.Or(0) == prio; n++ {
			d.index.add(list[n], list[n].bare())
		}
	}
}

// canHaveMasks reports whether r has selectors that the kernel compares with a mask.
func (r *Rule) canHaveMasks() bool {
	return r.FwMark != Mark{} || r.DSCP != CodePoint{} || r.FlowLabel != Label{} || r.SPort != Ports{} || r.DPort != Ports{}
}

// Add adds a rule, as the function [Add] does. The Deleter remembers the rule, and can
// delete it without another listing.
func (d *Deleter) Add(ctx context.Context, c route.Conn, r Rule) error {
	err := Add(ctx, c, r)
	switch {
	case err == nil:
		d.remember(r)
	case !rtnl.IsVerdict(err):
		d.forget() // nobody knows whether it is there
	}
	return err
}

// AddAll adds many rules, as the function [AddAll] does, and remembers them. It uses the
// listing of the Deleter instead of a new one.
func (d *Deleter) AddAll(ctx context.Context, c route.Conn, rules []Rule) error {
	order := highestFirst(rules)
	var present map[Rule]bool
	if d.index.loaded {
		present = make(map[Rule]bool)
		for n, i := range order {
			if r := &rules[i]; n == 0 || rules[order[n-1]].Priority != r.Priority || rules[order[n-1]].Family != r.Family {
				d.addGroup(r)
				key := r.bare()
				for _, k := range d.index.groups[ruleGroup{key.Family, key.Priority}] {
					present[d.index.rules[k].canonical] = true
				}
			}
		}
	} else {
		var err error
		if present, err = listAt(ctx, c, rules, order); err != nil {
			return listError(err)
		}
	}
	if err := addAll(ctx, c, rules, order, present); err != nil {
		d.forget() // nobody knows which are there
		return err
	}
	for i := range rules {
		d.remember(rules[i])
	}
	return nil
}

// remember adds to the listing a rule that was added: the kernel puts it behind those of
// the same priority. It leaves out what the kernel may report in another way.
func (d *Deleter) remember(r Rule) {
	r.setDefaults()
	switch {
	case !d.index.loaded:
	case !r.Priority.IsSet():
		d.forget()
	case !r.canHaveMasks() && r.Unknown == "":
		d.addGroup(&r)
		d.index.add(r, r.bare())
	}
}

// Delete deletes exactly the rule r, or nothing. Errors are those of the
// function [Delete].
func (d *Deleter) Delete(ctx context.Context, c route.Conn, r Rule) error {
	if r.isEmpty() {
		return fail("delete", r, errEmpty)
	}
	d.prepare(&r)
	listed := d.index.loaded
	err := d.try(ctx, c, r)
	if listed && isStale(err) {
		err = d.try(ctx, c, r)
	}
	return failedDelete(r, err)
}

// DeleteAll deletes many rules, each exactly as [Deleter.Delete] does, in few system
// calls. It deletes them in the given order. If it does not find a rule, it lists the
// rules again and deletes that rule after the others. The kernel is fastest if the rules
// go from the lowest priority number to the highest.
//
// If a rule was not deleted the error is a [*route.BatchError], in which the number of a
// request is the index of the rule in rules. That does not stop the rules after it.
func (d *Deleter) DeleteAll(ctx context.Context, c route.Conn, rules []Rule) error {
	total := route.BatchError{Total: len(rules)}
	for n := 0; n < len(rules); n += addAllChunk {
		chunk := rules[n:min(n+addAllChunk, len(rules))]
		refused, rest, err := d.deleteSome(ctx, c, chunk)
		for _, x := range refused {
			total.Refused = append(total.Refused, route.Refusal{N: n + x.N, Err: x.Err})
		}
		if rest > 0 {
			total.Rest, total.Err = rest+len(rules)-n-len(chunk), err
			break
		}
	}
	if len(total.Refused) == 0 && total.Rest == 0 {
		return nil
	}
	return &total
}

// deleteSome deletes some rules. It returns those that were refused, and how many of the
// last ones are left, with the reason.
func (d *Deleter) deleteSome(ctx context.Context, c route.Conn, rules []Rule) (refused []rtnl.Refusal, rest int, err error) {
	var q rtnl.Queue
	for i := range rules {
		found, err := Rule{}, errEmpty
		if !rules[i].isEmpty() {
			d.prepare(&rules[i])
			found, err = d.index.listAndTake(ctx, c, rules[i])
		}
		if err != nil {
			q.PushError(failedDelete(rules[i], err))
			continue
		}
		b := q.Buffer()
		start := len(b)
		if b, err = found.append(b); err != nil {
			q.PushError(failedDelete(rules[i], err))
			continue
		}
		found.markLargeTable(b[start:])
		q.Push(&deleteRequest, b)
	}
	o := q.Run(ctx, c)
	for _, x := range o.Refused {
		if isStale(x.Err) && o.Rest == 0 {
			d.forget()
			if x.Err = d.Delete(ctx, c, rules[x.N]); x.Err == nil {
				continue
			}
		}
		refused = append(refused, x)
	}
	return refused, o.Rest, o.Err
}

// prepare has what was given of the group of r in the index, or forgets what was given if
// that does not tell how the kernel reports r.
func (d *Deleter) prepare(r *Rule) {
	if d.isGiven && (r.canHaveMasks() || !r.Priority.IsSet()) {
		d.forget()
	}
	d.addGroup(r)
}

// try deletes r, and forgets the listing if it cannot.
func (d *Deleter) try(ctx context.Context, c route.Conn, r Rule) error {
	found, err := d.index.listAndTake(ctx, c, r)
	if err == nil {
		err = write(ctx, c, uapi.RTM_DELRULE, 0, found)
	}
	if err != nil {
		d.forget()
	}
	return err
}

// forget drops the listing. The next deletion makes another.
func (d *Deleter) forget() { *d = Deleter{} }

// isStale reports whether err may come of a listing that is not current.
func isStale(err error) bool {
	var hidden *hiddenError
	return errors.Is(err, fs.ErrNotExist) || errors.As(err, &hidden)
}
