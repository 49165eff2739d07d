package randomhost

import (
	"fmt"
	"net/netip"
	"strings"
)

var (
	bases4 = []string{"10.1.0.0", "10.2.0.0", "10.3.0.0", "10.4.0.0", "192.0.2.0", "198.51.100.0", "203.0.113.0"}
	bases6 = []string{"2001:db8:1::", "2001:db8:2::", "2001:db8:3::", "2001:db8:4::", "2001:db8:100::", "fd00:1::", "2001:db8:200::"}
	bits4  = []int{0, 0, 0, 1, 8, 12, 16, 16, 20, 23, 24, 24, 24, 25, 28, 30, 31, 32, 32}
	bits6  = []int{0, 0, 0, 3, 16, 32, 40, 48, 48, 56, 64, 64, 64, 80, 96, 126, 127, 128, 128}
)

// addr returns an address that other random values are near to.
func (g *generator) addr(six bool) netip.Addr {
	if six {
		a := netip.MustParseAddr(g.pick(bases6...)).As16()
		a[15] = byte(g.pickInt(0, 1, 2, 2, 3, 9, 77))
		a[6] = byte(g.pickInt(0, 0, 0, 1))
		return netip.AddrFrom16(a)
	}
	a := netip.MustParseAddr(g.pick(bases4...)).As4()
	a[3] = byte(g.pickInt(0, 1, 2, 2, 3, 9, 77, 255))
	a[2] += byte(g.pickInt(0, 0, 0, 1))
	return netip.AddrFrom4(a)
}

func (g *generator) pickInt(from ...int) int { return from[g.IntN(len(from))] }

// prefix returns a random prefix, whose host bits are zero if masked.
func (g *generator) prefix(six, masked bool) string {
	bits := bits4
	if six {
		bits = bits6
	}
	p := netip.PrefixFrom(g.addr(six), g.pickInt(bits...))
	if masked {
		p = p.Masked()
	}
	if p.Bits() == 0 {
		return "default"
	}
	return p.String()
}

// destination is the one of a route.
func (g *generator) destination(six bool) string {
	switch g.IntN(40) {
	case 0:
		if six {
			return g.pick("ff00::/8", "ff02::/16", "ff0e::/64", "fe80::/64", "fe80::/10")
		}
		return g.pick("224.0.0.0/4", "255.255.255.255/32", "127.0.0.0/8", "0.0.0.0/8", "10.1.0.255/32")
	default:
		return g.prefix(six, true)
	}
}

// dev returns an interface, and the number of its subnet, 0 for none.
func (g *generator) dev() (name string, subnet int) {
	i := g.IntN(len(g.devs))
	return g.devs[i], g.subnets[i]
}

// hop returns the words of a next hop.
func (g *generator) hop(six bool) string {
	name, n := g.dev()
	switch {
	case n == 0:
		return "dev " + name
	case six && g.chance(4):
		return g.pick("via fe80::1", "via fe80::2") + " dev " + name
	case six && g.chance(4):
		return "dev " + name
	case six:
		return fmt.Sprintf("via 2001:db8:%d::1", n) + g.pick(" dev "+name, " dev "+name+" onlink", "")
	case g.chance(4):
		return "dev " + name
	case g.chance(12):
		return g.pick("via inet6 fe80::1", fmt.Sprintf("via inet6 2001:db8:%d::1", n)) + " dev " + name
	}
	return fmt.Sprintf("via 10.%d.0.%s", n, g.pick("1", "1", "254")) + g.pick(" dev "+name, " dev "+name+" onlink", "")
}

// preferred returns the words of a preferred source, or nothing.
func (g *generator) preferred(six bool) string {
	if !g.chance(4) {
		return ""
	}
	_, n := g.dev()
	if six {
		return fmt.Sprintf("src 2001:db8:%d::%s", n, g.pick("2", "2", "3"))
	}
	return fmt.Sprintf("src 10.%d.0.%s", n, g.pick("2", "2", "3"))
}

func option(six bool) string {
	if six {
		return "-6"
	}
	return "-4"
}

