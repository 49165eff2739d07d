package explain_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/snapshot"
)

// Text can be short: what it does not mention is as in a new network namespace.
func TestParse(t *testing.T) {
	w := parse(t, `
# A comment, and a rule in one: the next line counts.
# ip rule add from 192.0.2.2 lookup 20
1000:	from all fwmark 0x1 lookup 21
ip -6 rule add from all lookup 22 pref 5
rule from 192.0.2.3 lookup 20
ip route add default via 192.0.2.1 dev eth0
link add vlan5 index 9 type vlan group 3 altname office
link set dev vlan5 carrier off
link add br0 type bridge
link add eth0 master br0 down
addr add 192.0.2.2/24 dev vlan5
address add 198.51.100.2 peer 198.51.100.9/32 dev ppp0 scope link
-6 addr add 2001:db8::2/64 dev vlan5 temporary deprecated
neigh add 192.0.2.1 dev eth0 lladdr 02:00:00:00:00:01
sysctl -w net.ipv4.ip_forward=1
sysctl net/ipv4/conf/eth0.5/rp_filter = 2
`)
	tabletest.WantText(t, "the text", `# ip route add local 127.0.0.0/8 dev lo proto kernel src 127.0.0.1
# ip route add local 127.0.0.1 dev lo proto kernel src 127.0.0.1
# ip route add broadcast 127.255.255.255 dev lo proto kernel src 127.0.0.1
# ip route add local 192.0.2.2 dev vlan5 proto kernel src 192.0.2.2
# ip route add broadcast 192.0.2.255 dev vlan5 proto kernel src 192.0.2.2
# ip route add local 198.51.100.2 dev ppp0 proto kernel src 198.51.100.2
# ip route add 192.0.2.0/24 dev vlan5 proto kernel src 192.0.2.2
# ip route add 198.51.100.9 dev ppp0 proto kernel src 198.51.100.2
ip route add default via 192.0.2.1 dev eth0
# ip -6 route add local ::1 dev lo proto kernel
# ip -6 route add local 2001:db8::2 dev vlan5 proto kernel
# ip -6 route add multicast ff00::/8 dev vlan5 table local proto kernel metric 256
# ip -6 route add 2001:db8::/64 dev vlan5 proto kernel metric 256
# ip rule add from all lookup local proto kernel pref 0
ip rule add from 192.0.2.3 lookup 20 pref 999
ip rule add from all fwmark 0x1 lookup 21 pref 1000
ip rule add from 192.0.2.2 lookup 20 pref 32765
# ip rule add from all lookup main proto kernel pref 32766
# ip rule add from all lookup default proto kernel pref 32767
# ip -6 rule add from all lookup local proto kernel pref 0
ip -6 rule add from all lookup 22 pref 5
# ip -6 rule add from all lookup main proto kernel pref 32766
# ip link add lo index 1
# ip link add br0 index 2 type bridge
# ip link add eth0 index 3 down master br0
# ip link add ppp0 index 4
# ip link add vlan5 index 9 carrier off group 3 altname office type vlan
# ip address add 192.0.2.2/24 dev vlan5
# ip address add 198.51.100.2 peer 198.51.100.9/32 dev ppp0 scope link
# ip address add 2001:db8::2/64 dev vlan5 temporary deprecated
# ip address add 127.0.0.1/8 dev lo
# ip address add ::1/128 dev lo
# ip neighbour add 192.0.2.1 dev eth0 nud permanent
# sysctl -w net.ipv4.ip_forward=1
# sysctl -w net/ipv4/conf/eth0.5/rp_filter=2
`, w.String())
	b, err := json.Marshal(map[string]explain.World{"host": w})
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]explain.World
	if err := json.Unmarshal(b, &m); err != nil || !m["host"].Equal(w) {
		t.Errorf("through JSON: %v\n%s", err, m["host"])
	}
	// Every namespace has lo.
	if empty := parse(t, (explain.World{}).String()); len(empty.Links) != 1 || len(empty.Rules)+len(empty.Routes)+len(empty.Addresses) != 0 {
		t.Errorf("a host without anything:\n%s", empty)
	}
	if s, err := snapshot.Parse(w.String()); err != nil || !strings.HasPrefix(w.String(), s.String()) {
		t.Errorf("a snapshot of the text: %v\n%s", err, s)
	}
}

