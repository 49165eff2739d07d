//go:build linux

package rule

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// has reports whether the running kernel is new enough for an attribute.
func has(a uapi.FRA) bool {
	v, ok := uapi.Running()
	return !ok || !v.Less(a.Since())
}

// lacks is an attribute of r that the running kernel is too old for, by the
// first version that has it, and zero if there is none. Such a case is not
// skipped: Add has to refuse it, see wantUnsupported.
func lacks(t *testing.T, r Rule) uapi.FRA {
	t.Helper()
	b, err := r.Canonical().MarshalBinary()
	if err != nil {
		return 0 // not sent to any kernel
	}
	for num := range attr.All(string(b[uapi.SizeofFibRuleHdr:])) {
		if a := uapi.FRA(num); !has(a) {
			return a
		}
	}
	return 0
}

// wantUnsupported wants Add to find out, by what this kernel makes of r, that
// it does not know an attribute, and to leave nothing behind.
func wantUnsupported(t *testing.T, c route.Conn, r Rule) {
	t.Helper()
	before := list(t, c, Filter{})
	if err := Add(t.Context(), c, r); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("this kernel lacks %s, and adding %s is: %v", lacks(t, r), r, err)
	}
	if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
		t.Fatalf("%s: rules (-before +after):\n%s", r, diff)
	}
}
