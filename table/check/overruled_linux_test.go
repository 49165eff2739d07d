package check_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// harm adds what other programs do: "rule WORDS" and "route WORDS".
func harm(n *tabletest.Network, all ...string) {
	n.T.Helper()
	for _, words := range all {
		kind, words, _ := strings.Cut(words, " ")
		add := map[string]func(string) error{"rule": n.AddRule, "route": n.AddRoute}[kind]
		if err := add(words); err != nil {
			n.T.Fatalf("%s %s: %v", kind, words, err)
		}
	}
}

// takings returns what Run finds about others before the uplinks and in their tables. Overruled
// finds the same of what takes all.
func takings(n *tabletest.Network, uplinks ...table.SourceRoutedUplink) []check.Finding {
	n.T.Helper()
	found := slices.DeleteFunc(findings(n, uplinks...), func(f check.Finding) bool {
		return f.Code != check.CodeOverruled && f.Code != check.CodeOverruledPartly && f.Code != check.CodeForeignRoute
	})
	var all []check.Finding
	for _, f := range found {
		if f.Code == check.CodeOverruled {
			all = append(all, f)
		}
	}
	few, err := check.Overruled(n.T.Context(), n.Conn, uplinks...)
	if err != nil || !slices.Equal(slices.Concat(few...), all) {
		n.T.Errorf("Overruled: %v, %v\nRun: %v", few, err, all)
	}
	return found
}

// routerOf returns the router that a packet from A2 to a destination comes to, 1 or 2, or 0
// if the kernel refuses to send it.
func routerOf(n *tabletest.Network, f tabletest.Family, dst string) int {
	n.T.Helper()
	n.G1.Reset()
	n.G2.Reset()
	udp := strings.Replace(f.TCP, "tcp", "udp", 1)
	c, err := n.Server.Dial(n.T.Context(), udp, f.A2, net.JoinHostPort(dst, "9"))
	if err != nil {
		return 0
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		return 0
	}
	there := func(p lab.Packet) bool { return !p.Out && p.Dst.Addr() == netip.MustParseAddr(dst) }
	switch {
	case n.G1.Count(there) == 1 && n.G2.Count(there) == 0:
		return 1
	case n.G1.Count(there) == 0 && n.G2.Count(there) == 1:
		return 2
	}
	n.T.Errorf("to %s: %d packets at g1 and %d at g2", dst, n.G1.Count(there), n.G2.Count(there))
	return -1
}

