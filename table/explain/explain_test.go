package explain_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// tutorial is a server with two routers.
const tutorial = `
rule add from 192.168.2.2 lookup 20 pref 1000
route add default via 192.168.1.1 dev eth0
route add default via 192.168.2.1 dev eth1 table 20
address add 192.168.1.2/24 dev eth0
address add 192.168.2.2/24 dev eth1
`

func parse(t testing.TB, text string) explain.World {
	t.Helper()
	w, err := explain.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func packet(t testing.TB, text string) explain.Packet {
	t.Helper()
	p, err := explain.ParsePacket(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// decide returns the sentence about a packet, without the packet.
func decide(t testing.TB, f *explain.FIB, words string) string {
	t.Helper()
	p := packet(t, words)
	e := f.Explain(p)
	if d := f.Decide(&p); !same(d, e.Decision) {
		t.Errorf("%s: Decide returns %+v, and Explain %+v", p, d, e.Decision)
	}
	return strings.TrimPrefix(e.Sentence(), p.String()+": ")
}

// same reports whether two decisions are the same.
func same(a, b explain.Decision) bool {
	a.Candidates, b.Candidates = nil, nil
	return a.Verdict == b.Verdict && a.Rule == b.Rule && a.Table == b.Table && a.Route == b.Route && a.OIF == b.OIF &&
		a.Via == b.Via && a.Source == b.Source && a.Refusal == b.Refusal && a.Error == b.Error && a.Depends == b.Depends
}

// What the kernel was seen to do with rules.
func TestRules(t *testing.T) {
	const world = `
address add 10.0.0.2/24 dev d0
address add 10.1.0.2/24 dev d1
address add 2001:db8::2/64 dev d0
address add 2001:db8:1::2/64 dev d1
route add default via 10.0.0.1 dev d0
route add default via 10.1.0.1 dev d1 table 20
-6 route add default via 2001:db8::1 dev d0
-6 route add default via 2001:db8:1::1 dev d1 table 20
sysctl net.ipv4.ip_forward=1
sysctl net.ipv6.conf.all.forwarding=1
`
	const first, second = "unicast via 10.0.0.1 dev d0", "unicast via 10.1.0.1 dev d1"
	const first6, second6 = "unicast via 2001:db8::1 dev d0", "unicast via 2001:db8:1::1 dev d1"
	for _, x := range []struct{ rule, packet, want string }{
		{"from all fwmark 0x10/0xf lookup 20", "8.8.8.8 from 10.0.0.2", second}, // bits outside the mask do not count
		{"from all fwmark 0x10/0xf lookup 20", "8.8.8.8 from 10.0.0.2 mark 0xf0", second},
		{"from all fwmark 0x10/0xf lookup 20", "8.8.8.8 from 10.0.0.2 mark 1", first},
		{"not from 10.0.0.2 lookup 20", "8.8.8.8 from 10.0.0.2", first},
		{"not from 10.0.0.2 lookup 20", "8.8.8.8", second + " src 10.1.0.2"},
		{"from 0.0.0.0/8 lookup 20", "8.8.8.8", second + " src 10.1.0.2"}, // no source is the source 0
		{"from 0.0.0.0/8 lookup 20", "8.8.8.8 from 10.0.0.2", first},
		{"-6 from ::/8 lookup 20", "2001:db8:9::1", first6 + " src 2001:db8::2"}, // in IPv6 it is none
		{"-6 not from 2001:db8::/64 lookup 20", "2001:db8:9::1", second6 + " src 2001:db8:1::2"},
		{"from all tos 0x18 lookup 20", "8.8.8.8 from 10.0.0.2 tos 0xb8", second}, // three bits count
		{"from all tos 0x18 lookup 20", "8.8.8.8 from 10.0.0.2 tos 0x10", first},
		{"-6 from all tos 0x18 lookup 20", "2001:db8:9::1 from 2001:db8::2 tos 0xb8", first6},
		{"from all dscp 46 lookup 20", "8.8.8.8 from 10.0.0.2 tos 0xb8", second},
		{"from all dscp 6 lookup 20", "8.8.8.8 from 10.0.0.2 dscp 46", first},
		{"from all dport 443 lookup 20", "8.8.8.8 from 10.0.0.2 ipproto tcp dport 443", second},
		{"from all dport 443 lookup 20", "8.8.8.8 from 10.0.0.2", first},
		{"from all dport 0xbb/0xff lookup 20", "8.8.8.8 from 10.0.0.2 dport 443", second},
		{"from all dport 0xbb/0xff lookup 20", "8.8.8.8 from 10.0.0.2 dport 80", first},
		{"from all ipproto udp lookup 20", "8.8.8.8 from 10.0.0.2", second}, // as ip route get asks
		{"from all ipproto udp lookup 20", "8.8.8.8 from 10.0.0.2 ipproto tcp", first},
		{"from all uidrange 0-0 lookup 20", "8.8.8.8 from 10.0.0.9 iif d0 uid 7", second}, // forwarded packets
		{"from all uidrange 1-9 lookup 20", "8.8.8.8 from 10.0.0.2 uid 7", second},
		{"from all iif lo lookup 20", "8.8.8.8 from 10.0.0.2", second}, // sent by this host
		{"from all iif lo lookup 20", "8.8.8.8 from 10.0.0.9 iif d0", first},
		{"from all iif d0 lookup 20", "8.8.8.8 from 10.0.0.9 iif d0", second},
		{"from all iif gone lookup 20", "8.8.8.8 from 10.0.0.9 iif d0", first},
		{"not from all iif gone lookup 20", "8.8.8.8 from 10.0.0.2", second},
		{"from all to 8.0.0.0/8 unreachable", "8.8.8.8 from 10.0.0.2", "unreachable, ENETUNREACH"},
		{"from all to 8.0.0.0/8 prohibit", "8.8.8.8 from 10.0.0.2", "prohibit, EACCES"},
		{"from all to 8.0.0.0/8 blackhole", "8.8.8.8 from 10.0.0.2", "blackhole, EINVAL"},
		{"from all type 0 table 20", "8.8.8.8 from 10.0.0.2", "blackhole, EINVAL"}, // an action that the kernel does not know
		{"from all nop", "8.8.8.8 from 10.0.0.2", first},
		{"from all lookup 99", "8.8.8.8 from 10.0.0.2", first},
		{"from all lookup 20 suppress_prefixlength 0", "8.8.8.8 from 10.0.0.2", first},
		{"from all lookup 20 suppress_ifgroup 0", "8.8.8.8 from 10.0.0.2", first},
		{"from all goto 40", "8.8.8.8 from 10.0.0.2", first},
		{"-6 from all flowlabel 0x10/0xf0 lookup 20", "2001:db8:9::1 from 2001:db8::2 flowlabel 0x11", second6},
		{"-6 from all to 2001:db8:9::/48 prohibit", "2001:db8:9::1 from 2001:db8::2", "prohibit, EACCES"},
	} {
		rule := "rule add " + x.rule
		if words, six := strings.CutPrefix(x.rule, "-6 "); six {
			rule = "-6 rule add " + words
		}
		f := explain.NewFIB(parse(t, world+rule+" pref 30"))
		if got := decide(t, f, x.packet); got != x.want {
			t.Errorf("%s: %s: got %q, want %q", x.rule, x.packet, got, x.want)
		}
	}
}

// A goto goes to the first rule of a priority, which has to match, and else to the next
// one.
func TestGoto(t *testing.T) {
	const world = `
address add 10.0.0.2/24 dev d0
route add default via 10.0.0.1 dev d0 table 20
route add default via 10.0.0.9 dev d0 table 21
rule add from all goto 50 pref 10
rule add from all prohibit pref 20
`
	for rules, want := range map[string]string{
		"rule add from all lookup 20 pref 50":                                                       "unicast via 10.0.0.1 dev d0",
		"rule add from 1.1.1.1 lookup 20 pref 50\nrule add from all lookup 21 pref 50":              "unicast via 10.0.0.9 dev d0",
		"rule add from all lookup 20 pref 51":                                                       "prohibit, EACCES", // there is no such rule
		"rule add from all goto 60 pref 50\nrule add from all lookup 21 pref 60":                    "unicast via 10.0.0.9 dev d0",
		"rule add from all nop pref 50\nrule add from all lookup 20 pref 55":                        "unicast via 10.0.0.1 dev d0",
		"rule add from all lookup 20 suppress_prefixlength 0 pref 50\nrule add lookup 21 pref 50\n": "unicast via 10.0.0.9 dev d0",
	} {
		f := explain.NewFIB(parse(t, world+rules))
		if got := decide(t, f, "8.8.8.8 from 10.0.0.2"); got != want {
			t.Errorf("%s: got %q, want %q", rules, got, want)
		}
	}
}

// What the kernel was seen to do with routes.
func TestRoutes(t *testing.T) {
	const world = `
address add 10.0.0.2/24 dev d0
address add 10.1.0.2/24 dev d1
address add 2001:db8::2/64 dev d0
rule add from all lookup main pref 32766
rule add from all lookup default pref 32767
rule add lookup local pref 0
sysctl net.ipv4.fib_has_custom_rules=1
`
	for _, x := range []struct{ routes, packet, want string }{
		{"route add unreachable 8.0.0.0/8", "8.8.8.8", "unreachable, EHOSTUNREACH"},
		{"route add prohibit 8.0.0.0/8", "8.8.8.8", "prohibit, EACCES"},
		{"route add blackhole 8.0.0.0/8", "8.8.8.8", "blackhole, EINVAL"},
		{"route add throw 8.0.0.0/8", "8.8.8.8", "none, ENETUNREACH"},
		{"route add throw 8.0.0.0/8\nroute add 8.0.0.0/8 dev d1 table default", "8.8.8.8", "unicast dev d1 src 10.1.0.2"},
		{"", "8.8.8.8 oif d1", "unicast dev d1 src 10.1.0.2"}, // taken for on the link
		{"", "8.8.8.8", "none, ENETUNREACH"},
		{"", "8.8.8.8 from 10.9.9.9", "none, ENETUNREACH: the source is not an address of this host"},
		{"", "8.8.8.8 oif d9", "none, ENODEV: there is no such interface"},
		{"route add default via 10.0.0.1 dev d0\nroute add default via 10.1.0.1 dev d1 metric 5", "8.8.8.8", "unicast via 10.0.0.1 dev d0 src 10.0.0.2"},
		{"route add default via 10.0.0.1 dev d0\nroute add default via 10.1.0.1 dev d1 metric 5", "8.8.8.8 oif d1", "unicast via 10.1.0.1 dev d1 src 10.1.0.2"},
		{"route add default via 10.0.0.1 dev d0 metric 1\nroute add default via 10.1.0.1 dev d1 metric 5\nlink add d0 down", "8.8.8.8", "unicast via 10.1.0.1 dev d1 src 10.1.0.2"},
		{"route add default via 10.0.0.1 dev d0 metric 1\nroute add default via 10.1.0.1 dev d1 metric 5\nlink add d0 carrier off", "8.8.8.8", "unicast via 10.0.0.1 dev d0 src 10.0.0.2"},
		{"route add default via 10.0.0.1 dev d0 metric 1\nroute add default via 10.1.0.1 dev d1 metric 5\nlink add d0 carrier off\nsysctl net.ipv4.conf.d0.ignore_routes_with_linkdown=1", "8.8.8.8", "unicast via 10.1.0.1 dev d1 src 10.1.0.2"},
		{"route add 8.0.0.0/8 tos 0x10 via 10.1.0.1 dev d1\nroute add 8.0.0.0/8 via 10.0.0.1 dev d0", "8.8.8.8 tos 0xf0", "unicast via 10.1.0.1 dev d1 src 10.1.0.2"},
		{"route add 8.0.0.0/8 tos 0x10 via 10.1.0.1 dev d1\nroute add 8.0.0.0/8 via 10.0.0.1 dev d0", "8.8.8.8", "unicast via 10.0.0.1 dev d0 src 10.0.0.2"},
		{"route add default src 10.1.0.2 via 10.0.0.1 dev d0", "8.8.8.8", "unicast via 10.0.0.1 dev d0 src 10.1.0.2"},
		{"route add default nexthop via 10.0.0.1 dev d0 weight 3 nexthop via 10.1.0.1 dev d1", "8.8.8.8", "unicast by one of via 10.0.0.1 dev d0 weight 3, via 10.1.0.1 dev d1 weight 1"},
		{"route add default nexthop via 10.0.0.1 dev d0 weight 3 nexthop via 10.1.0.1 dev d1", "8.8.8.8 from 10.1.0.2", "unicast via 10.1.0.1 dev d1"},
		{"route add default nexthop via 10.0.0.1 dev d0 nexthop via 10.1.0.1 dev d1\nlink add d0 down", "8.8.8.8", "unicast via 10.1.0.1 dev d1 src 10.1.0.2"},
		{"nexthop add id 1 via 10.0.0.1 dev d0\nnexthop add id 2 via 10.1.0.1 dev d1\nnexthop add id 3 group 1/2\nroute add default nhid 3", "8.8.8.8", "unicast by one of via 10.0.0.1 dev d0 weight 1, via 10.1.0.1 dev d1 weight 1"},
		{"nexthop add id 1 via 10.0.0.1 dev d0\nnexthop add id 2 via 10.1.0.1 dev d1\nnexthop add id 3 group 1/2\nroute add default nhid 3\nneighbour add 10.0.0.1 dev d0 nud failed", "8.8.8.8", "unicast via 10.1.0.1 dev d1 src 10.1.0.2"},
		{"nexthop add id 1 blackhole\nroute add default nhid 1", "8.8.8.8", "blackhole, EINVAL"},
		{"route add unreachable default", "239.1.2.3 from 10.1.0.2", "multicast dev d1"}, // no rule is asked
		{"route add unreachable default", "255.255.255.255 from 10.1.0.2", "broadcast dev d1"},
		{"", "0.0.0.0", "local src 127.0.0.1"},
		{"route add default via 10.0.0.1 dev d0", "239.1.2.3", "multicast dev d0 src 10.0.0.2"},
		{"-6 route add 2001:db8:9::/64 dev d1\n-6 route add 2001:db8:9::/48 from 2001:db8::/64 dev d0", "2001:db8:9::1 from 2001:db8::2", "unicast dev d1"},
		{"-6 route add default from 2001:db8::/64 dev d0", "2001:db8:9::1", "none, ENETUNREACH"},
		{"-6 route add default via fe80::1 dev d0 proto ra pref low\n-6 route add default via fe80::1 dev d1 proto ra pref high", "2001:db8:9::1 from 2001:db8::2", "unicast via fe80::1 dev d1"},
	} {
		f := explain.NewFIB(parse(t, world+x.routes))
		if got := decide(t, f, x.packet); got != x.want {
			t.Errorf("%s\n%s: got %q, want %q", x.routes, x.packet, got, x.want)
		}
	}
}

// The JSON of an explanation has the fields that programs rely on.
func TestJSON(t *testing.T) {
	f := explain.NewFIB(parse(t, tutorial+`
route add default table 21 nexthop via 192.168.1.1 dev eth0 weight 2 nexthop via 192.168.2.1 dev eth1
rule add from all fwmark 1 lookup 21 pref 900`))
	var lines []string
	for _, words := range []string{"198.51.100.7 from 192.168.2.2", "198.51.100.7 mark 1", "198.51.100.7 from 10.0.0.1"} {
		b, err := json.Marshal(f.Explain(packet(t, words)))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b)+"\n")
	}
	const golden = "testdata/explanations.json"
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	tabletest.WantText(t, "the JSON", string(want), strings.Join(lines, ""))
}
