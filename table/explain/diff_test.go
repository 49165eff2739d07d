package explain

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/plan"
)

const twoProviders = `
link add eth0 index 2
link add eth1 index 3
address add 192.168.1.6/24 dev eth0
address add 192.168.2.2/24 dev eth1
route add default via 192.168.1.1 dev eth0
rule add lookup 9 pref 9
rule add pref 0 lookup local
rule add pref 32766 lookup main
rule add pref 32767 lookup default
`

const sourceRouted = twoProviders + `
rule add from 192.168.2.2 lookup 20 pref 31000
route add 192.168.2.0/24 dev eth1 src 192.168.2.2 table 20
route add default via 192.168.2.1 dev eth1 src 192.168.2.2 table 20
`

func fibOf(t testing.TB, text string) *FIB {
	t.Helper()
	w, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return NewFIB(w)
}

func TestDiff(t *testing.T) {
	for name, tt := range map[string]struct{ before, after, want string }{
		"nothing": {twoProviders, twoProviders, ""},
		"an uplink": {twoProviders, sourceRouted, `
from 192.168.2.2 to 192.168.1.0/24 but 192.168.1.6, 192.168.1.255: dev eth0 → via 192.168.2.1 dev eth1
from 192.168.2.2 to anything but 0.0.0.0, 127.0.0.0/8, 192.168.1.0/24, 192.168.2.0/24, 224.0.0.0/4, 255.255.255.255: via 192.168.1.1 dev eth0 → via 192.168.2.1 dev eth1
from 192.168.2.2 to anything but 0.0.0.0, 192.168.2.0/24, 224.0.0.0/4, 255.255.255.255 oif eth1 ipproto anything but igmp: dev eth1 → via 192.168.2.1 dev eth1
`},
		"a rule that matches nothing new": {sourceRouted, sourceRouted + "rule add from 192.168.2.2 lookup 20 pref 30000", ""},
		"mail": {twoProviders, twoProviders + "rule add ipproto tcp dport 25 iif lo lookup 30 pref 31000\nroute add 198.51.100.0/24 via 192.168.2.1 dev eth1 table 30", `
from 192.168.1.6, 192.168.2.2 to 198.51.100.0/24 ipproto tcp dport 25: via 192.168.1.1 dev eth0 → via 192.168.2.1 dev eth1
from no address to 198.51.100.0/24 ipproto tcp dport 25: via 192.168.1.1 dev eth0 src 192.168.1.6 → via 192.168.2.1 dev eth1 src 192.168.2.2
from 192.168.1.6, 192.168.2.2 to 198.51.100.0/24 oif eth1 ipproto tcp dport 25: dev eth1 → via 192.168.2.1 dev eth1
from no address to 198.51.100.0/24 oif eth1 ipproto tcp dport 25: dev eth1 src 192.168.2.2 → via 192.168.2.1 dev eth1 src 192.168.2.2
`},
		"marks and users": {
			twoProviders + "rule add fwmark 0x100/0xff00 uidrange 1000-1999 to 203.0.113.0/24 prohibit pref 100\n",
			twoProviders, `
from 127.0.0.0/8 but 127.255.255.255 to 203.0.113.0/24 mark 0x100/0xff00 uid 1000-1999: prohibit → refused: a loopback source needs the interface lo, or route_localnet
from 192.168.1.6, 192.168.2.2 to 203.0.113.0/24 mark 0x100/0xff00 uid 1000-1999: prohibit → via 192.168.1.1 dev eth0
from no address to 203.0.113.0/24 mark 0x100/0xff00 uid 1000-1999: prohibit → via 192.168.1.1 dev eth0 src 192.168.1.6
from 192.168.1.6, 192.168.2.2 to 203.0.113.0/24 oif eth0 mark 0x100/0xff00 uid 1000-1999 ipproto anything but igmp: dev eth0 → via 192.168.1.1 dev eth0
from no address to 203.0.113.0/24 oif eth0 mark 0x100/0xff00 uid 1000-1999 ipproto anything but igmp: dev eth0 src 192.168.1.6 → via 192.168.1.1 dev eth0 src 192.168.1.6
`},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Diff(fibOf(t, tt.before), fibOf(t, tt.after))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), d.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPacketSetContains(t *testing.T) {
	d, err := Diff(fibOf(t, twoProviders), fibOf(t, sourceRouted))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"198.51.100.7 from 192.168.2.2":             true,
		"198.51.100.7 from 192.168.2.2 mark 7":      true,
		"198.51.100.7 from 192.168.1.6":             false,
		"192.168.2.9 from 192.168.2.2":              false,
		"198.51.100.7 from 192.168.2.2 oif nowhere": false,
		"2001:db8::1": false,
	} {
		p, err := ParsePacket(text)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, c := range d {
			if c.Packets.Contains(p) {
				n++
			}
		}
		if got := n == 1; got != want || n > 1 {
			t.Errorf("%s is in %d classes", text, n)
		}
	}
	if (PacketSet{}).Contains(Packet{To: netip.MustParseAddr("192.0.2.1")}) {
		t.Error("the empty set contains a packet")
	}
}

