package check_test

import (
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
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// addInner gives the server a network without a way out, and what main says
// about it, by the interface lan.
func addInner(n *tabletest.Network, l *lab.Lab) *lab.NS {
	n.T.Helper()
	inner := l.NS("inner")
	n.Server.Link("lan", inner, "eth0")
	n.Server.Addr("lan", "172.16.5.1/24", "2001:db8:5::1/64")
	inner.Addr("eth0", "172.16.5.2/24", "2001:db8:5::2/64")
	for _, words := range []string{"203.0.113.0/24 via 172.16.5.2 dev lan", "2001:db8:113::/64 via 2001:db8:5::2 dev lan"} {
		if err := n.AddRoute(strings.Replace(words, "dev lan", "", 1)); err != nil {
			n.T.Fatal(err)
		}
	}
	return inner
}

// Packets from the uplink's address go to a LAN by the gateway, which they do
// not without the uplink; main's default and other uplinks are no LAN.
func TestFindingDetour(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u1, u2 := n.Uplink1(f), n.Uplink2(f)
		n.Install(u1, u2)
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		connectOut(n, f)
		tabletest.Connect(t, n.Server, f.TCP, f.A1, net.JoinHostPort(f.Client, "80"))
		wantFindings(n, "", u2)
		if found := findings(n, u1, u2); len(found) > 0 {
			t.Errorf("both uplinks:\n%s", words(found))
		}
		n.Remove(u1)

		inner := addInner(n, lab.Test(t))
		tap := n.Net.Tap("g2")
		lan, subnet, static := "172.16.5.2", "172.16.5.0/24", "203.0.113.0/24 via 172.16.5.2 dev lan"
		if f.TCP == "tcp6" {
			lan, subnet = "2001:db8:5::2", "2001:db8:5::/64"
			static = "2001:db8:113::/64 via 2001:db8:5::2 dev lan metric 1024"
		}
		object := "route " + subnet + " dev lan proto kernel src 172.16.5.1"
		if f.TCP == "tcp6" {
			object = "route " + subnet + " dev lan proto kernel metric 256"
		}
		wantFindings(n, "warning lan-detour "+object+"\nwarning lan-detour route "+static+"\n", u2)
		// It is true: the packet is at g2 and not on the LAN.
		n.SendUDP(f.A2, net.JoinHostPort(lan, "9"))
		to := func(p lab.Packet) bool { return p.Dst.Addr() == netip.MustParseAddr(lan) && p.Proto == 17 }
		if got := tap.Count(to); got != 1 {
			t.Errorf("%d packets to the LAN at g2", got)
		}
		// With MainFirst, as the finding says, it is on the LAN.
		own := inner.Tap("eth0")
		u2.MainFirst = true
		n.Install(u2)
		wantFindings(n, "", u2)
		tap.Reset()
		n.SendUDP(f.A2, net.JoinHostPort(lan, "9"))
		if got, at2 := own.Count(to), tap.Count(to); got != 1 || at2 != 0 {
			t.Errorf("with MainFirst %d packets on the LAN and %d at g2", got, at2)
		}
		n.Remove(u2)
		tap.Reset()
		own.Reset()
		n.SendUDP(f.A2, net.JoinHostPort(lan, "9"))
		if got, at2 := own.Count(to), tap.Count(to); got != 1 || at2 != 0 {
			t.Errorf("without the uplink %d packets on the LAN and %d at g2", got, at2)
		}
		for _, x := range findings(n, u2) {
			if x.Code == check.CodeDetour {
				t.Errorf("without the uplink: %s", x)
			}
		}
	})
}

