package health_test

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// Echo requests take a group that the kernel allows, and a new namespace allows none.
// Then they say nothing about the way.
func TestEcho(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Install(n.Uplink2(f))
		cut, mend := n.Breakable(f)
		s := startSession(n, health.Probe{Echo: []netip.Addr{netip.MustParseAddr(f.Client)}}, nil, f.A2)
		v := s.await(0, true)
		var cannot *health.Error
		want := "cannot probe: echo " + f.Client + ": permission denied: net.ipv4.ping_group_range has no group of this process"
		if !errors.As(v.Err, &cannot) || !errors.Is(v.Err, fs.ErrPermission) || v.Err.Error() != want {
			t.Errorf("it says %v, want %s", v.Err, want)
		}
		s.moreProbes(6)
		if len(s.all()) > 1 {
			t.Errorf("it is told more than once, or taken for a result:\n%s", s.text())
		}

		n.Server.Sysctl("net.ipv4.ping_group_range", "0 0") // now it can
		if v := s.await(1, true); v.Err != nil {
			t.Errorf("healthy: %v", v.Err)
		}
		from2 := func(p lab.Packet) bool {
			return !p.Out && p.Src.Addr().String() == f.A2 && (p.Proto == 1 || p.Proto == 58)
		}
		if n.G2.Wait(1, from2, tabletest.Patience) == 0 || n.G1.Count(from2) > 0 {
			t.Error("echo requests do not leave by the way of their source")
		}
		cut("g2")
		if v := s.await(2, false); v.Err == nil || v.Err.Error() != "echo "+f.Client+": no answer within 300ms" {
			t.Errorf("unhealthy: %v", v.Err)
		}
		mend("g2")
		s.await(3, true)
	})
}

// A connection goes by the way of its source.
func TestTCP(t *testing.T) {
	t.Parallel()
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Install(n.Uplink2(f))
		cut, mend := n.Breakable(f)
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		s := startSession(n, tcpTo(f, 80), nil, f.A2)
		if v := s.await(0, true); v.Err != nil {
			t.Errorf("healthy: %v", v.Err)
		}
		n.WantRouter(f.A2, 2)
		cut("g1")
		s.moreProbes(6)
		if len(s.all()) > 1 {
			t.Errorf("a failure of another way counts:\n%s", s.text())
		}
		cut("g2")
		want := "tcp " + net.JoinHostPort(f.Client, "80") + ": no answer within 300ms"
		if v := s.await(1, false); v.Err == nil || v.Err.Error() != want {
			t.Errorf("it says %v, want %s", v.Err, want)
		}
		mend("g2")
		s.await(2, true)
	})
}

// Of several targets one is enough.
func TestTargets(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Install(n.Uplink2(tabletest.IPv4))
	tabletest.Serve(t, n.Net, "tcp4", net.JoinHostPort(tabletest.IPv4.Client, "80"))
	probe := tcpTo(tabletest.IPv4, 81) // refused
	s := startSession(n, probe, nil, tabletest.IPv4.A2)
	if v := s.await(0, false); v.Err == nil || v.Err.Error() != "tcp 198.51.100.10:81: connect: connection refused" {
		t.Errorf("it says %v", v.Err)
	}
	s.end()

	probe.TCP = append(probe.TCP, tcpTo(tabletest.IPv4, 80).TCP...)
	probe.Echo = []netip.Addr{netip.MustParseAddr(tabletest.IPv4.Client)} // cannot be made: no group may
	s = startSession(n, probe, nil, tabletest.IPv4.A2)
	s.await(0, true)
	s.moreProbes(10)
	s.end()
	if len(s.all()) > 1 {
		t.Errorf("one of three is not enough:\n%s", s.text())
	}

	// What could not be made does not hide what failed.
	probe.TCP = probe.TCP[:1]
	s = startSession(n, probe, nil, tabletest.IPv4.A2)
	s.await(0, false)
	s.end()

	// Nor is it a failure that the host has no address of a target's family.
	s = startSession(n, probe, nil, tabletest.IPv6.A2)
	var cannot *health.Error
	if v := s.await(0, true); !errors.As(v.Err, &cannot) {
		t.Errorf("without an address it says %v", v.Err)
	}
}

// Descriptors of probes are closed.
func TestLeaks(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Install(n.Uplink2(tabletest.IPv4))
	n.Server.Sysctl("net.ipv4.ping_group_range", "0 0")
	tabletest.Serve(t, n.Net, "tcp4", net.JoinHostPort(tabletest.IPv4.Client, "80"))
	probe := tcpTo(tabletest.IPv4, 80)
	probe.TCP = append(probe.TCP, tcpTo(tabletest.IPv4, 81).TCP...)
	probe.Echo = []netip.Addr{netip.MustParseAddr(tabletest.IPv4.Client), netip.MustParseAddr("203.0.113.1")}
	open := func() int {
		links, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		sockets := 0
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil && (strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "net:")) {
				sockets++
			}
		}
		return sockets
	}
	before, goroutines := open(), runtime.NumGoroutine()
	s := startSession(n, probe, nil, tabletest.IPv4.A2)
	s.moreProbes(200)
	s.end()
	s.until("descriptors are closed", func() bool { return open() <= before })
	s.until("goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
}
