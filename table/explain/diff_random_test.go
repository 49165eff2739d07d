package explain

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
)

var diffWorlds = flag.Int("diff.worlds", 6, "how many pairs of random worlds TestDiffRandom compares")

// randomLines returns lines that change a host with the interfaces of another one.
func randomLines(g *rand.Rand, w *World) (lines []string) {
	pick := func(from ...string) string { return from[g.IntN(len(from))] }
	maybe := func(n int, s string) string {
		if g.IntN(n) == 0 {
			return s
		}
		return ""
	}
	dev := func() string { return w.Links[g.IntN(len(w.Links))].Name }
	six := func() bool { return g.IntN(3) == 0 }
	prefix := func(v6 bool) string {
		var own []string
		for _, a := range w.Addresses {
			if a.Addr.Is6() == v6 {
				own = append(own, a.Addr.String())
			}
		}
		if v6 {
			return pick(append(own, "2001:db8::/32", "2001:db8:5::/48", "2001:db8:5::9", "fc00::/7", "::/0")...)
		}
		return pick(append(own, "10.0.0.0/8", "10.9.0.0/16", "198.51.100.7", "0.0.0.0/8", "0.0.0.0/0", "192.168.0.0/16", "240.0.0.0/5")...)
	}
	table := func() string { return pick("20", "30", "main", "local", "77") }
	for range 1 + g.IntN(4) {
		v6 := six()
		family := "-4"
		if v6 {
			family = "-6"
		}
		words := []string{
			family + " rule add", maybe(8, "not"), "from " + pick("all", prefix(v6), prefix(v6)), maybe(3, "to "+prefix(v6)),
			maybe(4, "fwmark "+pick("0x1", "0x10/0xf0", "0x3/0x3", "0x100/0x3f00")), maybe(6, "iif "+dev()), maybe(6, "oif "+dev()),
			maybe(6, "uidrange "+pick("0-0", "1000-1999")), maybe(6, "dport "+pick("53", "80-90", "0x10/0xf0")),
			maybe(8, "sport 1194"), maybe(6, "ipproto "+pick("tcp", "udp")), maybe(6, pick("tos 0x10", "dscp 0x2e")),
			pick("lookup "+table()+maybe(3, " suppress_prefixlength "+pick("0", "8")), "lookup "+table(), "unreachable", "prohibit", "blackhole", "goto 30000", "nop"),
			fmt.Sprint("pref ", 100+g.IntN(32000)),
		}
		lines = append(lines, strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " "))
	}
	for range 1 + g.IntN(5) {
		v6 := six()
		p := prefix(v6)
		via := ""
		switch {
		case v6:
			via = pick("via fe80::1 ", "via fe80::2 ", "")
		default:
			via = pick("via 192.168.1.9 ", "via 10.9.9.9 ", "") + "onlink "
			if strings.HasPrefix(via, "onlink") {
				via = ""
			}
		}
		line := "route add " + p + " " + via + "dev " + dev() + " table " + table()
		switch {
		case g.IntN(6) == 0:
			line = "route add " + pick("unreachable ", "throw ", "blackhole ", "prohibit ") + p + " table " + table()
		case !v6 && g.IntN(6) == 0:
			line = "route add " + p + " table " + table() + " nexthop dev " + dev() + " nexthop dev " + dev() + " weight 3"
		}
		if !v6 {
			line += maybe(6, " tos 0x10")
		}
		lines = append(lines, line+maybe(3, fmt.Sprint(" metric ", 1+g.IntN(300))))
	}
	lines = append(lines, maybe(4, "sysctl -w net.ipv4.ip_forward=1"), maybe(4, "sysctl -w net.ipv6.conf.all.forwarding=1"),
		maybe(3, "sysctl -w net.ipv4.conf.all.rp_filter="+pick("1", "2")), maybe(4, "sysctl -w net.ipv4.conf.all.src_valid_mark=1"))
	return slices.DeleteFunc(lines, func(s string) bool { return s == "" })
}

