package table_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// vpn are the rules of a program that has moved the table local to 100, and has
// its own at 5210 and on, among them one by mark and one that ends the search.
var vpn = []string{
	"100: from all lookup local",
	"5210: from all fwmark 0x80000/0xff0000 lookup main",
	"5230: from all fwmark 0x80000/0xff0000 lookup default",
	"5250: from all fwmark 0x80000/0xff0000 unreachable",
	"5270: from all lookup 52",
}

// Where someone has moved local to 100, ours come after it, theirs stay as they
// are, and what this host sends to itself does not leave it. A rule before
// local shows that it would.
func TestLocalMovedByOthers(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		option := "-" + f.TCP[3:] + " "
		for _, words := range vpn {
			if err := n.AddRule(option + words); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.DeleteRule(option + "0: from all lookup local proto kernel"); err != nil {
			t.Fatal(err)
		}
		theirs := n.Snapshot()
		u1, u2 := n.Uplink1(f), n.Uplink2(f)
		n.Install(u1, u2)
		for _, words := range append(vpn, "32766: from all lookup main") {
			if !strings.Contains(n.Snapshot(), words) {
				t.Errorf("%s is gone", words)
			}
		}
		for line := range strings.Lines(n.Table(10) + n.Table(20)) {
			if strings.HasPrefix(line, "rule ") && !strings.HasPrefix(line, "rule 3100") {
				t.Errorf("%s is not between local and main", line)
			}
		}

		// toSelf counts the packets from A2 to A1 that leave.
		toSelf := func() int {
			n.G1.Reset()
			n.G2.Reset()
			n.SendUDP(f.A2, net.JoinHostPort(f.A1, "9"))
			match := func(p lab.Packet) bool {
				return !p.Out && p.Proto == 17 && p.Dst.Addr() == netip.MustParseAddr(f.A1) && p.Src.Addr() == netip.MustParseAddr(f.A2)
			}
			return n.G1.Count(match) + n.G2.Count(match)
		}
		tabletest.Serve(t, n.Server, f.TCP, net.JoinHostPort(f.A1, "80"))
		tabletest.Connect(t, n.Server, f.TCP, f.A2, net.JoinHostPort(f.A1, "80"))
		if left := toSelf(); left != 0 {
			t.Errorf("%d packets from A2 to A1 left the host", left)
		}
		before := option + "50: from " + f.A2 + " lookup 20"
		if err := n.AddRule(before); err != nil {
			t.Fatal(err)
		}
		if left := toSelf(); left != 1 {
			t.Errorf("with a rule before local %d packets leave: the test proves nothing", left)
		}
		if err := n.DeleteRule(before); err != nil {
			t.Fatal(err)
		}

		// Packets still take the uplinks.
		tabletest.Serve(t, n.Net, f.TCP, net.JoinHostPort(f.Client, "80"))
		for i, src := range []string{f.A1, f.A2} {
			n.G1.Reset()
			n.G2.Reset()
			tabletest.Connect(t, n.Server, f.TCP, src, net.JoinHostPort(f.Client, "80"))
			n.WantRouter(src, i+1)
		}
		n.Remove(u1, u2)
		n.WantSnapshot("Remove", theirs)
	})
}

// A priority before local is refused where local has been moved to.
func TestPriorityBeforeMovedLocal(t *testing.T) {
	n := tabletest.NewNetwork(t)
	if err := n.AddRule(vpn[0]); err != nil {
		t.Fatal(err)
	}
	if err := n.DeleteRule("0: from all lookup local proto kernel"); err != nil {
		t.Fatal(err)
	}
	u := n.Uplink2(tabletest.IPv4)
	before := n.Snapshot()
	for prio, ok := range map[uint32]bool{50: false, 100: false, 101: true, 5240: true} {
		u.Priority = prio
		err := table.Install(t.Context(), n.Conn, u)
		if (err == nil) != ok {
			t.Errorf("priority %d: %v", prio, err)
		}
		if err == nil {
			n.Remove(u)
		}
		n.WantSnapshot("priority", before)
	}
}
