package table_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

func parseSnapshot(t testing.TB, text string) table.Snapshot {
	t.Helper()
	s, err := table.ParseSnapshot(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever the order of the lines, the order of the text is one; only that
// among objects at one place is kept.
func TestSnapshotOrder(t *testing.T) {
	s := parseSnapshot(t, `
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
	if back := parseSnapshot(t, s.String()); !back.Equal(s) {
		t.Errorf("read back:\n%s", back)
	}
	b, err := json.Marshal(map[string]table.Snapshot{"host": s})
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]table.Snapshot
	if err := json.Unmarshal(b, &m); err != nil || !m["host"].Equal(s) {
		t.Errorf("through JSON: %v\n%s", err, m["host"])
	}
	if empty := parseSnapshot(t, ""); empty.String() != "" || !empty.Equal(table.Snapshot{}) || empty.Equal(s) {
		t.Errorf("empty: %q", empty)
	}
}

func TestSnapshotParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"ip route add 1.2.3.4\nfrom all": `table: snapshot: line 2: not a command of ip(8)`,
		"\n#ip rule add":                 `table: snapshot: line 2: want ip, an object, a verb and its arguments`,
		"ip":                             `table: snapshot: line 1: want ip, an object, a verb and its arguments`,
		"ip route del default dev eth0":  `table: snapshot: line 1: "del" is not a verb of a snapshot`,
		"ip rule append pref 1":          `table: snapshot: line 1: "append" is not a verb of a snapshot`,
		"ip link add eth0":               `table: snapshot: line 1: "link" is not an object of a snapshot`,
		"ip rule add from 192.0.2.1":     `table: snapshot: line 1: a rule without pref`,
		"ip rule add pref 1 dprot 5": `table: snapshot: line 1: rule: word 3 "dprot": not a selector or an action; ` +
			`did you mean dport?`,
		"ip route add default via 1.2.3.4 table lan2": `table: snapshot: line 1: route: word 5 "lan2": not a table`,
		"ip route add default dev 'eth0":              `table: snapshot: line 1: a quote is not closed`,
		"ip route add default dev 'a b'":              `table: snapshot: line 1: "a b" is not a word`,
		"ip route add default dev ''":                 `table: snapshot: line 1: "" is not a word`,
		"ip route add -f mpls 100 dev lo":             `table: snapshot: line 1: a route of family mpls`,
	} {
		s, err := table.ParseSnapshot(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
		if !s.Equal(table.Snapshot{}) {
			t.Errorf("%q: an error, and\n%s", text, s)
		}
	}
}

// The commands of a difference do what the kernel would do with them: a rule or
// a route that is added goes to the end, and one that is deleted is the first
// that has all words.
func TestSnapshotDiff(t *testing.T) {
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
		tabletest.WantText(t, name, x.want, table.Diff(parseSnapshot(t, x.from), parseSnapshot(t, x.to)).String())
	}
}

// FuzzParseSnapshot: what is read prints as what is read again as the same, and
// the commands of a difference lead from one half to the other.
func FuzzParseSnapshot(f *testing.F) {
	f.Add("# ip rule add from all lookup local proto kernel pref 0\nip -6 rule add from all goto 5 pref 5\n")
	f.Add("ip route append default via 192.0.2.8 table 20 dev 'e$1'\nip route add default nhid 4 table 20")
	f.Add("ip route add default nexthop via 192.0.2.1 dev eth0 weight 2 nexthop dev it\\'s encap mpls 100/200")
	f.Add("ip nexthop add id 3 group 4/5,2 type resilient buckets 8\nip -6 nexthop add id 4 blackhole")
	f.Add("ip -6 route add local ::1 dev lo proto kernel\nip rule add iif 'a;b' pref 0\n\nip rule add iif 'a;b' pref 0")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := table.ParseSnapshot(text)
		if err != nil {
			if !s.Equal(table.Snapshot{}) {
				t.Fatalf("%v, and\n%s", err, s)
			}
			return
		}
		printed := s.String()
		back, err := table.ParseSnapshot(printed)
		if err != nil || back.String() != printed {
			t.Fatalf("%v: printed\n%sread\n%s", err, printed, back)
		}
		if d := table.Diff(s, back); len(d) > 0 {
			t.Fatalf("the difference from itself:\n%s", d)
		}
		half := s
		half.Routes, half.Rules = half.Routes[len(half.Routes)/2:], half.Rules[:len(half.Rules)/2]
		for _, x := range [][2]table.Snapshot{{s, half}, {half, s}} {
			if got := carryOut(t, x[0], table.Diff(x[0], x[1])); got.String() != x[1].String() {
				t.Fatalf("from\n%sto\n%sthe difference is\n%sand leads to\n%s", x[0], x[1], table.Diff(x[0], x[1]), got)
			}
		}
	})
}

// carryOut does the changes of rules and routes as the kernel would.
func carryOut(t *testing.T, s table.Snapshot, changes table.Changes) table.Snapshot {
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
	return parseSnapshot(t, strings.Join(lines, ""))
}
