//go:build linux

package rule

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// variants are rules that differ from "from 10.0.0.0/8 to 10.1.0.0/16 … pref
// 100" in one thing. Each but the first has it, or has another value of it.
var variants = []string{
	"",
	"not", "tos 0x10", "dscp 4", "dscp 4/0x3c", "fwmark 1", "fwmark 1/0xff", "fwmark 0/0xff", "iif lo", "oif eth0",
	"uidrange 0-0", "ipproto tcp", "ipproto udp", "sport 1", "sport 1-2", "sport 0x1/0xf", "dport 5", "dport 5-6",
	"tun_id 7", "suppress_prefixlength 0", "suppress_prefixlength 1", "suppress_ifgroup 0", "realms 1/2", "realms 2",
	"proto static", "proto 99",
}

func variant(t *testing.T, s, action string) Rule {
	return parse(t, "from 10.0.0.0/8 to 10.1.0.0/16 pref 100 "+s+" "+action)
}

// knownVariants are those that the running kernel can have.
func knownVariants(t *testing.T) (known []string) {
	for _, v := range variants {
		if lacks(t, variant(t, v, "table 10")) == 0 {
			known = append(known, v)
		}
	}
	return known
}

// A deletion is a function that deletes a rule, as Delete does.
type deletion func(context.Context, route.Conn, Rule) error

// Of rules that differ in one selector, Delete removes the one that it is
// given, or refuses; never another. Both orders of every pair are tried. So does
// a Deleter, whose listing is always that of pairs before.
func TestKernelDeleteExact(t *testing.T) {
	t.Parallel()
	for name, del := range map[string]deletion{
		"Delete": Delete, "Deleter": new(Deleter).Delete, "Batch": deleteBatch, "Listed": deleteListed,
	} {
		t.Run(name, func(t *testing.T) { testDeleteExact(t, del) })
	}
}

// deleteListed deletes a rule by a Deleter that is given a listing.
func deleteListed(ctx context.Context, c route.Conn, r Rule) error {
	rules, err := List(ctx, c, Filter{})
	if err != nil {
		return err
	}
	var d Deleter
	d.Listed(rules)
	return d.Delete(ctx, c, r)
}

// deleteBatch deletes a rule by a batch.
func deleteBatch(ctx context.Context, c route.Conn, r Rule) error {
	var b Batch
	b.Delete(r)
	err := b.Do(ctx, c)
	var be *route.BatchError
	if errors.As(err, &be) && len(be.Refused) == 1 {
		return be.Refused[0].Err
	}
	return err
}

func testDeleteExact(t *testing.T, del deletion) {
	_, c := kernel(t)
	before := list(t, c, Filter{})
	actions := []string{"table 10", "table 300", "goto 200", "goto 300", "nop", "unreachable"}
	variants := knownVariants(t)
	var rules []Rule
	for _, v := range variants {
		rules = append(rules, variant(t, v, "table 10"))
	}
	for _, a := range actions[1:] {
		rules = append(rules, variant(t, "", a))
	}
	refused := 0
	for _, first := range rules {
		for _, second := range rules {
			if first == second {
				continue
			}
			refused += deletePair(t, c, del, first, second)
		}
	}
	if diff := testrun.Cut(cmp.Diff(before, list(t, c, Filter{}))); diff != "" {
		t.Errorf("rules (-before +after):\n%s", diff)
	}
	// The kernel cannot tell the plain rule from any with one selector more.
	if refused < len(variants)-1 {
		t.Errorf("%d refusals, want one at least for each of %d selectors", refused, len(variants)-1)
	}
}

// deletePair adds two rules, deletes the second one, and checks what is left.
// It returns 1 if Delete refused, and rightly so.
func deletePair(t *testing.T, c route.Conn, del deletion, first, second Rule) int {
	t.Helper()
	for _, r := range []Rule{first, second} {
		// Asked to be exclusive, the kernel would not tell some of them apart.
		if err := write(t.Context(), c, uapi.RTM_NEWRULE, netlink.Create, r); err != nil {
			t.Fatal(err)
		}
	}
	both := list(t, c, Filter{Priority: Priority(100)})
	err := del(t.Context(), c, second)
	refused := 0
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "the kernel would delete") {
			t.Errorf("%s: %v", second, err)
		}
		if diff := testrun.Cut(cmp.Diff(both, list(t, c, Filter{Priority: Priority(100)}))); diff != "" {
			t.Errorf("a refusal changed the rules (-before +after):\n%s", diff)
		}
		wantKernelDeletes(t, c, del, second, first)
		refused = 1
	} else {
		wantList(t, c, Filter{Priority: Priority(100)}, first.Canonical().String())
		if err := del(t.Context(), c, first); err != nil {
			t.Errorf("alone: %v", err)
		}
	}
	wantList(t, c, Filter{Priority: Priority(100)})
	return refused
}

// wantKernelDeletes asks the kernel itself to delete r, and wants it to take
// victim: only then was Delete right to refuse. It deletes both.
func wantKernelDeletes(t *testing.T, c route.Conn, del deletion, r, victim Rule) {
	t.Helper()
	if err := write(t.Context(), c, uapi.RTM_DELRULE, 0, r); err != nil {
		t.Fatal(err)
	}
	wantList(t, c, Filter{Priority: Priority(100)}, r.Canonical().String())
	if err := del(t.Context(), c, r); err != nil {
		t.Errorf("alone: %v", err)
	}
	if t.Failed() {
		t.Fatalf("%s before %s", victim, r)
	}
}

