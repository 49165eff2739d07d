//go:build linux

package rule

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// mistaken are pairs of different rules. With the first one there, the kernel refuses
// the second one, with NLM_F_EXCL, as if it existed.
var mistaken = []struct {
	what, there, added string
}{
	{"from", "from 10.0.0.1 lookup 10", "from all lookup 10"},
	{"from, IPv6", "from 2001:db8::1 lookup 10", "-6 from all lookup 10"},
	{"to", "from all to 10.0.0.0/8 lookup 10", "from all lookup 10"},
	{"from, not to", "from 10.0.0.1 to 10.0.0.0/8 lookup 10", "from all to 10.0.0.0/8 lookup 10"},
	{"tos", "from all tos 0x10 lookup 10", "from all lookup 10"},
	{"dscp", "from all lookup 10 dscp 10", "from all lookup 10"},
	{"dscp with a mask", "from all lookup 10 dscp 0xa/0x3e", "from all lookup 10"},
	{"flowlabel", "-6 from all lookup 10 flowlabel 0x5", "-6 from all lookup 10"},
	{"realms", "from all lookup 10 realms 5", "from all lookup 10"},
	{"not", "not from 10.0.0.1 lookup 10", "from 10.0.0.1 lookup 10"},
	{"not, the other way round", "from 10.0.0.1 lookup 10", "not from 10.0.0.1 lookup 10"},
	{"goto", "from 10.0.0.1 goto 1000", "from 10.0.0.1 goto 1001"},
	{"mark", "from 10.0.0.1 fwmark 0x10/0xf lookup 10", "from all fwmark 0x10/0xf lookup 10"},
	{"dscp of both", "from 10.0.0.1 lookup 10 dscp 10", "from all lookup 10 dscp 10"},
}

// waysToAdd are the functions that add a rule.
var waysToAdd = map[string]func(context.Context, route.Conn, Rule) error{
	"Add": Add,
	"Batch": func(ctx context.Context, c route.Conn, r Rule) error {
		var b Batch
		b.Add(r)
		return b.Do(ctx, c)
	},
	"AddAll": func(ctx context.Context, c route.Conn, r Rule) error { return AddAll(ctx, c, []Rule{r}) },
}

