//go:build linux

package route

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

func TestMain(m *testing.M) { lab.Main(m) }

// kernel is a namespace like the one in which the cases were recorded, and a
// socket in it.
func kernel(t *testing.T) (*lab.NS, *Socket) {
	t.Helper()
	l := lab.Test(t)
	ns, far := l.NS("a"), l.NS("b")
	l.Veth(lab.End{NS: ns, Name: "eth0", Index: eth0}, lab.End{NS: far, Name: "eth0"})
	l.Veth(lab.End{NS: ns, Name: "eth1", Index: eth1}, lab.End{NS: far, Name: "eth1"})
	ns.Addr("eth0", "192.168.1.6/24", "2001:db8:1::6/64")
	ns.Addr("eth1", "192.168.2.2/24", "2001:db8:2::2/64")
	return ns, dial(t, ns)
}

func dial(t *testing.T, ns *lab.NS) *Socket {
	t.Helper()
	c, err := Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// conns are the kinds of Conn that the verbs must do the same over.
func conns(t *testing.T, ns *lab.NS) map[string]Conn {
	t.Helper()
	m := map[string]Conn{"Socket": dial(t, ns)}
	for _, strict := range []bool{true, false} {
		cfg := ns.Config()
		cfg.Strict = strict
		c, err := netlink.Dial(uapi.NETLINK_ROUTE, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		m[fmt.Sprintf("netlink.Conn Strict=%v", strict)] = c
	}
	return m
}

func add(t *testing.T, c Conn, routes ...string) {
	t.Helper()
	for _, s := range routes {
		if err := Add(t.Context(), c, parse(t, s)); err != nil {
			t.Fatal(err)
		}
	}
}

// list is what is in the kernel, as text in canonical form.
func list(t *testing.T, c Conn, f Filter) []string {
	t.Helper()
	routes, err := List(t.Context(), c, f)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, r := range routes {
		text = append(text, r.Canonical().String())
	}
	return text
}

func wantList(t *testing.T, c Conn, f Filter, want ...string) {
	t.Helper()
	if diff := testrun.Cut(cmp.Diff(want, list(t, c, f))); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

// table10 selects what most tests add.
var table10 = Filter{Table: rttables.ID(10)}

// usecTS is the first version with RTAX_FEATURE_TCP_USEC_TS.
var usecTS = uapi.Version{Major: 6, Minor: 7}

// addNextHop adds a nexthop object through eth0. The tests of this package cannot use
// package nexthop, which imports this package.
func addNextHop(t *testing.T, c Conn, id uint32, family Family) {
	t.Helper()
	b := make([]byte, uapi.SizeofNhmsg)
	b[uapi.NhmsgFamily] = uint8(family)
	b = attr.AppendU32(b, uapi.NHA_ID, id)
	b = attr.AppendIP(b, uapi.NHA_GATEWAY, gateways[family][0])
	b = attr.AppendU32(b, uapi.NHA_OIF, eth0)
	_, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_NEWNEXTHOP, Flags: netlink.Request | netlink.Acknowledge | netlink.Create | netlink.Excl},
		Data:   b,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A route that is added is listed as Canonical says, its text gives it back,
// and deleting it leaves what was there before.
func TestKernelRandom(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	objects := map[Family]uint32{IPv4: 7, IPv6: 8}
	for family, id := range objects {
		addNextHop(t, c, id, family)
	}
	before := list(t, c, Filter{})
	g := newGenerator(1)
	n := 0
	seen := map[uapi.RTA]bool{}
	for range 800 {
		r := g.route()
		switch {
		case g.maybe(8):
			r = Route{Family: r.Family, Dst: r.Dst, Table: r.Table, Protocol: r.Protocol, Priority: r.Priority,
				NextHopID: objects[r.Family]}
		case g.maybe(4) && r.Family == IPv6 && r.Type == 0: // any other it ignores the time of
			r.Expires = Some(100 + g.Uint32N(10000))
		}
		metrics := deref(r.Metrics)
		if v, ok := uapi.Running(); ok && v.Less(usecTS) && metrics.Features&FeatureTCPUsecTS != 0 {
			if err := Add(t.Context(), c, r); !errors.Is(err, syscall.EINVAL) {
				report.Errorf("%s: %v", r, err)
			}
			metrics.Features = 0
		}
		if m := &metrics; m.Lock.Has(MetricCwnd) && m.Cwnd == 0 {
			m.Cwnd, m.Zeros = 10, m.Zeros&^MetricCwnd // some kernels refuse to lock nothing
		}
		r.Metrics = &metrics
		// Routes with the same key might shadow one another.
		f := Filter{Family: r.Family, Table: r.Canonical().Table, Protocol: r.Canonical().Protocol}
		if len(list(t, c, f)) > 0 && f.Table == rttables.Main {
			continue
		}
		n++
		if err := Add(t.Context(), c, r); err != nil {
			t.Fatalf("%v\n%+v", err, r)
		}
		listed, err := List(t.Context(), c, f)
		if err != nil || len(listed) != 1 {
			t.Fatalf("added %s, listed %v, %v", r, listed, err)
		}
		if got, want := listed[0].Canonical(), r.Canonical(); !got.Equal(want) {
			t.Fatalf("added %+v:\n%s", r, testrun.Cut(cmp.Diff(want, got, cmp.AllowUnexported(Opt[uint32]{}, Opt[Preference]{}))))
		}
		if left, want := listed[0].CacheInfo.Expires, r.Expires.Or(0); want > 0 &&
			(left <= 0 || left > int32(want*userHZ)) || want == 0 && left != 0 {
			report.Errorf("%s: ticks left %d", r, left)
		}
		if m, err := r.request(uapi.RTM_NEWROUTE, 0); err == nil {
			see(t, seen, m.Data)
		}
		if back := parse(t, listed[0].String()); !back.Equal(listed[0]) {
			t.Fatalf("%s parsed is %s", listed[0], back)
		}
		// By what was asked for, and by what is listed.
		if err := Delete(t.Context(), c, pick(g, r, listed[0])); err != nil {
			t.Fatalf("%v\n%+v", err, listed[0])
		}
		if left := list(t, c, f); len(left) > 0 {
			t.Fatalf("deleted %s: left %v", r, left)
		}
	}
	if n < 600 {
		report.Errorf("%d routes", n)
	}
	const lookup = "TestKernelLookup"
	wantRows(t, seen, map[uapi.RTA]string{
		uapi.RTA_IIF: lookup, uapi.RTA_MARK: lookup, uapi.RTA_UID: lookup, uapi.RTA_IP_PROTO: lookup,
		uapi.RTA_SPORT: lookup, uapi.RTA_DPORT: lookup, uapi.RTA_FLOWLABEL: lookup,
		uapi.RTA_NEWDST: "TestKernelMPLS", uapi.RTA_TTL_PROPAGATE: "TestKernelMPLS",
		uapi.RTA_CACHEINFO: "the kernel's own", uapi.RTA_PAD: "never written",
	})
	if diff := testrun.Cut(cmp.Diff(before, list(t, c, Filter{}))); diff != "" {
		report.Errorf("routes (-before +after):\n%s", diff)
	}
}

// A zero that is said is sent, and is what the kernel makes of it: nothing, the value
// zero, or a refusal. The kernel reports it as it reports a route without it.
func TestKernelZeros(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		for _, words := range []string{
			"10.0.0.0/8 nhid 0 dev if3 table 10", "10.0.0.0/8 via 192.168.1.1 realms 0 mtu 0 table 10",
			"10.0.0.0/8 table 10 nexthop via 192.168.1.1 realms 0 nexthop via 192.168.2.1 realms 5",
			"2001:db8:b::/48 encap seg6local action End.T table 0 dev if3 table 10",
		} {
			r := parse(t, words)
			err := Add(t.Context(), c, r)
			if errors.Is(err, syscall.EOPNOTSUPP) {
				t.Logf("a kernel without segment routing: %v", err)
				continue
			}
			if err != nil {
				report.Errorf("%s: %s: %v", name, words, err)
				continue
			}
			listed, err := List(t.Context(), c, table10)
			want := r.Canonical()
			for i := range listed {
				listed[i] = listed[i].Canonical()
				want.OIF = listed[i].OIF
				for k := range want.Multipath {
					want.Multipath[k].OIF = listed[i].Multipath[k].OIF
				}
			}
			if err != nil || len(listed) != 1 || !listed[0].Equal(want) {
				report.Errorf("%s: listed %v, %v\nwant %v", name, listed, err, want)
			}
			if err := Delete(t.Context(), c, r); err != nil {
				report.Errorf("%s: %s: %v", name, words, err)
			}
		}
		for _, words := range []string{
			"2001:db8:a::/48 nhid 0 via 2001:db8:1::1 table 10", // of IPv4 it is ignored
			"2001:db8:b::/48 encap seg6local action End flavors next-csid lblen 0 dev if3 table 10",
			"2001:db8:b::/48 encap seg6local action End flavors next-csid nflen 0 dev if3 table 10",
			"2001:db8:b::/48 encap seg6local action End.DT4 vrftable 0 dev if3 table 10",
		} {
			err := Add(t.Context(), c, parse(t, words))
			// A kernel with VRFs that are not strict has another word for vrftable.
			if strict := strings.Contains(words, "vrftable") && errors.Is(err, syscall.EPERM); !strict &&
				!errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, errors.ErrUnsupported) {
				report.Errorf("%s: %s: %v, want EINVAL", name, words, err)
			}
		}
	}
}
