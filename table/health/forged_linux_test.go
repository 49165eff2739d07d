package health_test

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// An echo reply counts if it has the random data of the request, which only those can know
// who have seen the request.
func TestForgedEcho(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Server.Sysctl("net.ipv4.ping_group_range", "0 0")
		n.Net.Sysctl("net.ipv4.icmp_echo_ignore_all", "1")
		n.Net.Sysctl("net.ipv6.icmp.echo_ignore_all", "1")
		n.Install(n.Uplink2(f))
		var honest atomic.Bool
		answerEcho(t, n, f, func(reply []byte) {
			if !honest.Load() {
				reply[len(reply)-1] ^= 1
			}
		})
		probe := health.Probe{Echo: []netip.Addr{netip.MustParseAddr(f.Client)}, Failures: 1, Successes: 1}
		s := startSession(n, probe, nil, f.A2)
		s.await(0, false)
		honest.Store(true) // the control
		s.await(1, true)
	})
}

// answerEcho answers echo requests to the client with replies that change has changed.
func answerEcho(t *testing.T, n *tabletest.Network, f tabletest.Family, change func(reply []byte)) {
	network, request, reply := "ip4:icmp", byte(8), byte(0)
	if netip.MustParseAddr(f.Client).Is6() {
		network, request, reply = "ip6:ipv6-icmp", 128, 129
	}
	c, err := n.Net.ListenPacket(network, f.Client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			k, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if k < 8 || b[0] != request {
				continue
			}
			b[0] = reply
			change(b[:k])
			if reply == 0 { // in IPv6 the kernel does that
				binary.BigEndian.PutUint16(b[2:], 0)
				binary.BigEndian.PutUint16(b[2:], checksum(b[:k]))
			}
			c.WriteTo(b[:k], from)
		}
	}()
}

// checksum returns the checksum of an ICMP message of an even length.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
