package table_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// moveLocal has the rule for the table local at another priority, as an administrator
// would do it: the new rule is there before the old one goes.
func moveLocal(n *tabletest.Network, f tabletest.Family, from, to string) {
	n.T.Helper()
	option := "-" + f.TCP[3:] + " "
	if err := n.AddRule(option + to + ": from all lookup local proto kernel"); err != nil {
		n.T.Fatal(err)
	}
	if err := n.DeleteRule(option + from + ": from all lookup local proto kernel"); err != nil {
		n.T.Fatal(err)
	}
}

// A vrfOrder is a server whose rules are in the order that the kernel's documentation of
// VRFs asks for: local right before main.
type vrfOrder struct {
	*tabletest.Network
	f      tabletest.Family
	option string
	u1, u2 table.SourceRoutedUplink
}

func newVRFOrder(t *testing.T, n *tabletest.Network, f tabletest.Family) *vrfOrder {
	t.Helper()
	o := &vrfOrder{Network: n, f: f, option: "-" + f.TCP[3:] + " ", u1: n.Uplink1(f), u2: n.Uplink2(f)}
	o.u2.MainFirst, o.u2.Unreachable = true, true
	o.u2.Also = []rule.Rule{{IPProto: route.TCP, DPort: rule.Port(25)}, {IPProto: route.UDP, DPort: rule.Port(25)}}
	for _, port := range []string{"25", "80"} {
		tabletest.Serve(t, n.Server, f.TCP, net.JoinHostPort(f.A1, port))
		tabletest.Serve(t, n.Server, f.TCP, net.JoinHostPort(f.A2, port))
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, port))
	}
	return o
}

// leaving counts the packets from one address of the server to another one that leave.
func (o *vrfOrder) leaving(from, to string, do func()) int {
	o.T.Helper()
	o.G1.Reset()
	o.G2.Reset()
	do()
	match := func(p lab.Packet) bool {
		return !p.Out && p.Dst.Addr() == netip.MustParseAddr(to) && (from == "" || p.Src.Addr() == netip.MustParseAddr(from))
	}
	return o.G1.Count(match) + o.G2.Count(match)
}

// wantOwnStays fails the test if packets between the server's own addresses leave it, from
// bound sockets and from others.
func (o *vrfOrder) wantOwnStays(what string) {
	o.T.Helper()
	for _, from := range []string{o.f.A1, o.f.A2, ""} {
		for _, to := range []string{o.f.A1, o.f.A2} {
			left := o.leaving(from, to, func() {
				for _, port := range []string{"25", "80"} {
					tabletest.Connect(o.T, o.Server, o.f.TCP, from, net.JoinHostPort(to, port))
				}
				o.SendUDP(from, net.JoinHostPort(to, "9"))
				o.SendUDP(from, net.JoinHostPort(to, "25"))
			})
			if left != 0 {
				o.T.Errorf("%s: %d packets from %q to %s leave the host", what, left, from, to)
			}
		}
	}
}

// wantWays fails the test unless packets to the Internet take the uplinks.
func (o *vrfOrder) wantWays(what string) {
	o.T.Helper()
	for _, x := range []struct {
		from, port, source string
		router             int
	}{{o.f.A1, "80", o.f.A1, 1}, {o.f.A2, "80", o.f.A2, 2}, {"", "80", o.f.A1, 1}, {"", "25", o.f.A2, 2}} {
		o.G1.Reset()
		o.G2.Reset()
		if got := tabletest.Connect(o.T, o.Server, o.f.TCP, x.from, net.JoinHostPort(o.f.Client, x.port)); got.String() != x.source {
			o.T.Errorf("%s: from %q to port %s: the source is %s, want %s", what, x.from, x.port, got, x.source)
		}
		o.WantRouter(x.source, x.router)
	}
}

