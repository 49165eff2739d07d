package nexthop_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
)

// needs skips a test on a kernel that is too old for what it is about, and on
// no other.
func needs(t *testing.T, since uapi.Version) {
	t.Helper()
	if v, ok := uapi.Running(); ok && v.Less(since) {
		t.Skipf("Linux %v has it, this is %v", since, v)
	}
}

var (
	nexthops   = uapi.Version{Major: 5, Minor: 3}
	resilience = uapi.Version{Major: 5, Minor: 13}
	weights    = uapi.Version{Major: 6, Minor: 12}
)

// objectLab is a namespace with if3 (192.168.1.6/24, 2001:db8:1::6/64) and if5
// (192.168.2.2/24, 2001:db8:2::2/64), and a socket in it.
func objectLab(t *testing.T) (*lab.NS, *route.Socket) {
	t.Helper()
	needs(t, nexthops)
	l := lab.Test(t)
	ns, far := l.NS("a"), l.NS("b")
	l.Veth(lab.End{NS: ns, Name: "eth0", Index: 3}, lab.End{NS: far, Name: "eth0"})
	l.Veth(lab.End{NS: ns, Name: "eth1", Index: 5}, lab.End{NS: far, Name: "eth1"})
	ns.Addr("eth0", "192.168.1.6/24", "2001:db8:1::6/64")
	ns.Addr("eth1", "192.168.2.2/24", "2001:db8:2::2/64")
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return ns, c
}

// objectConns are the kinds of Conn that the verbs must do the same over.
func objectConns(t *testing.T, ns *lab.NS, c route.Conn) map[string]route.Conn {
	t.Helper()
	conns := map[string]route.Conn{"Socket": c}
	for _, strict := range []bool{true, false} {
		cfg := ns.Config()
		cfg.Strict = strict
		c, err := netlink.Dial(uapi.NETLINK_ROUTE, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conns[fmt.Sprintf("netlink.Conn Strict=%v", strict)] = c
	}
	return conns
}

func addNextHops(t *testing.T, c route.Conn, texts ...string) {
	t.Helper()
	for _, s := range texts {
		n := parseNextHop(t, s)
		if id, err := nexthop.Add(t.Context(), c, n); err != nil || id != n.ID {
			t.Fatalf("%s: %d, %v", s, id, err)
		}
	}
}

func listNextHops(t *testing.T, c route.Conn, f nexthop.Filter) (text []string) {
	t.Helper()
	objects, err := nexthop.List(t.Context(), c, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range objects {
		text = append(text, n.String())
	}
	return text
}

func wantNextHops(t *testing.T, c route.Conn, f nexthop.Filter, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, listNextHops(t, c, f)); diff != "" {
		t.Errorf("%+v (-want +got):\n%s", f, diff)
	}
}

func routeTexts(t *testing.T, c route.Conn, f route.Filter) (text []string) {
	t.Helper()
	routes, err := route.List(t.Context(), c, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		text = append(text, r.Canonical().String())
	}
	return text
}

func TestKernelVerbs(t *testing.T) {
	t.Parallel()
	ns, c := objectLab(t)
	conns := objectConns(t, ns, c)
	for _, name := range slices.Sorted(maps.Keys(conns)) {
		t.Run(name, func(t *testing.T) {
			c, ctx := conns[name], t.Context()
			n := parseNextHop(t, "id 10 via 192.168.2.1 dev if5")
			addNextHops(t, c, n.String())
			wantNextHops(t, c, nexthop.Filter{}, "id 10 via 192.168.2.1 dev if5 scope link")
			if _, err := nexthop.Add(ctx, c, n); !errors.Is(err, fs.ErrExist) {
				t.Errorf("the same again: %v", err)
			}
			if err := nexthop.Replace(ctx, c, parseNextHop(t, "id 10 via 192.168.1.9 dev if3 proto static")); err != nil {
				t.Error(err)
			}
			got, err := nexthop.Get(ctx, c, 10)
			if want := "id 10 via 192.168.1.9 dev if3 scope link proto static"; err != nil || got.String() != want {
				t.Errorf("%s, %v, want %s", got, err, want)
			}
			n.ID = 0
			id, err := nexthop.Add(ctx, c, n)
			if err != nil || id == 0 || id == 10 {
				t.Errorf("chosen: %d, %v", id, err)
			}
			if got, err = nexthop.Get(ctx, c, id); err != nil || got.ID != id || got.OIF != 5 {
				t.Errorf("%s, %v", got, err)
			}
			for _, id := range []uint32{id, 10} {
				if err := nexthop.Delete(ctx, c, id); err != nil {
					t.Error(err)
				}
				if err := nexthop.Delete(ctx, c, id); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("deleted again: %v", err)
				}
			}
			if _, err := nexthop.Get(ctx, c, 10); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("get: %v", err)
			}
			wantNextHops(t, c, nexthop.Filter{})
		})
	}
}