// Delete is asked for a rule that is not there, while one is that has more
// selectors, fewer, or another value.
func TestKernelDeleteMissing(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	variants := knownVariants(t)
	for _, there := range variants {
		r := variant(t, there, "table 10")
		if err := Add(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
		for _, asked := range variants {
			if asked == there {
				continue
			}
			if err := Delete(t.Context(), c, variant(t, asked, "table 10")); !errors.Is(err, fs.ErrNotExist) {
				report.Errorf("%q is there, asked for %q: %v", there, asked, err)
			}
		}
		for _, action := range []string{"table 11", "unreachable", "goto 200"} {
			if err := Delete(t.Context(), c, variant(t, there, action)); !errors.Is(err, fs.ErrNotExist) {
				report.Errorf("%q is there, asked for %q: %v", there, action, err)
			}
		}
		other := r
		other.Priority = Priority(101)
		if err := Delete(t.Context(), c, other); !errors.Is(err, fs.ErrNotExist) {
			report.Errorf("another priority: %v", err)
		}
		other = r
		other.From = netip.MustParsePrefix("10.0.0.1/8") // host bits are part of the key
		if err := Delete(t.Context(), c, other); !errors.Is(err, fs.ErrNotExist) {
			report.Errorf("other host bits: %v", err)
		}
		wantList(t, c, Filter{Priority: Priority(100)}, r.Canonical().String())
		if err := Delete(t.Context(), c, r); err != nil {
			report.Error(err)
		}
	}
}

func TestKernelDeleteRefused(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	before := list(t, c, Filter{})
	for name, c := range conns(t, ns) {
		for _, f := range []route.Family{0, route.IPv4, route.IPv6} {
			err := Delete(t.Context(), c, Rule{Family: f})
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				report.Errorf("%s: the empty rule: %v", name, err)
			}
		}
		// Without a selector the kernel would take the first rule there is.
		for _, s := range []string{"from all table 10", "nop", "-6 nop"} {
			if err := Delete(t.Context(), c, parse(t, s)); !errors.Is(err, fs.ErrNotExist) {
				report.Errorf("%s: %s: %v", name, s, err)
			}
		}
	}
	if diff := testrun.Cut(cmp.Diff(before, list(t, c, Filter{}))); diff != "" {
		report.Errorf("rules (-before +after):\n%s", diff)
	}
}

// Without a priority, Delete takes the first of the rules that are the same.
func TestKernelDeleteAnyPriority(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	add(t, c, "pref 5 table 10 proto 99", "pref 6 table 10", "pref 7 table 10", "pref 6 table 11")
	r := parse(t, "table 10")
	for _, left := range [][]string{
		{"5: from all lookup 10 proto 99", "6: from all lookup 11", "7: from all lookup 10"},
		{"5: from all lookup 10 proto 99", "6: from all lookup 11"},
	} {
		if err := Delete(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
		got := list(t, c, Filter{Family: route.IPv4})
		if diff := testrun.Cut(cmp.Diff(left, got[1:len(got)-2])); diff != "" {
			report.Errorf("rules (-want +got):\n%s", diff)
		}
	}
	if err := Delete(t.Context(), c, r); !errors.Is(err, fs.ErrNotExist) {
		report.Error(err)
	}
}

// The kernel accepts a rule without an action, and exact duplicates, from
// programs that do not ask it not to.
func TestKernelDeleteForeign(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	before := list(t, c, Filter{})
	none := Rule{Family: route.IPv4, Priority: Priority(50), Table: 10}
	for _, r := range []Rule{none, none, parse(t, "pref 50 table 10")} {
		if err := write(t.Context(), c, uapi.RTM_NEWRULE, 0, r); err != nil {
			t.Fatal(err)
		}
	}
	rules, err := List(t.Context(), c, Filter{Priority: Priority(50)})
	none.Action = ActionNone
	if err != nil || len(rules) != 3 || rules[0] != none || rules[1] != none {
		t.Fatalf("%v, %v", rules, err)
	}
	for _, r := range rules {
		if err := Delete(t.Context(), c, r); err != nil {
			report.Error(err)
		}
	}
	if diff := testrun.Cut(cmp.Diff(before, list(t, c, Filter{}))); diff != "" {
		report.Errorf("rules (-before +after):\n%s", diff)
	}
}

// A rule with the action 0 is another rule than the lookup of the same table, and comes
// back from its text. A request to delete it cannot say its action.
func TestKernelActionNone(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	none, lookup := parse(t, "50: from all lookup 10 type 0"), parse(t, "50: from all lookup 10")
	if none.Canonical() == lookup.Canonical() {
		t.Errorf("%s and %s have one canonical form", none, lookup)
	}
	for _, r := range []Rule{lookup, none} {
		if err := Add(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := Add(t.Context(), c, none); !errors.Is(err, fs.ErrExist) {
		report.Errorf("%s again: %v", none, err)
	}
	rules, err := List(t.Context(), c, Filter{Priority: Priority(50)})
	if err != nil || len(rules) != 2 || rules[0] != lookup || rules[1] != none {
		t.Fatalf("%v, %v", rules, err)
	}
	for _, r := range rules {
		if back := parse(t, r.String()); back != r {
			report.Errorf("%s is read as %s", r, back)
		}
	}
	var hidden *hiddenError
	if err := Delete(t.Context(), c, none); !errors.As(err, &hidden) {
		report.Errorf("delete %s: %v, want an error about the lookup", none, err)
	}
	for _, r := range rules {
		if err := Delete(t.Context(), c, r); err != nil {
			report.Error(err)
		}
	}
	if rules, err := List(t.Context(), c, Filter{Priority: Priority(50)}); err != nil || len(rules) > 0 {
		report.Errorf("left: %v, %v", rules, err)
	}
	if err := Add(t.Context(), c, Rule{Action: ActionNone + 1, Priority: Priority(50)}); err == nil {
		report.Error("an action of 9 bits was added")
	}
}
