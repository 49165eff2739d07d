package table_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// addInner gives the server a network without a way out, and what main says
// about it, by the interface lan.
func (n *network) addInner(l *lab.Lab) *lab.NS {
	n.t.Helper()
	inner := l.NS("inner")
	n.server.Link("lan", inner, "eth0")
	n.server.Addr("lan", "172.16.5.1/24", "2001:db8:5::1/64")
	inner.Addr("eth0", "172.16.5.2/24", "2001:db8:5::2/64")
	for _, words := range []string{"203.0.113.0/24 via 172.16.5.2 dev lan", "2001:db8:113::/64 via 2001:db8:5::2 dev lan"} {
		if err := n.addRoute(strings.Replace(words, "dev lan", "", 1)); err != nil {
			n.t.Fatal(err)
		}
	}
	return inner
}

// Packets from the uplink's address go to a LAN by the gateway, which they do
// not without the uplink; main's default and other uplinks are no LAN.
func TestFindingDetour(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		u1, u2 := n.uplink1(f), n.uplink2(f)
		n.install(u1, u2)
		serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
		n.connectOut(f)
		connect(t, n.server, f.tcp, f.a1, net.JoinHostPort(f.client, "80"))
		n.wantFindings("", u2)
		if found := n.check(u1, u2); len(found) > 0 {
			t.Errorf("both uplinks:\n%s", words(found))
		}
		n.remove(u1)

		inner := n.addInner(lab.Test(t))
		tap := n.net.Tap("g2")
		lan, subnet, static := "172.16.5.2", "172.16.5.0/24", "203.0.113.0/24 via 172.16.5.2 dev lan"
		if f.tcp == "tcp6" {
			lan, subnet = "2001:db8:5::2", "2001:db8:5::/64"
			static = "2001:db8:113::/64 via 2001:db8:5::2 dev lan metric 1024"
		}
		object := "route " + subnet + " dev lan proto kernel src 172.16.5.1"
		if f.tcp == "tcp6" {
			object = "route " + subnet + " dev lan proto kernel metric 256"
		}
		n.wantFindings("warning lan-detour "+object+"\nwarning lan-detour route "+static+"\n", u2)
		// It is true: the packet is at g2 and not on the LAN.
		n.sendUDP(f.a2, net.JoinHostPort(lan, "9"))
		to := func(p lab.Packet) bool { return p.Dst.Addr() == addr(lan) && p.Proto == 17 }
		if got := tap.Count(to); got != 1 {
			t.Errorf("%d packets to the LAN at g2", got)
		}
		// With MainFirst, as the finding says, it is on the LAN.
		own := inner.Tap("eth0")
		u2.MainFirst = true
		n.install(u2)
		n.wantFindings("", u2)
		tap.Reset()
		n.sendUDP(f.a2, net.JoinHostPort(lan, "9"))
		if got, at2 := own.Count(to), tap.Count(to); got != 1 || at2 != 0 {
			t.Errorf("with MainFirst %d packets on the LAN and %d at g2", got, at2)
		}
		n.remove(u2)
		tap.Reset()
		own.Reset()
		n.sendUDP(f.a2, net.JoinHostPort(lan, "9"))
		if got, at2 := own.Count(to), tap.Count(to); got != 1 || at2 != 0 {
			t.Errorf("without the uplink %d packets on the LAN and %d at g2", got, at2)
		}
		for _, x := range n.check(u2) {
			if x.Code == table.CodeDetour {
				t.Errorf("without the uplink: %s", x)
			}
		}
	})
}

