package rule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// Delete deletes exactly the rule r: RTM_DELRULE with every selector, the priority and
// the protocol. All fields except Flags have to match. An unset Priority matches any
// priority. If several rules are the same, Delete deletes the first.
//
// The error is fs.ErrNotExist if there is no such rule. Delete refuses two kinds of
// rules, because the kernel would delete another rule instead. One is the rule with all
// fields unset: the kernel would delete its first rule, normally "from all lookup
// local", without which this host receives no packets. The other is a rule that comes,
// at the same priority, after a rule with the same selectors and more: the kernel would
// delete that first rule.
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

// failedDelete is fail for the deletion of r.
func failedDelete(r Rule, err error) error {
	r.setDefaults()
	return fail("delete", r, err)
}

// isEmpty reports whether no field of r is set but the family. Flags are not sent.
func (r *Rule) isEmpty() bool { return *r == Rule{Family: r.Family, Flags: r.Flags} }

var (
	errEmpty   = errors.New("a rule without any field would delete the kernel's first rule, from all lookup local")
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
