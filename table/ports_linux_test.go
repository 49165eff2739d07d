package table_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// mailAndWeb sends what goes to port 25, and UDP to a range of ports, by the
// second uplink, and the web by the first.
func mailAndWeb(n *tabletest.Network, f tabletest.Family) []table.SourceRoutedUplink {
	to := func(p route.IPProto, ports rule.Ports) rule.Rule { return rule.Rule{IPProto: p, DPort: ports} }
	u1, u2 := n.Uplink1(f), n.Uplink2(f)
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
func tries(f tabletest.Family) []try {
	v := f.TCP[3:]
	return []try{
		{"tcp" + v, "", 25, f.A2, 2},
		{"tcp" + v, "", 80, f.A1, 1},
		{"tcp" + v, "", 443, f.A1, 1},
		{"tcp" + v, "", 26, f.A1, 1},
		{"tcp" + v, f.A1, 25, f.A1, 1}, // bound: its address decides
		{"tcp" + v, f.A2, 80, f.A2, 2},
		{"udp" + v, "", 4999, f.A1, 1},
		{"udp" + v, "", 5000, f.A2, 2},
		{"udp" + v, "", 5003, f.A2, 2},
		{"udp" + v, "", 5004, f.A1, 1},
		{"udp" + v, "", 25, f.A1, 1}, // another protocol
		{"udp" + v, "", 443, f.A1, 1},
		{"udp" + v, f.A1, 5001, f.A1, 1},
		{"udp" + v, f.A2, 443, f.A2, 2},
	}
}

// serveTries answers on every port that the tries need.
func serveTries(n *tabletest.Network, f tabletest.Family, all []try) {
	n.T.Helper()
	served := make(map[string]bool)
	for _, x := range all {
		addr := net.JoinHostPort(f.Client, strconv.Itoa(int(x.port)))
		if served[x.network+addr] {
			continue
		}
		served[x.network+addr] = true
		if x.network[:3] == "tcp" {
			tabletest.Serve(n.T, n.Net, x.network, addr)
		} else {
			tabletest.ServeUDP(n.T, n.Net, x.network, addr)
		}
	}
}

// countWrong counts the tries whose packets do not go where they are to go.
func countWrong(n *tabletest.Network, f tabletest.Family, all []try, complain bool) (wrong int) {
	n.T.Helper()
	for _, x := range all {
		n.G1.Reset()
		n.G2.Reset()
		addr := net.JoinHostPort(f.Client, strconv.Itoa(int(x.port)))
		var src netip.Addr
		if x.network[:3] == "tcp" {
			src = tabletest.Connect(n.T, n.Server, x.network, x.bind, addr)
		} else {
			src = tabletest.ConnectUDP(n.T, n.Server, x.network, x.bind, addr)
		}
		match := func(p lab.Packet) bool {
			return !p.Out && p.Dst.Addr().String() == f.Client && p.Dst.Port() == x.port
		}
		g1, g2 := n.G1.Count(match), n.G2.Count(match)
		right := g1 > 0 && g2 == 0
		if x.router == 2 {
			right = g1 == 0 && g2 > 0
		}
		if !right || src.String() != x.src {
			wrong++
			if complain {
				n.T.Errorf("%s bound to %q, port %d: from %s, %d packets at g1 and %d at g2, want from %s at g%d",
					x.network, x.bind, x.port, src, g1, g2, x.src, x.router)
			}
		}
	}
	return wrong
}

// Ports, ranges of them and UDP choose the uplink of sockets that are not
// bound, and the source with it; without the rules all go by the first.
func TestAlsoPorts(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		all := tries(f)
		serveTries(n, f, all)
		if wrong := countWrong(n, f, all, false); wrong < 5 {
			t.Errorf("without the uplinks only %d go otherwise: the test proves nothing", wrong)
		}
		before := n.Snapshot()
		n.Install(mailAndWeb(n, f)...)
		countWrong(n, f, all, true)

		nearbyPorts(n, f)
		n.Remove(mailAndWeb(n, f)...)
		n.WantSnapshot("Remove", before)
	})
}

