package rule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

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
// mask is lost that the kernel would compare.
func find(ctx context.Context, c route.Conn, r Rule) (Rule, error) {
	var p present
	want := r.Canonical()
	if err := p.load(ctx, c, want.Family, func(o *Rule) bool {
		return !r.Priority.IsSet() || o.Priority == r.Priority
	}); err != nil {
		return Rule{}, err
	}
	return p.find(r)
}

// find looks for the rule r among those in p, takes it out and returns it as the
// kernel reports it. The kernel takes what is absent in a request to delete for
// "any", and so might find another rule first.
func (p *present) find(r Rule) (Rule, error) {
	want := r.Canonical()
	want.Flags = 0
	for _, at := range p.places(place{want.Family, r.Priority}) {
		rules := p.rules[at]
		for i := range rules {
			got := &rules[i].canonical
			if !got.isAsked(&r, want) {
				continue
			}
			for j := range i {
				if o := &rules[j].canonical; got.matchesInKernel(o) {
					return Rule{}, fmt.Errorf("the kernel would delete %q, which stands before it", o.object())
				}
			}
			found := rules[i].reported
			found.Priority = got.Priority
			p.rules[at] = slices.Delete(rules, i, i+1)
			return found, nil
		}
	}
	return Rule{}, errMissing
}

// places are where a rule at that place is to be looked for, in the kernel's
// order: an unset priority is any.
func (p *present) places(at place) []place {
	if at.priority.IsSet() {
		return []place{at}
	}
	var all []place
	for o := range p.rules {
		if o.family == at.family {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(x, y place) int { return cmp.Compare(x.priority.Or(0), y.priority.Or(0)) })
	return all
}

// isAsked reports whether r, from a listing, is the rule asked, whose canonical
// form is want. The kernel has rules without an action.
func (r *Rule) isAsked(asked *Rule, want Rule) bool {
	if asked.Action == 0 && r.Action == 0 {
		want.Action = 0
	}
	return r.is(want)
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
