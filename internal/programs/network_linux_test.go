package programs

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

func TestMain(m *testing.M) { lab.Main(m) }

const (
	// patience is how long a test waits for an event that should happen.
	patience = 30 * time.Second

	// noAnswer is how long it waits for an answer that should not come.
	noAnswer = 500 * time.Millisecond
)

// The routers, as indexes.
const (
	routerA = iota
	routerB
)

// A family has the addresses of the network in one family.
type family struct {
	name      string // of a subtest
	version   string // 4 or 6, as in the networks of package net
	ip        route.Family
	client    string    // on the loopback of the client, behind both routers
	server    [2]string // of the server, on the link to each router
	router    [2]string // of the routers, on the link to the server
	wan, isp  [2]string // of the routers and the client, on the link between them
	lanServer string    // of the server, on the LAN
	lanHost   string    // of a host on the LAN
	bridge    string    // of the server, on the bridge of containers
	container string    // of the container
	bits      string    // the length of the prefixes of all links
}

var families = []family{{
	name: "IPv4", version: "4", ip: route.IPv4, bits: "/24",
	client:    "198.51.100.10",
	server:    [2]string{"192.168.1.6", "192.168.2.2"},
	router:    [2]string{"192.168.1.1", "192.168.2.1"},
	wan:       [2]string{"203.0.113.1", "192.0.2.1"},
	isp:       [2]string{"203.0.113.2", "192.0.2.2"},
	lanServer: "192.168.7.1", lanHost: "192.168.7.10",
	bridge: "172.17.0.1", container: "172.17.0.2",
}, {
	name: "IPv6", version: "6", ip: route.IPv6, bits: "/64",
	client:    "2001:db8:99::10",
	server:    [2]string{"2001:db8:1::6", "2001:db8:2::2"},
	router:    [2]string{"2001:db8:1::1", "2001:db8:2::1"},
	wan:       [2]string{"2001:db8:a::1", "2001:db8:b::1"},
	isp:       [2]string{"2001:db8:a::2", "2001:db8:b::2"},
	lanServer: "fd00:7::1", lanHost: "fd00:7::10",
	bridge: "fd00:17::1", container: "fd00:17::2",
}}

// join returns an address with a port.
func join(addr string, port int) string { return net.JoinHostPort(addr, fmt.Sprint(port)) }

// subnet returns the prefix of a link, by an address on it.
func (f family) subnet(addr string) string {
	return netip.MustParsePrefix(addr + f.bits).Masked().String()
}

// A network is a server behind two routers that lead to the same client. The server has a LAN
// and a bridge with a container, and forwards for both. Both routers drop packets from the
// server whose source is not of their subnet, as providers do.
type network struct {
	t                              *testing.T
	server, client, lan, container *lab.NS
	routers                        [2]*lab.NS
	taps                           [2]*lab.Tap // on the routers' links to the server
	port                           uint16      // of the last question
}

// newNetwork makes the network with both families. The two uplinks are installed, without a
// policy of replies.
func newNetwork(t *testing.T) *network {
	t.Helper()
	l := lab.Test(t)
	n := &network{t: t, server: l.NS("server"), client: l.NS("client"), lan: l.NS("lan"), container: l.NS("container"), port: 40000}
	n.server.Link("eth2", n.lan, "eth0")
	n.server.Link("veth0", n.container, "eth0")
	n.server.Bridge("docker0", "veth0")
	for i, name := range []string{"A", "B"} {
		n.routers[i] = l.NS("router " + name)
		n.server.Link(fmt.Sprintf("eth%d", i), n.routers[i], "lan")
		n.client.Link("isp-"+name, n.routers[i], "wan")
		n.taps[i] = n.routers[i].Tap("lan")
		n.routers[i].Sysctl("net.ipv4.conf.all.rp_filter", "1")
		forward(n.routers[i])
	}
	forward(n.server)
	for _, f := range families {
		n.addAddresses(f)
		n.addRoutes(f)
	}
	n.installUplinks()
	return n
}

