package reply_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/reply"
)

// A declared is a policy and the uplinks that it is for. Without uplinks nothing is
// installed.
type declared struct {
	Policy  reply.Policy
	Uplinks []reply.Uplink
}

// apply makes a declared policy the one that is installed.
func (d declared) apply(n *tabletest.Network, c route.Conn) error {
	return replySync(n.T.Context(), c, d)
}

// A change is from one policy to another.
type change struct {
	name     string
	from, to declared
	forgets  bool // sets are made again
}

// changes are the changes that are looked at after every request, failed and killed.
func changes(all []reply.Uplink) []change {
	masquerade := slices.Clone(all)
	masquerade[1].Masquerade = true
	closed := slices.Clone(all)
	closed[1].Unreachable = true
	both := reply.Policy{UDP: served.UDP, Forwarded: true}
	otherMask := both
	otherMask.Mask = 0x700
	more := both
	more.UDP = append(more.UDP, rule.Port(53))
	bigger := both
	bigger.Clients = 2 * reply.DefaultClients
	return []change{
		{"install", declared{}, declared{both, masquerade}, false},
		{"remove", declared{both, masquerade}, declared{}, false},
		{"UDP to both", declared{served, all}, declared{both, all}, false},
		{"both to UDP", declared{both, all}, declared{served, all}, false},
		{"other mask", declared{both, all}, declared{otherMask, all}, false},
		{"more ports", declared{both, all}, declared{more, all}, false},
		{"unreachable", declared{both, all}, declared{both, closed}, false},
		{"fewer uplinks", declared{both, all}, declared{both, all[1:2]}, false},
		{"more clients", declared{both, all}, declared{bigger, all}, true},
	}
}

// contents returns the table of nf_tables.
func contents(n *tabletest.Network) *nft.Contents {
	n.T.Helper()
	c, err := nft.DialLike(n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	now, err := nft.Read(n.T.Context(), c, nft.Inet, reply.TableName)
	if err != nil {
		n.T.Fatal(err)
	}
	return now
}

// remembered returns the clients of all sets.
func remembered(n *tabletest.Network) []string {
	n.T.Helper()
	c, err := nft.DialLike(n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	var all []string
	for _, s := range contents(n).Sets {
		elements, err := nft.Elements(n.T.Context(), c, s)
		if err != nil {
			n.T.Fatal(err)
		}
		for _, e := range elements {
			all = append(all, fmt.Sprintf("%s %x", s.Name, e.Key))
		}
	}
	slices.Sort(all)
	return all
}

// state returns what the kernel has: rules, routes and the table of nf_tables. The order of
// rules of ours with the same priority means nothing, since they are for different marks.
func state(n *tabletest.Network) string {
	n.T.Helper()
	lines := strings.Split(n.Kernel(), "\n")
	slices.SortStableFunc(lines, func(a, b string) int {
		if rank(a) == rank(b) && rank(a) != "" {
			return strings.Compare(a, b)
		}
		return 0
	})
	return strings.Join(append(lines, contents(n).Canonical().Lines()...), "\n") + "\n"
}

// rank returns the family and the priority of a rule of ours, or nothing.
func rank(line string) string {
	before, _, isRule := strings.Cut(line, ": from all fwmark ")
	if !isRule || !strings.HasSuffix(line, "proto "+reply.Protocol.String()) {
		return ""
	}
	return before
}

// A prober tells by which policy packets go.
type prober struct {
	*publishedNetwork
	family  tabletest.Family
	clients []net.PacketConn
}

// newProber returns a prober whose client has asked each address, when the policy was
// installed.
func newProber(n *publishedNetwork, f tabletest.Family) *prober {
	n.T.Helper()
	p := &prober{publishedNetwork: n, family: f}
	for range 2 {
		c, err := n.Net.ListenPacket(udpOf(f), net.JoinHostPort(f.Client, "0"))
		if err != nil {
			n.T.Fatal(err)
		}
		n.T.Cleanup(func() { c.Close() })
		p.clients = append(p.clients, c)
	}
	return p
}

// remember has a client ask each address.
func (p *prober) remember() {
	for i, a := range []string{p.family.A1, p.family.A2} {
		if got := ask(p.clients[i], at(a)); got.lost > 0 {
			p.T.Errorf("no answer from %s", a)
		}
	}
}

// look asks a UDP server and a published port at the second address. What the answers are is
// one text, so that it is that of one policy or of another, and of no mixture.
func (p *prober) look() string {
	p.T.Helper()
	f := p.family
	p.G1.Reset()
	p.G2.Reset()
	udp := "lost"
	switch got := ask(p.clients[1], at(f.A2)); {
	case got.right > 0:
		udp = "right"
	case got.wrong > 0:
		udp = "wrong"
	}
	if n := astray(p.Network, f); n > 0 {
		udp += " astray"
	}
	p.G1.Reset()
	p.G2.Reset()
	if err := reach(p.Net, udpOf(f), f.Client, f.A2, published, tabletest.Patience); err != nil {
		return udp + ", published: " + err.Error()
	}
	byG1, byG2 := p.wires(f.A2)
	return fmt.Sprintf("udp %s, published by g1 %v, g2 %v", udp, byG1 > 0, byG2 > 0)
}

// forChanges runs a test for some changes, each in one family, and with -full for all changes
// in both.
func forChanges(t *testing.T, test func(t *testing.T, p *prober, x change)) {
	n := newPublished(t)
	serveAll(n.Network)
	for name, f := range families {
		for k, x := range changes(n.uplinks) {
			some := slices.Contains([]string{"install", "remove", "UDP to both", "fewer uplinks", "more clients"}, x.name)
			if !tabletest.Full() && (!some || (k%2 == 0) != (name == "ipv4")) {
				continue
			}
			t.Run(x.name+"/"+name, func(t *testing.T) {
				m, network := *n, *n.Network
				network.T, m.Network = t, &network
				p := newProber(&m, f)
				test(t, p, x)
				remove(m.Network)
			})
		}
	}
}
