package rule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// Delete deletes exactly the rule r: RTM_DELRULE with every selector, the
// priority and the protocol. All fields count but Flags, and an unset Priority,
// which stands for any. Of several that are the same, the first goes.
//
// The error is fs.ErrNotExist if there is no such rule. Two rules are refused.
// One is that which says nothing at all: the kernel would take it for the first
// there is, from all lookup local, without which no packet arrives. The other
// is one that the kernel cannot tell from a rule with more selectors before it,
// at the same priority, which it would delete instead.
func Delete(ctx context.Context, c route.Conn, r Rule) error {
	if r == (Rule{Family: r.Family}) {
		return fail("delete", r, errEmpty)
	}
	found, err := find(ctx, c, r)
	r.setDefaults()
	if err == nil {
		err = write(ctx, c, uapi.RTM_DELRULE, 0, found)
	}
	return fail("delete", r, err)
}

var (
	errEmpty   = errors.New("an empty rule stands for the first one, from all lookup local")
	errMissing = fmt.Errorf("no such rule: %w", fs.ErrNotExist)
)

// find looks for the rule r, and returns it as the kernel reports it, so that no
// mask is lost that the kernel would compare. The kernel takes what is absent in
// a request to delete for "any", and so might find another rule first.
func find(ctx context.Context, c route.Conn, r Rule) (Rule, error) {
	want := r.Canonical()
	want.Flags = 0
	var before []Rule // at the priority of the rule that is being looked at
	for m, err := range dump(ctx, c, want.Family) {
		if err != nil {
			return Rule{}, err
		}
		got := m.listed()
		if len(before) > 0 && before[0].Priority != got.Priority {
			before = before[:0]
		}
		same := got.is(want)
		if r.Action == 0 && got.Action == 0 {
			got.Action = want.Action
			same, got.Action = got.is(want), 0
		}
		if !same {
			before = append(before, got)
			continue
		}
		for i := range before {
			if got.matchesInKernel(&before[i]) {
				return Rule{}, fmt.Errorf("the kernel would delete %q, which stands before it", before[i].object())
			}
		}
		found := m.Rule
		found.Priority = got.Priority
		return found, nil
	}
	return Rule{}, errMissing
}

// is reports whether r, from a listing, is want. An unset priority is any.
func (r Rule) is(want Rule) bool {
	r.Flags = 0
	if !want.Priority.IsSet() {
		r.Priority = want.Priority
	}
	return r == want
}

// matchesInKernel reports whether the kernel, asked to delete r, takes o, of
// the same priority, for it: rule_find in net/core/fib_rules.c and the
// functions fib4_rule_compare and fib6_rule_compare. What r has not is not
// compared; Not and Goto never are. Both rules are from a listing.
func (r *Rule) matchesInKernel(o *Rule) bool {
	return absentOr(r.Action, o.Action) && absentOr(r.Table, o.Table) &&
		absentOr(r.From, o.From) && absentOr(r.To, o.To) &&
		absentOr(r.IIF, o.IIF) && absentOr(r.OIF, o.OIF) &&
		absentOr(r.FwMark.Value(), o.FwMark.Value()) && absentOr(r.FwMark.Mask(), o.FwMark.Mask()) &&
		absentOr(r.TOS, o.TOS) && absentOr(r.DSCP, o.DSCP) && absentOr(r.FlowLabel, o.FlowLabel) &&
		absentOr(r.IPProto, o.IPProto) && absentOr(r.SPort, o.SPort) && absentOr(r.DPort, o.DPort) &&
		absentOr(r.UIDRange, o.UIDRange) && absentOr(r.TunID, o.TunID) && absentOr(r.L3MDev, o.L3MDev) &&
		absentOr(r.SuppressPrefixLength, o.SuppressPrefixLength) &&
		absentOr(r.SuppressIfGroup, o.SuppressIfGroup) &&
		absentOr(r.Realms, o.Realms) && absentOr(r.Protocol, o.Protocol) && absentOr(r.Unknown, o.Unknown)
}

// absentOr reports whether a field of a request to delete is absent, or has the
// value that the rule has.
func absentOr[T comparable](asked, value T) bool {
	var absent T
	return asked == absent || asked == value
}
