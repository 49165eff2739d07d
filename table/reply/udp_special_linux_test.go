package reply_test

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/reply"
)

// While the policy changes, no answer is wrong; while it comes and goes, none is lost, and
// each leaves by the wire of its source.
func TestUDPWhileChanging(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			n, all := newNetwork(t)
			serveAll(n)
			more := reply.Policy{UDP: []rule.Ports{rule.PortRange(5000, 6000), rule.Port(53)}, Forwarded: true}
			for _, x := range []struct {
				name  string
				steps []declared
				wrong bool // as without the policy
			}{
				{"updates", []declared{{served, all}, {more, all}, {reply.Policy{UDP: served.UDP, Forwarded: true, Mask: 0x700}, all}}, false},
				{"installs and removes", []declared{{served, all}, {}, {more, all}, {}}, true},
			} {
				install(n, served, all...)
				n.G1.Reset()
				n.G2.Reset()
				var stop atomic.Bool
				var got tally
				var wg sync.WaitGroup
				wg.Go(func() {
					for !stop.Load() {
						got.add(askMany(n, f, 40, 5))
					}
				})
				for i := range tabletest.Times(400, 20) {
					if err := x.steps[(i+1)%len(x.steps)].apply(n, n.Conn); err != nil {
						t.Error(err)
						break
					}
				}
				stop.Store(true)
				wg.Wait()
				wires := astray(n, f)
				if got.lost > 0 || wires > 0 || got.right == 0 || got.wrong > 0 != x.wrong {
					t.Errorf("%s: %+v, %d by the wrong wire", x.name, got, wires)
				}
				t.Logf("%s: %+v", x.name, got)
			}
		})
	}
}

// If a set is full, answers to further clients leave as without the policy, and nothing is
// lost.
func TestUDPFull(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			n, all := newNetwork(t)
			serveAll(n)
			size, clients := tabletest.Times(1<<16, 64), tabletest.Times(200_000, 200)
			install(n, reply.Policy{UDP: served.UDP, Clients: uint32(size), Remember: time.Hour}, all...)
			var got tally
			const perAddress = 50_000
			for i := range clients {
				a := netip.MustParseAddr(f.Client)
				for range i / perAddress {
					a = a.Next()
				}
				if i%perAddress == 0 && i > 0 {
					n.Net.Addr("lo", netip.PrefixFrom(a, a.BitLen()).String())
				}
				c, err := n.Net.ListenPacket(udpOf(f), net.JoinHostPort(a.String(), fmt.Sprint(10_000+i%perAddress)))
				if err != nil {
					t.Fatal(err)
				}
				got.add(ask(c, at(f.A2)))
				c.Close()
			}
			if got.lost > 0 || got.right != size || got.wrong != clients-size {
				t.Errorf("%+v of %d clients, for %d of which there is room", got, clients, size)
			}
		})
	}
}

// A client that asks an address of an uplink, then one of no uplink, and then another client
// that was never seen, are all answered; what the first has asked is forgotten.
func TestUDPOtherAddress(t *testing.T) {
	n, all := newNetwork(t)
	serveAll(n)
	f := tabletest.IPv4
	n.Server.Addr("lo", "203.0.113.7/32")
	install(n, served, all...)
	s, err := n.Net.ListenPacket("udp4", f.Client+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := ask(s, at(f.A2)); got.right != 1 {
		t.Fatalf("%+v", got)
	}
	if n := len(remembered(n)); n != 1 {
		t.Errorf("%d clients are remembered, want 1", n)
	}
	n.Net.Sysctl("net.ipv4.ip_forward", "1")
	if err := addRoute(n, "203.0.113.7/32 via 10.2.0.2"); err != nil {
		t.Fatal(err)
	}
	// The answer has the address of the route, as without the policy.
	if got := ask(s, at("203.0.113.7")); got.lost != 0 || got.wrong != 1 {
		t.Errorf("from an address of no uplink: %+v", got)
	}
	if n := len(remembered(n)); n != 0 {
		t.Errorf("%d clients are remembered after a question to an address of no uplink", n)
	}
}

// A server that chooses the source of its answer itself is not affected.
func TestUDPPktInfo(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			n, all := newNetwork(t)
			serveWithPktInfo(t, n, f)
			for _, policy := range []bool{false, true} {
				if policy {
					install(n, served, all...)
				}
				n.G1.Reset()
				n.G2.Reset()
				wantAnswers(n, f, fmt.Sprintf("policy %v", policy), askMany(n, f, 20, 4))
			}
		})
	}
}

// serveWithPktInfo answers each datagram from the address that it was sent to, with
// IP_PKTINFO.
func serveWithPktInfo(t *testing.T, n *tabletest.Network, f tabletest.Family) {
	any4, any6 := fmt.Sprintf("0.0.0.0:%d", port), fmt.Sprintf("[::]:%d", port)
	addr := map[bool]string{true: any4, false: any6}[f == tabletest.IPv4]
	pc, err := n.Server.ListenPacket(udpOf(f), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	c := pc.(*net.UDPConn)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if f == tabletest.IPv4 {
			err = syscall.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		} else {
			err = syscall.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b, oob := make([]byte, 100), make([]byte, 200)
		for {
			k, m, _, from, err := c.ReadMsgUDP(b, oob)
			if err != nil {
				return
			}
			// The kernel takes the message back as it gave it, but for the interface, which
			// is to be chosen by the route.
			info := oob[:m]
			if f == tabletest.IPv4 {
				copy(info[syscall.CmsgLen(0):], []byte{0, 0, 0, 0})
			} else {
				copy(info[syscall.CmsgLen(0)+16:], []byte{0, 0, 0, 0})
			}
			c.WriteMsgUDP(b[:k], info, from)
		}
	}()
}

// A server that connects its socket to a client hears no more of it once the client asks
// another address: the package overview says that it is not helped.
func TestUDPConnected(t *testing.T) {
	n, all := newNetwork(t)
	f := tabletest.IPv4
	install(n, served, all...)
	client, err := n.Net.ListenPacket("udp4", f.Client+":4000")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	// The kernel gives the connected socket the first address, that of the route.
	c, err := n.Server.Dial(t.Context(), "udp4", fmt.Sprintf("0.0.0.0:%d", port), f.Client+":4000")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := client.WriteTo([]byte("question"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(at(f.A2)))); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(short))
	if _, err := c.Read(make([]byte, 100)); err == nil {
		t.Error("the connected socket has received the question to another address")
	}
}
