package show_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// What the kernel reports is shown as iproute2 showed it, as it came and in the
// form of Canonical.
func TestCorpusRules(t *testing.T) {
	if !littleEndian {
		return // the payloads are of a little-endian machine; TestRule is of any
	}
	names, n := ruleNames(t), 0
	for _, c := range readRules(t) {
		var rules, listed []rule.Rule
		for _, payload := range c.Kernel {
			var reported rule.Rule
			if err := reported.UnmarshalBinary(payload); err != nil {
				t.Fatalf("%s: %v", c.Words(), err)
			}
			rules, listed = append(rules, reported), append(listed, reported.Canonical())
		}
		if len(rules) == 0 {
			continue
		}
		n++
		var compact bytes.Buffer
		if err := json.Compact(&compact, c.JSON); err != nil {
			t.Fatal(err)
		}
		for _, form := range []struct {
			option string
			style  show.Style
			want   string
		}{
			{"", show.Style{}, strings.Join(c.Show, "\n")},
			{"-d", show.Style{Details: true}, strings.Join(c.ShowD, "\n")},
			{"-N", show.Style{Numeric: true}, strings.Join(c.ShowN, "\n")},
			{"-j", show.Style{JSON: true}, compact.String()},
		} {
			form.style.Names = names
			for _, rules := range [][]rule.Rule{rules, listed} {
				if got := show.Rules(rules, form.style); got != form.want+"\n" {
					t.Errorf("%s: %s\n got %q\nwant %q", c.Words(), form.option, got, form.want)
				}
			}
		}
	}
	t.Logf("kernel → show, show -d, show -N, json: %d cases", n)
	if n < 300 {
		t.Errorf("%d cases", n)
	}
}

// natAction is an action of Linux 2.2 to 2.6.
const natAction = rule.Action(route.TypeNAT)

// maskAlone is how kernels report the mark 0.
var maskAlone = func() (m rule.Mark) {
	if err := m.UnmarshalText([]byte("/0xffffffff")); err != nil {
		panic(err)
	}
	return m
}()

