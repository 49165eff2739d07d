package nexthop_test

import (
	"errors"
	"io/fs"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
)

func TestMain(m *testing.M) { lab.Main(m) }

// Without CAP_NET_ADMIN objects can be listed, and neither added nor deleted.
func TestKernelPermission(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := objectLab(t)
	addNextHops(t, c, "id 13 blackhole")
	got := make(chan map[string]error, 1)
	go func() { got <- withoutCapabilities(t, ns) }()
	for verb, err := range <-got {
		switch {
		case verb == "list" && err != nil:
			report.Error(err)
		case verb != "list" && !errors.Is(err, fs.ErrPermission):
			report.Errorf("%s: want fs.ErrPermission: %v", verb, err)
		}
	}
	wantNextHops(t, c, nexthop.Filter{}, "id 13 blackhole")
}

// withoutCapabilities tries the verbs on a thread without capabilities. The
// goroutine stays locked to the thread, which ends with it.
func withoutCapabilities(t *testing.T, ns *lab.NS) map[string]error {
	runtime.LockOSThread()
	c, err := route.Dial(ns.Config())
	if err != nil {
		return map[string]error{"dial": err}
	}
	defer c.Close()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&hdr, &none[0]); err != nil {
		return map[string]error{"capset": err}
	}
	ctx := t.Context()
	_, added := nexthop.Add(ctx, c, nexthop.Object{ID: 9, Blackhole: true})
	_, flushed := nexthop.Flush(ctx, c, nexthop.Filter{})
	_, listed := nexthop.List(ctx, c, nexthop.Filter{})
	return map[string]error{
		"add": added, "replace": nexthop.Replace(ctx, c, nexthop.Object{ID: 13, Blackhole: true}),
		"delete": nexthop.Delete(ctx, c, 13), "flush": flushed, "list": listed,
	}
}
