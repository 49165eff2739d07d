package rule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// Delete deletes exactly the rule r: RTM_DELRULE with every selector, the
// priority and the protocol. All fields count but Flags, and an unset Priority,
// which stands for any. If several rules are the same, Delete deletes the first.
//
// The error is fs.ErrNotExist if there is no such rule. Two rules are refused.
// One is the rule with all fields unset: the kernel would take it for the first
// rule there is, from all lookup local, without which no packet arrives. The
// other is a rule that the kernel cannot tell from another one that comes before
// it at the same priority and has more selectors: the kernel would delete that
// one instead.
//
// To find the rule, Delete lists the rules of the family. Use a [Deleter] or a
// [Batch] to delete many rules after one listing.
func Delete(ctx context.Context, c route.Conn, r Rule) error {
	if r.isEmpty() {
		return fail("delete", r, errEmpty)
	}
	var x ruleIndex
	err := x.load(ctx, c, r.Canonical().Family, func(o *Rule) bool {
		return !r.Priority.IsSet() || o.Priority == r.Priority
	})
	var found Rule
	if err == nil {
		found, err = x.take(r)
	}
	if err == nil {
		err = write(ctx, c, uapi.RTM_DELRULE, 0, found)
	}
	return failedDelete(r, err)
}

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
// The listing may be out of date. Rules that anyone adds later do no harm, since
// the kernel puts them behind the present ones. If a rule is not in the listing,
// or the kernel does not find it, the Deleter lists again before it returns an
// error. One case remains: another process deletes a rule R of the listing and
// adds, at the same priority, a rule with the selectors of R and more. If the
// Deleter is then asked to delete R, the kernel deletes the other rule. Use a
// Deleter for one sequence of deletions, not for the life of a program.
//
// The zero Deleter is ready to use. It is not safe for concurrent use, and all
// its calls must be about the same network namespace.
type Deleter struct {
	index  ruleIndex
	listed [][]Rule // not yet in index
	// isGiven says that the rules of index are those that Listed was called with.
	isGiven bool
}

// Listed makes rules of a listing that was just made, in their order, serve instead of
// another. They have to be all of both families, or of the only family that Delete is
// called for. To delete a rule whose selectors can have masks, the Deleter lists
// nevertheless: the kernel reports a mask of all bits, which a [Rule] does not have, and
// takes a rule with another mask for the same where a request lacks it.
func (d *Deleter) Listed(rules ...[]Rule) { d.listed = rules }

// load takes over the rules that Listed was called with.
func (d *Deleter) load() {
	n := 0
	for _, list := range d.listed {
		n += len(list)
	}
	d.index = ruleIndex{
		loaded: true, rules: make([]listedRule, 0, n), groups: make(map[ruleGroup][]int32, n), same: make(map[Rule][]int32, n),
	}
	for _, list := range d.listed {
		for i := range list {
			d.index.add(list[i], list[i].bare())
		}
	}
	d.listed, d.isGiven = nil, true
}

// canHaveMasks reports whether r has selectors that the kernel compares with a mask.
func (r *Rule) canHaveMasks() bool {
	return r.FwMark != Mark{} || r.DSCP != CodePoint{} || r.FlowLabel != Label{} || r.SPort != Ports{} || r.DPort != Ports{}
}

// Delete deletes exactly the rule r, or nothing. Errors are those of the
// function [Delete].
func (d *Deleter) Delete(ctx context.Context, c route.Conn, r Rule) error {
	if r.isEmpty() {
		return fail("delete", r, errEmpty)
	}
	if d.listed != nil {
		d.load()
	}
	if d.isGiven && r.canHaveMasks() {
		d.forget()
	}
	listed := d.index.loaded
	err := d.try(ctx, c, r)
	if listed && isStale(err) {
		err = d.try(ctx, c, r)
	}
	return failedDelete(r, err)
}

// DeleteAll deletes many rules, each exactly as [Deleter.Delete] does, in few system
// calls. It deletes them in their order, except that it looks for a rule which it did not
// find in another listing, after the others. From the lowest priority number to the
// highest the kernel is fastest.
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
		found, err := d.find(ctx, c, rules[i])
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

// find takes r out of the listing, which it makes if there is none.
func (d *Deleter) find(ctx context.Context, c route.Conn, r Rule) (Rule, error) {
	if r.isEmpty() {
		return Rule{}, errEmpty
	}
	if d.listed != nil {
		d.load()
	}
	if d.isGiven && r.canHaveMasks() {
		d.forget()
	}
	return d.index.listAndTake(ctx, c, r)
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
func (d *Deleter) forget() { d.index, d.isGiven = ruleIndex{}, false }

// isStale reports whether err may come of a listing that is not current.
func isStale(err error) bool {
	var hidden *hiddenError
	return errors.Is(err, fs.ErrNotExist) || errors.As(err, &hidden)
}

// failedDelete is fail for the deletion of r.
func failedDelete(r Rule, err error) error {
	r.setDefaults()
	return fail("delete", r, err)
}

// isEmpty reports whether no field of r is set but the family. Flags are not sent.
func (r *Rule) isEmpty() bool { return *r == Rule{Family: r.Family, Flags: r.Flags} }

var (
	errEmpty   = errors.New("an empty rule stands for the first one, from all lookup local")
	errMissing = fmt.Errorf("no such rule: %w", fs.ErrNotExist)
)

// couldDelete reports whether a request to delete r would delete o, if o is the
// first rule of the same priority: rule_find in net/core/fib_rules.c, and
// fib4_rule_compare and fib6_rule_compare. The kernel does not compare the fields
// that are unset in r, and never Not and Goto. Both rules are from a listing.
func (r *Rule) couldDelete(o *Rule) bool {
	return (r.Action == ActionNone || absentOrEqual(r.Action, o.Action)) && absentOrEqual(r.Table, o.Table) &&
		absentOrEqual(r.From, o.From) && absentOrEqual(r.To, o.To) &&
		absentOrEqual(r.IIF, o.IIF) && absentOrEqual(r.OIF, o.OIF) &&
		absentOrEqual(r.FwMark.Value(), o.FwMark.Value()) && absentOrEqual(r.FwMark.Mask(), o.FwMark.Mask()) &&
		absentOrEqual(r.TOS, o.TOS) && absentOrEqual(r.DSCP, o.DSCP) && absentOrEqual(r.FlowLabel, o.FlowLabel) &&
		absentOrEqual(r.IPProto, o.IPProto) && absentOrEqual(r.SPort, o.SPort) && absentOrEqual(r.DPort, o.DPort) &&
		absentOrEqual(r.UIDRange, o.UIDRange) && absentOrEqual(r.TunID, o.TunID) && absentOrEqual(r.L3MDev, o.L3MDev) &&
		absentOrEqual(r.SuppressPrefixLength, o.SuppressPrefixLength) &&
		absentOrEqual(r.SuppressIfGroup, o.SuppressIfGroup) &&
		absentOrEqual(r.Realms, o.Realms) && absentOrEqual(r.Protocol, o.Protocol) && absentOrEqual(r.Unknown, o.Unknown)
}

// absentOrEqual reports whether a field of a request to delete is absent or equals
// the field of a rule.
func absentOrEqual[T comparable](requested, value T) bool {
	var absent T
	return requested == absent || requested == value
}