// So do packets that a rule by port selects, if it says its table and so stands
// alone; with a rule for main before it, as the finding says, they do not.
func TestFindingDetourOfAlso(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		u := n.uplink2(f)
		u.Also = []rule.Rule{{IPProto: route.TCP, DPort: rule.Port(25), Table: 20}, {FwMark: rule.FwMark(2), Table: 20}}
		n.install(u)
		serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
		n.connectOut(f)
		n.wantFindings("", u)
		inner := n.addInner(lab.Test(t))
		lan, option := "172.16.5.2", ""
		if f.tcp == "tcp6" {
			lan, option = "2001:db8:5::2", "-6 "
		}
		serve(t, inner, f.tcp, net.JoinHostPort(lan, "25"))
		tap := inner.Tap("eth0")
		syn := func(p lab.Packet) bool { return !p.Out && p.Proto == 6 && p.Dst.Port() == 25 }
		also := func() (objects, cures []string) {
			for _, x := range n.check(u) {
				if x.Code == table.CodeDetour && strings.HasPrefix(x.Object, "rule ") {
					objects, cures = append(objects, x.Object), append(cures, x.Cure)
				}
			}
			return objects, cures
		}
		want := []string{"rule from all ipproto tcp dport 25", "rule from all fwmark 0x2"}
		got, cures := also()
		if !slices.Equal(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
		if c, err := n.server.Dial(shortly(t), f.tcp, "", net.JoinHostPort(lan, "25")); err == nil {
			c.Close()
			t.Error("the server on the LAN is reached: the finding is wrong")
		}
		if tap.Count(syn) != 0 {
			t.Error("packets are on the LAN: the finding is wrong")
		}
		for _, cure := range cures {
			_, words, _ := strings.Cut(cure, " rule add ")
			if err := n.addRule(option + words); err != nil || !strings.HasSuffix(cure, " pref 31999") {
				t.Errorf("%s: %v", cure, err)
			}
		}
		if got, _ := also(); len(got) > 0 {
			t.Errorf("still found %q", got)
		}
		connect(t, n.server, f.tcp, "", net.JoinHostPort(lan, "25"))

		// A rule that does not stand alone brings that one along. If someone
		// deletes it, to install the uplink again is the cure.
		for i := range u.Also {
			u.Also[i].Table = 0
		}
		if _, err := rule.Flush(t.Context(), n.c, rule.Filter{Table: rttables.Main, Priority: rule.Priority(31999)}); err != nil {
			t.Fatal(err)
		}
		n.install(u)
		if got, _ := also(); len(got) > 0 {
			t.Errorf("of rules in pairs: found %q", got)
		}
		connect(t, n.server, f.tcp, "", net.JoinHostPort(lan, "25"))
		if _, err := rule.Flush(t.Context(), n.c, rule.Filter{Table: rttables.Main, Protocol: table.Protocol}); err != nil {
			t.Fatal(err)
		}
		if got, cures := also(); !slices.Equal(got, want) || !strings.HasPrefix(cures[0], "install the uplink again") {
			t.Errorf("of half pairs: found %q, cures %q, want %q", got, cures, want)
		}
		n.install(u)
		if got, _ := also(); len(got) > 0 {
			t.Errorf("after another Install: found %q", got)
		}
	})
}

// sendUDP sends one packet from an address of the server.
func (n *network) sendUDP(from, to string) {
	n.t.Helper()
	c, err := n.server.Dial(n.t.Context(), "udp", net.JoinHostPort(from, "0"), to)
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		n.t.Fatal(err)
	}
}

// strict turns on strict reverse path filtering.
func (n *network) strict(devs ...string) {
	for _, dev := range devs {
		n.server.Sysctl("net.ipv4.conf."+dev+".rp_filter", "1")
	}
}

// shortly is a context that ends when no answer comes any more.
func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// Strict reverse path filtering passes what comes in for the sources of an
// uplink, and drops what comes in for another address of the interface.
func TestFindingReversePathOfAnAddress(t *testing.T) {
	n, u := healthy(t, ip4, func(u *table.SourceRoutedUplink) { u.Sources = []netip.Addr{addr(ip4.a2)} })
	n.server.Addr("u2", "10.2.0.3/24")
	serve(t, n.server, "tcp4", "0.0.0.0:1194")
	arrives := func(a string) bool {
		c, err := n.net.Dial(shortly(t), "tcp4", ip4.client, net.JoinHostPort(a, "1194"))
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	n.wantFindings("", u)
	if !arrives("10.2.0.3") {
		t.Error("without the filter nothing arrives: the test proves nothing")
	}
	n.strict("u2")
	n.wantFindings("warning rp-filter 10.2.0.3\n", u)
	before := n.reversePathDrops()
	if !arrives("10.2.0.2") || n.reversePathDrops() != before {
		t.Error("the filter drops what comes in for a source")
	}
	if arrives("10.2.0.3") || n.reversePathDrops() == before {
		t.Error("nothing is dropped: the finding is wrong")
	}
	u.Sources = append(u.Sources, addr("10.2.0.3"))
	n.install(u)
	n.wantFindings("", u)
	if !arrives("10.2.0.3") {
		t.Error("what the finding says does not cure it")
	}
}

// Strict reverse path filtering passes answers to what a rule by incoming
// interface forwards: the kernel looks for the way back with that interface.
func TestFindingReversePathOfForwarding(t *testing.T) {
	n, u := healthy(t, ip4, func(u *table.SourceRoutedUplink) { u.Also = []rule.Rule{{IIF: "lan"}} })
	inner := n.addInner(lab.Test(t))
	n.server.Sysctl("net.ipv4.ip_forward", "1")
	if err := route.Add(t.Context(), n.dial(inner), route.Route{Gateway: addr("172.16.5.1")}); err != nil {
		t.Fatal(err)
	}
	n.backBy2("172.16.5.0/24")
	n.strict("u2", "all")
	for _, f := range n.check(u) {
		if f.Code == table.CodeReversePath {
			t.Error(f)
		}
	}
	before := n.reversePathDrops()
	connect(t, inner, "tcp4", "", net.JoinHostPort(ip4.client, "80"))
	if n.reversePathDrops() != before {
		t.Error("packets were dropped")
	}
	if g1, g2 := n.from("172.16.5.2"); g1 != 0 || g2 == 0 {
		t.Errorf("%d packets at g1 and %d at g2: the test proves nothing", g1, g2)
	}
}

// backBy2 has the net send packets to a subnet by u2.
func (n *network) backBy2(subnet string) {
	n.t.Helper()
	r := route.Route{Dst: netip.MustParsePrefix(subnet), Gateway: addr(ip4.a2)}
	if err := route.Add(n.t.Context(), n.dial(n.net), r); err != nil {
		n.t.Fatal(err)
	}
}

// Strict reverse path filtering drops answers to what a rule by mark sends from
// an address that is not the uplink's.
func TestFindingReversePathOfMarks(t *testing.T) {
	n, u := healthy(t, ip4, func(u *table.SourceRoutedUplink) { u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}} })
	n.server.Addr("lo", "172.31.0.1/32")
	n.backBy2("172.31.0.1/32")
	answered := func() bool {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("172.31.0.1")}, Control: lab.Mark(2)}
		c, err := n.server.DialWith(shortly(t), d, "tcp4", net.JoinHostPort(ip4.client, "80"))
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	if !answered() {
		t.Error("without the filter: no answer: the test proves nothing")
	}
	n.strict("all") // is the greater of the two
	n.wantFindings("warning rp-filter rule from all fwmark 0x2\n", u)
	before := n.reversePathDrops()
	if answered() || n.reversePathDrops() == before {
		t.Error("nothing is dropped: the finding is wrong")
	}
	n.server.Sysctl("net.ipv4.conf.u2.rp_filter", "2")
	n.wantFindings("", u)
	if !answered() {
		t.Error("what the finding says does not cure it")
	}
	n.server.Sysctl("net.ipv4.conf.u2.rp_filter", "0")
	n.server.Sysctl("net.ipv4.conf.all.src_valid_mark", "1")
	n.wantFindings("", u) // the marks are then someone's care
}

