package programs

import (
	"fmt"
	"net"
	"slices"
	"testing"
)

// A server on all addresses, which knows nothing of two uplinks.
func TestWildcardServer(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		const port = 5301
		serveWildcard(t, n.server, f, port)
		n.wantHelped(f, port)
	})
}

// wantHelped tests a server on all addresses that answers the text of a question: without the
// policy the second address does not answer, with it both do, and afterwards all is as before.
func (n *network) wantHelped(f family, port int) {
	n.t.Helper()
	udp := "udp" + f.version
	n.wantAnsweredBy(routerA, udp, join(f.server[routerA], port))
	n.wantAstray(udp, join(f.server[routerB], port), "hello")
	remove := n.install(udpOf(port))
	for range 3 {
		n.wantAnsweredBy(routerA, udp, join(f.server[routerA], port))
		n.wantAnsweredBy(routerB, udp, join(f.server[routerB], port))
	}
	n.wantAnswered(n.lan, udp, join(f.lanServer, port))
	n.wantAnswered(n.server, udp, join(f.server[routerB], port))
	remove()
	n.wantAstray(udp, join(f.server[routerB], port), "hello")
}

// A server with IP_PKTINFO needs no policy, and one does not hurt it.
func TestPacketInfoServer(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		const port = 5302
		servePacketInfo(t, n.server, f, port)
		n.wantNotHurt(f, port)
	})
}

// wantNotHurt tests a server that answers from the address that was asked, without the policy
// and with it.
func (n *network) wantNotHurt(f family, port int) {
	n.t.Helper()
	udp := "udp" + f.version
	both := func() {
		n.t.Helper()
		for i, a := range f.server {
			n.wantAnsweredBy(i, udp, join(a, port))
		}
	}
	both()
	remove := n.install(udpOf(port))
	both()
	remove()
	both()
}

// socat answers each datagram from its socket on all addresses.
func TestSocatRecvfrom(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		const port = 5304
		d := newHome(t, n.server, "socat").start("socat", "-d", "-d", fmt.Sprintf("UDP%s-RECVFROM:%d,fork", f.version, port), "PIPE")
		d.wantOutput("receiving on")
		n.wantHelped(f, port)
	})
}

// A server that makes a socket for each client, and connects it, is not helped. The kernel has
// chosen the local address of that socket by the route, before there is an answer. The policy
// gives the first answer the right source, but what the client sends then is not for the socket.
func TestConnectedServer(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		const port = 5303
		serveSessions(t, n.server, f, port)
		udp := "udp" + f.version
		n.wantSessions(udp, join(f.server[routerA], port), "1 1", "1 2", "1 3")
		n.wantAstray(udp, join(f.server[routerB], port), "hello")
		n.install(udpOf(port))
		n.wantSessions(udp, join(f.server[routerA], port), "3 1", "3 2", "3 3")
		n.wantSessions(udp, join(f.server[routerB], port), "4 1", "5 1", "6 1")
	})
}

// wantSessions asks several times from one socket. The answers are the numbers of the session
// and of the question in it.
func (n *network) wantSessions(udp, to string, want ...string) {
	n.t.Helper()
	var got []string
	n.with(n.client, udp, to, patience, func(c net.Conn) error {
		b := make([]byte, 2048)
		for range want {
			if _, err := c.Write([]byte("next")); err != nil {
				return err
			}
			k, err := c.Read(b)
			if err != nil {
				return err
			}
			got = append(got, string(b[:k]))
		}
		return nil
	})
	if !slices.Equal(got, want) {
		n.t.Errorf("the sessions of %s: %q, want %q", to, got, want)
	}
}