// change returns a host that is like another one but for some rules and routes.
func change(t testing.TB, g *rand.Rand, w World) World {
	t.Helper()
	text := w.String()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	lines = slices.DeleteFunc(lines, func(s string) bool {
		return g.IntN(12) == 0 && (strings.Contains(s, "rule") || strings.Contains(s, "route"))
	})
	for _, line := range randomLines(g, &w) {
		next := append(slices.Clone(lines), line)
		if _, err := Parse(strings.Join(next, "\n")); err == nil {
			lines = next
		}
	}
	changed, err := Parse(strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// Every packet whose way changes is in a class that names its ways, and all packets of a
// class have these ways.
func TestDiffRandom(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	classes, sampled := 0, 0
	n := *diffWorlds
	if testing.Short() {
		n = 1
	}
	for i := range n {
		g := rand.New(rand.NewPCG(uint64(i), 7))
		text, err := os.ReadFile(files[g.IntN(len(files))])
		if err != nil {
			t.Fatal(err)
		}
		w, err := Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		before := change(t, g, w)
		after := change(t, g, before)
		c, s := checkDiff(t, g, NewFIB(before), NewFIB(after))
		classes, sampled = classes+c, sampled+s
		if t.Failed() {
			t.Fatalf("seed %d, %s:\nbefore:\n%s\nafter:\n%s", i, files, before, after)
		}
	}
	t.Logf("%d classes, %d packets sampled", classes, sampled)
}

// checkDiff samples packets.
func checkDiff(t *testing.T, g *rand.Rand, before, after *FIB) (classes, sampled int) {
	t.Helper()
	d, err := Diff(before, after)
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	ways := func(p *Packet) [2]Way {
		a, b := before.Decide(p), after.Decide(p)
		return [2]Way{before.way(p, &a), after.way(p, &b)}
	}
	for i := range d {
		c := &d[i]
		want := [2]Way{c.Before, c.After}
		for j := range 30 {
			p := randomPacket(g, c.Packets.space, &c.Packets.r)
			if j == 0 {
				p = c.Witness
			}
			if got := ways(&p); got != want {
				t.Errorf("class %s\nhas %s, whose ways are\n%+v\n%+v\nnot\n%+v\n%+v", c.Packets, p, got[0], got[1], want[0], want[1])
				return len(d), sampled
			}
			if !c.Packets.Contains(p) {
				t.Errorf("class %s does not contain %s", c.Packets, p)
				return len(d), sampled
			}
			sampled++
		}
	}
	for _, space := range spacesOf(t, before, after) {
		for _, r := range space.whole() {
			for range 2000 {
				p := randomPacket(g, space, &r)
				got := ways(&p)
				n := 0
				for i := range d {
					if d[i].Packets.Contains(p) {
						n++
						if d[i].Before != got[0] || d[i].After != got[1] {
							t.Errorf("%s is in a class with other ways", p)
							return len(d), sampled
						}
					}
				}
				if want := map[bool]int{true: 1}[got[0] != got[1]]; n != want {
					t.Errorf("%s is in %d classes, not in %d; its ways: %+v, %+v", p, n, want, got[0], got[1])
					return len(d), sampled
				}
				sampled++
			}
		}
	}
	return len(d), sampled
}

func spacesOf(t testing.TB, fibs ...*FIB) (list []*space) {
	for _, family := range families {
		s, err := newSpace(family, fibs...)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// randomPacket returns a packet of a region: of any atoms of it, and any of their values.
func randomPacket(g *rand.Rand, s *space, r *region) Packet {
	var at [axisCount]int32
	for x := range at {
		n := int32(g.IntN(int(r[x].len())))
		for _, p := range r[x] {
			if at[x] = p.first + n; at[x] < p.end {
				break
			}
			n -= p.end - p.first
		}
	}
	p := s.packetAt(&at)
	number := func(x axis) uint64 { return randomNumber(g, &s.axes[x], at[x], limits[x]) }
	p.Mark, p.FlowLabel = uint32(number(axisMark)), uint32(number(axisLabel))
	p.UID, p.IPProto = uint32(number(axisUID)), route.IPProto(number(axisProto))
	p.SPort, p.DPort, p.TunID = uint16(number(axisSPort)), uint16(number(axisDPort)), number(axisTunID)
	p.To = randomKey(g, &s.axes[axisTo], at[axisTo], s.v4).addr(s.v4)
	if p.From.IsValid() {
		p.From = randomKey(g, &s.axes[axisFrom], at[axisFrom], s.v4).addr(s.v4)
	}
	return p
}

func randomNumber(g *rand.Rand, a *atoms, at int32, limit uint64) uint64 {
	if a.bySign != nil {
		for range 8 {
			if n := g.Uint64() & limit >> g.IntN(20); a.cellOf(n) == at {
				return n
			}
		}
		return a.numbers[at]
	}
	last := limit
	if int(at)+1 < len(a.numbers) {
		last = a.numbers[at+1] - 1
	}
	return a.numbers[at] + g.Uint64N(max(last-a.numbers[at], 1))
}

func randomKey(g *rand.Rand, a *atoms, at int32, v4 bool) key {
	bits := 128
	if v4 {
		bits = 32
	}
	for range 20 {
		m := maskOf(bits).and(maskOf(g.IntN(bits + 1)).not())
		if k := a.keys[at].or(key{g.Uint64(), g.Uint64()}.and(m)); a.ofKey(k) == at {
			return k
		}
	}
	return a.keys[at]
}