// Every kind of object is listed as Canonical says, and can be added again as
// it was listed.
func TestKernelAgain(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := objectLab(t)
	texts := []string{
		"id 10 via 192.168.2.1 dev if5", "id 11 via 192.168.1.1 dev if3 proto static onlink",
		"id 12 dev if5", "id 13 blackhole", "-6 id 14 blackhole", "id 15 via 2001:db8:1::1 dev if3",
		"-6 id 16 dev if3 proto 99", "id 19 via 198.51.100.1 dev if5 onlink", "id 100 group 10/11",
		"id 101 group 10,20/11,256 proto static",
	}
	for _, optional := range []struct {
		since uapi.Version
		texts []string
	}{
		{uapi.NHA_FDB.Since(), []string{"id 17 via 192.168.2.9 fdb", "id 18 via 2001:db8:1::9 fdb", "id 103 group 17 fdb"}},
		{resilience, []string{"id 104 group 10,3/11,2 type resilient buckets 32 idle_timer 60 unbalanced_timer 300",
			"id 105 group 12 type resilient buckets 8"}},
		{weights, []string{"id 106 group 10,65535/11,257"}},
	} {
		if v, ok := uapi.Running(); !ok || !v.Less(optional.since) {
			texts = append(texts, optional.texts...)
		}
	}
	addNextHops(t, c, texts...)
	var listed []nexthop.Object
	for _, s := range texts {
		n := parseNextHop(t, s)
		got, err := nexthop.Get(t.Context(), c, n.ID)
		if err != nil || !got.Canonical().Equal(n.Canonical()) {
			report.Errorf("%s is %s, %v", s, got, err)
		}
		if back, err := nexthop.Parse(got.String(), nil); err != nil || !back.Equal(got) {
			report.Errorf("%s is %s, %v", got, back, err)
		}
		listed = append(listed, got)
	}
	before := listNextHops(t, c, nexthop.Filter{})
	for i, n := range listed {
		if err := nexthop.Replace(t.Context(), c, n); err != nil {
			report.Errorf("%s: %v", texts[i], err)
		}
	}
	if diff := cmp.Diff(before, listNextHops(t, c, nexthop.Filter{})); diff != "" {
		report.Errorf("after replacement by the same (-want +got):\n%s", diff)
	}
	if n, err := nexthop.Flush(t.Context(), c, nexthop.Filter{}); err != nil || n != len(texts) {
		report.Errorf("flushed %d of %d, %v", n, len(texts), err)
	}
	for _, n := range listed {
		if _, err := nexthop.Add(t.Context(), c, n); err != nil {
			report.Error(err)
		}
	}
	if diff := cmp.Diff(before, listNextHops(t, c, nexthop.Filter{})); diff != "" {
		report.Errorf("added as listed (-want +got):\n%s", diff)
	}
}

// An encapsulation is kept in Unknown, and written with the flag that the
// kernel wants and does not report.
func TestKernelEncap(t *testing.T) {
	t.Parallel()
	_, c := objectLab(t)
	if !littleEndian {
		t.Log("the payload is of a little-endian machine")
		return
	}
	n := parseNextHop(t, "id 20 via 192.168.2.1 dev if5 attribute 7 0200 attribute 8 "+encap)
	if _, err := nexthop.Add(t.Context(), c, n); errors.Is(err, syscall.EOPNOTSUPP) {
		t.Logf("a kernel without CONFIG_LWTUNNEL: %v", err)
		return
	} else if err != nil {
		t.Fatal(err)
	}
	n, err := nexthop.Get(t.Context(), c, 20)
	want := "id 20 via 192.168.2.1 dev if5 scope link attribute 8 " + encap + " attribute 7 0200"
	if err != nil || n.String() != want {
		t.Fatalf("%s, %v", n, err)
	}
	if err := nexthop.Replace(t.Context(), c, n); err != nil {
		t.Error(err)
	}
}

