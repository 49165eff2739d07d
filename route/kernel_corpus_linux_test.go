//go:build linux

package route

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/testrun"
)

// The kernel makes of the words what it made of them when ip(8) sent them, and
// Delete takes away what is listed.
func TestKernelCorpus(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	n, refused := 0, 0
	for _, tt := range readCorpus(t) {
		if len(tt.Request) == 0 {
			continue // TestCorpusRefused
		}
		r, err := Parse(tt.Words(), names)
		if err != nil {
			report.Errorf("%s: %v", tt.Words(), err)
			continue
		}
		n++
		if tt.Exit != 0 {
			refused++
		}
		before := listed(t, c)
		err = Add(t.Context(), c, r)
		if err == nil && strings.Contains(tt.Stderr, "lwt encapsulation type not supported") {
			// The recording kernel was built without MPLS; this one was not.
			if err := Delete(t.Context(), c, r); err != nil {
				report.Error(err)
			}
			continue
		}
		if !strings.Contains(errText(err), kernelSays(tt)) || tt.Exit == 0 && err != nil {
			report.Errorf("%s: %v; ip: %s", tt.Words(), err, tt.Stderr)
			continue
		}
		added := slices.DeleteFunc(listed(t, c), func(r Route) bool { return slices.ContainsFunc(before, r.Equal) })
		if diff := cmp.Diff(recorded(t, tt), texts(added)); diff != "" {
			report.Errorf("%s: in the kernel (-recorded +now):\n%s", tt.Words(), diff)
		}
		for _, r := range added {
			if err := Delete(t.Context(), c, r); err != nil {
				report.Error(err)
			}
		}
		if diff := cmp.Diff(texts(before), texts(listed(t, c))); diff != "" {
			t.Fatalf("%s: Delete left (-before +after):\n%s", tt.Words(), diff)
		}
	}
	t.Logf("request → kernel: %d cases, %d of them refused with the kernel's text", n, refused)
	if n < 250 {
		report.Errorf("%d cases", n)
	}
}

// listed are the kernel's routes without their ages.
func listed(t *testing.T, c Conn) []Route {
	t.Helper()
	routes, err := List(t.Context(), c, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range routes {
		routes[i].CacheInfo = CacheInfo{Error: routes[i].CacheInfo.Error}
	}
	return routes
}

// recorded are the routes that the kernel had for a case.
func recorded(t *testing.T, c corpus.Case) []string {
	t.Helper()
	var routes []Route
	for _, payload := range c.Kernel {
		var r Route
		if err := r.UnmarshalBinary(payload); err != nil {
			t.Fatal(err)
		}
		r.CacheInfo = CacheInfo{Error: r.CacheInfo.Error}
		routes = append(routes, r)
	}
	return texts(routes)
}

func texts(routes []Route) []string {
	var s []string
	for _, r := range routes {
		s = append(s, r.String())
	}
	return s
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// kernelSays is the kernel's text in what ip(8) answered, which may also be a
// warning of its own.
func kernelSays(c corpus.Case) string {
	if c.Exit == 0 {
		return ""
	}
	s := strings.TrimSuffix(strings.TrimPrefix(c.Stderr, "Error: "), ".")
	if errno, ok := strings.CutPrefix(s, "RTNETLINK answers: "); ok {
		return strings.ToLower(errno)
	}
	return s
}
