package snapshot_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/snapshot"
)

func parse(t testing.TB, text string) snapshot.Snapshot {
	t.Helper()
	s, err := snapshot.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever the order of the lines, the order of the text is one; only that
// among objects at one place is kept.
func TestOrder(t *testing.T) {
	s := parse(t, `
# This is a comment, and the next line is a rule.
# ip rule add from all lookup local proto kernel pref 0
ip -6 rule add from all fwmark 2 lookup 20 pref 5
ip rule add from 192.0.2.2 pref 100 lookup 20
ip rule add from 192.0.2.1 pref 100 lookup 20
	ip rule add pref 7 from all lookup main

ip -4 route add default via 192.0.2.9 table 20 dev 'e$1'
ip route add 192.0.2.0/24 table 20 dev 'e$1' proto static
ip -6 route append default via fe80::1 dev eth0 metric 5
ip route append default via 192.0.2.8 table 20 dev 'e$1'
ip -6 route add unreachable 2001:db8::/32
ip route add 198.51.100.0/24 dev it\'s
ip nexthop add id 3 group 4/5
ip nexthop add id 5 via 192.0.2.1 dev eth0
ip nexthop add id 4 dev eth0
`)
	want := `ip nexthop add id 4 dev eth0
ip nexthop add id 5 via 192.0.2.1 dev eth0
ip nexthop add id 3 group 4/5
ip route add 198.51.100.0/24 dev 'it'\''s'
ip route add 192.0.2.0/24 dev 'e$1' table 20 proto static
ip route add default via 192.0.2.9 dev 'e$1' table 20
ip route append default via 192.0.2.8 dev 'e$1' table 20
ip -6 route add unreachable 2001:db8::/32 metric 1024
ip -6 route add default via fe80::1 dev eth0 metric 5
# ip rule add from all lookup local proto kernel pref 0
ip rule add from all lookup main pref 7
ip rule add from 192.0.2.2 lookup 20 pref 100
ip rule add from 192.0.2.1 lookup 20 pref 100
ip -6 rule add from all fwmark 0x2 lookup 20 pref 5
`
	tabletest.WantText(t, "the text", want, s.String())
	if back := parse(t, s.String()); !back.Equal(s) {
		t.Errorf("read back:\n%s", back)
	}
	b, err := json.Marshal(map[string]snapshot.Snapshot{"host": s})
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]snapshot.Snapshot
	if err := json.Unmarshal(b, &m); err != nil || !m["host"].Equal(s) {
		t.Errorf("through JSON: %v\n%s", err, m["host"])
	}
	if empty := parse(t, ""); empty.String() != "" || !empty.Equal(snapshot.Snapshot{}) || empty.Equal(s) {
		t.Errorf("empty: %q", empty)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"ip route add 1.2.3.4\nfrom all": `snapshot: line 2: not a command of ip(8)`,
		"\n#ip rule add":                 `snapshot: line 2: want ip, then rule, route or nexthop, then add or append, and the arguments`,
		"ip":                             `snapshot: line 1: want ip, then rule, route or nexthop, then add or append, and the arguments`,
		"ip route del default dev eth0":  `snapshot: line 1: "del" is not add, or append for a route`,
		"ip rule append pref 1":          `snapshot: line 1: "append" is not add, or append for a route`,
		"ip link add eth0":               `snapshot: line 1: "link" is not rule, route or nexthop`,
		"ip rule add from 192.0.2.1":     `snapshot: line 1: a rule needs pref`,
		"ip rule add pref 1 dprot 5": `snapshot: line 1: rule: word 3 "dprot": not a selector or an action; ` +
			`did you mean dport?`,
		"ip route add default via 1.2.3.4 table lan2": `snapshot: line 1: route: word 5 "lan2": not a table`,
		"ip route add default dev 'eth0":              `snapshot: line 1: a quote is not closed`,
		"ip route add default dev 'a b'":              `snapshot: line 1: "a b" is not a word`,
		"ip route add default dev ''":                 `snapshot: line 1: "" is not a word`,
		"ip route add -f mpls 100 dev lo":             `snapshot: line 1: a snapshot has no routes of family mpls`,
	} {
		s, err := snapshot.Parse(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
		if !s.Equal(snapshot.Snapshot{}) {
			t.Errorf("%q: an error, and\n%s", text, s)
		}
	}
}

// The commands of a difference do what the kernel would do with them: a rule or
// a route that is added goes to the end, and one that is deleted is the first
// that has all words.
func TestDiff(t *testing.T) {
	const a, b, c = "ip rule add from 192.0.2.1 lookup 20 pref 9\n", "ip rule add from 192.0.2.2 lookup 20 pref 9\n",
		"ip rule add from 192.0.2.1 to 192.0.2.3 lookup 20 pref 9\n"
	const r, s = "ip route add default via 192.0.2.1 dev eth0\n", "ip route append default via 192.0.2.2 dev eth0\n"
	del := func(s string) string {
		return strings.NewReplacer(" add ", " del ", " append ", " del ").Replace(s)
	}
	for name, x := range map[string]struct{ from, to, want string }{
		"nothing":       {a + r, a + r, ""},
		"added":         {"", a + r, r + a},
		"deleted":       {a + r, "", del(a + r)},
		"new one first": {a, b, b + del(a)},
		"order":         {a + b, b + a, del(a) + a},
		// "from 192.0.2.1" would delete the one with a destination as well.
		"a hidden one":   {c + a, c, del(c+a) + c},
		"the hiding one": {c + a, a, del(c)},
		"replaced":       {r, "ip route add default via 192.0.2.2 dev eth0\n", "ip route replace default via 192.0.2.2 dev eth0\n"},
		"one more":       {r, r + s, s},
		"one less":       {r + s, r, del(s)},
		"the first less": {r + s, "ip route add default via 192.0.2.2 dev eth0\n", del(r)},
		"the kernel's own": {"", "ip -6 route add local 2001:db8::1 dev eth0 proto kernel\n",
			"# ip -6 route add local 2001:db8::1 dev eth0 proto kernel\n"},
		"nexthop objects": {
			"ip nexthop add id 1 dev eth0\nip nexthop add id 2 dev eth0\n",
			"ip nexthop add id 1 dev eth1\nip nexthop add id 3 dev eth0\n",
			"ip nexthop replace id 1 dev eth1\nip nexthop add id 3 dev eth0\nip nexthop del id 2\n",
		},
	} {
		tabletest.WantText(t, name, x.want, snapshot.Diff(parse(t, x.from), parse(t, x.to)).String())
	}
}

// FuzzParse: what is read prints as what is read again as the same, and
// the commands of a difference lead from one half to the other.
func FuzzParse(f *testing.F) {
	f.Add("# ip rule add from all lookup local proto kernel pref 0\nip -6 rule add from all goto 5 pref 5\n")
	f.Add("ip route append default via 192.0.2.8 table 20 dev 'e$1'\nip route add default nhid 4 table 20")
	f.Add("ip route add default nexthop via 192.0.2.1 dev eth0 weight 2 nexthop dev it\\'s encap mpls 100/200")
	f.Add("ip nexthop add id 3 group 4/5,2 type resilient buckets 8\nip -6 nexthop add id 4 blackhole")
	f.Add("ip -6 route add local ::1 dev lo proto kernel\nip rule add iif 'a;b' pref 0\n\nip rule add iif 'a;b' pref 0")
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, text string) {
		seeds.Next(t)
		s, err := snapshot.Parse(text)
		if err != nil {
			if !s.Equal(snapshot.Snapshot{}) {
				t.Fatalf("%v, and\n%s", err, s)
			}
			return
		}
		printed := s.String()
		back, err := snapshot.Parse(printed)
		if err != nil || back.String() != printed {
			t.Fatalf("%v: printed\n%sread\n%s", err, printed, back)
		}
		if d := snapshot.Diff(s, back); len(d) > 0 {
			t.Fatalf("the difference from itself:\n%s", d)
		}
		half := s
		half.Routes, half.Rules = half.Routes[len(half.Routes)/2:], half.Rules[:len(half.Rules)/2]
		for _, x := range [][2]snapshot.Snapshot{{s, half}, {half, s}} {
			if got := carryOut(t, x[0], snapshot.Diff(x[0], x[1])); got.String() != x[1].String() {
				t.Fatalf("from\n%sto\n%sthe difference is\n%sand leads to\n%s", x[0], x[1], snapshot.Diff(x[0], x[1]), got)
			}
		}
	})
}

