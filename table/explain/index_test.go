package explain_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table/explain"
)

// manyRules returns a World with n rules, each made by line.
func manyRules(t testing.TB, n int, line func(i int) string) *explain.FIB {
	t.Helper()
	var b strings.Builder
	b.WriteString("address add 10.0.0.2/24 dev d0\naddress add 10.1.0.2/24 dev d1\nroute add default via 10.0.0.1 dev d0\n")
	for i := range 8 {
		fmt.Fprintf(&b, "route add default via 10.1.0.%d dev d1 table %d\n", i+1, 100+i)
	}
	for i := range n {
		fmt.Fprintf(&b, "rule add %s pref %d\n", line(i), 10+i)
	}
	b.WriteString("sysctl net.ipv4.ip_forward=1\n")
	return explain.NewFIB(parse(t, b.String()))
}

// Decide finds the rules that match by an index. Explain asks them one after the other.
func TestIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	addr := func() string { return fmt.Sprintf("10.%d.%d.%d", r.IntN(2), r.IntN(3), r.IntN(4)) }
	selectors := []func() string{
		func() string { return "from " + addr() },
		func() string { return fmt.Sprintf("from %s/%d", addr(), 8+r.IntN(25)) },
		func() string { return "to " + addr() },
		func() string { return fmt.Sprintf("to %s/%d", addr(), 4+r.IntN(29)) },
		func() string { return fmt.Sprintf("fwmark %d/%d", r.IntN(8), 1+r.IntN(7)) },
		func() string { return fmt.Sprintf("uidrange %d-%[1]d", r.IntN(4)) },
		func() string { return fmt.Sprintf("uidrange %d-%d", r.IntN(2), 2+r.IntN(4)) },
		func() string { return fmt.Sprintf("dport %d", 1+r.IntN(4)) },
		func() string { return fmt.Sprintf("sport %d-%d", 1+r.IntN(2), 3+r.IntN(4)) },
		func() string { return []string{"iif lo", "iif d0", "iif d9"}[r.IntN(3)] },
		func() string { return []string{"oif d0", "oif d1"}[r.IntN(2)] },
	}
	actions := []func(i int) string{
		func(int) string { return fmt.Sprintf("lookup %d", 100+r.IntN(12)) },
		func(int) string { return fmt.Sprintf("lookup %d suppress_prefixlength 0", 100+r.IntN(12)) },
		func(i int) string { return fmt.Sprintf("goto %d", 10+i+1+r.IntN(30)) },
		func(int) string { return []string{"nop", "prohibit", "blackhole"}[r.IntN(3)] },
	}
	for range 30 {
		f := manyRules(t, 120, func(i int) string {
			words := []string{}
			if r.IntN(5) == 0 {
				words = append(words, "not")
			}
			first := selectors[r.IntN(len(selectors))]()
			words = append(words, first)
			if second := selectors[r.IntN(len(selectors))](); strings.Fields(second)[0] != strings.Fields(first)[0] {
				words = append(words, second)
			}
			return strings.Join(append(words, actions[r.IntN(len(actions))](i)), " ")
		})
		for range 300 {
			p := explain.Packet{
				To: netip.MustParseAddr(addr()), Mark: uint32(r.IntN(8)), UID: uint32(r.IntN(5)), IPProto: 6,
				SPort: uint16(r.IntN(6)), DPort: uint16(r.IntN(5)),
			}
			switch r.IntN(4) {
			case 0:
				p.IIF, p.From = "d0", netip.MustParseAddr(addr())
			case 1:
				p.From = netip.MustParseAddr("10.0.0.2")
			case 2:
				p.OIF = "d1"
			}
			if d, e := f.Decide(&p), f.Explain(p); !same(d, e.Decision) {
				t.Fatalf("%s\n%s: Decide returns %+v, and Explain %+v", f.World(), p, d, e.Decision)
			}
		}
	}
}

// Decide and Get allocate nothing.
func TestAllocations(t *testing.T) {
	f := explain.NewFIB(parse(t, tutorial+"sysctl net.ipv4.ip_forward=1\nsysctl net.ipv4.conf.all.rp_filter=1\nroute add 1.0.0.0/8 nexthop dev eth0 nexthop dev eth1"))
	for _, words := range []string{"8.8.8.8", "8.8.8.8 from 192.168.2.2", "8.8.8.8 from 192.168.1.9 iif eth0", "192.168.2.2", "1.1.1.1", "::1", "2001:db8::1 oif eth0"} {
		p := packet(t, words)
		if n := testing.AllocsPerRun(100, func() { f.Decide(&p); f.Get(&p) }); n != 0 {
			t.Errorf("%s: %v allocations", words, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	p := packet(b, "198.51.100.7 from 192.168.2.2")
	run := func(name string, f *explain.FIB, p explain.Packet) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Decide(&p)
			}
		})
	}
	run("tutorial", explain.NewFIB(parse(b, tutorial)), p)
	in := packet(b, "192.168.2.2 from 198.51.100.7 iif eth1")
	run("input with rp_filter", explain.NewFIB(parse(b, tutorial+"sysctl net.ipv4.conf.all.rp_filter=1")), in)
	p = packet(b, "8.8.8.8 from 10.0.0.2 mark 77777 uid 77777 ipproto tcp dport 9")
	const n = 10000
	for name, line := range map[string]func(i int) string{
		"10000 sources":  func(i int) string { return fmt.Sprintf("from 10.9.%d.%d lookup 100", i>>8, i&255) },
		"10000 networks": func(i int) string { return fmt.Sprintf("to 9.%d.%d.0/24 lookup 100", i>>8, i&255) },
		"10000 marks":    func(i int) string { return fmt.Sprintf("fwmark %d/0xffff lookup 100", i) },
		"10000 ranges":   func(i int) string { return fmt.Sprintf("uidrange %d-%d lookup 100", i, i+1) },
		"10000 nots":     func(i int) string { return fmt.Sprintf("not from 10.0.0.0/%d lookup 100", 8+i%8) },
	} {
		run(name, manyRules(b, n, line), p)
	}
}