func family(six bool) int {
	if six {
		return 1
	}
	return 0
}

func (g *generator) nexthops() {
	if g.chance(2) {
		return
	}
	id := 0
	for range 1 + g.IntN(6) {
		id++
		six := g.chance(2)
		spec := g.hop(six)
		if !strings.Contains(spec, "dev") {
			name, _ := g.dev()
			spec += " dev " + name
		}
		spec = strings.Replace(spec, "via inet6", "via", 1)
		if g.chance(8) {
			spec = "blackhole"
		}
		g.add("nexthop add", option(six), fmt.Sprintf("id %d", id), spec)
		g.hops[family(six)] = append(g.hops[family(six)], id)
	}
	for i := range g.hops {
		if ids := g.hops[i]; len(ids) > 0 && !g.chance(3) {
			members := make([]string, 0, 3)
			for _, at := range g.Perm(len(ids))[:min(len(ids), 1+g.IntN(3))] {
				members = append(members, fmt.Sprint(ids[at])+g.pick("", ",2", ",5"))
			}
			id++
			g.add("nexthop add", fmt.Sprintf("id %d group %s", id, strings.Join(members, "/")), g.maybe(5, "type resilient buckets 8"))
			g.hops[i] = append(g.hops[i], id)
		}
	}
}

// table is the one of a route or a rule.
func (g *generator) table() string {
	if g.vrf && g.chance(6) {
		return fmt.Sprint(vrfTable)
	}
	return g.pick("254", "254", "254", "20", "20", "21", "21", "22", "100", "255", "253")
}

func (g *generator) route() {
	six := g.chance(2)
	verb := g.pick("add", "add", "add", "append", "prepend")
	words := []string{"route", verb, option(six)}
	dst, table := g.destination(six), "table "+g.table()
	if seen := g.seen[family(six)]; len(seen) > 0 && g.chance(3) {
		// The same destination in one table, with another TOS, metric or source, or as
		// another next hop.
		dst, table, _ = strings.Cut(g.pick(seen...), " ")
	} else {
		g.seen[family(six)] = append(seen, dst+" "+table)
	}
	metric := g.maybe(3, "metric 1", "metric 50", "metric 1024", "metric 2000")
	if table == "table 255" && !g.chance(4) {
		table = "table 20"
	}
	var tos, from string
	if six {
		from = g.maybe(6, "from "+g.prefix(true, true))
		metric += " " + g.maybe(5, "pref low", "pref high", "pref medium")
	} else {
		tos = g.maybe(7, "tos 0x04", "tos 0x08", "tos 0x10", "tos 0x18", "tos 0x1c")
	}
	if from == "from default" {
		from = ""
	}
	hops := g.hops[family(six)]
	switch n := g.IntN(20); {
	case n == 0:
		words = append(words, "throw", dst)
	case n == 1:
		words = append(words, g.pick("unreachable", "prohibit", "blackhole"), dst)
	case n == 2:
		name, _ := g.dev()
		words = append(words, g.pick("local", "local", "broadcast", "anycast", "multicast"), dst, "dev "+name, g.preferred(six))
	case n < 6 && len(hops) > 0:
		words = append(words, dst, fmt.Sprintf("nhid %d", hops[g.IntN(len(hops))]), g.preferred(six))
	case n < 9:
		words = append(words, dst, g.preferred(six))
		defer func() {
			for range 2 + g.IntN(2) {
				hop := g.hop(six)
				for six && !strings.HasPrefix(hop, "via") { // IPv6 refuses those
					hop = g.pick("via fe80::1 dev d1", g.hop(six))
				}
				g.commands[len(g.commands)-1] += " nexthop " + hop + g.pick("", " weight 2", " weight 7")
			}
		}()
	default:
		words = append(words, dst, g.hop(six), g.preferred(six))
		if !six {
			words = append(words, g.maybe(12, "scope link", "scope host", "scope 200"))
		}
	}
	g.add(append(words, table, metric, tos, from, g.maybe(3, "proto 200", "proto 201"))...)
}

