package rule

import (
	"context"
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
)

// A ruleIndex holds the rules of one listing, so that a rule can be found, to
// be deleted, without another listing.
//
// The kernel puts a rule that is added behind those of the same priority. A
// rule that the index finds therefore comes before all rules that were added
// since the listing, and the kernel finds it first, too.
type ruleIndex struct {
	loaded bool
	rules  []listedRule // in the kernel's order within each family
	// groups are the indices, in order, of the rules of each family and
	// priority, without those of rules that were taken out.
	groups map[ruleGroup][]int32
	// same are the indices, in order, of the rules with the same canonical form,
	// anyPriority those of the rules that differ only in the priority, by their
	// form without it. Both can have indices of rules that were taken out.
	// anyPriority is nil until it is needed.
	same, anyPriority map[Rule][]int32
}

// A ruleGroup names the rules of one family and priority. The kernel looks at them
// in the order in which they were added.
type ruleGroup struct {
	family   route.Family
	priority route.Opt[uint32]
}

// A listedRule is a rule of a listing.
type listedRule struct {
	reported  Rule // as the kernel reports it
	canonical Rule // in the form of [Rule.Canonical], with the priority and without flags
	taken     bool // it was taken out of the index
}

func (r *listedRule) group() ruleGroup { return ruleGroup{r.canonical.Family, r.canonical.Priority} }

// load lists the rules of a family, or all, and keeps those that keep selects.
func (x *ruleIndex) load(ctx context.Context, c route.Conn, f route.Family, keep func(*Rule) bool) error {
	*x = ruleIndex{groups: make(map[ruleGroup][]int32), same: make(map[Rule][]int32)}
	for reported, err := range dump(ctx, c, f) {
		if err != nil {
			return err
		}
		canonical := *reported
		canonical.normalizeListed()
		canonical.Flags = 0
		if keep(&canonical) {
			x.add(*reported, canonical)
		}
	}
	x.loaded = true
	return nil
}

// add adds a rule behind the others.
func (x *ruleIndex) add(reported, canonical Rule) {
	l := listedRule{reported: reported, canonical: canonical}
	at, i := l.group(), int32(len(x.rules))
	x.groups[at] = append(x.groups[at], i)
	x.same[canonical] = append(x.same[canonical], i)
	x.rules = append(x.rules, l)
}

// listAndTake is take, after a listing of all rules if there was none yet.
func (x *ruleIndex) listAndTake(ctx context.Context, c route.Conn, r Rule) (Rule, error) {
	if !x.loaded {
		if err := x.load(ctx, c, 0, func(*Rule) bool { return true }); err != nil {
			return Rule{}, err
		}
	}
	return x.take(r)
}

// take finds the rule r, takes it out of the index and returns it as the kernel
// reports it, so that no mask is lost that the kernel would compare. The error
// is errMissing if there is no such rule. It is a *hiddenError if the kernel,
// which takes what is absent in a request to delete for "any", would find
// another rule first.
func (x *ruleIndex) take(r Rule) (Rule, error) {
	i, ok := x.find(r)
	if !ok {
		return Rule{}, errMissing
	}
	l := &x.rules[i]
	at := l.group()
	same := x.groups[at]
	n := slices.Index(same, i)
	for _, before := range same[:n] {
		if o := &x.rules[before].canonical; l.canonical.couldDelete(o) {
			return Rule{}, &hiddenError{o.object()}
		}
	}
	if l.taken = true; n == 0 {
		x.groups[at] = same[1:]
	} else {
		x.groups[at] = slices.Delete(same, n, n+1)
	}
	found := l.reported
	found.Priority = l.canonical.Priority
	return found, nil
}

// find returns the index of the first rule that is r. Without a priority, r stands
// for the rule at any priority.
func (x *ruleIndex) find(r Rule) (first int32, ok bool) {
	same := x.same
	if !r.Priority.IsSet() {
		same = x.withoutPriority()
	}
	for _, form := range r.listedForms() {
		i, found := x.first(same, form)
		if found && (!ok || i < first) {
			first, ok = i, true
		}
	}
	return first, ok
}

// withoutPriority returns anyPriority.
func (x *ruleIndex) withoutPriority() map[Rule][]int32 {
	if x.anyPriority == nil {
		x.anyPriority = make(map[Rule][]int32)
		for i := range x.rules {
			key := x.rules[i].canonical
			key.Priority = route.Opt[uint32]{}
			x.anyPriority[key] = append(x.anyPriority[key], int32(i))
		}
	}
	return x.anyPriority
}

// first returns the first index of a form in same, and drops those of rules that
// were taken out.
func (x *ruleIndex) first(same map[Rule][]int32, form Rule) (i int32, ok bool) {
	indices := same[form]
	n := len(indices)
	for len(indices) > 0 && x.rules[indices[0]].taken {
		indices = indices[1:]
	}
	if len(indices) < n {
		same[form] = indices
	}
	if len(indices) == 0 {
		return 0, false
	}
	return indices[0], true
}

// listedForms returns the forms that r can have in a listing, without flags. The
// kernel can have a rule without an action. If r has none, it can be that rule, or
// one with the default action.
func (r Rule) listedForms() []Rule {
	canonical := r.bare()
	if r.Action != 0 {
		return []Rule{canonical}
	}
	noAction := canonical
	noAction.Action = 0
	return []Rule{canonical, noAction}
}

// A hiddenError says that a rule cannot be deleted because the kernel would
// delete another one, which comes before it.
type hiddenError struct{ other string }

func (e *hiddenError) Error() string {
	return fmt.Sprintf("the kernel would delete %q, which comes before it", e.other)
}
