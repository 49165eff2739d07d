package reply_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/reply"
)

// A benchNet is a server with two uplinks to one namespace.
type benchNet struct {
	server, net *lab.NS
	conn        *route.Socket
	uplinks     []reply.Uplink
}

func newBenchNet(b *testing.B) *benchNet {
	l := lab.Test(b)
	n := &benchNet{server: l.NS("server"), net: l.NS("net")}
	for _, k := range []string{"1", "2"} {
		n.server.Link("u"+k, n.net, "g"+k)
		n.server.Addr("u"+k, "10."+k+".0.2/24")
		n.net.Addr("g"+k, "10."+k+".0.1/24")
	}
	n.net.Addr("lo", "198.51.100.10/32")
	c, err := route.Dial(n.server.Config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	n.conn = c
	if err := route.Add(b.Context(), c, route.Route{Gateway: netip.MustParseAddr("10.1.0.1")}); err != nil {
		b.Fatal(err)
	}
	for k, id := range []string{"1", "2"} {
		u := table.SourceRoutedUplink{
			Table: rttables.ID(10 + 10*k), Interface: "u" + id, Gateway: netip.MustParseAddr("10." + id + ".0.1"), Etc: os.DevNull,
		}
		if err := u.Install(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		n.uplinks = append(n.uplinks, reply.Uplink{SourceRoutedUplink: u})
	}
	return n
}

// remember puts clients into the set of the second address.
func (n *benchNet) remember(b *testing.B, clients int) {
	c, err := nft.DialLike(n.conn)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	var batch nft.Batch
	var elements []nft.Element
	a := netip.MustParseAddr("11.0.0.1")
	for i := range clients {
		elements = append(elements, nft.Element{Key: nft.Key(nft.Addr(a), nft.Big16(uint16(1000+i%50)), nft.Big16(port))})
		if i%50 == 49 {
			a = a.Next()
		}
	}
	batch.AddElements(nft.Set{Family: nft.Inet, Table: reply.TableName, Name: "asked_10.2.0.2"}, elements...)
	if err := nft.Commit(b.Context(), c, &batch); err != nil {
		b.Fatal(err)
	}
}

// serve answers datagrams to all addresses.
func (n *benchNet) serve(b *testing.B) {
	c, err := n.server.ListenPacket("udp4", "0.0.0.0:5353")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	go func() {
		buf := make([]byte, 100)
		for {
			k, from, err := c.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			c.WriteTo(buf[:k], from)
		}
	}()
}

// BenchmarkAnswers measures how fast questions are answered with the policy, as a ratio to
// without it: to the first address, whose answers keep their route, and to the second one. It alternates between two networks, one of which has the
// policy, in rounds of some milliseconds, and compares the best rounds of each: on a busy
// machine these are the undisturbed ones.
func BenchmarkAnswers(b *testing.B) {
	for _, x := range []struct {
		name      string
		to        string
		others    int // clients that are remembered besides
		forwarded bool
	}{
		{"first/clients=1", "10.1.0.2:5353", 0, false},
		{"first/clients=65536", "10.1.0.2:5353", 1<<16 - 1, false},
		{"second/clients=1", "10.2.0.2:5353", 0, false},
		{"second/clients=65536", "10.2.0.2:5353", 1<<16 - 1, false},
		{"second/clients=1/forwarded", "10.2.0.2:5353", 0, true},
	} {
		b.Run(x.name, func(b *testing.B) {
			var clients [2]net.PacketConn
			for k := range clients {
				n := newBenchNet(b)
				n.serve(b)
				c, err := n.net.ListenPacket("udp4", "198.51.100.10:0")
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				clients[k] = c
				if k == 1 {
					policy := reply.Policy{UDP: served.UDP, Remember: time.Hour, Forwarded: x.forwarded}
					if err := reply.Install(b.Context(), n.conn, policy, n.uplinks...); err != nil {
						b.Fatal(err)
					}
					n.remember(b, x.others)
				}
			}
			measure(b, clients, x.to)
		})
	}
}

// measure reports how fast the second client is answered, and the ratio to the first one.
func measure(b *testing.B, clients [2]net.PacketConn, to string) {
	const perRound = 100
	var best [2]time.Duration
	for range max(b.N/perRound, 10) {
		for k, c := range clients {
			start := time.Now()
			for range perRound {
				if got := ask(c, to); got.lost > 0 || k == 1 && got.wrong > 0 {
					b.Fatalf("%+v", got)
				}
			}
			if d := time.Since(start); best[k] == 0 || d < best[k] {
				best[k] = d
			}
		}
	}
	b.ReportMetric(float64(best[0])/float64(best[1]), "ratio")
	b.ReportMetric(perRound/best[1].Seconds(), "answers/s")
}
