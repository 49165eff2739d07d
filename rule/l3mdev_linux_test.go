//go:build linux

package rule

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A vrfCase is a family of TestKernelL3MDev.
type vrfCase struct {
	network             string
	gateway, other, far netip.Addr // of the VRF, of the rest, and a host beyond
	rule, kernels       string     // ours, and the kernel's own
}

var vrfCases = []vrfCase{
	{"udp4", netip.MustParseAddr("192.168.2.1"), netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("203.0.113.5"),
		"pref 50 l3mdev", "pref 1000 l3mdev proto kernel"},
	{"udp6", netip.MustParseAddr("2001:db8:2::1"), netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("2001:db8:ff::5"),
		"-6 pref 50 l3mdev", "-6 pref 1000 l3mdev proto kernel"},
}

// vrfTable is the table of the VRF.
const vrfTable rttables.ID = 100

// A rule with l3mdev sends packets of a VRF to its table: the kernel's answers
// and a packet on the wire say so. Without a VRF it sends none anywhere.
func TestKernelL3MDev(t *testing.T) {
	t.Parallel()
	l := lab.Test(t)
	ns, far := l.NS("a"), l.NS("b")
	ns.Link("eth0", far, "eth0")
	ns.Link("eth1", far, "eth1")
	far.Addr("eth1", "192.168.2.1/24", "2001:db8:2::1/64")
	ns.Addr("eth0", "192.168.1.6/24", "2001:db8:1::6/64")
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, tt := range vrfCases {
		addRoute(t, c, route.Route{Gateway: tt.other})
	}
	err = ns.VRF("vrf0", uint32(vrfTable), "eth1")
	if _, loaded := os.Stat("/sys/module/vrf"); errors.Is(err, syscall.EOPNOTSUPP) && loaded != nil {
		t.Logf("a kernel without VRFs: %v", err)
		for _, tt := range vrfCases {
			add(t, c, tt.rule)
			wantTable(t, c, route.Query{Dst: tt.far}, rttables.Main)
			wantTable(t, c, route.Query{Dst: tt.far, OIF: ns.Index("eth0")}, rttables.Main)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	ns.Addr("eth1", "192.168.2.2/24", "2001:db8:2::2/64") // its routes are in the VRF's table
	tap := far.Tap("eth1")
	for _, tt := range vrfCases {
		tt.test(t, ns, c, tap)
	}
}

func (tt *vrfCase) test(t *testing.T, ns *lab.NS, c route.Conn, tap *lab.Tap) {
	t.Helper()
	addRoute(t, c, route.Route{Gateway: tt.gateway, OIF: ns.Index("eth1"), Table: vrfTable})
	inVRF := route.Query{Dst: tt.far, OIF: ns.Index("vrf0")}
	// The kernel has added a rule of its own with the VRF, which goes like any other.
	wantTable(t, c, inVRF, vrfTable)
	if err := Delete(t.Context(), c, parse(t, tt.kernels)); err != nil {
		t.Fatal(err)
	}
	if r, err := route.Lookup(t.Context(), c, inVRF); err == nil && r.Table == vrfTable {
		t.Errorf("without the rule: %s", r)
	}
	add(t, c, tt.rule)
	wantTable(t, c, inVRF, vrfTable)
	wantTable(t, c, route.Query{Dst: tt.far}, rttables.Main)

	// A packet of a socket in the VRF leaves by the VRF's gateway.
	sendIn(t, ns, "vrf0", tt.network, netip.AddrPortFrom(tt.far, 9))
	sent := func(p lab.Packet) bool { return !p.Out && p.Proto == unix.IPPROTO_UDP && p.Dst.Addr() == tt.far }
	if tap.Wait(1, sent, 10*time.Second) != 1 {
		t.Errorf("no packet to %s by the VRF's gateway: %v", tt.far, tap.Packets())
	}
	if err := Delete(t.Context(), c, parse(t, tt.rule)); err != nil {
		t.Error(err)
	}
}

func addRoute(t *testing.T, c route.Conn, r route.Route) {
	t.Helper()
	if err := route.Add(t.Context(), c, r); err != nil {
		t.Fatal(err)
	}
}

// wantTable fails unless the packet's route is found in a table.
func wantTable(t *testing.T, c route.Conn, q route.Query, want rttables.ID) {
	t.Helper()
	r, err := route.Lookup(t.Context(), c, q)
	if err != nil || r.Table != want {
		t.Errorf("%s: %s, %v, want table %d", q, r, err, want)
	}
}

// sendIn sends a packet from a socket that belongs to a VRF.
func sendIn(t *testing.T, ns *lab.NS, vrf, network string, to netip.AddrPort) {
	t.Helper()
	err := ns.Do(func() error {
		d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
			closed := raw.Control(func(fd uintptr) {
				err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, vrf)
			})
			return errors.Join(closed, err)
		}}
		conn, err := d.DialContext(t.Context(), network, to.String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte("hello"))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