// So do packets that a rule by port selects, if it says its table and so stands
// alone; with a rule for main before it, as the finding says, they do not.
func TestFindingDetourOfAlso(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		u.Also = []rule.Rule{{IPProto: route.TCP, DPort: rule.Port(25), Table: 20}, {FwMark: rule.FwMark(2), Table: 20}}
		n.Install(u)
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		connectOut(n, f)
		wantFindings(n, "", u)
		inner := addInner(n, lab.Test(t))
		lan, option := "172.16.5.2", ""
		if f.TCP == "tcp6" {
			lan, option = "2001:db8:5::2", "-6 "
		}
		tabletest.Serve(t, inner, f.TCP, net.JoinHostPort(lan, "25"))
		tap := inner.Tap("eth0")
		syn := func(p lab.Packet) bool { return !p.Out && p.Proto == 6 && p.Dst.Port() == 25 }
		also := func() (objects, cures []string) {
			for _, x := range findings(n, u) {
				if x.Code == check.CodeDetour && strings.HasPrefix(x.Object, "rule ") {
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
		if c, err := n.Server.Dial(tabletest.ShortContext(t), f.TCP, "", net.JoinHostPort(lan, "25")); err == nil {
			c.Close()
			t.Error("the server on the LAN is reached: the finding is wrong")
		}
		if tap.Count(syn) != 0 {
			t.Error("packets are on the LAN: the finding is wrong")
		}
		for _, cure := range cures {
			_, words, _ := strings.Cut(cure, " rule add ")
			if err := n.AddRule(option + words); err != nil || !strings.HasSuffix(cure, " pref 31999") {
				t.Errorf("%s: %v", cure, err)
			}
		}
		if got, _ := also(); len(got) > 0 {
			t.Errorf("still found %q", got)
		}
		tabletest.Connect(t, n.Server, f.TCP, "", net.JoinHostPort(lan, "25"))

		// A rule that does not stand alone brings that one along. If someone
		// deletes it, to install the uplink again is the cure.
		for i := range u.Also {
			u.Also[i].Table = 0
		}
		if _, err := rule.Flush(t.Context(), n.Conn, rule.Filter{Table: rttables.Main, Priority: rule.Priority(31999)}); err != nil {
			t.Fatal(err)
		}
		n.Install(u)
		if got, _ := also(); len(got) > 0 {
			t.Errorf("of rules in pairs: found %q", got)
		}
		tabletest.Connect(t, n.Server, f.TCP, "", net.JoinHostPort(lan, "25"))
		if _, err := rule.Flush(t.Context(), n.Conn, rule.Filter{Table: rttables.Main, Protocol: table.Protocol}); err != nil {
			t.Fatal(err)
		}
		if got, cures := also(); !slices.Equal(got, want) || len(cures) == 0 || !strings.HasPrefix(cures[0], "uplinks up lan2, which adds ") {
			t.Errorf("of half pairs: found %q, cures %q, want %q", got, cures, want)
		}
		n.Install(u)
		if got, _ := also(); len(got) > 0 {
			t.Errorf("after another Install: found %q", got)
		}
	})
}

// Strict reverse path filtering passes what comes in for the sources of an
// uplink, and drops what comes in for another address of the interface.
func TestFindingReversePathOfAnAddress(t *testing.T) {
	n, u := healthy(t, tabletest.IPv4, func(u *table.SourceRoutedUplink) { u.Sources = []netip.Addr{netip.MustParseAddr(tabletest.IPv4.A2)} })
	n.Server.Addr("u2", "10.2.0.3/24")
	tabletest.Serve(t, n.Server, "tcp4", "0.0.0.0:1194")
	arrives := func(a string) bool {
		c, err := n.Net.Dial(tabletest.ShortContext(t), "tcp4", tabletest.IPv4.Client, net.JoinHostPort(a, "1194"))
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	wantFindings(n, "", u)
	if !arrives("10.2.0.3") {
		t.Error("without the filter nothing arrives: the test proves nothing")
	}
	n.StrictReversePath("u2")
	wantFindings(n, "warning rp-filter 10.2.0.3\n", u)
	before := n.ReversePathDrops()
	if !arrives("10.2.0.2") || n.ReversePathDrops() != before {
		t.Error("the filter drops what comes in for a source")
	}
	if arrives("10.2.0.3") || n.ReversePathDrops() == before {
		t.Error("nothing is dropped: the finding is wrong")
	}
	u.Sources = append(u.Sources, netip.MustParseAddr("10.2.0.3"))
	n.Install(u)
	wantFindings(n, "", u)
	if !arrives("10.2.0.3") {
		t.Error("what the finding says does not cure it")
	}
}

// Strict reverse path filtering passes answers to what a rule by incoming
// interface forwards: the kernel looks for the way back with that interface.
func TestFindingReversePathOfForwarding(t *testing.T) {
	n, u := healthy(t, tabletest.IPv4, func(u *table.SourceRoutedUplink) { u.Also = []rule.Rule{{IIF: "lan"}} })
	inner := addInner(n, lab.Test(t))
	n.Server.Sysctl("net.ipv4.ip_forward", "1")
	if err := route.Add(t.Context(), n.Dial(inner), route.Route{Gateway: netip.MustParseAddr("172.16.5.1")}); err != nil {
		t.Fatal(err)
	}
	backBy2(n, "172.16.5.0/24")
	n.StrictReversePath("u2", "all")
	for _, f := range findings(n, u) {
		if f.Code == check.CodeReversePath {
			t.Error(f)
		}
	}
	before := n.ReversePathDrops()
	tabletest.Connect(t, inner, "tcp4", "", net.JoinHostPort(tabletest.IPv4.Client, "80"))
	if n.ReversePathDrops() != before {
		t.Error("packets were dropped")
	}
	if g1, g2 := n.TCPFrom("172.16.5.2"); g1 != 0 || g2 == 0 {
		t.Errorf("%d packets at g1 and %d at g2: the test proves nothing", g1, g2)
	}
}

// backBy2 has the net send packets to a subnet by u2.
func backBy2(n *tabletest.Network, subnet string) {
	n.T.Helper()
	r := route.Route{Dst: netip.MustParsePrefix(subnet), Gateway: netip.MustParseAddr(tabletest.IPv4.A2)}
	if err := route.Add(n.T.Context(), n.Dial(n.Net), r); err != nil {
		n.T.Fatal(err)
	}
}

// Strict reverse path filtering drops answers to what a rule by mark sends from
// an address that is not the uplink's.
func TestFindingReversePathOfMarks(t *testing.T) {
	n, u := healthy(t, tabletest.IPv4, func(u *table.SourceRoutedUplink) { u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}} })
	n.Server.Addr("lo", "172.31.0.1/32")
	backBy2(n, "172.31.0.1/32")
	answered := func() bool {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("172.31.0.1")}, Control: lab.Mark(2)}
		c, err := n.Server.DialWith(tabletest.ShortContext(t), d, "tcp4", net.JoinHostPort(tabletest.IPv4.Client, "80"))
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	if !answered() {
		t.Error("without the filter: no answer: the test proves nothing")
	}
	n.StrictReversePath("all") // is the greater of the two
	wantFindings(n, "warning rp-filter rule from all fwmark 0x2\n", u)
	before := n.ReversePathDrops()
	if answered() || n.ReversePathDrops() == before {
		t.Error("nothing is dropped: the finding is wrong")
	}
	n.Server.Sysctl("net.ipv4.conf.u2.rp_filter", "2")
	wantFindings(n, "", u)
	if !answered() {
		t.Error("what the finding says does not cure it")
	}
	n.Server.Sysctl("net.ipv4.conf.u2.rp_filter", "0")
	n.Server.Sysctl("net.ipv4.conf.all.src_valid_mark", "1")
	wantFindings(n, "", u) // the marks are then someone's care
}