// Rules of others before those of an uplink, and routes in its table: what they take is
// found, with whose they are; what they do not take is not. Packets show that it is so.
func TestFindingOverruled(t *testing.T) {
	const low, high = "1.1.1.1", "203.0.113.1"
	for _, x := range []struct {
		name  string
		harm  []string
		want  string
		texts []string // parts of the text of the first finding
		low   int      // the router that packets to the lower half of all addresses come to
		high  int      // and to the upper half
	}{
		{
			"exit node", []string{"route default via 10.1.0.1 table 52", "rule 5270: from all lookup 52"},
			"fault overruled rule from all lookup 52 pref 5270\n",
			[]string{"5270", "Tailscale", "packets from 10.2.0.2, which leave by u1"}, 1, 1,
		},
		{
			"one half", []string{"route 0.0.0.0/1 via 10.1.0.1 table 52", "rule 5270: from all lookup 52"},
			"fault overruled rule from all lookup 52 pref 5270\n", []string{"packets from 10.2.0.2 to 1.1.1.1, which leave by u1"}, 1, 2,
		},
		{
			"both halves", []string{"route 0.0.0.0/1 via 10.1.0.1 table 52", "route 128.0.0.0/1 via 10.1.0.1 table 52", "rule from all lookup 52"},
			"fault overruled rule from all lookup 52 pref 30999\n", []string{"packets from 10.2.0.2, which leave by u1"}, 1, 1,
		},
		{
			"nothing of it", []string{"route 100.64.0.1/32 via 10.1.0.1 table 52", "rule 5270: from all lookup 52"},
			"note overruled-partly rule from all lookup 52 pref 5270\n", []string{"5270 takes packets to destinations that table 52 has a route for"}, 2, 2,
		},
		{
			"full tunnel", []string{
				"route default via 10.1.0.1 table 51820", "rule not from all fwmark 51820 lookup 51820",
				"rule from all lookup main suppress_prefixlength 0",
			},
			"fault overruled rule not from all fwmark 0xca6c lookup 51820 pref 30999\n" +
				"note overruled-partly rule from all lookup main suppress_prefixlength 0 pref 30998\n",
			[]string{"wg-quick", "packets from 10.2.0.2, which leave by u1"}, 1, 1,
		},
		{
			"main first", []string{"route default via 10.1.0.1 table 9", "rule 100: from all lookup 9 suppress_prefixlength 0"},
			"note overruled-partly rule from all lookup 9 suppress_prefixlength 0 pref 100\n",
			[]string{": 100 takes packets to destinations that table 9 has a route for other than the default ("}, 2, 2,
		},
		{
			"tunnel without a route", []string{"rule 100: not from all fwmark 51820 lookup 51820", "rule 101: not from 10.2.0.9 lookup 9"},
			"note overruled-partly rule not from all fwmark 0xca6c lookup 51820 pref 100\n",
			[]string{"100 takes packets without fwmark 0xca6c to destinations", "101 takes packets not from 10.2.0.9 to destinations"}, 2, 2,
		},
		{
			"refused by a rule", []string{"rule 100: from 10.2.0.0/24 prohibit"},
			"fault overruled rule from 10.2.0.0/24 prohibit pref 100\n", []string{"by hand", "packets from 10.2.0.2, which are refused"}, 0, 0,
		},
		{
			"refused by a rule with an action that the kernel does not know", []string{"rule 100: from 10.2.0.0/24 lookup 20 type 0"},
			"fault overruled rule from 10.2.0.0/24 lookup 20 type 0 pref 100\n", []string{"by hand", "packets from 10.2.0.2, which are refused"}, 0, 0,
		},
		{
			"refused by a route", []string{"route unreachable default table 9", "rule 100: from 10.2.0.2 lookup 9 proto static"},
			"fault overruled rule from 10.2.0.2 lookup 9 proto static pref 100\n", []string{"proto static", "which are refused"}, 0, 0,
		},
		{
			"led past", []string{"rule 100: from 10.2.0.2 goto 32000", "rule 32000: from all nop"},
			"fault overruled rule from 10.2.0.2 goto 32000 pref 100\n", []string{"packets from 10.2.0.2, which leave by u1"}, 1, 1,
		},
		{
			"led to", []string{"route default via 10.1.0.1 table 9", "rule 100: from all goto 200", "rule 150: from all unreachable", "rule 200: from all lookup 9"},
			"fault overruled rule from all lookup 9 pref 200\nnote overruled-partly rule from all unreachable pref 150\n", nil, 1, 1,
		},
		{
			"in the table", []string{"route 0.0.0.0/1 via 10.1.0.1 table 20", "route 172.16.9.0/24 via 10.1.0.1 table 20"},
			"fault overruled route 0.0.0.0/1 via 10.1.0.1 dev u1 table lan2\nnote foreign-route route 0.0.0.0/1 via 10.1.0.1 dev u1 table lan2\n",
			[]string{"in the uplink's table", "by hand", "packets from 10.2.0.2 to 1.1.1.1, which leave by u1"}, 1, 2,
		},
		{
			"others", []string{
				"route default via 10.1.0.1 table 9",
				"rule 100: from 10.1.0.2 lookup 9", "rule 101: from all iif u1 lookup 9", "rule 102: from all oif u1 lookup 9",
				"rule 103: not from 10.2.0.2 lookup 9", "rule 31500: from all lookup 9", "rule 104: from all lookup 10",
			},
			"note overruled-partly rule not from 10.2.0.2 lookup 9 pref 103\n", nil, 2, 2,
		},
		{
			"a part", []string{
				"route default via 10.1.0.1 table 9", "rule 100: from all fwmark 0x80000/0xff0000 lookup 9",
				"rule 101: from all to 198.18.0.0/15 lookup 9", "rule 102: from all ipproto tcp dport 25 lookup 9",
				"rule 103: from all sport 4000-4001 unreachable", "rule 104: from all tos 0x10 lookup 9",
			},
			"note overruled-partly rule from all fwmark 0x80000/0xff0000 lookup 9 pref 100\n", []string{
				"100 takes packets with fwmark 0x80000/0xff0000 to destinations that table 9 has a route for",
				"101 takes packets to 198.18.0.0/15", "102 takes packets with ipproto tcp dport 25",
				"103 takes packets with sport 4000-4001 (", "and 1 more",
			}, 2, 2,
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			n, u := healthy(t, tabletest.IPv4, nil)
			harm(n, x.harm...)
			found := takings(n, u)
			tabletest.WantText(t, "findings", x.want, words(found))
			if len(found) == 0 {
				return
			}
			for _, part := range x.texts {
				if !strings.Contains(found[0].Text, part) {
					t.Errorf("the text lacks %q: %s", part, found[0].Text)
				}
			}
			if got := routerOf(n, tabletest.IPv4, low); got != x.low {
				t.Errorf("packets to the lower half come to router %d, want %d", got, x.low)
			}
			if got := routerOf(n, tabletest.IPv4, high); got != x.high {
				t.Errorf("packets to the upper half come to router %d, want %d", got, x.high)
			}
		})
	}
}

