package table_test

import (
	"net"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/table"
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
	forFamilies(t, func(t *testing.T, n *network, f family) {
		option := "-" + f.tcp[3:] + " "
		for _, words := range vpn {
			if err := n.addRule(option + words); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.delRule(option + "0: from all lookup local proto kernel"); err != nil {
			t.Fatal(err)
		}
		theirs := n.snapshot()
		u1, u2 := n.uplink1(f), n.uplink2(f)
		n.install(u1, u2)
		for _, words := range append(vpn, "32766: from all lookup main") {
			if !strings.Contains(n.snapshot(), words) {
				t.Errorf("%s is gone", words)
			}
		}
		for line := range strings.Lines(n.ours(10) + n.ours(20)) {
			if strings.HasPrefix(line, "rule ") && !strings.HasPrefix(line, "rule 3100") {
				t.Errorf("%s is not between local and main", line)
			}
		}

		// toSelf counts the packets from A2 to A1 that leave.
		toSelf := func() int {
			n.g1.Reset()
			n.g2.Reset()
			n.sendUDP(f.a2, net.JoinHostPort(f.a1, "9"))
			match := func(p lab.Packet) bool {
				return !p.Out && p.Proto == 17 && p.Dst.Addr() == addr(f.a1) && p.Src.Addr() == addr(f.a2)
			}
			return n.g1.Count(match) + n.g2.Count(match)
		}
		serve(t, n.server, f.tcp, net.JoinHostPort(f.a1, "80"))
		connect(t, n.server, f.tcp, f.a2, net.JoinHostPort(f.a1, "80"))
		if left := toSelf(); left != 0 {
			t.Errorf("%d packets from A2 to A1 left the host", left)
		}
		before := option + "50: from " + f.a2 + " lookup 20"
		if err := n.addRule(before); err != nil {
			t.Fatal(err)
		}
		if left := toSelf(); left != 1 {
			t.Errorf("with a rule before local %d packets leave: the test proves nothing", left)
		}
		if err := n.delRule(before); err != nil {
			t.Fatal(err)
		}

		// Packets still take the uplinks.
		serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
		for i, src := range []string{f.a1, f.a2} {
			n.g1.Reset()
			n.g2.Reset()
			connect(t, n.server, f.tcp, src, net.JoinHostPort(f.client, "80"))
			n.wantBy(src, i+1)
		}
		n.remove(u1, u2)
		n.unchanged("Remove", theirs)
	})
}

// A priority before local is refused where local has been moved to.
func TestPriorityBeforeMovedLocal(t *testing.T) {
	n := newNetwork(t)
	if err := n.addRule(vpn[0]); err != nil {
		t.Fatal(err)
	}
	if err := n.delRule("0: from all lookup local proto kernel"); err != nil {
		t.Fatal(err)
	}
	u := n.uplink2(ip4)
	before := n.snapshot()
	for prio, ok := range map[uint32]bool{50: false, 100: false, 101: true, 5240: true} {
		u.Priority = prio
		err := table.Install(t.Context(), n.c, u)
		if (err == nil) != ok {
			t.Errorf("priority %d: %v", prio, err)
		}
		if err == nil {
			n.remove(u)
		}
		n.unchanged("priority", before)
	}
}