func forward(ns *lab.NS) {
	ns.Sysctl("net.ipv4.conf.all.forwarding", "1")
	ns.Sysctl("net.ipv6.conf.all.forwarding", "1")
}

func (n *network) addAddresses(f family) {
	n.client.Addr("lo", f.client+"/"+map[route.Family]string{route.IPv4: "32", route.IPv6: "128"}[f.ip])
	n.server.Addr("eth2", f.lanServer+f.bits)
	n.lan.Addr("eth0", f.lanHost+f.bits)
	n.server.Addr("docker0", f.bridge+f.bits)
	n.container.Addr("eth0", f.container+f.bits)
	for i := range n.routers {
		n.server.Addr(fmt.Sprintf("eth%d", i), f.server[i]+f.bits)
		n.routers[i].Addr("lan", f.router[i]+f.bits)
		n.routers[i].Addr("wan", f.wan[i]+f.bits)
		n.client.Addr([]string{"isp-A", "isp-B"}[i], f.isp[i]+f.bits)
	}
}

// addRoutes adds the routes, and the filters of the routers for IPv6, which have no rp_filter.
func (n *network) addRoutes(f family) {
	n.addRoute(n.server, "default via "+f.router[routerA])
	n.addRoute(n.lan, "default via "+f.lanServer)
	n.addRoute(n.container, "default via "+f.bridge)
	for i, r := range n.routers {
		n.addRoute(n.client, fmt.Sprintf("%s via %s src %s", f.subnet(f.server[i]), f.wan[i], f.client))
		n.addRoute(r, "default via "+f.isp[i])
		if f.ip == route.IPv4 {
			continue
		}
		c := n.dial(r)
		for _, u := range []rule.Rule{
			{Priority: rule.Priority(100), IIF: "lan", From: netip.MustParsePrefix(f.subnet(f.server[i])), Table: rttables.Main},
			{Priority: rule.Priority(101), IIF: "lan", Action: rule.ActionBlackhole, Family: route.IPv6},
		} {
			if err := rule.Add(n.t.Context(), c, u); err != nil {
				n.t.Fatal(err)
			}
		}
	}
}

// addRoute adds a route in the words of ip-route(8).
func (n *network) addRoute(ns *lab.NS, words string) {
	n.t.Helper()
	c := n.dial(ns)
	links, err := route.ListLinks(n.t.Context(), c)
	if err != nil {
		n.t.Fatal(err)
	}
	r, err := route.Parse(words, &route.Names{Links: links})
	if err == nil {
		err = route.Add(n.t.Context(), c, r)
	}
	if err != nil {
		n.t.Fatalf("%s: add route %s: %v", ns, words, err)
	}
}

// dial opens a netlink socket in a namespace, until the test ends.
func (n *network) dial(ns *lab.NS) *route.Socket {
	n.t.Helper()
	c, err := route.Dial(ns.Config())
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	return c
}

// uplinks returns the uplinks of the server.
func uplinks() []table.SourceRoutedUplink {
	var all []table.SourceRoutedUplink
	for _, f := range families {
		for i := range f.router {
			all = append(all, table.SourceRoutedUplink{
				Table: rttables.ID(10 * (i + 1)), Interface: fmt.Sprintf("eth%d", i), Gateway: netip.MustParseAddr(f.router[i]),
				MainFirst: true,
			})
		}
	}
	return all
}

func (n *network) installUplinks() {
	n.t.Helper()
	if err := table.Install(n.t.Context(), n.dial(n.server), uplinks()...); err != nil {
		n.t.Fatal(err)
	}
}

// An answer is what came of a question: the text, or the error of who asked.
type answer struct {
	text string
	err  error
	port uint16 // of who asked
}

// ask sends a text from a namespace, by UDP or TCP, and waits for the answer.
func (n *network) ask(ns *lab.NS, network, to, text string, wait time.Duration) (a answer) {
	n.t.Helper()
	a.port, a.err = n.with(ns, network, to, wait, func(c net.Conn) error {
		if _, err := c.Write([]byte(text)); err != nil {
			return err
		}
		b := make([]byte, 2048)
		k, err := c.Read(b)
		a.text = string(b[:k])
		return err
	})
	return a
}