// localRules returns the rules of ours that look up the table local.
func (o *vrfOrder) localRules() (lines []string) {
	o.T.Helper()
	family := route.IPv4
	if o.f == tabletest.IPv6 {
		family = route.IPv6
	}
	for r, err := range rule.All(o.T.Context(), o.Conn, rule.Filter{Family: family}) {
		if err != nil {
			o.T.Fatal(err)
		}
		if r.Protocol == table.Protocol && r.Table == rttables.Local {
			lines = append(lines, r.String())
		}
	}
	return lines
}

// In the order of VRFs, with a rule l3mdev and without one, ours come before the rule for
// local: packets take the uplinks, and what this host sends to itself does not leave it.
func TestOrderOfVRFs(t *testing.T) {
	for name, l3mdev := range map[string]bool{"l3mdev": true, "without l3mdev": false} {
		t.Run(name, func(t *testing.T) {
			tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
				o := newVRFOrder(t, n, f)
				if l3mdev {
					if err := n.AddRule(o.option + "1000: l3mdev proto kernel"); err != nil {
						t.Fatal(err)
					}
				}
				moveLocal(n, f, "0", "32765")
				theirs := n.Snapshot()
				n.Install(o.u1, o.u2)
				n.WantNothingToDo(o.u1, o.u2)
				o.wantOwnStays("installed")
				o.wantWays("installed")
				o.wantBroadcast()
				o.wantLocalCounts()

				n.Remove(o.u1, o.u2)
				n.WantSnapshot("Remove", theirs)
				if f == tabletest.IPv4 { // IPv6 loses the address with the link
					n.Install(o.u1, o.u2)
					n.Server.Down("u2")
					o.wantUnreachable()
				}
			})
		})
	}
}

// wantLocalCounts fails the test unless packets leave without the first rung: the counts
// can tell.
func (o *vrfOrder) wantLocalCounts() {
	o.T.Helper()
	send := func() { o.SendUDP(o.f.A2, net.JoinHostPort(o.f.A1, "9")) }
	before := o.option + "1001: from " + o.f.A2 + " lookup 20"
	if err := o.AddRule(before); err != nil {
		o.T.Fatal(err)
	}
	if left := o.leaving(o.f.A2, o.f.A1, send); left != 1 {
		o.T.Errorf("with a rule before ours %d packets leave: the test proves nothing", left)
	}
	if err := o.DeleteRule(before); err != nil {
		o.T.Fatal(err)
	}
}

// wantBroadcast fails the test unless packets to the broadcast address of the other subnet
// are broadcast there.
func (o *vrfOrder) wantBroadcast() {
	o.T.Helper()
	if o.f != tabletest.IPv4 {
		return
	}
	q := route.Query{Src: netip.MustParseAddr(o.f.A2), Dst: netip.MustParseAddr("10.1.0.255"), FibMatch: true}
	r, err := route.Lookup(o.T.Context(), o.Conn, q)
	if err != nil || r.Type != route.TypeBroadcast || r.OIF != o.Server.Index("u1") {
		o.T.Errorf("a packet from %s to %s goes by %s, %v, want broadcast on u1", q.Src, q.Dst, r, err)
	}
}

// wantUnreachable fails the test unless packets from the second uplink, whose link is down,
// are refused, except for those to this host.
func (o *vrfOrder) wantUnreachable() {
	o.T.Helper()
	far := route.Query{Src: netip.MustParseAddr(o.f.A2), Dst: netip.MustParseAddr(o.f.Client)}
	if r, err := route.Lookup(o.T.Context(), o.Conn, far); !errors.Is(err, syscall.ENETUNREACH) {
		o.T.Errorf("with the link down, packets from %s go by %s, %v, want network is unreachable", far.Src, r, err)
	}
	left := o.leaving(o.f.A2, o.f.A1, func() {
		tabletest.Connect(o.T, o.Server, o.f.TCP, o.f.A2, net.JoinHostPort(o.f.A1, "80"))
	})
	if left != 0 {
		o.T.Errorf("with the link down, %d packets from %s to %s leave", left, o.f.A2, o.f.A1)
	}
}

