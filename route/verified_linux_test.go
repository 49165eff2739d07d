//go:build linux

package route

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A forgetful Conn is one to a kernel that does not know an attribute and, like
// all kernels, ignores it in silence. It counts the routes that it is given.
type forgetful struct {
	Conn
	forget func(*Route)
	n      *int
}

func (f forgetful) Execute(m netlink.Message) ([]netlink.Message, error) {
	if m.Header.Type == uapi.RTM_NEWROUTE {
		*f.n++
		var r Route
		if err := r.UnmarshalBinary(m.Data); err != nil {
			return nil, err
		}
		f.forget(&r)
		b, err := r.MarshalBinary()
		if err != nil {
			return nil, err
		}
		m.Data = b
	}
	return f.Conn.Execute(m)
}

// forgotten are routes that an old kernel makes others of. No kernel that is
// tested lacks these attributes, so they are kept from it.
var forgotten = []struct {
	route  string
	names  string
	forget func(*Route)
	made   string
}{
	{"10.0.0.0/8 via inet6 fe80::9 dev if3 table 10", "RTA_VIA",
		func(r *Route) { r.Gateway = netip.Addr{} }, "10.0.0.0/8 dev if3 table 10 scope global"},
	{"10.0.0.0/8 table 10 nexthop via inet6 fe80::9 dev if3 nexthop via 192.168.2.1 dev if5", "RTA_VIA",
		func(r *Route) { r.Multipath[0].Gateway = netip.Addr{} },
		"10.0.0.0/8 table 10 nexthop dev if3 nexthop via 192.168.2.1 dev if5"},
	{"2001:db8:aa::/48 dev if3 table 10 metric 5 encap seg6local action End count", "SEG6_LOCAL_COUNTERS",
		func(r *Route) { r.Encap = EncapSeg6Local{Action: Seg6End} },
		"2001:db8:aa::/48 dev if3 table 10 metric 5 encap seg6local action End"},
	{"2001:db8:aa::/48 dev if3 table 10 metric 5 encap seg6local action End flavors next-csid", "SEG6_LOCAL_FLAVORS",
		func(r *Route) { r.Encap = EncapSeg6Local{Action: Seg6End} },
		"2001:db8:aa::/48 dev if3 table 10 metric 5 encap seg6local action End"},
	{"2001:db8:aa::/48 dev if3 table 10 metric 5 encap seg6local action End count flavors next-csid",
		"SEG6_LOCAL_COUNTERS, SEG6_LOCAL_FLAVORS",
		func(r *Route) { r.Encap = EncapSeg6Local{Action: Seg6End} },
		"2001:db8:aa::/48 dev if3 table 10 metric 5 encap seg6local action End"},
	{"10.0.0.0/8 dev if3 table 10 scope global attribute 60 010203", "RTA_60",
		func(r *Route) { r.Unknown = "" }, "10.0.0.0/8 dev if3 table 10 scope global"},
	{"prohibit 10.0.0.0/8 nhid 7 table 10", "RTA_NH_ID",
		func(r *Route) { r.NextHopID = 0 }, "prohibit 10.0.0.0/8 table 10"},
}

// writers are the verbs that write a route.
var writers = []struct {
	verb  verb
	there bool // only in the place of another route
}{
	{verbAdd, false},
	{verbReplace, false},
	{verbReplace, true},
	{verbAppend, false},
	{verbPrepend, false},
	{verbChange, true},
}

