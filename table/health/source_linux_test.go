package health_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A probe that cannot be sent because its address is gone, or the interface of the address
// is down, says nothing about the way: neither one that begins then nor one under way.
func TestSourceGoes(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Server.Sysctl("net.ipv6.conf.u2.keep_addr_on_down", "1")
		n.Server.Sysctl("net.ipv4.ping_group_range", "0 0")
		u := n.Uplink2(f)
		u.Unreachable = true
		n.Install(u)
		prefix := f.A2 + map[tabletest.Family]string{tabletest.IPv4: "/24", tabletest.IPv6: "/64"}[f]
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		probe := tcpTo(f, 80)
		probe.Failures, probe.Successes = 1, 1
		probe.Echo = []netip.Addr{netip.MustParseAddr(f.Client)}
		s := startSession(n, probe, nil, f.A2)
		s.await(0, true)
		// saysOnce checks that the verdict stays, and why no probe is sent is said once.
		saysOnce := func(s *session, number int, why string) {
			t.Helper()
			v := s.await(number, true)
			var cannot *health.Error
			if !errors.As(v.Err, &cannot) || !strings.HasSuffix(v.Err.Error(), "from "+f.A2+": "+why) {
				t.Errorf("it says %v, want %q", v.Err, why)
			}
			s.moreProbes(5)
			if len(s.all()) > number+1 {
				t.Errorf("it says more:\n%s", s.text())
			}
		}
		n.Server.DelAddr("u2", prefix)
		saysOnce(s, 1, "cannot assign requested address")
		s.end()
		n.Server.Addr("u2", prefix)
		n.Install(u)

		// The control: a way that leads nowhere is unhealthy at the first failure.
		nowhere := probe
		nowhere.TCP, nowhere.Echo = tcpTo(f, 81).TCP, nil
		s = startSession(n, nowhere, nil, f.A2)
		s.await(0, false)
		s.end()

		// It goes during the probe, before a connection is opened.
		nowhere.TCP = nil
		gone := false
		nowhere.Func = func(ctx context.Context, _ netip.Addr, dial health.DialFunc) error {
			if !gone {
				gone = true
				n.Server.DelAddr("u2", prefix)
			}
			_, err := dial(ctx, "tcp", net.JoinHostPort(f.Client, "80"))
			return err
		}
		s = startSession(n, nowhere, nil, f.A2)
		saysOnce(s, 0, "cannot assign requested address")
		s.end()
		n.Server.Addr("u2", prefix)
		n.Install(u)

		s = startSession(n, probe, nil, f.A2)
		s.await(0, true)
		n.Server.Down("u2")
		saysOnce(s, 1, map[tabletest.Family]string{
			tabletest.IPv4: "the interface of the address is down", tabletest.IPv6: "cannot assign requested address",
		}[f])
	})
}

// Another process has all ports. So no connection can be opened, which says nothing about the
// way.
func TestNoPorts(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Install(n.Uplink2(f))
		n.Server.Sysctl("net.ipv4.ip_local_port_range", "40000 40001")
		probe := tcpTo(f, 81) // refused
		probe.Failures, probe.Successes = 1, 1
		s := startSession(n, probe, nil, f.A2)
		s.await(0, false)
		s.end()
		for _, port := range []string{"40000", "40001"} {
			l, err := n.Server.Listen("tcp", ":"+port)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
		}
		s = startSession(n, probe, nil, f.A2)
		var cannot *health.Error
		if v := s.await(0, true); !errors.As(v.Err, &cannot) || !errors.Is(v.Err, syscall.EADDRINUSE) {
			t.Errorf("it says %v, want that the address is in use", v.Err)
		}
		s.moreProbes(5)
		if len(s.all()) > 1 {
			t.Errorf("it says more:\n%s", s.text())
		}
		s.end()
	})
}
