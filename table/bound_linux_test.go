package table_test

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// What the overview says about sockets that are bound to an interface, which takes no
// privilege: their packets leave by that interface, whatever source they have. Unreachable
// keeps those of IPv6 back. For IPv4 Linux takes the destination to be on the link, and
// this network answers for it.
func TestBoundToInterface(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		for _, unreachable := range []bool{false, true} {
			u := n.Uplink2(f)
			u.Unreachable = unreachable
			n.Install(u)
			n.G1.Reset()
			refused := unreachable && f == tabletest.IPv6
			d := net.Dialer{
				LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(f.A2), 0)),
				Control:   bindTo("u1"),
			}
			c, err := n.Server.DialWith(t.Context(), d, "udp", net.JoinHostPort(f.Client, "9"))
			if refused {
				if !errors.Is(err, unix.ENETUNREACH) {
					t.Errorf("IPv6 with Unreachable: %v, want that the network is unreachable", err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			from := func(p lab.Packet) bool { return !p.Out && p.Proto == unix.IPPROTO_UDP && p.Src.Addr().String() == f.A2 }
			if n.G1.Wait(1, from, tabletest.Patience) == 0 {
				t.Errorf("unreachable %v: no packet left by the interface", unreachable)
			}
		}
	})
}

// bindTo binds sockets to an interface.
func bindTo(dev string) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		outer := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), dev) })
		return errors.Join(outer, err)
	}
}
