//go:build linux

package route

import (
	"errors"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A future is a Conn to a kernel that has one more attribute than the running
// one, on routes and on the entries of several next hops. It notes what is
// asked to be deleted.
type future struct {
	Conn
	deleted *[]Route
}

const futureAttr uapi.RTA = 60

func (f future) Execute(m netlink.Message) ([]netlink.Message, error) {
	if m.Header.Type == uapi.RTM_DELROUTE {
		var r Route
		if err := r.UnmarshalBinary(m.Data); err != nil {
			return nil, err
		}
		*f.deleted = append(*f.deleted, r)
	}
	msgs, err := f.Conn.Execute(m)
	for i := range msgs {
		var r Route
		if msgs[i].Header.Type != uapi.RTM_NEWROUTE || r.UnmarshalBinary(msgs[i].Data) != nil || r.Table != 10 {
			continue
		}
		added := Attributes(attr.Append(nil, uint16(futureAttr), []byte{1, 2, 3}))
		r.Unknown = added
		for j := range r.Multipath {
			r.Multipath[j].Unknown = added
		}
		if msgs[i].Data, err = r.MarshalBinary(); err != nil {
			return nil, err
		}
	}
	return msgs, err
}

// What a newer kernel says of a route survives a listing and text, and comes
// back to it when the route is deleted.
func TestKernelFuture(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, real := kernel(t)
	before := list(t, real, Filter{})
	for name, c := range conns(t, ns) {
		for words, want := range map[string]string{
			"10.0.0.0/8 via 192.168.1.1 table 10": "10.0.0.0/8 via 192.168.1.1 dev if3 table 10 attribute 60 010203",
			"2001:db8:aa::/48 table 10 nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1": "2001:db8:aa::/48 table 10 metric 1024 attribute 60 010203 " +
				"nexthop via 2001:db8:1::1 dev if3 attribute 60 010203 nexthop via 2001:db8:2::1 dev if5 attribute 60 010203",
		} {
			var deleted []Route
			c := future{c, &deleted}
			add(t, c, words)
			routes, err := List(t.Context(), c, table10)
			if err != nil || len(routes) != 1 {
				t.Fatalf("%s: %v, %v", name, routes, err)
			}
			newer := routes[0]
			if got := newer.Canonical().String(); got != want {
				report.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
			if back := parse(t, newer.String()); !back.Equal(newer) {
				report.Errorf("%s: %s parsed is %s", name, newer, back)
			}
			// Replace tries beforehand whether the kernel keeps it.
			if err := Replace(t.Context(), c, newer); err != nil {
				report.Error(err)
			}
			if err := Delete(t.Context(), c, newer); err != nil {
				report.Error(err)
			}
			if len(deleted) != 2 || !deleted[1].Canonical().Equal(newer.Canonical()) {
				report.Errorf("%s: asked to delete %v", name, deleted)
			}
			if diff := cmp.Diff(before, list(t, real, Filter{})); diff != "" {
				report.Errorf("%s: routes (-before +after):\n%s", name, diff)
			}
		}
	}
}

// A kind of encapsulation that has no struct here is kept as it came: that of
// IPsec, for real, where the kernel has it.
func TestKernelEncapRaw(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	r := Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), OIF: eth0, Table: 10, Protocol: ProtoStatic,
		Encap: EncapRaw{Kind: EncapTypeXFRM, Data: string(attr.AppendU32(nil, uapi.LWT_XFRM_IF_ID, 7))}}
	err := Add(t.Context(), c, r)
	if _, loaded := os.Stat("/sys/module/xfrm_interface"); loaded != nil {
		if !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Errorf("a kernel without it: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	routes, err := List(t.Context(), c, table10)
	if err != nil || len(routes) != 1 || !routes[0].Canonical().Equal(r.Canonical()) {
		t.Fatalf("%v, %v, want %s", routes, err, r)
	}
	if back := parse(t, routes[0].String()); !back.Equal(routes[0]) {
		t.Errorf("%s parsed is %s", routes[0], back)
	}
	if err := Delete(t.Context(), c, routes[0]); err != nil {
		t.Error(err)
	}
	wantList(t, c, table10)
}
