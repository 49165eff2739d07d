//go:build linux

package route

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

func TestKernelVerbs(t *testing.T) {
	t.Parallel()
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		t.Run(name, func(t *testing.T) {
			r := Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Gateway: gateways[IPv4][0], Table: 10}
			if err := Add(t.Context(), c, r); err != nil {
				t.Fatal(err)
			}
			wantList(t, c, table10, "10.0.0.0/8 via 192.168.1.1 dev if3 table 10 proto unspec")
			if err := Add(t.Context(), c, r); !errors.Is(err, fs.ErrExist) || !errors.Is(err, syscall.EEXIST) {
				t.Errorf("the same route again: %v", err)
			}
			r.Gateway = gateways[IPv4][1]
			if err := Add(t.Context(), c, r); !errors.Is(err, fs.ErrExist) {
				t.Errorf("another gateway: %v", err)
			}
			if err := Replace(t.Context(), c, r); err != nil {
				t.Fatal(err)
			}
			wantList(t, c, table10, "10.0.0.0/8 via 192.168.2.1 dev if5 table 10 proto unspec")
			if err := Delete(t.Context(), c, r); err != nil {
				t.Fatal(err)
			}
			if err := Delete(t.Context(), c, r); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, syscall.ESRCH) {
				t.Errorf("a deleted route again: %v", err)
			}
			wantList(t, c, table10)
			// Errors have the words that the caller set.
			link := Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), OIF: eth0, Table: 10}
			for want, err := range map[string]error{
				`route: delete "10.0.0.0/8 via 192.168.2.1 table 10": no such process`:      Delete(t.Context(), c, r),
				`route: delete "10.0.0.0/8 dev if3 table 10": no such process`:              Delete(t.Context(), c, link),
				`route: change "10.0.0.0/8 dev if3 table 10": no such file or directory`:    Change(t.Context(), c, link),
				`route: delete "unreachable default table 10": no such process`:             Delete(t.Context(), c, Route{Type: TypeUnreachable, Table: 10}),
				`route: delete "10.0.0.0/8 dev if3 table 10 scope global": no such process`: Delete(t.Context(), c, parse(t, "10.0.0.0/8 dev if3 table 10 scope global")),
				`route: delete "10.0.0.0/8 dev if3 table 10 proto static": no such process`: Delete(t.Context(), c, Route{Dst: link.Dst, OIF: eth0, Table: 10, Protocol: ProtoStatic}),
			} {
				if err == nil || err.Error() != want {
					t.Errorf("\n got %v\nwant %s", err, want)
				}
			}
		})
	}
}

func TestKernelDefaults(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	before := list(t, c, Filter{Table: rttables.Main})
	for _, tt := range []struct {
		route Route
		want  string
	}{
		{Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), OIF: eth0},
			"10.0.0.0/8 dev if3 proto unspec"}, // scope link
		{Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), OIF: eth0, Type: TypeUnicast, Scope: ScopeGlobal},
			"10.0.0.0/8 dev if3 proto unspec scope global"},
		{Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Gateway: gateways[IPv4][0]},
			"10.0.0.0/8 via 192.168.1.1 dev if3 proto unspec"},
		{Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Type: TypeUnreachable},
			"unreachable 10.0.0.0/8 proto unspec"},
		{Route{Gateway: gateways[IPv6][0]},
			"default via 2001:db8:1::1 dev if3 metric 1024"},
		{Route{Dst: netip.MustParsePrefix("2001:db8:f::1/48"), OIF: eth1},
			"2001:db8:f::/48 dev if5 metric 1024"},
		{Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Multipath: []NextHop{{OIF: eth0}, {OIF: eth1, Weight: 256}}},
			"10.0.0.0/8 proto unspec nexthop dev if3 nexthop dev if5 weight 256"},
	} {
		if err := Add(t.Context(), c, tt.route); err != nil {
			report.Error(err)
			continue
		}
		var added []string
		for _, s := range list(t, c, Filter{Table: rttables.Main}) {
			if !slices.Contains(before, s) {
				added = append(added, s)
			}
		}
		if diff := testrun.Cut(cmp.Diff([]string{tt.want}, added)); diff != "" {
			report.Errorf("%s (-want +got):\n%s", tt.route, diff)
		}
		if err := Delete(t.Context(), c, tt.route); err != nil {
			report.Error(err)
		}
	}
}