// nearbyPorts tries what a router itself serves, which is reached on its own link
// whatever the port, from sockets that are bound and from others. The control is
// the same rules as they would be typed.
func nearbyPorts(n *tabletest.Network, f tabletest.Family) {
	t := n.T
	t.Helper()
	mail, range25 := net.JoinHostPort(f.G1, "25"), net.JoinHostPort(f.G1, "5001")
	web := net.JoinHostPort(f.G2, "80")
	tabletest.Serve(t, n.Net, f.TCP, mail)
	tabletest.Serve(t, n.Net, f.TCP, web)
	tabletest.ServeUDP(t, n.Net, "udp"+f.TCP[3:], range25)
	try := func(bind, addr string, own, other *lab.Tap) {
		t.Helper()
		n.G1.Reset()
		n.G2.Reset()
		dial := "tcp"
		if addr == range25 {
			dial = "udp"
		}
		c, err := n.Server.Dial(tabletest.ShortContext(t), dial+f.TCP[3:], bind, addr)
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
	try(f.A1, mail, n.G1, n.G2)
	try("", mail, n.G1, n.G2)
	try("", range25, n.G1, n.G2)
	try("", web, n.G2, n.G1)

	alone := mailAndWeb(n, f)
	for _, u := range alone {
		for i := range u.Also {
			u.Also[i].Table = u.Table
		}
	}
	n.Install(alone...)
	n.G1.Reset()
	n.G2.Reset()
	if c, err := n.Server.Dial(tabletest.ShortContext(t), f.TCP, "", mail); err == nil {
		c.Close()
	}
	to := func(p lab.Packet) bool { return !p.Out && p.Dst.String() == mail }
	if n.G1.Count(to) != 0 || n.G2.Count(to) == 0 {
		t.Errorf("rules that stand alone: %d packets at g1 and %d at g2: the test proves nothing", n.G1.Count(to), n.G2.Count(to))
	}
	n.Install(mailAndWeb(n, f)...)
	try("", mail, n.G1, n.G2)
}

// A rule of Also that was left without the one before it gets it back, in its
// place; one that is left without its rule goes.
func TestAlsoHalf(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		before := n.Snapshot()
		u := n.Uplink2(f)
		u.Also = []rule.Rule{{IPProto: route.TCP, DPort: rule.Port(25)}, {FwMark: rule.FwMark(2)}}
		n.Install(u)
		whole := n.Snapshot()
		rules, err := rule.List(t.Context(), n.Conn, rule.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			if r.Protocol != table.Protocol || r.From.IsValid() {
				continue
			}
			if err := rule.Delete(t.Context(), n.Conn, r); err != nil {
				t.Fatal(err)
			}
			n.Install(u)
			n.WantPlan("install again", "\n", u)
			n.WantSnapshot("Install of half of "+r.String(), whole)
			// And without the rule that it goes with, Remove leaves nothing.
			if err := rule.Delete(t.Context(), n.Conn, r); err != nil {
				t.Fatal(err)
			}
			n.Remove(u)
			n.WantSnapshot("Remove of half of "+r.String(), before)
			n.Install(u)
		}
		n.Remove(u)
		n.WantSnapshot("Remove", before)
	})
}

// Strict reverse path filtering on both interfaces passes all of it. Without
// the rules by source it drops what comes in by the second.
func TestAlsoPortsStrict(t *testing.T) {
	n := tabletest.NewNetwork(t)
	f := tabletest.IPv4
	tabletest.Serve(t, n.Server, f.TCP, "0.0.0.0:1194")
	// ARP on behalf of the client would be filtered as well.
	tabletest.Connect(t, n.Net, f.TCP, f.G2, net.JoinHostPort(f.A2, "1194"))
	n.StrictReversePath("all", "u1", "u2")
	drops := n.ReversePathDrops()
	c, err := n.Net.Dial(tabletest.ShortContext(t), f.TCP, f.Client, net.JoinHostPort(f.A2, "1194"))
	if err == nil {
		c.Close()
		t.Error("without the uplinks, what comes in by u2 arrives: the test proves nothing")
	}
	if n.ReversePathDrops() == drops {
		t.Error("without the uplinks nothing is dropped: the test proves nothing")
	}

	all := tries(f)
	serveTries(n, f, all)
	n.Install(mailAndWeb(n, f)...)
	time.Sleep(10 * time.Millisecond) // for what was sent again meanwhile
	drops = n.ReversePathDrops()
	countWrong(n, f, all, true)
	for _, a := range []string{f.A1, f.A2} {
		tabletest.Connect(t, n.Net, f.TCP, f.Client, net.JoinHostPort(a, "1194"))
	}
	if now := n.ReversePathDrops(); now != drops {
		t.Errorf("%d packets were dropped by the reverse path filter", now-drops)
	}
}

