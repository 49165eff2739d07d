//go:build linux

package rule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// manyRules are rules of both families, at priorities of their own and at
// shared ones.
func manyRules(t *testing.T, n int) (rules []Rule) {
	t.Helper()
	for i := range n {
		s := fmt.Sprintf("from 10.0.%d.%d lookup 20 pref %d", i>>8, i&255, 1000+i)
		switch i % 4 {
		case 1:
			s = fmt.Sprintf("-6 from 2001:db8::%x lookup 20 pref %d", i, 1000+i)
		case 2:
			s = fmt.Sprintf("fwmark %d lookup 20 pref 500", i)
		case 3:
			s = fmt.Sprintf("lookup 20 pref %d", 1000+i)
		}
		rules = append(rules, parse(t, s))
	}
	return rules
}

// A Deleter lists once, however many rules it deletes and in whatever order, and
// sends one request for each.
func TestKernelDeleterListsOnce(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	before := list(t, c, Filter{})
	rules := manyRules(t, 400)
	reversed := slices.Clone(rules)
	slices.Reverse(reversed)
	shuffled := slices.Clone(rules)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) {
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	})
	anyPriority := slices.Clone(rules)
	for i := range anyPriority {
		anyPriority[i].Priority = route.Opt[uint32]{}
	}
	for name, order := range map[string][]Rule{
		"as added": rules, "reversed": reversed, "shuffled": shuffled, "without priorities": anyPriority,
	} {
		if err := AddAll(t.Context(), c, rules); err != nil {
			t.Fatal(err)
		}
		n := &countingConn{Conn: c}
		var d Deleter
		for _, r := range order {
			if err := d.Delete(t.Context(), n, r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if n.dumps != 1 || n.writes != len(rules) {
			report.Errorf("%s: %d listings and %d writes, want 1 and %d", name, n.dumps, n.writes, len(rules))
		}
		if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
			t.Fatalf("%s: rules (-want +got):\n%s", name, diff)
		}
		if err := AddAll(t.Context(), c, rules); err != nil {
			t.Fatal(err)
		}
		n = &countingConn{Conn: c}
		if err := new(Deleter).DeleteAll(t.Context(), n, order); err != nil || n.dumps != 1 || n.writes != len(rules) {
			report.Errorf("%s, all at once: %v, %d listings and %d writes, want 1 and %d", name, err, n.dumps, n.writes, len(rules))
		}
		if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
			t.Fatalf("%s, all at once: rules (-want +got):\n%s", name, diff)
		}
	}
}

