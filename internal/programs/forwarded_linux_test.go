package programs

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/reply"
)

const echoPort = 7007 // of the client

// Connections that the server forwards for its LAN, to whose packets a firewall gives the address
// of the interface. They stay on their uplink when the default route moves to the other one.
func TestForwardedForLAN(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		serveTCP(t, n.client, f, echoPort)
		serveWildcard(t, n.client, f, echoPort)
		h := newHome(t, n.server, "nft")
		h.run("nft", "-f", h.file("translation", `table inet translation {
	chain postrouting {
		type nat hook postrouting priority srcnat
		iifname "eth2" oifname { "eth0", "eth1" } masquerade
	}
}
`))
		for _, proto := range []string{"tcp" + f.version, "udp" + f.version} {
			to := join(f.client, echoPort)
			n.wantMoved(f, proto, to, false)
			remove := n.install(forwarded)
			n.wantMoved(f, proto, to, true)
			remove()
		}
	})
}

// The same, where the policy gives the packets the address of the uplink. Without it the routers
// drop them.
func TestMasquerade(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		serveTCP(t, n.client, f, echoPort)
		serveWildcard(t, n.client, f, echoPort)
		for _, proto := range []string{"tcp" + f.version, "udp" + f.version} {
			to := join(f.client, echoPort)
			n.setDefault(f, routerA)
			if a := n.ask(n.lan, proto, to, "hello", noAnswer); a.err == nil {
				t.Errorf("control: the LAN has an answer of %s without a translation", proto)
			}
			remove := n.installFor(reply.Policy{}, replyUplinks(true))
			n.wantMoved(f, proto, to, false)
			remove()
			remove = n.installFor(forwarded, replyUplinks(true))
			n.wantMoved(f, proto, to, true)
			remove()
		}
	})
}

// setDefault moves the default route of the server's table main to a router.
func (n *network) setDefault(f family, router int) {
	n.t.Helper()
	c := n.dial(n.server)
	r := route.Route{Family: f.ip, Table: rttables.Main, Gateway: netip.MustParseAddr(f.router[router])}
	if err := route.Replace(n.t.Context(), c, r); err != nil {
		n.t.Fatal(err)
	}
}

// wantMoved opens a connection from the LAN by router A and moves the default route to router B.
// If it works, the connection goes on by router A, and otherwise dies. A new connection goes by
// router B.
func (n *network) wantMoved(f family, proto, to string, works bool) {
	n.t.Helper()
	var before, after error
	n.setDefault(f, routerA)
	n.with(n.lan, proto, to, patience, func(c net.Conn) error {
		if before = echo(c); before != nil {
			return before
		}
		n.setDefault(f, routerB)
		if !works {
			c.SetDeadline(time.Now().Add(noAnswer))
		}
		after = echo(c)
		return after
	})
	switch {
	case before != nil:
		n.t.Errorf("%s from the LAN by router A: %v", proto, before)
	case works && after != nil:
		n.t.Errorf("%s from the LAN after the default route has moved: %v", proto, after)
	case !works && after == nil:
		n.t.Errorf("control: %s from the LAN goes on without the policy", proto)
	}
	n.taps[routerB].Reset()
	n.wantAnswered(n.lan, proto, to)
	sent := netip.MustParseAddrPort(to)
	if n.taps[routerB].Count(func(p lab.Packet) bool { return !p.Out && p.Dst == sent }) == 0 {
		n.t.Errorf("a new connection by %s did not leave by router B", proto)
	}
}

// echo sends a text and waits for it.
func echo(c net.Conn) error {
	const text = "hello"
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, len(text)))
	return err
}