// A rule of Also that says where packets go stands alone; and one that a given
// priority had put among the rules from sources makes way when priorities are
// chosen again.
func TestAlsoPlaces(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		u.Priority = 31001
		client := netip.MustParseAddr(f.Client)
		u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {To: netip.PrefixFrom(client, client.BitLen())}}
		n.Install(u)
		places := func() (all []string) {
			t.Helper()
			for r, err := range rule.All(t.Context(), n.Conn, rule.Filter{Protocol: table.Protocol}) {
				if err != nil {
					t.Fatal(err)
				}
				if !r.From.IsValid() {
					all = append(all, r.String())
				}
			}
			return all
		}
		option, noDefault := "", 1
		if client.Is6() {
			option, noDefault = "-6 ", 4
		}
		want := func(first, second, third int) []string {
			return []string{
				fmt.Sprintf("%s%d: from all fwmark 0x2 lookup main suppress_prefixlength %d proto 210", option, first, noDefault),
				fmt.Sprintf("%s%d: from all fwmark 0x2 lookup 20 proto 210", option, second),
				fmt.Sprintf("%d: from all to %s lookup 20 proto 210", third, f.Client),
			}
		}
		if got := places(); !slices.Equal(got, want(31002, 31003, 31004)) {
			t.Errorf("with a priority:\n got %q\nwant %q", got, want(31002, 31003, 31004))
		}
		u.Priority = 0
		n.Install(u)
		if got := places(); !slices.Equal(got, want(32000, 32001, 32002)) {
			t.Errorf("without:\n got %q\nwant %q", got, want(32000, 32001, 32002))
		}
		n.WantNothingToDo(u)
	})
}

// What is left of a pair whose second rule is gone changes nothing, and Recover
// takes it away.
func TestAlsoRecover(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		u := n.Uplink2(f)
		n.Install(u)
		without := n.Snapshot()
		u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}}
		n.Install(u)
		if _, err := rule.Flush(t.Context(), n.Conn, rule.Filter{Table: 20, Priority: rule.Priority(32001)}); err != nil {
			t.Fatal(err)
		}
		if n.Snapshot() == without {
			t.Error("nothing is left: the test proves nothing")
		}
		if err := table.Recover(t.Context(), n.Conn); err != nil {
			t.Fatal(err)
		}
		n.WantSnapshot("Recover", without)
	})
}

// Rules of Also at the same priority are back in their order after a Remove that failed.
func TestUndoKeepsOrder(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u1, u2 := n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
	at := rule.Priority(32100)
	u1.Also = []rule.Rule{{Priority: at, FwMark: rule.FwMark(1)}, {Priority: at, FwMark: rule.FwMark(2)}}
	u2.Also = []rule.Rule{{Priority: at, IPProto: route.TCP, DPort: rule.Port(25)}}
	n.Install(u1, u2)
	before := n.Kernel()
	for k := 1; ; k++ {
		rec := &tabletest.Recorder{Conn: n.Conn}
		rec.Fail = func(_ int, m netlink.Message) error {
			if tabletest.IsChange(m) && len(rec.Writes) == k {
				return errno(syscall.EINVAL)
			}
			return nil
		}
		if table.Remove(t.Context(), rec, u1, u2) == nil {
			if k < 5 {
				t.Errorf("%d changes were refused: the test proves nothing", k-1)
			}
			return
		}
		n.WantKernel(fmt.Sprintf("change %d was refused", k), before)
	}
}
