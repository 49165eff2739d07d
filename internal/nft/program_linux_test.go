package nft_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/nft"
)

func needNFT(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft(8), to compare with, is not installed")
	}
}

func run(t *testing.T, ns *lab.NS, args ...string) string {
	t.Helper()
	out, err := ns.Run("", "nft", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// listing is what nft(8) lists of everything.
const listing = `
table inet pr {
comment "answers of uplinks"
set asked4 {
type ipv4_addr . inet_service . inet_service
size 1000
flags dynamic,timeout
timeout 3m
gc-interval 10s
comment "who asked 10.2.0.2"
set asked6 {
type ipv6_addr . inet_service . inet_service
comment "who asked fd00::2"
set ports {
type inet_service
flags interval
comment "of servers"
elements = { 1194-1199 comment "openvpn" }
map marks {
type ifname : mark
comment "a mark for each uplink"
elements = { "eth0" : 0x00000100, "eth1" comment "second" : 0x00000200 }
map verdicts {
type mark : verdict
elements = { 0x00000001 : accept, 0x00000002 : jump sub, 0x00000003 : drop }
set nets {
type ipv4_addr . inet_service
flags interval
elements = { 10.0.0.0/8 . 1-1024 }
chain out {
comment "answers go out by their uplink"
type route hook output priority raw; policy accept;
ip daddr . udp dport . udp sport @asked4 ip saddr set 10.2.0.2 counter packets 0 bytes 0 comment "put the address back"
ip6 daddr . udp dport . udp sport @asked6 ip6 saddr set fd00::2 comment "the same of IPv6"
oif "lo" notrack
chain pre {
type filter hook prerouting priority mangle; policy accept;
fib daddr type local udp dport @ports update @asked4 { ip saddr . udp sport . udp dport timeout 1m } comment "remember who asked"
delete @asked6 { ip6 saddr . udp sport . udp dport }
iifname "eth0" ct state new ct mark set ct mark & 0x00ffffff | 0x01000000 comment "mark what eth0 begins"
ct direction reply meta mark set ct mark & 0xff000000
iifname "ppp*" ct original ip saddr 10.0.0.1 return
meta mark set iifname map @marks
ip daddr . udp dport != @nets jump sub
udp dport != 10-20 udp dport >= 5 goto sub
chain post {
type nat hook postrouting priority srcnat; policy accept;
oifname "eth0" masquerade
meta mark vmap @verdicts
chain in {
comment "published ports"
type nat hook prerouting priority dstnat; policy accept;
udp dport 53 dnat ip to 10.9.0.1:5353
udp dport 54 redirect to :5353
chain sub {
meta l4proto udp drop
accept
`

// plain returns text without what differs between versions of nft(8): where lines end, and
// how a mark is masked.
func plain(text string) string {
	words := strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer("dynamic, timeout", "dynamic,timeout", "0x01ffffff", "0x00ffffff").Replace(words)
}

// nft(8) lists readably what this package makes, and in its own words: it could have been
// made by them.
func TestKernelProgramList(t *testing.T) {
	needNFT(t)
	ns, c := host(t)
	commit(t, c, func(b *nft.Batch) { add(b, everything()) })
	text := run(t, ns, "list", "table", "inet", table)
	have := plain(text)
	for line := range strings.Lines(strings.TrimPrefix(listing, "\n")) {
		if line = plain(line); !strings.Contains(have, line) {
			t.Errorf("nft list does not have: %s", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	// What nft(8) makes of its own listing is the same table, as the kernel has it.
	there, other := host(t)
	if out, err := there.Run(text, "nft", "-f", "-"); err != nil {
		t.Fatal(err, out)
	}
	want, got := read(t, c, nft.Inet, table), read(t, other, nft.Inet, table)
	for _, c := range []*nft.Contents{want, got} {
		for i := range c.Sets {
			c.Sets[i].UserData = "" // nft(8) also keeps what types its concatenations have
		}
	}
	if !slices.Equal(rulesOf(want), rulesOf(got)) {
		t.Errorf("sent by nft(8) from its listing:\n%s", difference(want, got))
	}
}

// rulesOf returns the rules as text, without expressions that only say what is implied.
func rulesOf(c *nft.Contents) (lines []string) {
	for _, r := range c.Rules {
		lines = append(lines, r.Chain+" "+r.Comment)
		for _, e := range r.Exprs {
			switch e.(type) {
			case nft.Lookup, nft.Dynset, nft.NAT, nft.Masq, nft.Immediate, nft.FIB:
				lines = append(lines, strings.ReplaceAll(e.String(), " 0x0", ""))
			}
		}
	}
	return lines
}

// This package reads what nft(8) makes, and a subscription names nft(8) as who flushed all.
func TestKernelProgramFlush(t *testing.T) {
	needNFT(t)
	ns, c := host(t)
	commit(t, c, func(b *nft.Batch) { add(b, everything()) })
	s, err := nft.SubscribeLike(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run(t, ns, "flush", "ruleset")
	var flushed []nft.Change
	for len(flushed) == 0 {
		if err := s.Receive(t.Context(), func(c nft.Change) error { flushed = append(flushed, c); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if g := flushed[0].Generation; g.Process != "nft" || g.PID == 0 || !slices.Contains(words(flushed[0]), "deleted table inet pr") {
		t.Errorf("flushed: %+v", flushed[0])
	}
	if read(t, c, nft.Inet, table).Found {
		t.Error("the table is still there")
	}
}

// Rules of nft(8) that this package has no types for keep all that they have: sent again to
// another namespace, nft(8) lists the same.
func TestKernelProgramForeign(t *testing.T) {
	needNFT(t)
	const rules = `table ip nat {
	chain pre {
		type nat hook prerouting priority dstnat; policy accept;
		tcp dport { 80, 443 } dnat to 10.9.0.1
		tcp flags syn limit rate 10/second burst 5 packets log prefix "x: " level info
		ct state vmap { established : accept, invalid : drop }
		meta hour "08:00"-"18:00" numgen random mod 2 0 counter packets 0 bytes 0
		ip daddr 10.0.0.1 jhash ip saddr mod 4 2 reject with icmp host-prohibited
	}
}
`
	const accepted = `table ip nat {
	chain pre {
		tcp dport { 80, 443 } dnat to 10.9.0.1
	}
}
`
	for _, text := range []string{strings.Replace(strings.Replace(rules, "\t\ttype nat hook prerouting priority dstnat; policy accept;\n", "", 1),
		"dnat to 10.9.0.1", "accept", 1), accepted} {
		ns, c := host(t)
		if out, err := ns.Run(text, "nft", "-f", "-"); err != nil {
			t.Fatal(err, out)
		}
		h, err := nft.ReadHost(t.Context(), c, nft.AnyFamily)
		if err != nil {
			t.Fatal(err)
		}
		now := read(t, c, nft.IPv4, "nat")
		if len(h.Rules) != len(now.Rules) || len(h.Rules) == 0 {
			t.Errorf("%d rules of the host, %d of the table", len(h.Rules), len(now.Rules))
		}
		there, other := host(t)
		want := now.Canonical()
		commit(t, other, func(b *nft.Batch) { addAnonymous(b, want) })
		if got := run(t, there, "list", "ruleset"); got != run(t, ns, "list", "ruleset") {
			t.Errorf("sent again:\n%s\nwant\n%s", got, run(t, ns, "list", "ruleset"))
		}
	}
}

// addAnonymous is add for a table with anonymous sets, which take a number.
func addAnonymous(b *nft.Batch, want *nft.Contents) {
	b.CreateTable(want.Table)
	for _, c := range want.Chains {
		b.CreateChain(c)
	}
	ids := make(map[string]uint32)
	for i, s := range want.Sets {
		elements := want.Elements[s.Name]
		if s.Flags&nft.Anonymous != 0 {
			s.ID = uint32(1000 + i)
			ids[s.Name] = s.ID
			s.Name = "__set%d"
		}
		b.CreateSet(s)
		b.AddElements(s, elements...)
	}
	for _, r := range want.Rules {
		for i, e := range r.Exprs {
			if l, ok := e.(nft.Lookup); ok && ids[l.Set] != 0 {
				l.SetID, l.Set = ids[l.Set], "__set%d"
				r.Exprs[i] = l
			}
		}
		b.AddRule(r)
	}
}