// Someone puts the rule for local right before main while uplinks are installed, and back:
// Install follows each time, and the rules are those of that order.
func TestLocalMovesUnderUplinks(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		o := newVRFOrder(t, n, f)
		n.Install(o.u1, o.u2)
		for _, move := range [][2]string{{"0", "32765"}, {"32765", "0"}, {"0", "32765"}} {
			what := "local at " + move[1]
			moveLocal(n, f, move[0], move[1])
			n.Install(o.u1, o.u2)
			n.WantNothingToDo(o.u1, o.u2)
			want := 0
			if move[1] != "0" {
				want = 4 // two rungs, and one for each rule of Also
			}
			if rules := o.localRules(); len(rules) != want {
				t.Errorf("%s: %d rules look up local, want %d: %q", what, len(rules), want, rules)
			}
			o.wantOwnStays(what)
			o.wantWays(what)
		}
		if err := table.Recover(t.Context(), n.Conn); err != nil {
			t.Fatal(err)
		}
		n.WantNothingToDo(o.u1, o.u2)
		if err := table.Sync(t.Context(), n.Conn); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(n.Table(10)+n.Table(20), "rule ") || len(o.localRules()) > 0 {
			t.Errorf("after Sync without uplinks there are\n%s%s%q", n.Table(10), n.Table(20), o.localRules())
		}
	})
}

// A priority that is given in the order of VRFs has to be behind the rule l3mdev and before
// the one for local.
func TestPriorityInOrderOfVRFs(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		option := "-" + f.TCP[3:] + " "
		if err := n.AddRule(option + "1000: l3mdev proto kernel"); err != nil {
			t.Fatal(err)
		}
		moveLocal(n, f, "0", "32765")
		u := n.Uplink2(f)
		before := n.Snapshot()
		for prio, ok := range map[uint32]bool{500: false, 1000: false, 1002: true, 5240: true, 32762: true, 32764: false, 32766: false} {
			u.Priority = prio
			err := table.Install(t.Context(), n.Conn, u)
			if (err == nil) != ok {
				t.Errorf("priority %d: %v", prio, err)
			}
			if err == nil {
				n.WantNothingToDo(u)
				n.Remove(u)
			} else if !strings.Contains(err.Error(), "is not between the rule l3mdev, at 1000, and the rule for local, at 32765") {
				t.Errorf("priority %d: the error does not say why: %v", prio, err)
			}
			n.WantSnapshot("priority", before)
		}
	})
}

// While someone moves the rule for local and Install follows, nothing of what goes to the LAN
// or the Internet goes elsewhere, and nothing is refused.
func TestFloodLocalMoves(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, network *tabletest.Network, f tabletest.Family) {
		n := newFloodNetwork(network, f)
		u := n.FullUplink(f)
		n.Install(u)
		count := tabletest.Times(100, 6)
		ours := func(i int) {
			if i%2 == 0 {
				moveLocal(n.Network, f, "0", "32765")
			} else {
				moveLocal(n.Network, f, "32765", "0")
			}
			n.Install(u)
		}
		c := n.under(f, 2*count, f.Destinations()[0], ours)
		if report(t, "to the LAN: local moves", 2*count, c, c.g1+c.g2); c.g1+c.g2+c.failed > 0 || c.lan == 0 {
			t.Errorf("to the LAN: %+v", c)
		}
		c = n.under(f, 2*count, f.Client, ours)
		if report(t, "to the Internet: local moves", 2*count, c, c.g1+c.lan); c.g1+c.lan+c.failed > 0 || c.g2 == 0 {
			t.Errorf("to the Internet: %+v", c)
		}
		control := func(int) { // an uplink that is removed and installed
			n.Remove(u)
			n.Install(u)
		}
		c = n.untilLeak(f, count, f.Client, func(c tally) int { return c.g1 }, control)
		report(t, "to the Internet: Remove and Install", count, c, c.g1)
	})
}
