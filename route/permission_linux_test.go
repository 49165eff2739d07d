//go:build linux

package route

import (
	"errors"
	"io/fs"
	"net/netip"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
)

// Without CAP_NET_ADMIN routes can be listed, and neither added nor deleted.
func TestKernelPermission(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	add(t, c, "10.0.0.0/8 via 192.168.1.1 table 10")
	want := list(t, c, table10)
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
	wantList(t, c, table10, want...)
}

// withoutCapabilities tries the verbs on a thread that has none, and that ends
// with the goroutine, since it stays locked to it.
func withoutCapabilities(t *testing.T, ns *lab.NS) map[string]error {
	runtime.LockOSThread()
	c, err := Dial(ns.Config())
	if err != nil {
		return map[string]error{"dial": err}
	}
	defer c.Close()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&hdr, &none[0]); err != nil {
		return map[string]error{"capset": err}
	}
	r := Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Gateway: gateways[IPv4][1], Table: 10}
	verified := Route{Dst: netip.MustParsePrefix("10.1.0.0/16"), Gateway: netip.MustParseAddr("fe80::9"), OIF: eth0, Table: 10}
	return map[string]error{
		"add": Add(t.Context(), c, r), "add by another family": Add(t.Context(), c, verified),
		"replace": Replace(t.Context(), c, r), "append": Append(t.Context(), c, r), "prepend": Prepend(t.Context(), c, r),
		"change": Change(t.Context(), c, r), "delete": Delete(t.Context(), c, Route{Dst: r.Dst, Table: 10}),
		"list": errOf(List(t.Context(), c, Filter{})),
	}
}
