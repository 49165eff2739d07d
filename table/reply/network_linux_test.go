package reply_test

import (
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/reply"
)

// port is where the UDP servers of tests listen.
const port = 5353

// served is the policy for them.
var served = reply.Policy{UDP: []rule.Ports{rule.Port(port)}}

// families are those of tests.
var families = map[string]tabletest.Family{"ipv4": tabletest.IPv4, "ipv6": tabletest.IPv6}

// uplinks returns the uplinks of a network, of both families.
func uplinks(n *tabletest.Network) []reply.Uplink {
	var all []reply.Uplink
	for _, f := range []tabletest.Family{tabletest.IPv4, tabletest.IPv6} {
		all = append(all, reply.Uplink{SourceRoutedUplink: n.Uplink1(f)}, reply.Uplink{SourceRoutedUplink: n.Uplink2(f)})
	}
	return all
}

// newNetwork returns a network with installed uplinks.
func newNetwork(t *testing.T) (*tabletest.Network, []reply.Uplink) {
	n := tabletest.NewNetwork(t)
	all := uplinks(n)
	for _, u := range all {
		n.Install(u.SourceRoutedUplink)
	}
	return n, all
}

// install installs a policy.
func install(n *tabletest.Network, p reply.Policy, all ...reply.Uplink) {
	n.T.Helper()
	if err := reply.Install(n.T.Context(), n.Conn, p, all...); err != nil {
		n.T.Fatal(err)
	}
}

// remove takes the policy away.
func remove(n *tabletest.Network) {
	n.T.Helper()
	if err := reply.Remove(n.T.Context(), n.Conn); err != nil {
		n.T.Fatal(err)
	}
}

// udpOf returns the name of the network for UDP of a family.
func udpOf(f tabletest.Family) string { return "udp" + f.TCP[3:] }

// at returns an address and the port of the server.
func at(a string) string { return net.JoinHostPort(a, strconv.Itoa(port)) }

// serveAll answers datagrams to any address of the server, by a socket of each family.
func serveAll(n *tabletest.Network) {
	tabletest.ServeUDP(n.T, n.Server, "udp4", "0.0.0.0:"+strconv.Itoa(port))
	tabletest.ServeUDP(n.T, n.Server, "udp6", "[::]:"+strconv.Itoa(port))
}

// A tally is what became of questions.
type tally struct {
	right int
	wrong int // answered from another address than the asked one
	lost  int
}

func (a *tally) add(b tally) {
	a.right, a.wrong, a.lost = a.right+b.right, a.wrong+b.wrong, a.lost+b.lost
}

// answerWithin is how long a client waits for an answer.
const answerWithin = 5 * time.Second

// ask sends a question by a socket and notes what becomes of it.
func ask(c net.PacketConn, to string) (t tally) {
	addr := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))
	if _, err := c.WriteTo([]byte("question"), addr); err != nil {
		return tally{lost: 1}
	}
	b := make([]byte, 100)
	c.SetReadDeadline(time.Now().Add(answerWithin))
	_, from, err := c.ReadFrom(b)
	switch {
	case err != nil:
		return tally{lost: 1}
	case from.(*net.UDPAddr).AddrPort().String() == addr.String():
		return tally{right: 1}
	}
	return tally{wrong: 1}
}

// askMany has clients, each with a port of its own, ask both addresses of the server in
// turn, so many times.
func askMany(n *tabletest.Network, f tabletest.Family, clients, times int) tally {
	n.T.Helper()
	const workers = 4
	var all tally
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range workers {
		mine := clients/workers + min(1, max(0, clients%workers-w))
		sockets := make([]net.PacketConn, mine)
		for i := range sockets {
			c, err := n.Net.ListenPacket(udpOf(f), net.JoinHostPort(f.Client, "0"))
			if err != nil {
				n.T.Fatal(err)
			}
			defer c.Close()
			sockets[i] = c
		}
		wg.Go(func() {
			var t tally
			for k := range times {
				for i, c := range sockets {
					t.add(ask(c, at([]string{f.A1, f.A2}[(i+k)%2])))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all.add(t)
		})
	}
	wg.Wait()
	return all
}

// astray returns how many packets of the server's UDP port have come to a router that is not
// that of their source.
func astray(n *tabletest.Network, f tabletest.Family) int {
	from := func(a string) func(lab.Packet) bool {
		src := netip.MustParseAddrPort(at(a))
		return func(p lab.Packet) bool { return !p.Out && p.Proto == 17 && p.Src == src }
	}
	return n.G1.Count(from(f.A2)) + n.G2.Count(from(f.A1))
}

// wantAnswers fails the test unless all questions were answered from the asked address, by its
// router.
func wantAnswers(n *tabletest.Network, f tabletest.Family, what string, got tally) {
	n.T.Helper()
	if wires := astray(n, f); got.wrong > 0 || got.lost > 0 || got.right == 0 || wires > 0 {
		n.T.Errorf("%s: %d right, %d from the wrong address, %d lost, %d by the wrong wire", what, got.right, got.wrong, got.lost, wires)
	}
	n.T.Logf("%s: %d right", what, got.right)
}
