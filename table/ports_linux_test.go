package table_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// mailAndWeb sends what goes to port 25, and UDP to a range of ports, by the
// second uplink, and the web by the first.
func mailAndWeb(n *network, f family) []table.SourceRoutedUplink {
	to := func(p route.IPProto, ports rule.Ports) rule.Rule { return rule.Rule{IPProto: p, DPort: ports} }
	u1, u2 := n.uplink1(f), n.uplink2(f)
	u1.Also = []rule.Rule{to(route.TCP, rule.Port(80)), to(route.TCP, rule.Port(443)), to(route.UDP, rule.Port(443))}
	u2.Also = []rule.Rule{to(route.TCP, rule.Port(25)), to(route.UDP, rule.PortRange(5000, 5003))}
	return []table.SourceRoutedUplink{u1, u2}
}

// A try is a socket and where its packets are to go.
type try struct {
	network, bind string // to nothing, A1 or A2
	port          uint16
	src           string
	router        int
}

// tries are all that mailAndWeb decides, and what it does not.
func tries(f family) []try {
	v := f.tcp[3:]
	return []try{
		{"tcp" + v, "", 25, f.a2, 2},
		{"tcp" + v, "", 80, f.a1, 1},
		{"tcp" + v, "", 443, f.a1, 1},
		{"tcp" + v, "", 26, f.a1, 1},
		{"tcp" + v, f.a1, 25, f.a1, 1}, // bound: its address decides
		{"tcp" + v, f.a2, 80, f.a2, 2},
		{"udp" + v, "", 4999, f.a1, 1},
		{"udp" + v, "", 5000, f.a2, 2},
		{"udp" + v, "", 5003, f.a2, 2},
		{"udp" + v, "", 5004, f.a1, 1},
		{"udp" + v, "", 25, f.a1, 1}, // another protocol
		{"udp" + v, "", 443, f.a1, 1},
		{"udp" + v, f.a1, 5001, f.a1, 1},
		{"udp" + v, f.a2, 443, f.a2, 2},
	}
}

// serveTries answers on every port that the tries need.
func (n *network) serveTries(f family, all []try) {
	n.t.Helper()
	served := make(map[string]bool)
	for _, x := range all {
		addr := net.JoinHostPort(f.client, strconv.Itoa(int(x.port)))
		if served[x.network+addr] {
			continue
		}
		served[x.network+addr] = true
		if x.network[:3] == "tcp" {
			serve(n.t, n.net, x.network, addr)
		} else {
			answer(n.t, n.net, x.network, addr)
		}
	}
}

// wrong counts the tries whose packets do not go where they are to go.
func (n *network) wrong(f family, all []try, complain bool) (wrong int) {
	n.t.Helper()
	for _, x := range all {
		n.g1.Reset()
		n.g2.Reset()
		addr := net.JoinHostPort(f.client, strconv.Itoa(int(x.port)))
		var src netip.Addr
		if x.network[:3] == "tcp" {
			src = connect(n.t, n.server, x.network, x.bind, addr)
		} else {
			src = askUDP(n.t, n.server, x.network, x.bind, addr)
		}
		match := func(p lab.Packet) bool {
			return !p.Out && p.Dst.Addr().String() == f.client && p.Dst.Port() == x.port
		}
		g1, g2 := n.g1.Count(match), n.g2.Count(match)
		right := g1 > 0 && g2 == 0
		if x.router == 2 {
			right = g1 == 0 && g2 > 0
		}
		if !right || src.String() != x.src {
			wrong++
			if complain {
				n.t.Errorf("%s bound to %q, port %d: from %s, %d packets at g1 and %d at g2, want from %s at g%d",
					x.network, x.bind, x.port, src, g1, g2, x.src, x.router)
			}
		}
	}
	return wrong
}

// Ports, ranges of them and UDP choose the uplink of sockets that are not
// bound, and the source with it; without the rules all go by the first.
func TestAlsoPorts(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		all := tries(f)
		n.serveTries(f, all)
		if wrong := n.wrong(f, all, false); wrong < 5 {
			t.Errorf("without the uplinks only %d go otherwise: the test proves nothing", wrong)
		}
		before := n.snapshot()
		n.install(mailAndWeb(n, f)...)
		n.wrong(f, all, true)

		n.nearbyPorts(f)
		n.remove(mailAndWeb(n, f)...)
		n.unchanged("Remove", before)
	})
}