// A UDP server that listens on every address answers by main what came in by
// the uplink; one that is bound, to an address or an interface, does not, nor
// does one whose port a rule leads.
func TestFindingWildcardUDP(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		n.Install(u)
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		connectOut(n, f)
		any, udp := "0.0.0.0", "udp4"
		if f.TCP == "tcp6" {
			any, udp = "::", "udp6"
		}
		tabletest.ServeUDP(t, n.Server, udp, net.JoinHostPort(f.A2, "1194"))
		tabletest.ServeUDP(t, n.Server, udp, net.JoinHostPort(any, "5353"))
		tabletest.ServeUDP(t, n.Server, udp, net.JoinHostPort(any, "40000")) // one that no server has asked for
		wantFindings(n, "", u)

		tabletest.ServeUDP(t, n.Server, udp, net.JoinHostPort(any, "53"))
		wantFindings(n, "warning udp-wildcard udp "+net.JoinHostPort(any, "53")+"\n", u)
		if g1, g2 := ask(n, udp, f, "53"); g1 != 1 || g2 != 0 {
			t.Errorf("the answer: %d at g1 and %d at g2: the finding is wrong", g1, g2)
		}
		if g1, g2 := ask(n, udp, f, "1194"); g1 != 0 || g2 != 1 {
			t.Errorf("the answer of the one that is bound: %d at g1 and %d at g2", g1, g2)
		}
		u.Also = []rule.Rule{{IPProto: route.UDP, SPort: rule.Port(53)}}
		n.Install(u)
		wantFindings(n, "", u)
		if g1, g2 := ask(n, udp, f, "53"); g1 != 0 || g2 != 1 {
			t.Errorf("with a rule, the answer: %d at g1 and %d at g2", g1, g2)
		}
		// The uplink by which main goes has no such problem.
		u1 := n.Uplink1(f)
		u.Also = nil
		n.Install(u, u1)
		tabletest.Connect(t, n.Server, f.TCP, f.A1, net.JoinHostPort(f.Client, "80"))
		for _, x := range findings(n, u, u1) {
			if x.Uplink == "lan1" {
				t.Errorf("of the uplink that main goes by: %s", x)
			}
		}
	})
}

// A server for both families is found for either.
func TestFindingWildcardUDPOfBothFamilies(t *testing.T) {
	n, u := healthy(t, tabletest.IPv4, nil)
	tabletest.ServeUDP(t, n.Server, "udp6", "[::]:53") // IPv6 only
	wantFindings(n, "", u)
	tabletest.ServeUDP(t, n.Server, "udp", "[::]:5060") // both
	wantFindings(n, "warning udp-wildcard udp [::]:5060\n", u)
}

// ask sends a datagram to A2 and counts the answers at the routers.
func ask(n *tabletest.Network, udp string, f tabletest.Family, port string) (g1, g2 int) {
	n.T.Helper()
	n.G1.Reset()
	n.G2.Reset()
	// Not connected: an answer may come from another address.
	c, err := n.Net.ListenPacket(udp, net.JoinHostPort(f.Client, "0"))
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	if _, err := c.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(net.JoinHostPort(f.A2, port)))); err != nil {
		n.T.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, _, err := c.ReadFrom(make([]byte, 10)); err != nil {
		n.T.Errorf("port %s: no answer: %v", port, err)
	}
	answer := func(p lab.Packet) bool {
		return !p.Out && p.Proto == 17 && p.Dst.Addr() == netip.MustParseAddr(f.Client)
	}
	return n.G1.Count(answer), n.G2.Count(answer)
}