// Many rules in any order of their lines come in the order of their priorities, those of
// one priority in the order of the lines, and each without a priority before the second.
func TestParseRuleOrder(t *testing.T) {
	const count = 20000
	var b strings.Builder
	b.WriteString("rule add lookup 1\nrule add lookup 2 pref 32764\nrule add lookup 3\nrule add lookup 4\n")
	for i := range count {
		fmt.Fprintf(&b, "rule add lookup %d pref %d\n", 100+i, 30000-i/2)
	}
	b.WriteString("rule add lookup 5\n")
	var got []string
	for _, r := range parse(t, b.String()).Rules {
		if r.Family == route.IPv4 {
			got = append(got, fmt.Sprintf("%d: %d", r.Priority.Or(0), r.Table))
		}
	}
	want := []string{"0: 255", "20000: 5"}
	for i := count - 2; i >= 0; i -= 2 {
		want = append(want, fmt.Sprintf("%d: %d", 30000-i/2, 100+i), fmt.Sprintf("%d: %d", 30000-i/2, 101+i))
	}
	want = append(want, "32762: 4", "32763: 3", "32764: 2", "32765: 1", "32766: 254", "32767: 253")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order of the rules (-want +got):\n%.1000s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"\nrule add pref 1 dprot 5":                `explain: line 2: rule: word 3 "dprot": not a selector or an action; did you mean dport?`,
		"ruule add":                                `explain: line 1: "ruule" is not an object of a world`,
		"route del default":                        `explain: line 1: route: word 1 "del": not `,
		"route flush table 20":                     `explain: line 1: only "route flush table local" is known`,
		"address add 1.2.3.4":                      `explain: line 1: the address 1.2.3.4 has no interface: want dev and its name`,
		"address add":                              `explain: line 1: explain: word 1: a prefix is missing`,
		"address add 1.2.3.4 dev d0 stat":          `explain: line 1: explain: word 4 "stat": not a word of an address`,
		"address add 1.2.3.4 peer ::1 dev d0":      `explain: line 1: 1.2.3.4 and its peer ::1 are of different families`,
		"neigh add 1.2.3.4 nud dead dev d0":        `explain: line 1: explain: word 3 "dead": not a state of a neighbour`,
		"link":                                     `explain: line 1: want the name of an interface`,
		"link add lo index 5":                      `explain: line 1: lo has the index 1, and not 5`,
		"link add d0 index 5\nlink add d1 index 5": `explain: the interfaces d0 and d1 have the same index, 5`,
		"link add d0 master br0":                   `explain: line 1: there is no interface "br0", the master of d0`,
		"link add d0 index 0":                      `explain: line 1: explain: word 2 "0": not an index: want at least 1`,
		"link add d0 carrier maybe":                `explain: line 1: explain: word 2 "maybe": not on or off`,
		"sysctl -w x":                              `explain: line 1: want a setting, =, and its value, such as net.ipv4.ip_forward=1`,
		"sysctl -w net.ipv4.conf.d0.rp_filter=on":  `explain: line 1: "on" is not the value of a setting: want a number`,
		"route add default dev 'eth0":              `explain: line 1: a quote is not closed`,
		"route add -f mpls 100 dev lo":             `explain: line 1: a route of family mpls`,
		"rule add from 1.1.1.1 dev":                `explain: line 1: rule: word 4: the name of an interface is missing after "dev"`,
	} {
		w, err := explain.Parse(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
		if len(w.Links) > 0 {
			t.Errorf("%q: an error, and\n%s", text, w)
		}
	}
}