// Facts of the kernel that the comments of Replace, Delete and Route state.
func TestKernelReplace(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	replace := func(s string) {
		t.Helper()
		if err := Replace(t.Context(), c, parse(t, s)); err != nil {
			t.Fatal(err)
		}
	}
	// Another metric is another route.
	add(t, c, "10.0.0.0/8 via 192.168.1.1 table 10 metric 5")
	replace("10.0.0.0/8 via 192.168.2.1 table 10 metric 6")
	replace("10.0.0.0/8 via 192.168.2.1 table 10 metric 5")
	wantList(t, c, table10, "10.0.0.0/8 via 192.168.2.1 dev if5 table 10 metric 5",
		"10.0.0.0/8 via 192.168.2.1 dev if5 table 10 metric 6")
	// IPv6 replaces all next hops.
	f := Filter{Family: IPv6, Table: 10}
	replace("default table 10 nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1")
	wantList(t, c, f, "default table 10 metric 1024 nexthop via 2001:db8:1::1 dev if3 nexthop via 2001:db8:2::1 dev if5")
	replace("default via 2001:db8:1::1 table 10")
	wantList(t, c, f, "default via 2001:db8:1::1 dev if3 table 10 metric 1024")
}

// Unset fields of Delete are any, set ones must be the route's.
func TestKernelDelete(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	const full = "10.0.0.0/8 via 192.168.1.1 dev if3 table 10 proto static src 192.168.1.6 metric 5"
	dst := netip.MustParsePrefix("10.0.0.0/8")
	for _, tt := range []struct {
		ask  Route
		want error
	}{
		{Route{Dst: dst, Table: 10}, nil},
		{Route{Dst: dst, Table: 10, Priority: 5, Protocol: ProtoStatic, PrefSrc: sources[IPv4][0], OIF: eth0}, nil},
		{parse(t, full), nil},
		{Route{Dst: dst}, fs.ErrNotExist}, // table main
		{Route{Table: 10}, fs.ErrNotExist},
		{Route{Dst: dst, Table: 10, Priority: 6}, fs.ErrNotExist},
		{Route{Dst: dst, Table: 10, Protocol: ProtoBoot}, fs.ErrNotExist},
		{Route{Dst: dst, Table: 10, OIF: eth1}, fs.ErrNotExist},
		{Route{Dst: dst, Table: 10, Gateway: gateways[IPv4][1]}, fs.ErrNotExist},
		{Route{Dst: dst, Table: 10, PrefSrc: sources[IPv4][1]}, fs.ErrNotExist},
		{Route{Dst: dst, Table: 10, Type: TypeBlackhole}, fs.ErrNotExist},
		{Route{Dst: dst, Table: 10, TOS: 0x10}, fs.ErrNotExist},
		{Route{Dst: netip.MustParsePrefix("10.0.0.0/9"), Table: 10}, fs.ErrNotExist},
	} {
		add(t, c, full)
		if err := Delete(t.Context(), c, tt.ask); !errors.Is(err, tt.want) {
			report.Errorf("%s: %v, want %v", tt.ask, err, tt.want)
		}
		if tt.want == nil {
			wantList(t, c, table10)
		} else {
			wantList(t, c, table10, full)
			if err := Delete(t.Context(), c, parse(t, full)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The scope link of a route need not be said: the kernel would take 0 for
// "beyond a gateway" and find no route on the link.
func TestKernelDeleteOnLink(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	for _, scope := range []string{"link", "site", "global", "host"} {
		add(t, c, "10.0.0.0/8 dev if3 table 10 scope "+scope)
		if err := Delete(t.Context(), c, Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Table: 10}); err != nil {
			report.Errorf("scope %s: %v", scope, err)
		}
		wantList(t, c, table10)
	}
}

// A loop over a listing may use the Conn that the listing comes from, also to
// delete what it sees.
func TestKernelLoop(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	const n = 1000 // several datagrams
	fill := func() {
		for i := range n {
			dst := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 32)
			if err := Add(t.Context(), c, Route{Dst: dst, Type: TypeBlackhole, Table: 10}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	seen := 0
	for r, err := range All(t.Context(), c, table10) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if got, err := List(t.Context(), c, Filter{Family: IPv4, Table: rttables.Local}); err != nil || len(got) == 0 {
			t.Fatalf("a listing in the loop: %v, %v", got, err)
		}
		if err := Delete(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
	if left := list(t, c, table10); seen+len(left) != n {
		report.Errorf("saw and deleted %d of %d, left %d", seen, n, len(left))
	} else {
		t.Logf("left %d", len(left))
	}
	for _, r := range must(List(t.Context(), c, table10))(t) {
		if err := Delete(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	for name, c := range conns(t, ns) { // an early end leaves the Conn usable
		for range All(t.Context(), c, table10) {
			break
		}
		if got := list(t, c, table10); len(got) != n {
			report.Errorf("%s: %d routes after an early end, want %d", name, len(got), n)
		}
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestKernelContext(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for r, err := range All(ctx, c, Filter{}) {
		if errors.Is(err, context.Canceled) {
			break
		}
		if n++; err != nil || n > 1 {
			t.Fatalf("%v, %v: the loop goes on after cancel", r, err)
		}
		cancel()
	}
	r := Route{Table: 10, Type: TypeBlackhole}
	for verb, err := range map[string]error{
		"add": Add(ctx, c, r), "replace": Replace(ctx, c, r), "delete": Delete(ctx, c, r),
		"list":   errOf(List(ctx, c, Filter{})),
		"lookup": errOf(Lookup(ctx, c, Query{Dst: gateways[IPv4][0]})),
		"links":  errOf(ListLinks(ctx, c)),
	} {
		if !errors.Is(err, context.Canceled) {
			report.Errorf("%s: %v", verb, err)
		}
	}
	wantList(t, c, table10)
}

func errOf[T any](_ T, err error) error { return err }

// Links have the names for text, in both directions.
func TestKernelLinks(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		links, err := ListLinks(t.Context(), c)
		if err != nil {
			t.Fatal(name, err)
		}
		got := map[uint32]string{}
		for index, name := range links.All() {
			got[index] = name
		}
		if diff := testrun.Cut(cmp.Diff(map[uint32]string{1: "lo", eth0: "eth0", eth1: "eth1"}, got)); diff != "" {
			report.Errorf("%s (-want +got):\n%s", name, diff)
		}
		n := &Names{Links: links}
		const text = "10.0.0.0/8 dev eth1 table 10 nexthop dev eth0 nexthop dev if99"
		r, err := Parse(text, n)
		if err != nil {
			t.Fatal(err)
		}
		if r.OIF != eth1 || r.Multipath[0].OIF != eth0 || r.Multipath[1].OIF != 99 || r.Text(n) != text+"" {
			report.Errorf("%s: %s", name, r.Text(n))
		}
	}
}

// A route of a nexthop object is listed with what the object says, and is
// deleted and replaced as it is listed.
func TestKernelNextHopID(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	b := []byte{uapi.AF_INET, 0, byte(ProtoStatic), 0}
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = attr.AppendU32(b, uapi.NHA_ID, 7)
	b = attr.AppendU32(b, uapi.NHA_OIF, eth0)
	b = attr.Append(b, uint16(uapi.NHA_GATEWAY), gateways[IPv4][0].AsSlice())
	if _, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_NEWNEXTHOP, Flags: netlink.Request | netlink.Acknowledge | netlink.Create},
		Data:   b,
	}); err != nil {
		t.Fatal(err)
	}
	r := Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), NextHopID: 7, Table: 10}
	if err := Add(t.Context(), c, r); err != nil {
		t.Fatal(err)
	}
	listed := must(List(t.Context(), c, table10))(t)
	if len(listed) != 1 || listed[0].Gateway != gateways[IPv4][0] || listed[0].OIF != eth0 {
		t.Fatalf("%v", listed)
	}
	if !listed[0].Canonical().Equal(r.Canonical()) {
		t.Errorf("listed as %s, canonical is %s", listed[0].Canonical(), r.Canonical())
	}
	if err := Replace(t.Context(), c, listed[0]); err != nil {
		t.Error(err)
	}
	if err := Delete(t.Context(), c, listed[0]); err != nil {
		t.Error(err)
	}
	wantList(t, c, table10)
}
