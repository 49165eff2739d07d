package reply_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/reply"
)

// The networks behind the server.
var (
	containerSubnets = []string{"172.17.0.0/24", "2001:db8:17::/64"}
	lanSubnets       = []string{"172.16.9.0/24", "2001:db8:9::/64"}
)

// behind returns the address of the host in a network behind the server.
func behind(subnets []string, f tabletest.Family) string {
	s := subnets[0]
	if f == tabletest.IPv6 {
		s = subnets[1]
	}
	return tabletest.NumberedAddr(netip.MustParsePrefix(s), 10).String()
}

// published is the port of the server that leads to the container's port 80, published2 that
// which leads to port 80 of the server's own address in the container's network.
const (
	published  = 8080
	published2 = 8081
)

// A publishedNetwork is a network with a container, whose port the server publishes, and a
// host in a LAN.
type publishedNetwork struct {
	*tabletest.Network
	container, lan *lab.NS
	uplinks        []reply.Uplink
}

// newPublished returns a network with uplinks that have MainFirst.
func newPublished(t *testing.T) *publishedNetwork {
	n := &publishedNetwork{Network: tabletest.NewNetwork(t)}
	n.uplinks = uplinks(n.Network)
	for i := range n.uplinks {
		n.uplinks[i].MainFirst = true
		n.Install(n.uplinks[i].SourceRoutedUplink)
	}
	n.container, n.lan = n.AddBehind("br", containerSubnets...), n.AddBehind("lan", lanSubnets...)
	for _, ns := range []*lab.NS{n.container, n.Server} {
		tabletest.Serve(t, ns, "tcp4", "0.0.0.0:80")
		tabletest.Serve(t, ns, "tcp6", "[::]:80")
	}
	for _, f := range families {
		tabletest.ServeUDP(t, n.container, udpOf(f), net.JoinHostPort(behind(containerSubnets, f), "80"))
		tabletest.ServeUDP(t, n.Server, udpOf(f), net.JoinHostPort(bridge(f).String(), "80"))
	}
	n.publish()
	return n
}

// publish adds the translations to the server.
func (n *publishedNetwork) publish() {
	n.T.Helper()
	c, err := nft.DialLike(n.Conn)
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	var b nft.Batch
	b.AddTable(nft.Table{Family: nft.Inet, Name: "published"})
	for name, hook := range map[string]uint32{"pre": nft.Prerouting, "out": nft.Output} {
		b.AddChain(nft.Chain{
			Family: nft.Inet, Table: "published", Name: name, Base: true, Type: nft.TypeNAT,
			Hook: nft.Hook{Number: hook, Priority: nft.PriorityDstNAT}, Policy: nft.PolicyAccept,
		})
		for _, f := range families {
			host := netip.MustParseAddr(behind(containerSubnets, f))
			for _, proto := range []uint8{uapi.IPPROTO_TCP, uapi.IPPROTO_UDP} {
				b.AddRule(translate(name, proto, published, host))
				b.AddRule(translate(name, proto, published2, bridge(f)))
			}
		}
	}
	if err := nft.Commit(n.T.Context(), c, &b); err != nil {
		n.T.Fatal(err)
	}
}

// bridge returns the server's address in the container's network.
func bridge(f tabletest.Family) netip.Addr {
	subnet := netip.MustParsePrefix(behind(containerSubnets, f) + map[bool]string{true: "/24", false: "/64"}[f == tabletest.IPv4])
	return tabletest.NumberedAddr(subnet, 1)
}

// translate returns the rule that leads from a port of this host to port 80 of another one.
func translate(chain string, proto uint8, from uint16, to netip.Addr) nft.Rule {
	f := nft.IPv4
	if to.Is6() {
		f = nft.IPv6
	}
	eq := func(data string) nft.Expr { return nft.Cmp{Source: nft.Reg1, Op: nft.Equal, Data: data} }
	return nft.Rule{Family: nft.Inet, Table: "published", Chain: chain, Exprs: []nft.Expr{
		nft.FIB{Dest: nft.Reg1, Result: nft.FIBAddrType, Flags: nft.FIBDest}, eq(nft.Host32(uapi.RTN_LOCAL)),
		nft.Meta{Key: nft.MetaNFProto, Dest: nft.Reg1}, eq(nft.Byte(uint8(f))),
		nft.Meta{Key: nft.MetaL4Proto, Dest: nft.Reg1}, eq(nft.Byte(proto)),
		nft.DestPort(nft.Reg1), eq(nft.Big16(from)),
		nft.Immediate{Dest: nft.Reg1, Data: nft.Addr(to)}, nft.Immediate{Dest: nft.Reg2, Data: nft.Big16(80)},
		nft.NAT{Type: nft.DestNAT, Family: f, AddrMin: nft.Reg1, AddrMax: nft.Reg1, ProtoMin: nft.Reg2, ProtoMax: nft.Reg2, Flags: 2},
	}}
}

