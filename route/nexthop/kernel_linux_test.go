package nexthop_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
)

// Routes name objects of every kind, are listed, sent back and deleted just as
// they were listed, and move together when the object is replaced.
func TestKernelRoutes(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := objectLab(t)
	addNextHops(t, c, "id 10 via 192.168.2.1 dev if5", "id 11 via 192.168.1.1 dev if3", "id 13 blackhole",
		"id 15 via 2001:db8:1::1 dev if3", "-6 id 16 blackhole", "id 100 group 10,2/11")
	want := []string{
		"10.1.0.0/16 nhid 10 table 10 proto static", "10.2.0.0/16 nhid 100 table 10 proto static",
		"10.4.0.0/16 nhid 10 table 10 proto static", "2001:db8:5::/48 nhid 15 table 10 proto static metric 1024",
	}
	for _, s := range want {
		r, err := route.Parse(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := route.Add(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
	table := route.Filter{Table: 10}
	if diff := cmp.Diff(want, routeTexts(t, c, table)); diff != "" {
		report.Errorf("routes (-want +got):\n%s", diff)
	}
	if err := nexthop.Replace(t.Context(), c, parseNextHop(t, "id 10 via 192.168.1.7 dev if3")); err != nil {
		t.Fatal(err)
	}
	routes, err := route.List(t.Context(), c, table)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 2} {
		if r := routes[i]; r.Gateway != netip.MustParseAddr("192.168.1.7") || r.OIF != 3 {
			report.Errorf("after its object was replaced: %s", r)
		}
	}
	for i, r := range routes {
		if err := route.Replace(t.Context(), c, r); err != nil {
			report.Errorf("%s again: %v", r, err)
		}
		if err := route.Delete(t.Context(), c, r); err != nil {
			report.Errorf("delete %s: %v", r, err)
		}
		if diff := cmp.Diff(want[i+1:], routeTexts(t, c, table), cmp.Transformer("", slices.Clone[[]string])); diff != "" && i+1 < len(want) {
			report.Errorf("deleted %s (-want +got):\n%s", r, diff)
		}
		if err := route.Add(t.Context(), c, r); err != nil {
			report.Errorf("add %s: %v", r, err)
		}
		if err := route.Delete(t.Context(), c, r); err != nil {
			report.Errorf("delete %s: %v", r, err)
		}
	}
	if left := routeTexts(t, c, table); left != nil {
		report.Errorf("left: %v", left)
	}
}

// Deleting an object deletes its routes: those of IPv4 without an event.
func TestKernelDeleteRoutes(t *testing.T) {
	t.Parallel()
	ns, c := objectLab(t)
	addNextHops(t, c, "id 10 via 192.168.2.1 dev if5", "id 11 via 192.168.1.1 dev if3",
		"id 15 via 2001:db8:1::1 dev if3", "id 100 group 10/11", "id 101 group 10")
	for _, s := range []string{"10.1.0.0/16 nhid 10 table 10", "10.2.0.0/16 nhid 100 table 10",
		"10.3.0.0/16 nhid 101 table 10", "2001:db8:5::/48 nhid 15 table 10"} {
		r, err := route.Parse(s, nil)
		if err == nil {
			err = route.Add(t.Context(), c, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cfg := ns.Config()
	cfg.Groups = 1<<(uapi.RTNLGRP_IPV4_ROUTE-1) | 1<<(uapi.RTNLGRP_IPV6_ROUTE-1)
	events, err := netlink.Dial(uapi.NETLINK_ROUTE, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	for _, id := range []uint32{10, 15} {
		if err := nexthop.Delete(t.Context(), c, id); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"10.2.0.0/16 nhid 100 table 10"}, routeTexts(t, c, route.Filter{Table: 10})); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	wantNextHops(t, c, nexthop.Filter{Groups: true}, "id 100 group 11")
	want := []string{"2001:db8:5::/48 nhid 15 via 2001:db8:1::1 dev if3 table 10 metric 1024 pref medium"}
	if diff := cmp.Diff(want, eventTexts(t, events)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// eventTexts are the route messages that wait in a socket.
func eventTexts(t *testing.T, c *netlink.Conn) (text []string) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for {
		msgs, err := c.Receive()
		if err != nil {
			return text
		}
		for _, m := range msgs {
			var r route.Route
			if err := r.UnmarshalBinary(m.Data); err != nil {
				t.Error(err)
			}
			text = append(text, r.String())
		}
	}
}

// Objects go with the carrier of their interface, their routes with them, and
// no event says so. A route that has no object stays, as linkdown.
func TestKernelCarrier(t *testing.T) {
	t.Parallel()
	needs(t, nexthops)
	l := lab.Test(t)
	ns, far := l.NS("a"), l.NS("b")
	l.Veth(lab.End{NS: ns, Name: "eth1", Index: 5}, lab.End{NS: far, Name: "eth1"})
	ns.Addr("eth1", "192.168.2.2/24", "2001:db8:2::2/64")
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	addNextHops(t, c, "id 10 via 192.168.2.1 dev if5", "id 15 via 2001:db8:2::1 dev if5", "id 13 blackhole",
		"id 100 group 10")
	for _, s := range []string{"10.1.0.0/16 nhid 10 table 10", "10.2.0.0/16 nhid 100 table 10",
		"10.3.0.0/16 via 192.168.2.1 dev if5 table 10"} {
		r, err := route.Parse(s, nil)
		if err == nil {
			err = route.Add(t.Context(), c, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cfg := ns.Config()
	cfg.Groups = 1<<(uapi.RTNLGRP_NEXTHOP-1) | 1<<(uapi.RTNLGRP_IPV4_ROUTE-1)
	events, err := netlink.Dial(uapi.NETLINK_ROUTE, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	far.Down("eth1")
	// The kernel looks at the carrier some milliseconds later.
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if len(listNextHops(t, c, nexthop.Filter{})) == 1 {
			break
		}
	}
	wantNextHops(t, c, nexthop.Filter{}, "id 13 blackhole")
	want := []string{"10.3.0.0/16 via 192.168.2.1 dev if5 table 10"}
	if diff := cmp.Diff(want, routeTexts(t, c, route.Filter{Table: 10})); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if got := eventTexts(t, events); got != nil {
		t.Errorf("events: %v", got)
	}
	far.Up("eth1")
	ns.Up("eth1")
	wantNextHops(t, c, nexthop.Filter{}, "id 13 blackhole")
}

func TestKernelBuckets(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := objectLab(t)
	needs(t, resilience)
	addNextHops(t, c, "id 10 via 192.168.2.1 dev if5", "id 11 via 192.168.1.1 dev if3", "id 12 group 10",
		"id 100 group 10,3/11 type resilient buckets 8", "id 101 group 11 type resilient buckets 4 idle_timer 5")
	const timers = " idle_timer 120 unbalanced_timer 0"
	wantNextHops(t, c, nexthop.Filter{Groups: true}, "id 12 group 10",
		"id 100 group 10,3/11 type resilient buckets 8"+timers, "id 101 group 11 type resilient buckets 4 idle_timer 5 unbalanced_timer 0")
	for name, c := range objectConns(t, ns, c) {
		for _, tt := range []struct {
			f    nexthop.BucketFilter
			want map[uint32][]uint32 // group: the members by index
		}{
			{nexthop.BucketFilter{}, map[uint32][]uint32{100: {11, 11, 10, 10, 10, 10, 10, 10}, 101: {11, 11, 11, 11}}},
			{nexthop.BucketFilter{Group: 101}, map[uint32][]uint32{101: {11, 11, 11, 11}}},
			{nexthop.BucketFilter{NextHop: 11}, map[uint32][]uint32{100: {11, 11}, 101: {11, 11, 11, 11}}},
			{nexthop.BucketFilter{Group: 100, NextHop: 11}, map[uint32][]uint32{100: {11, 11}}},
			{nexthop.BucketFilter{OIF: 5}, map[uint32][]uint32{100: {10, 10, 10, 10, 10, 10}}},
			{nexthop.BucketFilter{OIF: 9}, nil},
			{nexthop.BucketFilter{Master: 5}, nil},
		} {
			var got map[uint32][]uint32
			for b, err := range nexthop.AllBuckets(t.Context(), c, tt.f) {
				if err != nil {
					t.Fatal(err)
				}
				if b.IdleTime < 0 || b.IdleTime > time.Minute {
					report.Errorf("%s", b)
				}
				if got == nil {
					got = map[uint32][]uint32{}
				}
				got[b.Group] = append(got[b.Group], b.NextHop)
			}
			for _, members := range got {
				slices.Sort(members)
				slices.Reverse(members)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				report.Errorf("%s %+v (-want +got):\n%s", name, tt.f, diff)
			}
		}
	}
}

func TestKernelResilientGroup(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := objectLab(t)
	needs(t, resilience)
	addNextHops(t, c, "id 10 via 192.168.2.1 dev if5", "id 11 via 192.168.1.1 dev if3", "id 12 group 10",
		"id 101 group 11 type resilient buckets 4 idle_timer 5")
	_, err := nexthop.ListBuckets(t.Context(), c, nexthop.BucketFilter{Group: 99})
	if !errors.Is(err, fs.ErrNotExist) {
		report.Errorf("no such group: %v", err)
	}
	_, err = nexthop.ListBuckets(t.Context(), c, nexthop.BucketFilter{Group: 12})
	if !errors.Is(err, syscall.EINVAL) || !strings.HasSuffix(err.Error(), "Nexthop group not of type resilient") {
		report.Errorf("another group: %v", err)
	}
	// A replacement that does not say them leaves the timers and the buckets.
	if err := nexthop.Replace(t.Context(), c, parseNextHop(t, "id 101 group 10/11 type resilient")); err != nil {
		report.Error(err)
	}
	n, err := nexthop.Get(t.Context(), c, 101)
	if err != nil || n.Resilient.Buckets != 4 || n.Resilient.IdleTimer != route.Some(5*time.Second) {
		report.Errorf("%s, %v", n, err)
	}
	if _, err := nexthop.Add(t.Context(), c, parseNextHop(t, "id 102 group 10 type resilient")); !errors.Is(err, syscall.EINVAL) {
		report.Errorf("no buckets: %v", err)
	}
	// The longest timer that every kernel keeps. A longer one it would cut.
	n = parseNextHop(t, "id 102 group 10 type resilient buckets 1 unbalanced_timer 4294967")
	if _, err := nexthop.Add(t.Context(), c, n); err != nil {
		report.Error(err)
	}
	if got, err := nexthop.Get(t.Context(), c, 102); err != nil || !got.Canonical().Equal(n.Canonical()) {
		report.Errorf("%s, %v", got, err)
	}
	for _, words := range []string{"idle_timer", "unbalanced_timer"} {
		n := parseNextHop(t, "id 103 group 10 type resilient buckets 1 "+words+" 4294968")
		if _, err := nexthop.Add(t.Context(), c, n); err == nil || !strings.HasSuffix(err.Error(), "is longer than 1193h2m47s") {
			report.Errorf("%v", err)
		}
	}
}

// A weight above 256 is kept, or refused where the kernel does not know it: some
// of those say so, and some make it 1. 65536, which a weight of zero is on the
// wire, is refused by all.
func TestKernelWeights(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := objectLab(t)
	addNextHops(t, c, "id 10 via 192.168.2.1 dev if5", "id 11 via 192.168.2.9 dev if5", "id 200 group 10,3/11")
	want := listNextHops(t, c, nexthop.Filter{})
	v, ok := uapi.Running()
	for _, s := range []string{"id 100 group 10,256", "id 101 group 10,257", "id 102 group 10,65535", "id 200 group 10/11,300"} {
		n := parseNextHop(t, s)
		var err error
		if n.ID == 200 {
			err = nexthop.Replace(t.Context(), c, n)
		} else {
			_, err = nexthop.Add(t.Context(), c, n)
		}
		if s != "id 100 group 10,256" && ok && v.Less(weights) {
			t.Logf("Linux %s: %v", v, err)
			if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
				report.Errorf("%s: %v", s, err)
			}
			continue
		}
		if err != nil {
			report.Error(err)
		}
		if n.ID == 200 {
			want[2] = s
		} else {
			want = append(want, s)
		}
	}
	slices.Sort(want[2:]) // the groups, by number
	wantNextHops(t, c, nexthop.Filter{}, want...)
	n := nexthop.Object{ID: 103, Group: []nexthop.Member{{ID: 10}}}
	b, err := n.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Execute(netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_NEWNEXTHOP, Flags: netlink.Request | netlink.Acknowledge | netlink.Create},
		Data:   b,
	})
	if !errors.Is(err, syscall.EINVAL) {
		report.Errorf("weight 65536: %v", err)
	}
	if _, err := nexthop.Add(t.Context(), c, n); err != nil {
		report.Error(err)
	}
}

// A listing goes on while its loop deletes and adds.
func TestKernelLoop(t *testing.T) {
	t.Parallel()
	_, c := objectLab(t)
	const n = 2000 // more than one datagram
	for id := uint32(1); id <= n; id++ {
		if _, err := nexthop.Add(t.Context(), c, nexthop.Object{ID: id, Blackhole: true}); err != nil {
			t.Fatal(err)
		}
	}
	seen := uint32(0)
	for o, err := range nexthop.All(t.Context(), c, nexthop.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; o.ID != seen {
			t.Fatalf("%s after %d", o, seen-1)
		}
		if err := nexthop.Delete(t.Context(), c, o.ID); err != nil {
			t.Fatal(err)
		}
	}
	if seen != n {
		t.Errorf("%d of %d", seen, n)
	}
	wantNextHops(t, c, nexthop.Filter{})
}

// A reply without NHA_OP_FLAG_RESP_GRP_RESVD_0 has anything in the upper halves
// of its weights.
func TestOldWeights(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	b := make([]byte, uapi.SizeofNhmsg)
	b = attr.AppendU32(b, uapi.NHA_ID, 100)
	b = attr.Append(b, uint16(uapi.NHA_GROUP), append(binary.NativeEndian.AppendUint32(nil, 10), 2, 0xaa, 0xbb, 0xcc))
	for _, tt := range []struct {
		flags uint32
		want  string
	}{{0, "id 100 group 10,3"}, {uapi.NHA_OP_FLAG_RESP_GRP_RESVD_0, "id 100 group 10,43523"}} {
		c := replier{netlink.Message{
			Header: netlink.Header{Type: uapi.RTM_NEWNEXTHOP},
			Data:   attr.AppendU32(slices.Clone(b), uapi.NHA_OP_FLAGS, tt.flags),
		}}
		if n, err := nexthop.Get(t.Context(), c, 100); err != nil || n.String() != tt.want {
			report.Errorf("%s, %v, want %s", n, err, tt.want)
		}
		wantNextHops(t, c, nexthop.Filter{}, tt.want)
	}
	// A Conn that replies with nothing.
	if _, err := nexthop.Get(t.Context(), replier{}, 100); err == nil {
		report.Error("no error")
	}
	if _, err := nexthop.Add(t.Context(), replier{}, nexthop.Object{Blackhole: true}); err == nil {
		report.Error("no error")
	}
}

// A replier is a Conn with one reply to everything.
type replier []netlink.Message

func (r replier) Execute(netlink.Message) ([]netlink.Message, error) { return r, nil }
