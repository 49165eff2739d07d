//go:build linux

package route

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
)

// TestKernelSendBack deletes every listed route and adds it as it was listed:
// with next hops that are down, numbers of nexthop objects, encapsulations,
// metrics and a rest of a lifetime. The kernel then lists the same.
func TestKernelSendBack(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip(8), which makes the routes, is not installed")
	}
	ns, c := kernel(t)
	for _, command := range commands(t) {
		if _, err := ns.Run("", "ip", strings.Fields(command)...); err != nil {
			t.Log(strings.TrimSpace(err.Error())) // a kernel without that kind
		}
	}
	before := sentBack(t, c)
	seen := map[string]int{}
	for _, r := range before {
		if slices.ContainsFunc(r.Multipath, func(nh NextHop) bool { return nh.Flags&FlagDead != 0 }) {
			continue // no kernel takes a next hop on an interface that is down
		}
		if err := Delete(t.Context(), c, r); err != nil {
			report.Errorf("%s: %v", r, err)
			continue
		}
		if _, ok := find(sentBack(t, c), r); ok {
			report.Errorf("%s was not deleted", r)
		}
		if err := Add(t.Context(), c, r); err != nil {
			report.Errorf("%s: %v", r, err)
			continue
		}
		got, ok := find(sentBack(t, c), r)
		if !ok {
			report.Errorf("%s is not listed", r)
			continue
		}
		if left := got.CacheInfo.Expires - r.CacheInfo.Expires; left < -10*userHZ || left > userHZ {
			report.Errorf("%s: expires in %d ticks, was %d", r, got.CacheInfo.Expires, r.CacheInfo.Expires)
		}
		if got.Flags != r.Flags {
			report.Errorf("%s: flags %s, were %s", r, got.Flags, r.Flags)
		}
		count(seen, r)
	}
	text := func(routes []Route) (s []string) {
		for _, r := range routes {
			s = append(s, r.Canonical().String())
		}
		slices.Sort(s)
		return s
	}
	if diff := testrun.Cut(cmp.Diff(text(before), text(sentBack(t, c)))); diff != "" {
		report.Errorf("(-before +after):\n%s", diff)
	}
	t.Logf("sent back: %v", seen)
	for _, kind := range []string{"linkdown", "nhid", "metrics", "multipath", "expires", "via of another family"} {
		if seen[kind] == 0 {
			report.Errorf("none with %s", kind)
		}
	}
}

// sentBack are the routes that the kernel has not made itself.
func sentBack(t *testing.T, c Conn) []Route {
	t.Helper()
	routes, err := List(t.Context(), c, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(routes, func(r Route) bool {
		return r.Protocol == ProtoKernel
	})
}

// find looks for r.
func find(routes []Route, r Route) (Route, bool) {
	want := r.Canonical()
	for _, got := range routes {
		if got.Canonical().Equal(want) {
			return got, true
		}
	}
	return Route{}, false
}

// count notes which kinds of routes r is of.
func count(seen map[string]int, r Route) {
	for kind, is := range map[string]bool{
		"all":                    true,
		"linkdown":               r.Flags&FlagLinkDown != 0,
		"nhid":                   r.NextHopID != 0,
		"encap":                  r.Encap != nil,
		"metrics":                r.Metrics != nil,
		"multipath":              len(r.Multipath) > 0,
		"expires":                r.CacheInfo.Expires != 0,
		"via of another family":  r.Gateway.IsValid() && !r.Family.Has(r.Gateway),
		"blackhole and the like": r.Type != TypeUnicast && r.Type != TypeLocal,
	} {
		if is {
			seen[kind]++
		}
	}
}