// reach connects from an address of a namespace, or sends a datagram, and returns an error
// unless there is an answer.
func reach(ns *lab.NS, network, from, to string, port int, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if from != "" {
		from = net.JoinHostPort(from, "0")
	}
	c, err := ns.Dial(ctx, network, from, net.JoinHostPort(to, fmt.Sprint(port)))
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if network[:3] == "udp" {
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
	}
	_, err = c.Read(make([]byte, 10))
	return err
}

// wires returns how many packets of TCP and UDP from an address the routers have received.
func (n *publishedNetwork) wires(from string) (byG1, byG2 int) {
	src := netip.MustParseAddr(from)
	match := func(p lab.Packet) bool { return !p.Out && (p.Proto == 6 || p.Proto == 17) && p.Src.Addr() == src }
	return n.G1.Count(match), n.G2.Count(match)
}

// Answers of published ports leave by the uplink that the question came by, whatever the
// reverse path filter, and hosts in the LAN and the server itself still reach the port.
// Without the policy, answers from the second address leave by the first uplink, or with
// strict filtering the question is dropped.
func TestPublished(t *testing.T) {
	n := newPublished(t)
	for _, policy := range []bool{false, true} {
		if policy {
			install(n.Network, reply.Policy{Forwarded: true}, n.uplinks...)
		}
		for _, filter := range []string{"0", "1", "2"} {
			n.Server.Sysctl("net.ipv4.conf.all.rp_filter", filter)
			n.Server.Sysctl("net.ipv4.conf.all.src_valid_mark", "1")
			for name, f := range families {
				for _, proto := range []string{"tcp", "udp"} {
					t.Run(fmt.Sprintf("policy %v/rp_filter %s/%s/%s", policy, filter, name, proto), func(t *testing.T) {
						n.tryPublished(t, f, proto+f.TCP[3:], policy, filter == "1" && name == "ipv4")
					})
				}
			}
		}
	}
	// Without src_valid_mark, strict filtering drops the questions.
	n.Server.Sysctl("net.ipv4.conf.all.src_valid_mark", "0")
	n.Server.Sysctl("net.ipv4.conf.all.rp_filter", "1")
	if err := reach(n.Net, "tcp4", tabletest.IPv4.Client, tabletest.IPv4.A2, published, short); err == nil {
		t.Error("with rp_filter 1 and without src_valid_mark there is an answer: the package overview says otherwise")
	}
}

// short is how long to wait for what is not to come.
const short = 300 * time.Millisecond

func (n *publishedNetwork) tryPublished(t *testing.T, f tabletest.Family, network string, policy, strict bool) {
	for _, to := range []string{f.A1, f.A2} {
		for _, port := range []int{published, published2} {
			n.G1.Reset()
			n.G2.Reset()
			patience := tabletest.Patience
			if !policy && strict && to == f.A2 {
				patience = short
			}
			err := reach(n.Net, network, f.Client, to, port, patience)
			byG1, byG2 := n.wires(to)
			what := fmt.Sprintf("to %s port %d: error %v, %d packets at g1, %d at g2", to, port, err, byG1, byG2)
			switch {
			case !policy && strict && to == f.A2:
				if err == nil {
					t.Errorf("%s; the control has an answer in spite of strict filtering", what)
				}
			case !policy && to == f.A2:
				if err != nil || byG1 == 0 || byG2 != 0 {
					t.Errorf("%s; the control has no answer by the wrong wire", what)
				}
			case err != nil || (byG1 > 0) != (to == f.A1) || (byG2 > 0) != (to == f.A2):
				t.Errorf("%s; want an answer by the wire of the question", what)
			}
			for who, ns := range map[string]*lab.NS{"lan": n.lan, "node": n.Server} {
				if err := reach(ns, network, "", to, port, tabletest.Patience); err != nil {
					t.Errorf("%s to %s port %d: %v", who, to, port, err)
				}
			}
		}
	}
}

// The server itself does not reach its published port by the address of an uplink without
// MainFirst: the package overview says so.
func TestPublishedWithoutMainFirst(t *testing.T) {
	n := newPublished(t)
	f := tabletest.IPv4
	install(n.Network, reply.Policy{Forwarded: true}, n.uplinks...)
	if err := reach(n.Server, "tcp4", "", f.A2, published, tabletest.Patience); err != nil {
		t.Fatal(err)
	}
	u := n.uplinks[1].SourceRoutedUplink
	u.MainFirst = false
	if err := table.Install(t.Context(), n.Conn, u); err != nil {
		t.Fatal(err)
	}
	if err := reach(n.Server, "tcp4", "", f.A2, published, short); err == nil {
		t.Error("the port is reached")
	}
}