func TestParsePacket(t *testing.T) {
	for text, want := range map[string]string{
		"to 192.0.2.1":                                     "192.0.2.1",
		"from 10.0.0.1 192.0.2.1 dscp 46":                  "192.0.2.1 from 10.0.0.1 tos 0xb8",
		"2001:db8::1 iif eth0 ipproto 6 mark 7":            "2001:db8::1 iif eth0 mark 0x7 ipproto tcp",
		"10.0.0.1 oif eth1 uid 5 sport 1 dport 2 tun_id 9": "10.0.0.1 oif eth1 uid 5 sport 1 dport 2 tun_id 9",
		"::1 flowlabel 0xfffff":                            "::1 flowlabel 0xfffff",
		"":                                                 "explain: the packet has no destination: write its address first",
		"10.0.0.1 from ::1":                                "explain: the packet is to 10.0.0.1 and from ::1, which is of another family",
		"10.0.0.1 form 10.0.0.2":                           `explain: word 2 "form": not an address or a word of a packet; did you mean from?`,
		"10.0.0.1 mark":                                    `explain: word 3: a number is missing after "mark"`,
		"10.0.0.1 dscp 64":                                 `explain: word 3 "64": not a DSCP: want a number of at most 6 bits`,
		"10.0.0.1 10.0.0.2":                                `explain: word 2 "10.0.0.2": not an address or a word of a packet`,
		"10.0.0.1 iif eth0 oif eth1":                       "explain: the packet comes in by eth0, and is of a socket that is bound to eth1: want one of iif and oif",
	} {
		p, err := explain.ParsePacket(text)
		got := p.String()
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// FuzzParse: what is read prints as what is read again as the same, and anything can be
// decided in it.
func FuzzParse(f *testing.F) {
	f.Add("link add eth0 index 5 down carrier off arp off master br0 type veth\nlink add br0 group 7 altname x", "10.0.0.1 from 10.0.0.2 oif eth0")
	f.Add("address add 10.0.0.2/24 dev eth0\n-6 address add fe80::1/64 dev eth0 tentative scope 200\nroute add default via 10.0.0.1", "10.0.0.9 iif eth0 from 10.0.0.7")
	f.Add("rule add not from all iif eth0 goto 5 pref 1\nrule add l3mdev pref 5\nlink add red type vrf table 10\nlink add eth0 master red", "2001:db8::1 oif eth0")
	f.Add("nexthop add id 1 via 10.0.0.1 dev d0\nnexthop add id 2 group 1,5\nroute add default nhid 2\nneigh add 10.0.0.1 dev d0 nud failed", "10.9.0.1")
	f.Add("-6 route add 2001:db8::/32 from 2001::/16 via fe80::1 dev d0\n-6 route append 2001:db8::/32 via fe80::2 dev d1", "2001:db8::1 from 2001:db8::2")
	f.Add("sysctl -w net/ipv4/conf/a.b/rp_filter=1\nrule flush\nroute flush table local\naddress flush", "::1")
	f.Add("route add default nexthop via 10.0.0.1 dev d0 weight 3 dead nexthop dev d1\nroute add 10.0.0.0/8 throw table local", "224.0.0.1")
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, text, words string) {
		seeds.Next(t)
		w, err := explain.Parse(text)
		if err != nil {
			return
		}
		s := w.String()
		back, err := explain.Parse(s)
		if err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
		if got := back.String(); got != s {
			t.Fatalf("the text\n%s\nis read as\n%s", s, got)
		}
		p, err := explain.ParsePacket(words)
		if err != nil {
			return
		}
		if again, err := explain.ParsePacket(p.String()); err != nil || again != p {
			t.Fatalf("%+v is %q, which is %+v, %v", p, p, again, err)
		}
		fib := explain.NewFIB(w)
		e := fib.Explain(p)
		if d := fib.Decide(&p); !same(d, e.Decision) {
			t.Fatalf("%s\n%s: Decide returns %+v, and Explain %+v", text, p, d, e.Decision)
		}
		fib.ExplainGet(p)
		_ = e.Long()
		if _, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		}
	})
}
