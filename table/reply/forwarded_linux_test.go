package reply_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/reply"
)

// addRoute adds a route to the namespace of the Internet, in the words of ip-route(8).
func addRoute(n *tabletest.Network, words string) error {
	r, err := route.Parse(words, nil)
	if err != nil {
		return err
	}
	return route.Add(n.T.Context(), n.Dial(n.Net), r)
}

// setDefault makes a router that of the server's default route.
func setDefault(n *tabletest.Network, gateway string) {
	n.T.Helper()
	if err := route.Replace(n.T.Context(), n.Conn, route.Route{Gateway: netip.MustParseAddr(gateway)}); err != nil {
		n.T.Fatal(err)
	}
}

// internetPort is where a host of the Internet answers.
const internetPort = "7000"

// A connection that the server forwards for its LAN stays with its uplink when the default
// route changes, and a new one takes the new default. With Masquerade it has the uplink's
// address. Without Forwarded the kernel drops the old connection, because its address belongs to
// another interface.
func TestForwardedLAN(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			n := newPublished(t)
			tabletest.ServeUDP(t, n.Net, udpOf(f), net.JoinHostPort(f.Client, internetPort))
			for i := range n.uplinks {
				n.uplinks[i].Masquerade = true
			}
			for _, forwarded := range []bool{false, true} {
				setDefault(n.Network, f.G1)
				install(n.Network, reply.Policy{Forwarded: forwarded}, n.uplinks...)
				c := n.lanConnection(f)
				n.wantLAN(c, f, "the first packets", f.A1, true, false, false)
				setDefault(n.Network, f.G2)
				n.wantLAN(c, f, "after the default has changed", f.A1, forwarded, false, !forwarded)
				n.wantLAN(n.lanConnection(f), f, "a new connection", f.A2, false, true, false)
			}
		})
	}
}

// lanConnection returns a connection of the host in the LAN to one of the Internet.
func (n *publishedNetwork) lanConnection(f tabletest.Family) net.Conn {
	n.T.Helper()
	c, err := n.lan.Dial(n.T.Context(), udpOf(f), net.JoinHostPort(behind(lanSubnets, f), "0"), net.JoinHostPort(f.Client, internetPort))
	if err != nil {
		n.T.Fatal(err)
	}
	n.T.Cleanup(func() { c.Close() })
	return c
}

// wantLAN sends a question from the LAN, and looks by which router it came, and from which
// address.
func (n *publishedNetwork) wantLAN(c net.Conn, f tabletest.Family, what, from string, byG1, byG2, mayBeLost bool) {
	n.T.Helper()
	n.G1.Reset()
	n.G2.Reset()
	c.Write([]byte("question"))
	c.SetReadDeadline(time.Now().Add(map[bool]time.Duration{true: short, false: tabletest.Patience}[mayBeLost]))
	if _, err := c.Read(make([]byte, 10)); err != nil && !mayBeLost {
		n.T.Errorf("%s: %v", what, err)
	}
	src := netip.MustParseAddr(from)
	match := func(p lab.Packet) bool { return !p.Out && p.Proto == 17 && p.Src.Addr() == src }
	g1, g2 := n.G1.Count(match), n.G2.Count(match)
	if (g1 > 0) != byG1 || (g2 > 0) != byG2 {
		n.T.Errorf("%s: from %s %d packets came to g1 and %d to g2", what, from, g1, g2)
	}
}

// A connection from the Internet to a host behind the server, whose address is not
// translated, is answered by the uplink that it came by.
func TestForwardedInbound(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			n := newPublished(t)
			host := behind(lanSubnets, f)
			tabletest.ServeUDP(t, n.lan, udpOf(f), net.JoinHostPort(host, internetPort))
			if err := addRoute(n.Network, host+" via "+f.A2); err != nil {
				t.Fatal(err)
			}
			for _, policy := range []bool{false, true} {
				if policy {
					install(n.Network, reply.Policy{Forwarded: true}, n.uplinks...)
				}
				n.G1.Reset()
				n.G2.Reset()
				if err := reach(n.Net, udpOf(f), f.Client, host, 7000, tabletest.Patience); err != nil {
					t.Error(err)
				}
				if byG1, byG2 := n.wires(host); (byG1 > 0) == policy || (byG2 > 0) != policy {
					t.Errorf("policy %v: %d answers by g1, %d by g2", policy, byG1, byG2)
				}
			}
		})
	}
}
