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
	// priority. Those of rules that were taken out are not among them.
	groups map[ruleGroup][]int32
	// anyPriority are the indices, in order, of the rules that are the same but
	// for the priority, by their form without it. Those of rules that were
	// taken out are skipped. It is nil until it is needed.
	anyPriority map[Rule][]int32
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
	canonical Rule // in the form of [Rule.Canonical], and with the priority
	taken     bool // it was taken out of the index
}

func (r *listedRule) group() ruleGroup { return ruleGroup{r.canonical.Family, r.canonical.Priority} }

// load lists the rules of a family, or all, and keeps those that keep selects.
func (x *ruleIndex) load(ctx context.Context, c route.Conn, f route.Family, keep func(*Rule) bool) error {
	*x = ruleIndex{groups: make(map[ruleGroup][]int32)}
	for reported, err := range dump(ctx, c, f) {
		if err != nil {
			return err
		}
		l := listedRule{reported: *reported, canonical: *reported}
		l.canonical.normalizeListed()
		if keep(&l.canonical) {
			at := l.group()
			x.groups[at] = append(x.groups[at], int32(len(x.rules)))
			x.rules = append(x.rules, l)
		}
	}
	x.loaded = true
	return nil
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

// find returns the index of the first rule that is r.
func (x *ruleIndex) find(r Rule) (i int32, ok bool) {
	want := r.Canonical()
	want.Flags = 0
	if !want.Priority.IsSet() {
		return x.findAnyPriority(&r, want)
	}
	for _, i := range x.groups[ruleGroup{want.Family, want.Priority}] {
		if x.rules[i].canonical.matchesRequest(&r, want) {
			return i, true
		}
	}
	return 0, false
}

// findAnyPriority is find for a rule without a priority, which stands for any.
// The canonical form of asked is want.
func (x *ruleIndex) findAnyPriority(asked *Rule, want Rule) (first int32, ok bool) {
	if x.anyPriority == nil {
		x.anyPriority = make(map[Rule][]int32)
		for i := range x.rules {
			key := x.rules[i].canonical
			key.Flags, key.Priority = 0, route.Opt[uint32]{}
			x.anyPriority[key] = append(x.anyPriority[key], int32(i))
		}
	}
	keys := []Rule{want}
	if asked.Action == 0 {
		want.Action = 0 // see matchesRequest
		keys = append(keys, want)
	}
	for _, key := range keys {
		same := x.anyPriority[key]
		for len(same) > 0 && x.rules[same[0]].taken {
			same = same[1:]
		}
		if len(same) == 0 {
			delete(x.anyPriority, key)
			continue
		}
		x.anyPriority[key] = same
		if !ok || same[0] < first {
			first, ok = same[0], true
		}
	}
	return first, ok
}

// A hiddenError says that a rule cannot be deleted because the kernel would
// delete another one, which comes before it.
type hiddenError struct{ other string }

func (e *hiddenError) Error() string {
	return fmt.Sprintf("the kernel would delete %q, which stands before it", e.other)
}