// Marks that no mask tells apart are one cell, and all of them have one.
func TestCells(t *testing.T) {
	list := []maskedValue{{1, 1}, {0x100, 0xff00}, {0x200, 0xff00}, {0x101, 0xffffffff}, {3, 3}, {1, 1}}
	list = compactMasked(list)
	cells, ok := cellsOf(list, 32, 100)
	if !ok || cells[0] != 0 {
		t.Fatal(cells, ok)
	}
	var a atoms
	a.setCells(list, cells)
	if len(a.bySign) != len(cells) {
		t.Errorf("%d signatures of %d cells: %x", len(a.bySign), len(cells), cells)
	}
	// bit 0, both bits, 0x1xx and 0x2xx and others: 3 × 3, and 0x101 alone.
	if len(cells) != 10 {
		t.Errorf("%d cells: %x", len(cells), cells)
	}
	for n := range uint64(1 << 16) {
		if _, ok := a.bySign[a.sign(n)]; !ok {
			t.Fatalf("no cell has %#x", n)
		}
	}
	var many []maskedValue
	for i := range 20 {
		many = append(many, maskedValue{1 << i, 1 << i})
	}
	if cells, ok := cellsOf(many, 32, 1000); ok {
		t.Errorf("%d cells, more than the limit", len(cells))
	}
}

func TestAddressWords(t *testing.T) {
	for _, tt := range []struct {
		prefixes []string // with - before those that are taken away
		want     string
	}{
		{[]string{"0.0.0.0/0"}, "anything"},
		{[]string{"10.0.0.0/8"}, "10.0.0.0/8"},
		{[]string{"0.0.0.0/0", "-10.0.0.0/8"}, "anything but 10.0.0.0/8"},
		{[]string{"10.0.0.0/8", "-10.1.0.0/16", "10.1.2.3/32", "192.0.2.1/32"}, "(10.0.0.0/8 but (10.1.0.0/16 but 10.1.2.3)), 192.0.2.1"},
		{[]string{"10.0.0.0/24", "10.0.1.0/24"}, "10.0.0.0/23"},
	} {
		b := borders{v4: true, keys: [2]map[key]bool{{{}: true}, {{}: true}}}
		for _, s := range tt.prefixes {
			p := netip.MustParsePrefix(strings.TrimPrefix(s, "-"))
			b.addPrefix(axisTo, keyOf(p.Addr()), p.Bits())
		}
		a := atoms{keys: sorted(b.keys[1], key.compare)}
		var some set
		for _, s := range tt.prefixes {
			p := netip.MustParsePrefix(strings.TrimPrefix(s, "-"))
			if of := a.prefix(keyOf(p.Addr()), maskOf(p.Bits())); s[0] == '-' {
				some = some.without(of)
			} else {
				some = some.or(of)
			}
		}
		if got := a.addressWords(some, true, "anything"); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.prefixes, got, tt.want)
		}
	}
}

func TestAfter(t *testing.T) {
	parse := func(line string) rule.Rule {
		r, err := rule.Parse(line, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	w := fibOf(t, twoProviders).World()
	steps := []plan.Step{
		{Op: plan.AddRule, Rule: parse("from 192.168.2.2 lookup 9 pref 9")},
		{Op: plan.AddRule, Rule: parse("from 192.168.1.6 lookup 9 pref 10")},
		{Op: plan.AddRule, Rule: parse("from 192.168.2.9 lookup 9 pref 9")},
		{Op: plan.DeleteRule, Rule: parse("lookup 9 pref 9")},
		{Op: plan.DeleteRoute, Route: w.Routes[len(w.Routes)-1]},
	}
	got := w.After(steps)
	want := []string{"0: from all lookup local", "9: from 192.168.2.2 lookup 9", "9: from 192.168.2.9 lookup 9", "10: from 192.168.1.6 lookup 9", "32766: from all lookup main", "32767: from all lookup default"}
	var have []string
	for _, r := range got.Rules {
		if c := r.Canonical(); c.Family == steps[0].Rule.Canonical().Family {
			r.Protocol = 0
			have = append(have, r.Text(nil))
		}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if len(got.Routes) != len(w.Routes)-1 {
		t.Errorf("%d routes, want %d", len(got.Routes), len(w.Routes)-1)
	}
}