// carryOut does the changes of rules and routes as the kernel would.
func carryOut(t *testing.T, s snapshot.Snapshot, changes snapshot.Changes) snapshot.Snapshot {
	t.Helper()
	lines := strings.SplitAfter(s.String(), "\n")
	for _, c := range changes {
		cmd := strings.TrimPrefix(c.String(), "# ") + "\n"
		object := " rule "
		if c.Route != nil {
			object = " route "
		}
		switch c.Verb {
		case "add", "append":
			lines = append(lines, cmd)
		case "replace":
			t.Fatalf("%s: nothing is at the same place twice", c)
		case "del":
			i := slices.IndexFunc(lines, func(l string) bool {
				l = strings.NewReplacer(object+"append ", object+"del ", object+"add ", object+"del ").
					Replace(strings.TrimPrefix(l, "# "))
				return l == cmd
			})
			if i < 0 {
				t.Fatalf("%s: there is none", c)
			}
			lines = slices.Delete(lines, i, i+1)
		}
	}
	return parse(t, strings.Join(lines, ""))
}

// A name that text cannot hold is if and the index in text; the interfaces of the
// snapshot have it.
func TestNamesThatTextCannotHold(t *testing.T) {
	odd := snapshot.Snapshot{
		Routes: []route.Route{
			{Family: route.IPv4, Type: route.TypeUnicast, Table: rttables.Main, Protocol: route.ProtoBoot, Scope: route.ScopeLink, OIF: 5},
			{Family: route.IPv4, Type: route.TypeUnicast, Table: 20, Protocol: route.ProtoBoot, Scope: route.ScopeLink, OIF: 6},
		},
		Links: route.MakeLinks(map[uint32]string{5: "a\x01b", 6: "eth0"}),
	}
	const want = "ip route add default dev if5\nip route add default dev eth0 table 20\n"
	if got := odd.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := snapshot.Diff(snapshot.Snapshot{}, odd).String(); got != want {
		t.Errorf("the difference is\n%swant\n%s", got, want)
	}
	if back := parse(t, want); !back.Equal(odd) {
		t.Errorf("read back:\n%s", back)
	}
	if got := odd.Links.Name(5); got != "a\x01b" {
		t.Errorf("the interface is called %q", got)
	}
}