func TestKernelFilter(t *testing.T) {
	t.Parallel()
	ns, c := objectLab(t)
	needs(t, uapi.NHA_FDB.Since())
	ns.Bridge("br0", "eth1")
	addNextHops(t, c, "id 1 via 192.168.1.1 dev if3 proto static", "id 2 via 2001:db8:2::1 dev if5", "id 3 blackhole",
		"id 4 via 192.168.1.9 fdb", "id 5 group 1", "id 6 group 4 fdb proto 99")
	const (
		h1, h2, h3 = "id 1 via 192.168.1.1 dev if3 scope link proto static", "id 2 via 2001:db8:2::1 dev if5 scope link",
			"id 3 blackhole"
		h4, g5, g6 = "id 4 via 192.168.1.9 scope link fdb", "id 5 group 1", "id 6 group 4 proto 99 fdb"
	)
	for name, c := range objectConns(t, ns, c) {
		t.Run(name, func(t *testing.T) {
			wantNextHops(t, c, nexthop.Filter{}, h1, h2, h3, h4, g5, g6)
			wantNextHops(t, c, nexthop.Filter{Family: route.IPv4}, h1, h3, h4)
			wantNextHops(t, c, nexthop.Filter{Family: route.IPv6}, h2)
			wantNextHops(t, c, nexthop.Filter{OIF: 5}, h2)
			wantNextHops(t, c, nexthop.Filter{Master: ns.Index("br0")}, h2)
			wantNextHops(t, c, nexthop.Filter{Groups: true}, g5, g6)
			wantNextHops(t, c, nexthop.Filter{Groups: true, FDB: true}, g6)
			wantNextHops(t, c, nexthop.Filter{FDB: true}, h4, g6)
			wantNextHops(t, c, nexthop.Filter{Protocol: route.ProtoStatic}, h1)
			wantNextHops(t, c, nexthop.Filter{OIF: 99})
		})
	}
	for n, err := range nexthop.All(t.Context(), c, nexthop.Filter{}) {
		if err != nil || n.ID != 1 {
			t.Errorf("%s, %v", n, err)
		}
		break
	}
	if n, err := nexthop.Flush(t.Context(), c, nexthop.Filter{OIF: 3}); err != nil || n != 1 {
		t.Errorf("flushed %d, %v", n, err)
	}
	wantNextHops(t, c, nexthop.Filter{}, h2, h3, h4, g6) // the group went with its member
}

// What the kernel refuses is an error with its words, and the attribute.
func TestKernelError(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := objectLab(t)
	addNextHops(t, c, "id 10 via 192.168.2.1 dev if5", "id 13 blackhole", "id 100 group 10")
	for _, tt := range []struct {
		verb, text string
		errno      syscall.Errno
		attr       string
	}{
		{"add", "id 30 via 192.168.9.9 dev if5", syscall.ENETUNREACH, ""},
		{"add", "id 30 dev if9", syscall.EINVAL, ""},
		{"add", "id 30 group 10/13", syscall.EINVAL, ""},
		{"add", "id 30 group 10/100", syscall.EINVAL, ""},
		{"add", "id 30 group 9", syscall.EINVAL, ""},
		{"add", "id 30 blackhole attribute 99 00", syscall.EINVAL, " (NHA_99)"},
		{"add", "dev if9", syscall.EINVAL, ""},
		{"replace", "blackhole", syscall.EINVAL, ""},
		{"replace", "id 10 group 13", syscall.EINVAL, ""},
	} {
		var err error
		if n := parseNextHop(t, tt.text); tt.verb == "add" {
			_, err = nexthop.Add(t.Context(), c, n)
		} else {
			err = nexthop.Replace(t.Context(), c, n)
		}
		// The kernel's words, which end the text, differ from version to version.
		prefix := fmt.Sprintf("nexthop: %s %q: %v: ", tt.verb, tt.text, tt.errno)
		var op *netlink.OpError
		if !errors.Is(err, tt.errno) || !errors.As(err, &op) || op.Message == "" ||
			err.Error() != prefix+op.Message+tt.attr {
			report.Errorf("%v, want %s", err, prefix)
		}
	}
	var op *netlink.OpError
	_, err := nexthop.Get(t.Context(), c, 99)
	if want := `nexthop: get "id 99": no such file or directory`; err == nil || err.Error() != want || !errors.As(err, &op) {
		report.Errorf("%v, want %s", err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, addErr := nexthop.Add(ctx, c, nexthop.Object{ID: 50, Blackhole: true})
	_, getErr := nexthop.Get(ctx, c, 10)
	_, listErr := nexthop.List(ctx, c, nexthop.Filter{})
	_, bucketErr := nexthop.ListBuckets(ctx, c, nexthop.BucketFilter{})
	_, flushErr := nexthop.Flush(ctx, c, nexthop.Filter{})
	for i, err := range []error{addErr, getErr, listErr, bucketErr, flushErr, nexthop.Delete(ctx, c, 10)} {
		if !errors.Is(err, context.Canceled) {
			report.Errorf("%d: %v", i, err)
		}
	}
	wantNextHops(t, c, nexthop.Filter{}, "id 10 via 192.168.2.1 dev if5 scope link", "id 13 blackhole", "id 100 group 10")
}
