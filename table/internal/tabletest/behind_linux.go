package tabletest

import (
	"net"
	"net/netip"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
)

// AddBehind gives the server another network on another interface, and returns the
// namespace of a host there. In each subnet the server has the first address, and the
// host the tenth. The server forwards packets from the host.
func (n *Network) AddBehind(dev string, subnets ...string) *lab.NS {
	n.T.Helper()
	host := lab.Test(n.T).NS("behind " + dev)
	n.Server.Link(dev, host, "eth0")
	n.Server.Sysctl("net.ipv4.ip_forward", "1")
	n.Server.Sysctl("net.ipv6.conf.all.forwarding", "1")
	c := n.Dial(host)
	for _, s := range subnets {
		subnet := netip.MustParsePrefix(s)
		server, other := NumberedAddr(subnet, 1), NumberedAddr(subnet, 10)
		n.Server.Addr(dev, netip.PrefixFrom(server, subnet.Bits()).String())
		host.Addr("eth0", netip.PrefixFrom(other, subnet.Bits()).String())
		// Of several routers, which are all the server, the last one is taken.
		if err := route.Replace(n.T.Context(), c, route.Route{Gateway: server}); err != nil {
			n.T.Fatal(err)
		}
	}
	return host
}

// NumberedAddr returns the k-th address of a subnet.
func NumberedAddr(subnet netip.Prefix, k byte) netip.Addr {
	b := subnet.Masked().Addr().AsSlice()
	b[len(b)-1] |= k
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Send sends one packet from an address of a namespace.
func (n *Network) Send(ns *lab.NS, from, to string) {
	n.T.Helper()
	c, err := ns.Dial(n.T.Context(), "udp", net.JoinHostPort(from, "0"), net.JoinHostPort(to, "9"))
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		n.T.Fatal(err)
	}
}

// SendFrom is Send, and returns how many packets each router has received. It waits until
// one of them has received some.
func (n *Network) SendFrom(ns *lab.NS, from, to string) (byG1, byG2 int) {
	n.T.Helper()
	n.G1.Reset()
	n.G2.Reset()
	n.Send(ns, from, to)
	a := netip.MustParseAddr(from)
	match := func(p lab.Packet) bool { return !p.Out && p.Proto == 17 && p.Src.Addr() == a }
	for end := time.Now().Add(Patience); byG1+byG2 == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		byG1, byG2 = n.G1.Count(match), n.G2.Count(match)
	}
	return byG1, byG2
}