// nearbyPorts tries what a router itself serves, which is reached on its own link
// whatever the port, from sockets that are bound and from others. The control is
// the same rules as they would be typed.
func (n *network) nearbyPorts(f family) {
	t := n.t
	t.Helper()
	mail, range25 := net.JoinHostPort(f.g1, "25"), net.JoinHostPort(f.g1, "5001")
	web := net.JoinHostPort(f.g2, "80")
	serve(t, n.net, f.tcp, mail)
	serve(t, n.net, f.tcp, web)
	answer(t, n.net, "udp"+f.tcp[3:], range25)
	try := func(bind, addr string, own, other *lab.Tap) {
		t.Helper()
		n.g1.Reset()
		n.g2.Reset()
		dial := "tcp"
		if addr == range25 {
			dial = "udp"
		}
		c, err := n.server.Dial(shortly(t), dial+f.tcp[3:], bind, addr)
		if err == nil {
			c.Write([]byte("hello"))
			c.Close()
		}
		to := func(p lab.Packet) bool { return !p.Out && p.Dst.String() == addr }
		if err != nil || own.Count(to) == 0 || other.Count(to) != 0 {
			t.Errorf("from %q to %s: %d packets on its link and %d on the other, error %v",
				bind, addr, own.Count(to), other.Count(to), err)
		}
	}
	try(f.a1, mail, n.g1, n.g2)
	try("", mail, n.g1, n.g2)
	try("", range25, n.g1, n.g2)
	try("", web, n.g2, n.g1)

	alone := mailAndWeb(n, f)
	for _, u := range alone {
		for i := range u.Also {
			u.Also[i].Table = u.Table
		}
	}
	n.install(alone...)
	n.g1.Reset()
	n.g2.Reset()
	if c, err := n.server.Dial(shortly(t), f.tcp, "", mail); err == nil {
		c.Close()
	}
	to := func(p lab.Packet) bool { return !p.Out && p.Dst.String() == mail }
	if n.g1.Count(to) != 0 || n.g2.Count(to) == 0 {
		t.Errorf("rules that stand alone: %d packets at g1 and %d at g2: the test proves nothing", n.g1.Count(to), n.g2.Count(to))
	}
	n.install(mailAndWeb(n, f)...)
	try("", mail, n.g1, n.g2)
}

// A rule of Also that was left without the one before it gets it back, in its
// place; one that is left without its rule goes.
func TestAlsoHalf(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		before := n.snapshot()
		u := n.uplink2(f)
		u.Also = []rule.Rule{{IPProto: route.TCP, DPort: rule.Port(25)}, {FwMark: rule.FwMark(2)}}
		n.install(u)
		whole := n.snapshot()
		rules, err := rule.List(t.Context(), n.c, rule.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			if r.Protocol != table.Protocol || r.From.IsValid() {
				continue
			}
			if err := rule.Delete(t.Context(), n.c, r); err != nil {
				t.Fatal(err)
			}
			n.install(u)
			n.wantPlan("install again", "\n", u)
			n.unchanged("Install of half of "+r.String(), whole)
			// And without the rule that it goes with, Remove leaves nothing.
			if err := rule.Delete(t.Context(), n.c, r); err != nil {
				t.Fatal(err)
			}
			n.remove(u)
			n.unchanged("Remove of half of "+r.String(), before)
			n.install(u)
		}
		n.remove(u)
		n.unchanged("Remove", before)
	})
}