// with calls talk with a connection from a namespace, which ends after a while. Each connection
// has a port of its own, so that its packets can be told from others. A UDP socket that is
// connected takes answers only from the address that was asked.
func (n *network) with(ns *lab.NS, network, to string, wait time.Duration, talk func(net.Conn) error) (uint16, error) {
	n.t.Helper()
	n.port++
	port := n.port
	ctx, cancel := context.WithTimeout(n.t.Context(), wait)
	defer cancel()
	unspecified := netip.IPv4Unspecified()
	if netip.MustParseAddrPort(to).Addr().Is6() {
		unspecified = netip.IPv6Unspecified()
	}
	conn, err := ns.Dial(ctx, network, netip.AddrPortFrom(unspecified, port).String(), to)
	if err != nil {
		return port, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	return port, talk(conn)
}

// left returns how many packets to a port of the client have come to a router from the server.
// It waits for the first of them.
func (n *network) left(router int, port uint16) int {
	n.t.Helper()
	return n.taps[router].Wait(1, func(p lab.Packet) bool { return !p.Out && p.Dst.Port() == port }, patience)
}

// count is left without the wait.
func (n *network) count(router int, port uint16) int {
	n.t.Helper()
	return n.taps[router].Count(func(p lab.Packet) bool { return !p.Out && p.Dst.Port() == port })
}

// wantAnswered fails the test unless a question to an address of the server is answered.
func (n *network) wantAnswered(ns *lab.NS, network, to string) answer {
	n.t.Helper()
	text := "to " + to
	a := n.ask(ns, network, to, text, patience)
	if a.err != nil || a.text != text {
		n.t.Errorf("%s asked %s by %s: got %q, %v", ns, to, network, a.text, a.err)
	}
	return a
}

// wantAnsweredBy is wantAnswered from the client, where all packets of the answer have to come
// to one router.
func (n *network) wantAnsweredBy(router int, network, to string) {
	n.t.Helper()
	a := n.wantAnswered(n.client, network, to)
	if n.t.Failed() {
		return
	}
	if right, wrong := n.left(router, a.port), n.count(1-router, a.port); right == 0 || wrong > 0 {
		n.t.Errorf("the answer of %s by %s: %d packets by its router, %d by the other one", to, network, right, wrong)
	}
}

// wantAstray fails the test unless the client gets no answer from an address of the server
// behind router B, because the answer leaves by router A. It is the control of most tests.
func (n *network) wantAstray(network, to, text string) {
	n.t.Helper()
	a := n.ask(n.client, network, to, text, noAnswer)
	if a.err == nil {
		n.t.Errorf("control: %s was answered by %s without the policy: %q", to, network, a.text)
	} else if n.left(routerA, a.port) == 0 {
		n.t.Errorf("control: no answer of %s by %s left by router A: %v", to, network, a.err)
	}
}

// wantRefused fails the test if a question to the server is answered, or the server sends
// anything for it. It is the control where the server drops the question.
func (n *network) wantRefused(network, to string) {
	n.t.Helper()
	a := n.ask(n.client, network, to, "hello", noAnswer)
	if a.err == nil || n.count(routerA, a.port)+n.count(routerB, a.port) > 0 {
		n.t.Errorf("control: %s by %s: got %q, %v, and %d packets by router A and %d by router B", to, network,
			a.text, a.err, n.count(routerA, a.port), n.count(routerB, a.port))
	}
}

// Values of rp_filter.
const (
	off    = 0
	strict = 1
	loose  = 2
)

// filterReversePaths sets the reverse path filter of the server's uplinks, and makes it look at
// marks.
func (n *network) filterReversePaths(filter int) {
	n.server.Sysctl("net.ipv4.conf.all.rp_filter", fmt.Sprint(filter))
	n.server.Sysctl("net.ipv4.conf.all.src_valid_mark", "1")
}
