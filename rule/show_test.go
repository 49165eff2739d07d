package rule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// showNames are the names of the machine that the cases were recorded on: what
// iproute2 ships, of which only this is in the cases.
func showNames(t testing.TB) *route.Names {
	t.Helper()
	var fields strings.Builder
	for class := 1; class <= 7; class++ {
		fmt.Fprintf(&fields, "%#x CS%d\n", class<<5, class)
		for drop := 1; class <= 4 && drop <= 3; drop++ {
			fmt.Fprintf(&fields, "%#x AF%d%d\n", class<<5+drop<<3, class, drop)
		}
	}
	fields.WriteString("0xb8 EF\n")
	n, err := rttables.Load(fstest.MapFS{
		"etc/iproute2/rt_dsfield": {Data: []byte(fields.String())},
		"etc/iproute2/rt_protos":  {Data: []byte("99 openr\n")},
		"etc/iproute2/rt_realms":  {Data: []byte("0 cosmos\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &route.Names{Files: n}
}

// What the kernel reports is shown as iproute2 showed it, as it came and in the
// form of List.
func TestCorpusShow(t *testing.T) {
	if !littleEndian {
		return // the payloads are of a little-endian machine; TestShow is of any
	}
	names, n := showNames(t), 0
	for _, c := range readCorpus(t) {
		var rules, listed []Rule
		for _, payload := range c.Kernel {
			var reported Rule
			if err := reported.read(payload); err != nil {
				t.Fatalf("%s: %v", c.Words(), err)
			}
			rules = append(rules, reported)
			reported.normalizeListed()
			listed = append(listed, reported)
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
			style  route.Style
			want   string
		}{
			{"", route.Style{}, strings.Join(c.Show, "\n")},
			{"-d", route.Style{Details: true}, strings.Join(c.ShowD, "\n")},
			{"-N", route.Style{Numeric: true}, strings.Join(c.ShowN, "\n")},
			{"-j", route.Style{JSON: true}, compact.String()},
		} {
			form.style.Names = names
			for _, rules := range [][]Rule{rules, listed} {
				if got := ShowList(rules, form.style); got != form.want+"\n" {
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

// unusual are rules that the recorded cases do not have, and how iproute2 6.1
// shows what Linux 6.18 keeps of them; those with (*), how its code does.
var unusual = []struct {
	rule                 Rule
	plain, numeric, json string // numeric is empty if it is as plain
}{
	{Rule{Family: route.IPv4, Priority: Priority(100), Table: 10}, "100:\tfrom all lookup 10 none", "100:\tfrom all lookup 10 0",
		`[{"priority":100,"src":"all","table":"10","action":"none"}]`},
	{Rule{Family: route.IPv4, Priority: Priority(101), Table: 10, Action: 4}, "101:\tfrom all lookup 10 anycast", "101:\tfrom all lookup 10 4",
		`[{"priority":101,"src":"all","table":"10","action":"anycast"}]`},
	{Rule{Family: route.IPv4, Priority: Priority(107), Table: 10, Action: 200}, "107:\tfrom all lookup 10 200", "",
		`[{"priority":107,"src":"all","table":"10","action":"200"}]`},
	{Rule{Family: route.IPv4, Priority: Priority(150), Table: 10, Action: actionNAT}, "150:\tfrom all lookup 10 masquerade", "",
		`[{"priority":150,"src":"all","table":"10","masquerade":null}]`},
	{Rule{Family: route.IPv4, Action: actionNAT, // (*)
		Unknown: route.Attributes(attr.Append(nil, uint16(uapi.FRA_UNUSED2), []byte{1, 2, 3, 4}))},
		"0:\tfrom all map-to 1.2.3.4", "", `[{"priority":0,"src":"all","nat_gateway":"1.2.3.4"}]`},
	{Rule{Family: route.IPv4, Priority: Priority(200), Table: 10, Action: ActionLookup,
		SuppressPrefixLength: route.Some[uint32](1<<31 + 5), SuppressIfGroup: route.Some[uint32](1<<31 + 5)},
		"200:\tfrom all lookup 10 suppress_prefixlength -2147483643 suppress_ifgroup -2147483643", "",
		`[{"priority":200,"src":"all","table":"10","suppress_prefixlen":-2147483643,"suppress_ifgroup":"-2147483643"}]`},
	{Rule{Family: route.IPv4, Priority: Priority(203), Table: 10, Action: ActionLookup, Realms: route.Realms{Src: 255}},
		"203:\tfrom all lookup 10 realms 255/cosmos", "203:\tfrom all lookup 10 realms 255/0",
		`[{"priority":203,"src":"all","table":"10","flow_from":"255","flow_to":"cosmos"}]`},
	{Rule{Family: route.IPv4, Priority: Priority(208), Action: ActionGoto, Goto: 4000000000, Flags: FlagUnresolved},
		"208:\tfrom all goto 4000000000 [unresolved]", "",
		`[{"priority":208,"src":"all","goto":4000000000,"unresolved":null}]`},
	{Rule{Family: route.IPv4, Action: ActionGoto}, "0:\tfrom all goto none", "", // (*)
		`[{"priority":0,"src":"all","goto":"none"}]`},
	{Rule{Family: route.IPv4, Priority: Priority(209), Table: 10, Action: ActionLookup, FwMark: Mark{valueMask{mask: 1<<32 - 1, hasMask: true}}},
		"209:\tfrom all fwmark 0 lookup 10", "", `[{"priority":209,"src":"all","fwmark":"0","table":"10"}]`},
	{Rule{Family: route.IPv4, Priority: Priority(209), Table: 10, Action: ActionLookup, UIDRange: UIDRange(0, 4294967294)},
		"209:\tfrom all uidrange 0-4294967294 lookup 10", "",
		`[{"priority":209,"src":"all","uid_start":0,"uid_end":4294967294,"table":"10"}]`},
	{Rule{Family: route.IPv4, Priority: Priority(10), Not: true, From: netip.MustParsePrefix("10.0.0.0/8"), TOS: 0xb8, FwMark: FwMark(16).Masked(255),
		IIF: "nosuch", Flags: FlagIIFDetached, IPProto: route.TCP, Table: 300, Action: ActionLookup, Protocol: 99},
		"10:\tnot from 10.0.0.0/8 tos EF fwmark 0x10/0xff iif nosuch [detached] ipproto tcp lookup 300 proto openr",
		"10:\tnot from 10.0.0.0/8 tos 0xb8 fwmark 0x10/0xff iif nosuch [detached] ipproto ipproto-6 lookup 300 proto 99",
		`[{"priority":10,"not":null,"src":"10.0.0.0","srclen":8,"tos":"EF","fwmark":"0x10","fwmask":"0xff",` +
			`"iif":"nosuch","iif_detached":null,"ipproto":"tcp","table":"300","protocol":"openr"}]`},
	{Rule{Family: route.IPv6, Priority: Priority(20), From: netip.MustParsePrefix("::1.2.3.4/128"), Action: ActionNop},
		"20:\tfrom ::1.2.3.4 nop", "", `[{"priority":20,"src":"::1.2.3.4","nop":null}]`},
	{Rule{Family: route.IPv6, Priority: Priority(21), To: netip.MustParsePrefix("::ffff:1.2.3.4/128"), Action: ActionNop}, // (*)
		"21:\tfrom all to ::ffff:1.2.3.4 nop", "", `[{"priority":21,"src":"all","dst":"::ffff:1.2.3.4","nop":null}]`},
	{Rule{Family: route.IPv4, Priority: Priority(1<<32 - 2), IIF: "a\"\\\t'b\n\x01\xff", Flags: FlagIIFDetached, Table: 10, Action: ActionLookup},
		"4294967294:\tfrom all iif a\"\\\t'b\n\x01\xff [detached] lookup 10", "",
		// Here ip writes the last two bytes as they are, which JSON does not allow.
		`[{"priority":4294967294,"src":"all","iif":"a\"\\\t'b\n\u0001` + "\ufffd" + `","iif_detached":null,"table":"10"}]`},
}

func TestShow(t *testing.T) {
	names := showNames(t)
	for _, test := range unusual {
		if test.numeric == "" {
			test.numeric = test.plain
		}
		for _, form := range []struct {
			style route.Style
			want  string
		}{
			{route.Style{Names: names}, test.plain},
			{route.Style{Names: names, OneLine: true}, test.plain},
			{route.Style{Names: names, Numeric: true}, test.numeric},
			{route.Style{Names: names, JSON: true}, test.json},
		} {
			if got := test.rule.Show(form.style); got != form.want {
				t.Errorf("%s:\n got %q\nwant %q", test.rule, got, form.want)
			}
		}
	}
}

// What "ip -j -p rule show" of iproute2 6.1 prints.
func TestShowPretty(t *testing.T) {
	rules := []Rule{
		{Priority: Priority(10), Not: true, IIF: "nosuch", Flags: FlagIIFDetached, Action: ActionBlackhole},
		{Priority: Priority(32766), Table: rttables.Main, Action: ActionLookup},
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
	pretty := route.Style{JSON: true, Pretty: true}
	if diff := cmp.Diff(want, ShowList(rules, pretty)); diff != "" {
		t.Errorf("(-ip +this):\n%s", diff)
	}
	for _, none := range []struct {
		style route.Style
		want  string
	}{{pretty, "[ ]\n"}, {route.Style{JSON: true}, "[]\n"}, {route.Style{Pretty: true}, ""}} {
		if got := ShowList(nil, none.style); got != none.want {
			t.Errorf("no rules: got %q, want %q", got, none.want)
		}
	}
}

// FuzzShow: whatever is decoded can be shown, and JSON is JSON.
func FuzzShow(f *testing.F) {
	for _, c := range readCorpus(f) {
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
	names := showNames(f)
	f.Fuzz(func(t *testing.T, b []byte, options uint8) {
		var r Rule
		if r.UnmarshalBinary(b) != nil {
			return
		}
		s := route.Style{Details: options&1 != 0, Numeric: options&2 != 0, OneLine: options&4 != 0}
		if options&8 == 0 {
			s.Names = names
		}
		priority := fmt.Sprintf("%d:\t", r.Priority.Or(0))
		if text := r.Show(s); !strings.HasPrefix(text, priority) {
			t.Fatalf("%q, want %q at the beginning", text, priority)
		}
		s.JSON = true
		compact := r.Show(s)
		s.Pretty = true
		for _, text := range []string{compact, r.Show(s)} {
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
