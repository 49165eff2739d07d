//go:build linux

package route

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Random MPLS routes: what is added is listed as Canonical says, and deleting it
// leaves nothing. A kernel without MPLS says so.
func TestKernelMPLS(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	_, loaded := os.Stat("/sys/module/mpls_router")
	if _, err := ns.SysctlValue("net.mpls.platform_labels"); errors.Is(err, fs.ErrNotExist) && loaded != nil {
		if err := Add(t.Context(), c, newGenerator(4).mpls()); !errors.Is(err, syscall.EOPNOTSUPP) {
			report.Errorf("a kernel without MPLS: %v", err)
		}
		return
	}
	ns.Sysctl("net.mpls.platform_labels", "1000")
	g := newGenerator(4)
	seen := map[uapi.RTA]bool{}
	for i := range 300 {
		r := g.mpls()
		if i%2 == 0 && r.Type == TypeUnicast {
			r.Type = 0 // the default of both verbs
		}
		if err := Add(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
		listed, err := List(t.Context(), c, Filter{Family: MPLS})
		if err != nil || len(listed) != 1 {
			t.Fatalf("added %s, listed %v, %v", r, listed, err)
		}
		if got, want := listed[0].Canonical(), r.Canonical(); !got.Equal(want) {
			t.Fatalf("added %s:\n%s", r, testrun.Cut(cmp.Diff(want.String(), got.String())))
		}
		b, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		see(t, seen, b)
		if back := parse(t, listed[0].String()); !back.Equal(listed[0]) {
			t.Fatalf("%s parsed is %s", listed[0], back)
		}
		if err := Delete(t.Context(), c, pick(g, r, listed[0])); err != nil {
			t.Fatal(err)
		}
		if left := list(t, c, Filter{Family: MPLS}); len(left) > 0 {
			t.Fatalf("deleted %s: left %v", r, left)
		}
	}
	for _, num := range []uapi.RTA{uapi.RTA_DST, uapi.RTA_NEWDST, uapi.RTA_VIA, uapi.RTA_OIF, uapi.RTA_TTL_PROPAGATE, uapi.RTA_MULTIPATH} {
		if !seen[num] {
			report.Errorf("no random route had %s", num)
		}
	}
}

// The kernel wants the type in a request to delete as well, where that of another family
// matches any type.
func TestDeleteTypeMPLS(t *testing.T) {
	for _, x := range []struct {
		r    Route
		want Type
	}{
		{Route{Family: MPLS}, TypeUnicast}, {Route{MPLS: &MPLSRoute{Label: Some(uint32(100))}}, TypeUnicast},
		{Route{Family: IPv4}, 0}, {Route{Family: IPv6}, 0},
	} {
		if x.r.setDeleteDefaults(); x.r.Type != x.want {
			t.Errorf("%s: type %v, want %v", x.r, x.r.Type, x.want)
		}
	}
}
