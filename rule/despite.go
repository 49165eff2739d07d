package rule

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// With NLM_F_EXCL the kernel refuses a rule for another one that differs: rule_exists
// in net/core/fib_rules.c, fib4_rule_compare and fib6_rule_compare. What is absent in
// the request is equal to any source, destination, tos, dscp, flow label and realms;
// the flag "not" and the target of a goto are not compared. With "from A lookup 10
// pref 200" in the kernel, it refuses "from all lookup 10 pref 200".

// addDespite adds rules that the kernel has refused with EEXIST, the i-th of them with
// errs[i], unless the same rule exists. It sets errs[i] to nil if it has added the
// rule, and to another error if it could not.
//
// Without NLM_F_EXCL the kernel does not say whether another process has just added the
// same rule. So only one caller does this at a time.
func addDespite(ctx context.Context, c route.Conn, rules []Rule, errs []error) {
	unlock, err := rtnl.LockOwner(ctx, c)
	if err == nil {
		defer unlock()
		err = addUnlisted(ctx, c, rules, errs)
	}
	if err == nil {
		return
	}
	for i := range errs {
		if errors.Is(errs[i], syscall.EEXIST) {
			errs[i] = rtnl.NotSent(err) // nobody knows whether the rule exists
		}
	}
}

// addUnlisted adds the rules that are not in a listing. Its error is that of a listing
// before anything was added.
func addUnlisted(ctx context.Context, c route.Conn, rules []Rule, errs []error) error {
	var x ruleIndex
	f := commonFamily(rules)
	if err := x.load(ctx, c, f, func(*Rule) bool { return true }); err != nil {
		return err
	}
	added := make(map[Rule]bool)
	for i, r := range rules {
		if !errors.Is(errs[i], syscall.EEXIST) {
			continue
		}
		key := r.bare()
		if !r.Priority.IsSet() {
			key.Priority = Priority(x.nextPriority(r.Family))
		}
		if _, ok := x.first(x.same, key); ok || added[key] {
			continue
		}
		if errs[i] = x.checkKnown(ctx, c, r); errs[i] == nil {
			errs[i] = r.add(ctx, c, 0)
		}
		added[key] = errs[i] == nil
	}
	if len(added) > 0 {
		x.deleteTwins(context.WithoutCancel(ctx), c, f, added)
	}
	return nil
}

// commonFamily returns the family of all rules, or zero if they differ.
func commonFamily(rules []Rule) route.Family {
	for _, r := range rules {
		if r.Family != rules[0].Family {
			return 0
		}
	}
	return rules[0].Family
}

// nextPriority returns the priority that the kernel gives to a rule without one:
// fib_default_rule_pref.
func (x *ruleIndex) nextPriority(f route.Family) uint32 {
	n := 0
	for i := range x.rules {
		if r := &x.rules[i].canonical; r.Family == f {
			if n++; n == 2 {
				return max(r.Priority.Or(0), 1) - 1
			}
		}
	}
	return 0
}

// checkKnown fails if the kernel ignores an attribute of r. A rule that lacks the
// attribute cannot always be deleted where it would be added: an older one may be the
// same, and the kernel would delete that one. So checkKnown adds, and deletes, a rule
// that has no effect, at a priority where there are no rules.
func (x *ruleIndex) checkKnown(ctx context.Context, c route.Conn, r Rule) error {
	names := r.newAttributes()
	if names == "" {
		return nil
	}
	r.Action, r.Table, r.Goto, r.L3MDev = ActionNop, 0, 0, false
	r.SuppressPrefixLength, r.SuppressIfGroup = route.Opt[uint32]{}, route.Opt[uint32]{}
	for n := uint32(1<<32 - 1); ; n-- {
		r.Priority = Priority(n)
		if len(x.groups[ruleGroup{r.Family, r.Priority}]) == 0 {
			break
		}
	}
	ctx, addErr := context.WithoutCancel(ctx), addVerified(ctx, c, r, names, netlink.Excl)
	if addErr != nil && rtnl.IsVerdict(addErr) {
		return addErr
	}
	err := Delete(ctx, c, r)
	if err != nil && !rtnl.IsVerdict(err) {
		err = Delete(ctx, c, r) // the reply was lost
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return cmp.Or(addErr, err)
}

// deleteTwins lists the rules again, and deletes one of two that are the same as one
// that was added. A process that does not lock has added the other one at the same
// time.
func (x *ruleIndex) deleteTwins(ctx context.Context, c route.Conn, f route.Family, added map[Rule]bool) {
	if err := x.load(ctx, c, f, func(*Rule) bool { return true }); err != nil {
		return // the rules were added
	}
	for key, ok := range added {
		for n := len(x.same[key]); ok && n > 1; n-- {
			found, err := x.take(key)
			if err == nil {
				err = write(ctx, c, uapi.RTM_DELRULE, 0, found)
			}
			if err != nil {
				break // the kernel would delete another rule
			}
		}
	}
}

// addAgain adds the rules of requests of a batch that the kernel refused.
func addAgain(ctx context.Context, c rtnl.Executor, refused []netlink.Message, errs []error) {
	rules := make([]Rule, len(refused))
	any := false
	for i, m := range refused {
		any = any || errors.Is(errs[i], syscall.EEXIST)
		_ = rules[i].UnmarshalBinary(m.Data) // it was encoded here
	}
	if any {
		addDespite(ctx, c, rules, errs)
	}
}