// A rule exists if the same rule does, and not if the kernel takes another one for it.
func TestKernelExists(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		for how, add := range waysToAdd {
			for _, tt := range mistaken {
				there, added := parse(t, tt.there), parse(t, tt.added)
				there.Priority, added.Priority = Priority(200), Priority(200)
				if lacks(t, there) != 0 {
					continue // TestKernelVerified meets it
				}
				if err := Add(t.Context(), c, there); err != nil {
					t.Fatal(err)
				}
				if err := write(t.Context(), c, uapi.RTM_NEWRULE, netlink.Create|netlink.Excl, added); !errors.Is(err, fs.ErrExist) {
					report.Errorf("%s: the kernel itself: %v, want fs.ErrExist", tt.what, err)
				}
				if err := add(t.Context(), c, added); err != nil {
					report.Errorf("%s: %s: %s: %v", name, how, tt.what, err)
				}
				want := []string{there.String(), added.String()}
				for _, r := range []Rule{there, added} {
					if err := add(t.Context(), c, r); !errors.Is(err, fs.ErrExist) {
						report.Errorf("%s: %s: %s: %q again: %v, want fs.ErrExist", name, how, tt.what, r, err)
					}
				}
				if diff := cmp.Diff(want, list(t, c, Filter{Priority: Priority(200)})); diff != "" {
					report.Errorf("%s: %s: %s: rules (-want +got):\n%s", name, how, tt.what, diff)
				}
				for _, r := range []Rule{there, added} {
					if err := Delete(t.Context(), c, r); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

// The kernel can choose a priority that a rule has. Without another rule than these
// two, it chooses 0, where the second one is taken for the first.
func TestKernelExistsAtChosenPriority(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	add(t, c, "pref 1 nop", "from 10.0.0.1 lookup 10") // at 0
	for range 2 {
		err := Add(t.Context(), c, parse(t, "from all lookup 10"))
		if got := list(t, c, Filter{Family: route.IPv4, Table: 10}); len(got) != 2 || got[1] != "0: from all lookup 10" {
			t.Errorf("rules %q", got)
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
	}
	if err := Add(t.Context(), c, parse(t, "from all lookup 10")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: %v, want fs.ErrExist", err)
	}
}

// Several who add the same rule at the same time make one, and one of them is told so.
func TestKernelExistsRace(t *testing.T) {
	t.Parallel()
	ns, c := kernel(t)
	for _, how := range []string{"Add", "Batch"} {
		for range 20 {
			add(t, c, "from 10.0.0.1 lookup 10 pref 200")
			const n = 8
			errs := make([]error, n)
			var started, done sync.WaitGroup
			started.Add(n)
			for i := range n {
				own, err := route.Dial(ns.Config())
				if err != nil {
					t.Fatal(err)
				}
				defer own.Close()
				done.Go(func() {
					started.Done()
					started.Wait()
					errs[i] = waysToAdd[how](t.Context(), own, parse(t, "from all lookup 10 pref 200"))
				})
			}
			done.Wait()
			added := 0
			for _, err := range errs {
				if err == nil {
					added++
				} else if !errors.Is(err, fs.ErrExist) {
					t.Error(err)
				}
			}
			if added != 1 {
				t.Errorf("%s: %d of %d have added it", how, added, n)
			}
			wantList(t, c, Filter{Priority: Priority(200)}, "200: from 10.0.0.1 lookup 10", "200: from all lookup 10")
			remove(t, c, "from 10.0.0.1 lookup 10 pref 200")
			remove(t, c, "from all lookup 10 pref 200")
		}
	}
}

// Another program adds the same rule while Add looks whether it exists. One of the two
// goes again, unless the kernel would delete another rule instead.
func TestKernelExistsTwin(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{false, true} {
		_, c := kernel(t)
		const there = "from 10.0.0.1 goto 1000 pref 200"
		add(t, c, there)
		r := parse(t, "from 10.0.0.1 goto 1001 pref 200")
		looks := 0
		err := Add(t.Context(), &deletingConn{Conn: c, after: func() {
			if looks++; looks > 1 {
				return
			}
			if err := write(t.Context(), c, uapi.RTM_NEWRULE, netlink.Create, r); err != nil {
				t.Error(err)
			}
			if gone {
				remove(t, c, there)
			}
		}}, r)
		if err != nil {
			t.Error(err)
		}
		want := []string{"200: from 10.0.0.1 goto 1000", "200: from 10.0.0.1 goto 1001", "200: from 10.0.0.1 goto 1001"}
		if gone {
			want = want[2:]
		}
		wantList(t, c, Filter{Priority: Priority(200)}, want...)
	}
}

// Rules of the same priority keep the order of a batch, also where the kernel refuses
// the first of them for another rule.
func TestKernelExistsOrder(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	add(t, c, "from 10.0.0.1 lookup 10 pref 200")
	var b Batch
	for _, s := range []string{"from all lookup 10 pref 200", "from all lookup 11 pref 200", "from 10.0.0.1 lookup 10 pref 200",
		"from all lookup 12 pref 200", "from all lookup 10 pref 200"} {
		b.Add(parse(t, s))
	}
	b.Delete(parse(t, "from all lookup 11 pref 200"))
	err := b.Do(t.Context(), c)
	var be *route.BatchError
	if !errors.As(err, &be) || len(be.Refused) != 2 || be.Refused[0].N != 2 || be.Refused[1].N != 4 || !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want requests 2 and 4 refused, with fs.ErrExist", err)
	}
	wantList(t, c, Filter{Priority: Priority(200)}, "200: from 10.0.0.1 lookup 10",
		"200: from all lookup 10", "200: from all lookup 12")
}

// A kernel that does not know a selector refuses the rule for the one without it. Add
// finds out, and the rules stay in their order.
func TestKernelExistsVerified(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	add(t, c, "from all lookup 10 pref 200", "from all lookup 11 pref 200", "from all lookup 12 pref 4294967295")
	before := list(t, c, Filter{})
	r := parse(t, "from all lookup 10 pref 200 dscp 10")
	if err := Add(t.Context(), oldKernel{c, uapi.FRA_DSCP}, r); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want errors.ErrUnsupported", err)
	}
	if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
		t.Errorf("rules (-before +after):\n%s", diff)
	}
}

// A rule is added as it was listed, whatever flags it had. Flags are not written, and
// do not count where rules are compared.
func TestKernelAddListed(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	for _, selector := range []string{"", " dscp 10", " sport 0x10/0xfff0", " dport 0x10/0xfff0", " fwmark 0x10/0xf"} {
		for _, s := range []string{"iif gone0 lookup 10 pref 100", "oif gone0 lookup 10 pref 100", "goto 2000 pref 100",
			"-6 iif gone0 oif gone1 goto 3000 pref 100 flowlabel 0x5"} {
			r := parse(t, s+selector)
			if lacks(t, r) != 0 {
				continue
			}
			for how, add := range waysToAdd {
				if err := Add(t.Context(), c, r); err != nil {
					t.Fatal(err)
				}
				listed, err := List(t.Context(), c, Filter{Priority: Priority(100)})
				if err != nil || len(listed) != 1 || listed[0].Flags == 0 {
					t.Fatalf("%s: %v, %v, want one rule with flags", r, listed, err)
				}
				if err := Delete(t.Context(), c, listed[0]); err != nil {
					report.Errorf("delete %s as listed: %v", r, err)
				}
				if err := add(t.Context(), c, listed[0]); err != nil {
					report.Errorf("%s of %s as listed: %v", how, r, err)
				}
				if err := add(t.Context(), c, listed[0]); !errors.Is(err, fs.ErrExist) {
					report.Errorf("%s of %s as listed, again: %v, want fs.ErrExist", how, r, err)
				}
				again, err := List(t.Context(), c, Filter{Priority: Priority(100)})
				if err != nil || !slices.Equal(again, listed) {
					report.Errorf("%s of %s as listed made %v, %v", how, r, again, err)
				}
				var d Deleter
				for _, r := range again {
					if err := d.Delete(t.Context(), c, r); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}