// Both families: a priority that the finding names cures it, and so does the command that
// deletes the rule.
func TestFindingOverruledCure(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		option, far := "", "192.0.2.1"
		if f.TCP == "tcp6" {
			option, far = "-6 ", "2001:db8:77::1"
		}
		u := n.Uplink2(f)
		u.MainFirst, u.Unreachable = true, true
		n.Install(u)
		harm(n, "route default via "+f.G1+" table 52", "rule "+option+"5270: from all lookup 52")
		found := takings(n, u)
		tabletest.WantText(t, "findings", "fault overruled rule from all lookup 52 pref 5270\n", words(found))
		if got := routerOf(n, f, far); got != 1 {
			t.Errorf("packets come to router %d: the finding is wrong", got)
		}
		var prio uint32
		if _, err := fmt.Sscanf(found[0].Cure, "add pref %d ", &prio); err != nil || prio >= 5270 {
			t.Fatalf("%v: %s", err, found[0].Cure)
		}
		u.Priority = prio
		n.Install(u)
		tabletest.WantText(t, "findings after the cure", "", words(takings(n, u)))
		if got := routerOf(n, f, far); got != 2 {
			t.Errorf("after the cure packets come to router %d", got)
		}
		// A rule right behind that for local leaves no priority before it.
		harm(n, "rule "+option+"1: from all lookup 52")
		if found = takings(n, u); len(found) != 1 || !strings.HasSuffix(found[0].Cure, "ip "+option+"rule del from all lookup 52 pref 1") {
			t.Fatalf("found %v", found)
		}
		if err := n.DeleteRule(option + "1: from all lookup 52"); err != nil {
			t.Fatal(err)
		}
		tabletest.WantText(t, "findings after the other cure", "", words(takings(n, u)))
	})
}

// What a rule of also selects is asked as well: what this host sends, and what comes from a
// network beside it.
func TestFindingOverruledOfAlso(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	u.Also = []rule.Rule{
		{IPProto: route.TCP, DPort: rule.Port(25)}, {FwMark: rule.FwMark(2)}, {IIF: "lan"},
		{From: netip.MustParsePrefix("172.16.5.0/25")},
	}
	addInner(n, lab.Test(t))
	n.Server.Sysctl("net.ipv4.ip_forward", "1")
	n.Install(u)
	tabletest.WantText(t, "before", "", words(takings(n, u)))
	harm(n, "route default via 10.1.0.1 table 9", "rule 100: from all fwmark 2/0xf lookup 9",
		"rule 101: from all ipproto tcp dport 25 lookup 9", "rule 102: from 172.16.5.0/24 lookup 9")
	found := takings(n, u)
	tabletest.WantText(t, "findings", `
fault overruled rule from 172.16.5.0/24 lookup 9 pref 102
fault overruled rule from all ipproto tcp dport 25 lookup 9 pref 101
fault overruled rule from all fwmark 0x2/0xf lookup 9 pref 100
`[1:], words(found)) // in the order of the uplink's rules: networks come first
	if want := "takes packets from 172.16.5.0/25, with iif lan, which leave by u1"; !strings.HasSuffix(found[0].Text, want) {
		t.Errorf("got %q, want %q", found[0].Text, want)
	}
}

// Rules of uplinks, of whatever file, are no rules of others.
func TestFindingOverruledByUplinks(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u, v := n.Uplink2(tabletest.IPv4), n.Uplink1(tabletest.IPv4)
	v.Sources, v.Also = []netip.Addr{netip.MustParseAddr(tabletest.IPv4.A1)}, []rule.Rule{{FwMark: rule.FwMark(2)}}
	u.Also = []rule.Rule{{FwMark: rule.FwMark(2).Masked(0xff)}}
	n.Install(v, u)
	tabletest.WantText(t, "findings", "", words(takings(n, u)))
	n.Server.Down("u2")
	tabletest.WantText(t, "findings while the link is down", "", words(takings(n, u)))
}