// unusualRules are rules that the recorded cases do not have, and how iproute2 6.1
// shows what Linux 6.18 keeps of them; those with (*), how its code does.
var unusualRules = []struct {
	rule                 rule.Rule
	plain, numeric, json string // numeric is empty if it is as plain
}{
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(100), Table: 10}, "100:\tfrom all lookup 10 none", "100:\tfrom all lookup 10 0",
		`[{"priority":100,"src":"all","table":"10","action":"none"}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(101), Table: 10, Action: 4}, "101:\tfrom all lookup 10 anycast", "101:\tfrom all lookup 10 4",
		`[{"priority":101,"src":"all","table":"10","action":"anycast"}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(107), Table: 10, Action: 200}, "107:\tfrom all lookup 10 200", "",
		`[{"priority":107,"src":"all","table":"10","action":"200"}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(150), Table: 10, Action: natAction}, "150:\tfrom all lookup 10 masquerade", "",
		`[{"priority":150,"src":"all","table":"10","masquerade":null}]`},
	{rule.Rule{Family: route.IPv4, Action: natAction, // (*)
		Unknown: route.Attributes(attr.Append(nil, uint16(uapi.FRA_UNUSED2), []byte{1, 2, 3, 4}))},
		"0:\tfrom all map-to 1.2.3.4", "", `[{"priority":0,"src":"all","nat_gateway":"1.2.3.4"}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(200), Table: 10, Action: rule.ActionLookup,
		SuppressPrefixLength: route.Some[uint32](1<<31 + 5), SuppressIfGroup: route.Some[uint32](1<<31 + 5)},
		"200:\tfrom all lookup 10 suppress_prefixlength -2147483643 suppress_ifgroup -2147483643", "",
		`[{"priority":200,"src":"all","table":"10","suppress_prefixlen":-2147483643,"suppress_ifgroup":"-2147483643"}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(203), Table: 10, Action: rule.ActionLookup, Realms: route.Realms{Src: 255}},
		"203:\tfrom all lookup 10 realms 255/cosmos", "203:\tfrom all lookup 10 realms 255/0",
		`[{"priority":203,"src":"all","table":"10","flow_from":"255","flow_to":"cosmos"}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(208), Action: rule.ActionGoto, Goto: 4000000000, Flags: rule.FlagUnresolved},
		"208:\tfrom all goto 4000000000 [unresolved]", "",
		`[{"priority":208,"src":"all","goto":4000000000,"unresolved":null}]`},
	{rule.Rule{Family: route.IPv4, Action: rule.ActionGoto}, "0:\tfrom all goto none", "", // (*)
		`[{"priority":0,"src":"all","goto":"none"}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(209), Table: 10, Action: rule.ActionLookup, FwMark: maskAlone},
		"209:\tfrom all fwmark 0 lookup 10", "", `[{"priority":209,"src":"all","fwmark":"0","table":"10"}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(209), Table: 10, Action: rule.ActionLookup, UIDRange: rule.UIDRange(0, 4294967294)},
		"209:\tfrom all uidrange 0-4294967294 lookup 10", "",
		`[{"priority":209,"src":"all","uid_start":0,"uid_end":4294967294,"table":"10"}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(10), Not: true, From: netip.MustParsePrefix("10.0.0.0/8"), TOS: 0xb8, FwMark: rule.FwMark(16).Masked(255),
		IIF: "nosuch", Flags: rule.FlagIIFDetached, IPProto: route.TCP, Table: 300, Action: rule.ActionLookup, Protocol: 99},
		"10:\tnot from 10.0.0.0/8 tos EF fwmark 0x10/0xff iif nosuch [detached] ipproto tcp lookup 300 proto openr",
		"10:\tnot from 10.0.0.0/8 tos 0xb8 fwmark 0x10/0xff iif nosuch [detached] ipproto ipproto-6 lookup 300 proto 99",
		`[{"priority":10,"not":null,"src":"10.0.0.0","srclen":8,"tos":"EF","fwmark":"0x10","fwmask":"0xff",` +
			`"iif":"nosuch","iif_detached":null,"ipproto":"tcp","table":"300","protocol":"openr"}]`},
	{rule.Rule{Family: route.IPv6, Priority: rule.Priority(20), From: netip.MustParsePrefix("::1.2.3.4/128"), Action: rule.ActionNop},
		"20:\tfrom ::1.2.3.4 nop", "", `[{"priority":20,"src":"::1.2.3.4","nop":null}]`},
	{rule.Rule{Family: route.IPv6, Priority: rule.Priority(21), To: netip.MustParsePrefix("::ffff:1.2.3.4/128"), Action: rule.ActionNop}, // (*)
		"21:\tfrom all to ::ffff:1.2.3.4 nop", "", `[{"priority":21,"src":"all","dst":"::ffff:1.2.3.4","nop":null}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(100), From: netip.MustParsePrefix("10.0.0.0/8"), Table: 10, Action: rule.ActionLookup,
		Unknown: route.Attributes(attr.Append(nil, 60, []byte{1, 2, 3}))}, // for which ip(8) has no word
		"100:\tfrom 10.0.0.0/8 lookup 10", "", `[{"priority":100,"src":"10.0.0.0","srclen":8,"table":"10"}]`},
	{rule.Rule{Family: route.IPv4, Priority: rule.Priority(1<<32 - 2), IIF: "a\"\\\t'b\n\x01\xff", Flags: rule.FlagIIFDetached, Table: 10, Action: rule.ActionLookup},
		"4294967294:\tfrom all iif a\"\\\t'b\n\x01\xff [detached] lookup 10", "",
		// Here ip writes the last two bytes as they are, which JSON does not allow.
		`[{"priority":4294967294,"src":"all","iif":"a\"\\\t'b\n\u0001` + "\ufffd" + `","iif_detached":null,"table":"10"}]`},
}