// Without the check, a route by a router would be one to neighbours.
func TestKernelVerified(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		for _, tt := range forgotten {
			for _, w := range writers {
				r := parse(t, tt.route)
				there := Route{Dst: r.Dst, Type: TypeUnreachable, Table: r.Table, Priority: r.Priority}
				if w.there {
					if err := Add(t.Context(), c, there); err != nil {
						t.Fatal(err)
					}
				}
				before := list(t, c, Filter{})
				n := 0
				old := forgetful{c, tt.forget, &n}
				r.setDefaults()
				err := r.putOn(t.Context(), old, uapi.Version{Major: 4, Minor: 20}, w.verb)
				want := `route: ` + verbs[w.verb].name + ` "` + tt.route + `": the kernel does not know ` + tt.names + `: unsupported operation`
				if err == nil || err.Error() != want || !errors.Is(err, errors.ErrUnsupported) || n != 1 {
					report.Errorf("%s:\n got %v\nwant %s", name, err, want)
				}
				if diff := testrun.Cut(cmp.Diff(before, list(t, c, Filter{}))); diff != "" {
					t.Fatalf("%s: %s (-before +after):\n%s", name, want, diff)
				}
				if w.there {
					if err := Delete(t.Context(), c, there); err != nil {
						report.Error(err)
					}
				}
			}
			wantMade(t, forgetful{c, tt.forget, new(int)}, tt.route, tt.made)
		}
	}
}

// wantMade sends a route as it is, and deletes the one that the kernel makes of
// it.
func wantMade(t *testing.T, c Conn, words, want string) {
	t.Helper()
	r, made := parse(t, words), parse(t, want)
	r.setDefaults()
	if err := write(t.Context(), c, verbAdd, &r); err != nil {
		t.Error(err)
		return
	}
	wantList(t, c, table10, made.Canonical().String())
	if err := Delete(t.Context(), c, made); err != nil {
		t.Error(err)
	}
}

// A kernel that knows the attribute is given what was asked for, once where its
// version says that it does.
func TestKernelVerifiedKnown(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		for _, tt := range forgotten {
			if strings.Contains(tt.route, "nhid") || strings.Contains(tt.route, "attribute") {
				continue // no kernel keeps a type beside it; none has the attribute
			}
			for _, running := range []uapi.Version{{Major: 4, Minor: 20}, {Major: 6, Minor: 1}} {
				for _, w := range writers {
					r := parse(t, tt.route)
					if w.there {
						there := Route{Dst: r.Dst, OIF: eth1, Type: TypeUnicast, Table: r.Table, Priority: r.Priority}
						if err := Add(t.Context(), c, there); err != nil {
							t.Fatal(err)
						}
					}
					n, want := 0, 1
					if running.Major < 6 && w.verb != verbAdd {
						want = 2
					}
					r.setDefaults()
					err := r.putOn(t.Context(), forgetful{c, func(*Route) {}, &n}, running, w.verb)
					if err != nil || n != want {
						report.Errorf("%s: %s %s: %d requests, %v", name, verbs[w.verb].name, tt.route, n, err)
					}
					wantList(t, c, table10, r.Canonical().String())
					if err := Delete(t.Context(), c, r); err != nil {
						report.Error(err)
					}
				}
			}
		}
	}
}

// What belongs to a packet that is looked up is refused in a route, which the
// kernel would add without it.
func TestKernelRefusedHere(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	before := list(t, c, Filter{})
	dst := netip.MustParsePrefix("10.0.0.0/8")
	for want, p := range map[string]Packet{
		"IIF": {IIF: eth0}, "Mark": {Mark: 1}, "UID": {UID: Some[uint32](0)}, "IPProto": {IPProto: TCP},
		"SPort": {SPort: 1}, "DPort": {DPort: 1}, "FlowLabel": {FlowLabel: Some[uint32](0)},
	} {
		r := Route{Dst: dst, OIF: eth0, Table: 10, Packet: &p}
		err := Add(t.Context(), c, r)
		if err == nil || !strings.HasSuffix(err.Error(), ": field Packet."+want+" belongs to a packet that is looked up, not to a route") {
			report.Errorf("%s: %v", want, err)
		}
	}
	if diff := testrun.Cut(cmp.Diff(before, list(t, c, Filter{}))); diff != "" {
		report.Errorf("routes (-before +after):\n%s", diff)
	}
}