// A Deleter that was given a listing, of both families in one list, needs no other one for
// what it was given and for what it adds, one by one and all at once. It does not add what
// is there.
func TestKernelDeleterAdds(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	before := list(t, c, Filter{})
	rules := slices.DeleteFunc(manyRules(t, 400), func(r Rule) bool { return r.canHaveMasks() })
	for i := range rules {
		rules[i].Priority = Priority(rules[i].Priority.Or(0)/4 + 1) // several at each
	}
	old, added := rules[:100], rules[100:]
	if err := AddAll(t.Context(), c, old); err != nil {
		t.Fatal(err)
	}
	listed, err := List(t.Context(), c, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	n := &countingConn{Conn: c}
	var d Deleter
	d.Listed(listed)
	if err := d.Add(t.Context(), n, added[0]); err != nil {
		t.Fatal(err)
	}
	if err := d.AddAll(t.Context(), n, added[1:]); err != nil {
		t.Fatal(err)
	}
	for i, r := range rules {
		if i%3 == 0 {
			if err := d.Delete(t.Context(), n, r); err != nil {
				t.Fatalf("%s: %v", r, err)
			}
		}
	}
	// The first third is gone and can be added, the others are there.
	err = d.AddAll(t.Context(), n, rules)
	var batch *route.BatchError
	if !errors.As(err, &batch) || len(batch.Refused) != len(rules)-(len(rules)+2)/3 || !errors.Is(err, fs.ErrExist) {
		t.Errorf("added again: %v", err)
	}
	if n.dumps != 0 {
		t.Errorf("%d listings, want none", n.dumps)
	}
	if err := d.DeleteAll(t.Context(), n, rules); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// DeleteAll deletes all rules that it can, also of more than it sends at once, and says
// which it could not.
func TestKernelDeleteAll(t *testing.T) {
	t.Parallel()
	ns, c := kernel(t)
	before := list(t, c, Filter{})
	rules := manyRules(t, 1200)
	if err := AddAll(t.Context(), c, rules); err != nil {
		t.Fatal(err)
	}
	missing := []int{0, 600, 1199}
	for _, i := range missing {
		if err := Delete(t.Context(), c, rules[i]); err != nil {
			t.Fatal(err)
		}
	}
	large := parse(t, "from 10.9.0.1 lookup 3000000 pref 9000") // a table that the header has no room for
	if err := Add(t.Context(), c, large); err != nil {
		t.Fatal(err)
	}
	rules = append(rules, large, Rule{})
	missing = append(missing, 1201)
	counted, err := rtnl.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer counted.Close()
	var d Deleter
	err = d.DeleteAll(t.Context(), counted, rules)
	var batch *route.BatchError
	if !errors.As(err, &batch) || batch.Rest != 0 || batch.Total != len(rules) {
		t.Fatalf("got %v", err)
	}
	var refused []int
	for _, x := range batch.Refused {
		refused = append(refused, x.N)
		if empty := x.N == 1201; empty == errors.Is(x.Err, fs.ErrNotExist) {
			t.Errorf("rule %d: %v", x.N, x.Err)
		}
	}
	if diff := cmp.Diff(missing, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if n := counted.SystemCalls(); n > 300 {
		t.Errorf("%d system calls for %d rules", n, len(rules))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.DeleteAll(ctx, c, rules[1:2]); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context has ended: %v", err)
	}
}

const plainRule, markedRule = "from 10.0.0.1 lookup 10 pref 100", "from 10.0.0.1 fwmark 0x1 lookup 10 pref 100"

// staleCases are what happens to the rules after a Deleter has listed them, and
// before it is asked to delete plainRule.
var staleCases = []struct {
	name     string
	listed   []string
	do       func(t *testing.T, c route.Conn)
	missing  bool     // there is no plainRule then
	want     []string // the rules that are left
	listings int      // that it takes
}{{
	name:     "added since",
	listed:   []string{"lookup 11 pref 100"},
	do:       func(t *testing.T, c route.Conn) { add(t, c, plainRule) },
	want:     []string{"100: from all lookup 11"},
	listings: 1,
}, {
	name:     "deleted since",
	listed:   []string{plainRule, "lookup 11 pref 100"},
	do:       func(t *testing.T, c route.Conn) { remove(t, c, plainRule) },
	want:     []string{"100: from all lookup 11"},
	missing:  true,
	listings: 1,
}, {
	name:     "behind one with more selectors, which was deleted since",
	listed:   []string{markedRule, plainRule},
	do:       func(t *testing.T, c route.Conn) { remove(t, c, markedRule) },
	listings: 1,
}, {
	name:   "before one with more selectors, which was added since",
	listed: []string{plainRule},
	do:     func(t *testing.T, c route.Conn) { add(t, c, markedRule) },
	want:   []string{"100: from 10.0.0.1 fwmark 0x1 lookup 10"},
}, {
	name:   "deleted since, and added again behind others",
	listed: []string{plainRule, "lookup 12 pref 100"},
	do:     func(t *testing.T, c route.Conn) { remove(t, c, plainRule); add(t, c, "lookup 11 pref 100", plainRule) },
	want:   []string{"100: from all lookup 12", "100: from all lookup 11"},
}, {
	name:     "never there",
	listed:   []string{markedRule},
	do:       func(*testing.T, route.Conn) {},
	want:     []string{"100: from 10.0.0.1 fwmark 0x1 lookup 10"},
	missing:  true,
	listings: 1,
}}

// The listing of a Deleter is not current: others have added, deleted and moved
// rules since.
func TestKernelDeleterStale(t *testing.T) {
	t.Parallel()
	for i := range 2 * len(staleCases) {
		tt, all := staleCases[i/2], i%2 == 1
		t.Run(fmt.Sprintf("%s, all %v", tt.name, all), func(t *testing.T) {
			_, c := kernel(t)
			add(t, c, "lookup 9 pref 99")
			for _, s := range tt.listed {
				// With NLM_F_EXCL the kernel would not tell some of them apart.
				if err := write(t.Context(), c, uapi.RTM_NEWRULE, netlink.Create, parse(t, s)); err != nil {
					t.Fatal(err)
				}
			}
			var d Deleter
			if err := d.Delete(t.Context(), c, parse(t, "lookup 9 pref 99")); err != nil {
				t.Fatal(err)
			}
			tt.do(t, c)
			n := &countingConn{Conn: c}
			var err error
			if all {
				err = d.DeleteAll(t.Context(), n, []Rule{parse(t, plainRule)})
			} else {
				err = d.Delete(t.Context(), n, parse(t, plainRule))
			}
			if errors.Is(err, fs.ErrNotExist) != tt.missing || !tt.missing && err != nil {
				t.Errorf("got %v", err)
			}
			if n.dumps != tt.listings {
				t.Errorf("%d listings, want %d", n.dumps, tt.listings)
			}
			wantList(t, c, Filter{Priority: Priority(100)}, tt.want...)
		})
	}
}

func remove(t *testing.T, c route.Conn, s string) {
	t.Helper()
	if err := Delete(t.Context(), c, parse(t, s)); err != nil {
		t.Fatal(err)
	}
}

// Others add rules while a Deleter deletes, at the same priorities, and also
// some that the kernel cannot tell from others. Each deletion takes exactly the
// first rule that is the same, or nothing.
func TestKernelDeleterRandom(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	random := rand.New(rand.NewPCG(3, 4))
	variants := knownVariants(t)
	pick := func() Rule {
		r := variant(t, variants[random.IntN(len(variants))], "table 10")
		r.Priority = Priority(uint32(100 + random.IntN(4)))
		if random.IntN(3) == 0 {
			r.Action, r.Table = ActionUnreachable, 0
		}
		return r
	}
	var d Deleter
	deleted, refused := 0, 0
	for range 1500 {
		if random.IntN(3) > 0 {
			if err := write(t.Context(), c, uapi.RTM_NEWRULE, netlink.Create, pick()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want := list(t, c, Filter{})
		r := pick()
		err := d.Delete(t.Context(), c, r)
		var hidden *hiddenError
		switch i := slices.Index(want, r.Canonical().String()); {
		case err == nil && i >= 0:
			want = slices.Delete(want, i, i+1)
			deleted++
		case errors.As(err, &hidden) && i >= 0:
			refused++
		case errors.Is(err, fs.ErrNotExist) && i < 0:
		default:
			t.Fatalf("%s, of %q: %v", r, want, err)
		}
		if diff := cmp.Diff(want, list(t, c, Filter{})); diff != "" {
			t.Fatalf("after %s (-want +got):\n%s", r, diff)
		}
	}
	if deleted < 50 || refused < 10 {
		t.Errorf("%d rules deleted and %d refused: the test is not what it should be", deleted, refused)
	}
}

// A failingConn is a Conn whose next write fails with err, before or, if done is
// set, after the kernel has done it.
type failingConn struct {
	route.Conn
	err  error
	done bool
}

func (f *failingConn) Execute(m netlink.Message) ([]netlink.Message, error) {
	if f.err == nil || m.Header.Type == uapi.RTM_GETRULE {
		return f.Conn.Execute(m)
	}
	if f.done {
		if _, err := f.Conn.Execute(m); err != nil {
			return nil, err
		}
	}
	err := f.err
	f.err = nil
	return nil, err
}

// After a failure a Deleter does not rely on its listing: the rule may be
// there, or not.
func TestKernelDeleterAfterFailure(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	const first, second = "lookup 10 pref 100", "lookup 10 pref 101"
	for _, done := range []bool{false, true} {
		add(t, c, first, second)
		f := &failingConn{Conn: c, err: syscall.ENOBUFS, done: done}
		var d Deleter
		if err := d.Delete(t.Context(), f, parse(t, first)); !errors.Is(err, syscall.ENOBUFS) {
			report.Errorf("got %v", err)
		}
		if err := d.Delete(t.Context(), f, parse(t, first)); errors.Is(err, fs.ErrNotExist) != done || !done && err != nil {
			report.Errorf("once more: %v", err)
		}
		if err := d.Delete(t.Context(), f, parse(t, second)); err != nil {
			report.Error(err)
		}
		wantList(t, c, Filter{Family: route.IPv4}, ruleLocal, ruleMain, ruleDefault)
	}
	var d Deleter
	if err := d.Delete(t.Context(), c, Rule{}); !errors.Is(err, errEmpty) {
		report.Errorf("the empty rule: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Delete(ctx, c, parse(t, first)); !errors.Is(err, context.Canceled) {
		report.Errorf("after the context has ended: %v", err)
	}
}