func (g *generator) rule() {
	six := g.chance(2)
	priority := g.pickInt(0, 5, 10, 20, 30, 30, 40, 50, 60, 1000, 2000, 32766, 32767, 40000)
	words := []string{"rule add", option(six), g.maybe(10, "not")}
	if g.chance(2) {
		from := g.prefix(six, !g.chance(4))
		if !six {
			from = g.pick(from, from, from, from, from, g.pick("0.0.0.0/8", "127.0.0.0/8", "0.0.0.0"))
		}
		words = append(words, "from "+from)
	}
	words = append(words, g.maybe(3, "to "+g.prefix(six, !g.chance(4))), g.maybe(5, "fwmark 0x1", "fwmark 0x10/0xf", "fwmark 0x2/0x2", "fwmark 0x0/0xff", "fwmark 0x1/0x3"))
	words = append(words, g.maybe(9, "iif lo", "iif d1", "iif d2", "iif gone", "iif v1"), g.maybe(9, "oif d1", "oif d2", "oif d3", "oif gone", "oif v1", "oif lo"))
	switch g.IntN(14) {
	case 0, 1:
		words = append(words, g.pick("tos 0x10", "tos 0x18", "tos 0x08"))
	case 2:
		words = append(words, g.pick("dscp 46", "dscp 8", "dscp 6", "dscp 2"))
	case 3:
		words = append(words, g.pick("dscp 0x20/0x38", "dscp 0x0/0x1"))
	}
	words = append(words, g.maybe(10, "uidrange 0-0", "uidrange 1000-1999", "uidrange 1-4294967294"))
	switch g.IntN(12) {
	case 0:
		words = append(words, "ipproto "+g.pick("tcp", "udp", "icmp"))
	case 1:
		words = append(words, "ipproto "+g.pick("tcp", "udp"), g.pick("dport 53", "dport 80-443", "sport 1024-2000", "dport 53 sport 1024-65534"))
	case 2:
		words = append(words, g.pick("dport 53", "sport 1024-2000", "dport 80-443", "dport 0x50/0xfff0"))
	}
	if six {
		words = append(words, g.maybe(14, "flowlabel 0x12345", "flowlabel 0x1/0xf"))
	}
	words = append(words, g.maybe(40, "tun_id 7"))
	switch n := g.IntN(24); {
	case n == 0:
		words = append(words, g.pick("unreachable", "prohibit", "blackhole"))
	case n == 1:
		words = append(words, "nop")
	case n < 4:
		words = append(words, fmt.Sprintf("goto %d", g.pickInt(20, 30, 30, 50, 1000, 32766, 77)))
	case n < 6 && g.vrf:
		words = append(words, "l3mdev")
	default:
		words = append(words, "lookup "+g.table(), g.maybe(5, "suppress_prefixlength 0", "suppress_prefixlength 0", "suppress_prefixlength 16", "suppress_prefixlength 24", "suppress_prefixlength 64"),
			g.maybe(8, "suppress_ifgroup 1", "suppress_ifgroup 0", "suppress_ifgroup 7"))
	}
	g.add(append(words, fmt.Sprintf("pref %d", priority))...)
}

// defaultRules changes the rules that a namespace begins with.
func (g *generator) defaultRules() {
	for _, six := range []bool{false, true} {
		switch g.IntN(14) {
		case 0: // as some programs do it
			g.add("rule add", option(six), "lookup 255 pref 100")
			g.add("rule del", option(six), "lookup 255 pref 0")
		case 1:
			g.add("rule del", option(six), "lookup 254 pref 32766")
		case 2:
			g.add("rule del", option(six), "lookup 255 pref 0")
		}
	}
	if g.chance(20) { // the rules are as before, but local and main are not one table any more
		kept := g.commands[:0]
		for _, c := range g.commands {
			if !strings.HasPrefix(c, "rule ") {
				kept = append(kept, c)
			}
		}
		g.commands = kept
		g.add("rule add -4 nop pref 9")
		g.add("rule del -4 nop pref 9")
		g.add("rule add -6 nop pref 9")
		g.add("rule del -6 nop pref 9")
	}
}