func TestRule(t *testing.T) {
	report := testrun.Limit(t)
	names := ruleNames(t)
	for _, test := range unusualRules {
		if test.numeric == "" {
			test.numeric = test.plain
		}
		for _, form := range []struct {
			style show.Style
			want  string
		}{
			{show.Style{Names: names}, test.plain},
			{show.Style{Names: names, OneLine: true}, test.plain},
			{show.Style{Names: names, Numeric: true}, test.numeric},
			{show.Style{Names: names, JSON: true}, test.json},
		} {
			if got := show.Rule(test.rule, form.style); got != form.want {
				report.Errorf("%s:\n got %q\nwant %q", test.rule, got, form.want)
			}
		}
	}
}

// What "ip -j -p rule show" of iproute2 6.1 prints.
func TestPretty(t *testing.T) {
	report := testrun.Limit(t)
	rules := []rule.Rule{
		{Priority: rule.Priority(10), Not: true, IIF: "nosuch", Flags: rule.FlagIIFDetached, Action: rule.ActionBlackhole},
		{Priority: rule.Priority(32766), Table: rttables.Main, Action: rule.ActionLookup},
	}
	want := `[ {
        "priority": 10,
        "not": null,
        "src": "all",
        "iif": "nosuch",
        "iif_detached": null,
        "action": "blackhole"
    },{
        "priority": 32766,
        "src": "all",
        "table": "main"
    } ]
`
	pretty := show.Style{JSON: true, Pretty: true}
	if diff := cmp.Diff(want, show.Rules(rules, pretty)); diff != "" {
		report.Errorf("(-ip +this):\n%s", diff)
	}
	for _, none := range []struct {
		style show.Style
		want  string
	}{{pretty, "[ ]\n"}, {show.Style{JSON: true}, "[]\n"}, {show.Style{Pretty: true}, ""}} {
		if got := show.Rules(nil, none.style); got != none.want {
			report.Errorf("no rules: got %q, want %q", got, none.want)
		}
	}
}

// FuzzRule: whatever is decoded can be shown, and JSON is JSON.
func FuzzRule(f *testing.F) {
	for _, c := range readRules(f) {
		for _, payload := range c.Kernel {
			f.Add([]byte(payload), uint8(0))
		}
		if len(c.Request) > 0 {
			f.Add([]byte(c.Request[corpus.Header:]), uint8(3))
		}
	}
	for num := range uint16(uapi.FRA_DSCP_MASK) + 1 {
		header := []byte{uapi.AF_INET6, 7: uint8(num), 11: 0}
		f.Add(attr.Append(header, num, []byte{1, 2, 3, 4}), uint8(1))
		f.Add(attr.Append(header, num, []byte{1, 2, 3, 4, 5, 6, 7, 255}), uint8(2))
	}
	names := ruleNames(f)
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, b []byte, options uint8) {
		seeds.Next(t)
		var r rule.Rule
		if r.UnmarshalBinary(b) != nil {
			return
		}
		s := show.Style{Details: options&1 != 0, Numeric: options&2 != 0, OneLine: options&4 != 0}
		if options&8 == 0 {
			s.Names = names
		}
		priority := fmt.Sprintf("%d:\t", r.Priority.Or(0))
		if text := show.Rule(r, s); !strings.HasPrefix(text, priority) {
			t.Fatalf("%q, want %q at the beginning", text, priority)
		}
		s.JSON = true
		compact := show.Rule(r, s)
		s.Pretty = true
		for _, text := range []string{compact, show.Rule(r, s)} {
			var back bytes.Buffer
			if err := json.Compact(&back, []byte(text)); err != nil || !utf8.ValidString(text) {
				t.Fatalf("%q: %v", text, err)
			}
			if back.String() != compact {
				t.Fatalf("compact %s\npretty %s", compact, back.String())
			}
		}
	})
}