// Strict reverse path filtering on both interfaces passes all of it. Without
// the rules by source it drops what comes in by the second.
func TestAlsoPortsStrict(t *testing.T) {
	n := newNetwork(t)
	f := ip4
	serve(t, n.server, f.tcp, "0.0.0.0:1194")
	// ARP on behalf of the client would be filtered as well.
	connect(t, n.net, f.tcp, f.g2, net.JoinHostPort(f.a2, "1194"))
	n.strict("all", "u1", "u2")
	drops := n.reversePathDrops()
	c, err := n.net.Dial(shortly(t), f.tcp, f.client, net.JoinHostPort(f.a2, "1194"))
	if err == nil {
		c.Close()
		t.Error("without the uplinks, what comes in by u2 arrives: the test proves nothing")
	}
	if n.reversePathDrops() == drops {
		t.Error("without the uplinks nothing is dropped: the test proves nothing")
	}

	all := tries(f)
	n.serveTries(f, all)
	n.install(mailAndWeb(n, f)...)
	time.Sleep(10 * time.Millisecond) // for what was sent again meanwhile
	drops = n.reversePathDrops()
	n.wrong(f, all, true)
	for _, a := range []string{f.a1, f.a2} {
		connect(t, n.net, f.tcp, f.client, net.JoinHostPort(a, "1194"))
	}
	if now := n.reversePathDrops(); now != drops {
		t.Errorf("%d packets were dropped by the reverse path filter", now-drops)
	}
}

// answer answers datagrams in a namespace.
func answer(t *testing.T, ns *lab.NS, udp, addr string) {
	t.Helper()
	c, err := ns.ListenPacket(udp, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 100)
		for {
			k, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo(b[:k], from)
		}
	}()
}

// askUDP sends a datagram, waits for the answer, and returns the address that
// it was sent from.
func askUDP(t *testing.T, ns *lab.NS, udp, from, to string) netip.Addr {
	t.Helper()
	c, err := ns.Dial(t.Context(), udp, from, to)
	if err != nil {
		t.Fatalf("from %q to %s: %v", from, to, err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if b := make([]byte, 5); mustRead(c, b) != nil || string(b) != "hello" {
		t.Fatalf("from %q to %s: no answer", from, to)
	}
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// A rule of Also that says where packets go stands alone; and one that a given
// priority had put among the rules from sources makes way when priorities are
// chosen again.
func TestAlsoPlaces(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		u := n.uplink2(f)
		u.Priority = 31001
		client := netip.MustParseAddr(f.client)
		u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {To: netip.PrefixFrom(client, client.BitLen())}}
		n.install(u)
		places := func() (all []string) {
			t.Helper()
			for r, err := range rule.All(t.Context(), n.c, rule.Filter{Protocol: table.Protocol}) {
				if err != nil {
					t.Fatal(err)
				}
				if !r.From.IsValid() {
					all = append(all, r.String())
				}
			}
			return all
		}
		option := ""
		if client.Is6() {
			option = "-6 "
		}
		want := func(first, second, third int) []string {
			return []string{
				fmt.Sprintf("%s%d: from all fwmark 0x2 lookup main suppress_prefixlength 0 proto 210", option, first),
				fmt.Sprintf("%s%d: from all fwmark 0x2 lookup 20 proto 210", option, second),
				fmt.Sprintf("%d: from all to %s lookup 20 proto 210", third, f.client),
			}
		}
		if got := places(); !slices.Equal(got, want(31002, 31003, 31004)) {
			t.Errorf("with a priority:\n got %q\nwant %q", got, want(31002, 31003, 31004))
		}
		u.Priority = 0
		n.install(u)
		if got := places(); !slices.Equal(got, want(32000, 32001, 32002)) {
			t.Errorf("without:\n got %q\nwant %q", got, want(32000, 32001, 32002))
		}
		n.wantNothingToDo(u)
	})
}

// What is left of a pair whose second rule is gone changes nothing, and Recover
// takes it away.
func TestAlsoRecover(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		u := n.uplink2(f)
		n.install(u)
		without := n.snapshot()
		u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}}
		n.install(u)
		if _, err := rule.Flush(t.Context(), n.c, rule.Filter{Table: 20, Priority: rule.Priority(32001)}); err != nil {
			t.Fatal(err)
		}
		if n.snapshot() == without {
			t.Error("nothing is left: the test proves nothing")
		}
		if err := table.Recover(t.Context(), n.c); err != nil {
			t.Fatal(err)
		}
		n.unchanged("Recover", without)
	})
}
