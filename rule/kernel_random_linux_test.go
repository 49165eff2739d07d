//go:build linux

package rule

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A rule that is added is listed as Canonical says, its text and its bytes give
// it back, and deleting it leaves what was there before.
func TestKernelRandom(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	before, err := List(t.Context(), c, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	g := newGenerator(1)
	seen := map[uapi.FRA]bool{}
	var added []Rule
	for range 600 {
		r := g.rule()
		if !uidsExist(t, r.UIDRange) {
			r.UIDRange = UID(0)
		}
		if lacks(t, r) != 0 {
			wantUnsupported(t, c, r)
			continue
		}
		if err := Add(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
		want := r.Canonical()
		got := newestAt(t, c, want)
		if got.Flags = 0; got != want {
			t.Fatalf("added %s: %s", r, testrun.Cut(cmp.Diff(want.String(), got.String())))
		}
		if back := parse(t, got.String()); back != got {
			t.Fatalf("%s parsed is %s", got, back)
		}
		if b, err := r.MarshalBinary(); err == nil {
			noteAttributes(seen, b)
		}
		// One in two stays, so that the next ones have company.
		if g.maybe(2) {
			added = append(added, r)
			continue
		}
		if err := Delete(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
	wantRows(t, seen, has)
	for _, r := range added {
		if err := Delete(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
	after, err := List(t.Context(), c, Filter{})
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("left in the kernel: %v, %v", after, err)
	}
}

// uidsExist reports whether the users exist in the user namespace of the tests,
// which has only one when an ordinary user runs them. The kernel refuses others.
func uidsExist(t *testing.T, u UIDs) bool {
	t.Helper()
	if !u.IsSet() {
		return true
	}
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	has := func(uid uint32) bool {
		for line := range strings.Lines(string(b)) {
			var first, outside, n uint64
			if _, err := fmt.Sscan(line, &first, &outside, &n); err != nil {
				t.Fatal(err)
			}
			if first <= uint64(uid) && uint64(uid) < first+n {
				return true
			}
		}
		return false
	}
	return has(u.First()) && has(u.Last())
}

// newestAt is the rule that the kernel has at the priority and in the family of r,
// the newest if there are several.
func newestAt(t *testing.T, c route.Conn, r Rule) Rule {
	t.Helper()
	rules, err := List(t.Context(), c, Filter{Family: r.Family, Priority: r.Priority})
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) == 0 {
		t.Fatalf("%s is not listed", r)
	}
	return rules[len(rules)-1]
}