// A UDP server that listens on every address answers by main what came in by
// the uplink; one that is bound, to an address or an interface, does not, nor
// does one whose port a rule leads.
func TestFindingWildcardUDP(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		u := n.uplink2(f)
		n.install(u)
		serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
		n.connectOut(f)
		any, udp := "0.0.0.0", "udp4"
		if f.tcp == "tcp6" {
			any, udp = "::", "udp6"
		}
		answer(t, n.server, udp, net.JoinHostPort(f.a2, "1194"))
		answer(t, n.server, udp, net.JoinHostPort(any, "5353"))
		answer(t, n.server, udp, net.JoinHostPort(any, "40000")) // one that no server has asked for
		n.wantFindings("", u)

		answer(t, n.server, udp, net.JoinHostPort(any, "53"))
		n.wantFindings("warning udp-wildcard udp "+net.JoinHostPort(any, "53")+"\n", u)
		if g1, g2 := n.ask(udp, f, "53"); g1 != 1 || g2 != 0 {
			t.Errorf("the answer: %d at g1 and %d at g2: the finding is wrong", g1, g2)
		}
		if g1, g2 := n.ask(udp, f, "1194"); g1 != 0 || g2 != 1 {
			t.Errorf("the answer of the one that is bound: %d at g1 and %d at g2", g1, g2)
		}
		u.Also = []rule.Rule{{IPProto: route.UDP, SPort: rule.Port(53)}}
		n.install(u)
		n.wantFindings("", u)
		if g1, g2 := n.ask(udp, f, "53"); g1 != 0 || g2 != 1 {
			t.Errorf("with a rule, the answer: %d at g1 and %d at g2", g1, g2)
		}
		// The uplink by which main goes has no such problem.
		u1 := n.uplink1(f)
		u.Also = nil
		n.install(u, u1)
		connect(t, n.server, f.tcp, f.a1, net.JoinHostPort(f.client, "80"))
		for _, x := range n.check(u, u1) {
			if x.Uplink == "lan1" {
				t.Errorf("of the uplink that main goes by: %s", x)
			}
		}
	})
}

// A server for both families is found for either.
func TestFindingWildcardUDPOfBothFamilies(t *testing.T) {
	n, u := healthy(t, ip4, nil)
	answer(t, n.server, "udp6", "[::]:53") // IPv6 only
	n.wantFindings("", u)
	answer(t, n.server, "udp", "[::]:5060") // both
	n.wantFindings("warning udp-wildcard udp [::]:5060\n", u)
}

// ask sends a datagram to A2 and counts the answers at the routers.
func (n *network) ask(udp string, f family, port string) (g1, g2 int) {
	n.t.Helper()
	n.g1.Reset()
	n.g2.Reset()
	// Not connected: an answer may come from another address.
	c, err := n.net.ListenPacket(udp, net.JoinHostPort(f.client, "0"))
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(net.JoinHostPort(f.a2, port)))); err != nil {
		n.t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, _, err := c.ReadFrom(make([]byte, 10)); err != nil {
		n.t.Errorf("port %s: no answer: %v", port, err)
	}
	answer := func(p lab.Packet) bool { return !p.Out && p.Proto == 17 && p.Dst.Addr() == addr(f.client) }
	return n.g1.Count(answer), n.g2.Count(answer)
}
