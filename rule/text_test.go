package rule

import (
	"encoding/json"
	"net/netip"
	"testing"
	"testing/fstest"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

func TestString(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct {
		rule Rule
		want string
	}{
		{Rule{}, "from all lookup 0"},
		{Rule{Table: 20}, "from all lookup 20"},
		{Rule{Goto: 5}, "from all goto 5"},
		{Rule{Priority: Priority(0), Table: rttables.Local}, "0: from all lookup local"},
		{Rule{Family: route.IPv4, Table: 20}, "from all lookup 20"},
		{Rule{Family: route.IPv6, Table: 20}, "-6 from all lookup 20"},
		{Rule{Family: route.IPMR, Table: 20}, "-f ipmr from all lookup 20"},
		{Rule{Family: 99, Table: 20}, "-f 99 from all lookup 20"},
		{Rule{Family: route.IPv6, From: netip.MustParsePrefix("2001:db8::1/128"), Table: 20}, "from 2001:db8::1 lookup 20"},
		{Rule{Family: route.IPv6, To: netip.MustParsePrefix("2001:db8::/32"), Table: 20}, "from all to 2001:db8::/32 lookup 20"},
		{Rule{Family: route.IPv4, From: netip.MustParsePrefix("0.0.0.0/0"), Table: 20}, "from 0.0.0.0/0 lookup 20"},
		{Rule{Not: true, FwMark: FwMark(0).Masked(0xff), Action: ActionBlackhole}, "not from all fwmark 0/0xff blackhole"},
		{Rule{Action: 9, Table: 3}, "from all lookup 3 type 9"},
		{Rule{L3MDev: true, SuppressIfGroup: SuppressIfGroup(0)}, "from all l3mdev suppress_ifgroup default"},
		{Rule{IIF: "a b", Table: 20}, "from all attribute 3 61206200 lookup 20"},
		{Rule{SPort: PortRange(1, 2), DPort: Port(5).Masked(0xf), Table: 20}, "from all sport 1-2 dport 0x5/0xf lookup 20"},
		{Rule{TOS: 8, DSCP: DSCP(3), Table: 20}, "from all tos 0x08 lookup 20 dscp 3"},
	} {
		if got := tt.rule.String(); got != tt.want {
			report.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// Values that are unset have no text, and no text makes them unset.
func TestUnset(t *testing.T) {
	report := testrun.Limit(t)
	for _, s := range []string{Mark{}.String(), CodePoint{}.String(), Label{}.String(), Ports{}.String(), UIDs{}.String()} {
		if s != "" {
			report.Errorf("%q", s)
		}
	}
	m, d, f, p, u := FwMark(1), DSCP(1), FlowLabel(1), Port(1), UID(1)
	for _, err := range []error{m.UnmarshalText(nil), d.UnmarshalText(nil), f.UnmarshalText(nil),
		p.UnmarshalText(nil), u.UnmarshalText(nil)} {
		if err != nil {
			report.Error(err)
		}
	}
	if m.IsSet() || d.IsSet() || f.IsSet() || p.IsSet() || u.IsSet() {
		report.Error(m, d, f, p, u)
	}
}

func TestParseError(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct{ text, want string }{
		{"", "rule: word 1: a rule is missing"},
		{"-6", `rule: word 2: a rule is missing after "-6"`},
		{"-f", `rule: word 2: a family is missing after "-f"`},
		{"-f inet7 table 10", `rule: word 2 "inet7": not a family; did you mean inet?`},
		{"from 10.0.0.1 dprot 5", `rule: word 3 "dprot": not a selector or an action; did you mean dport?`},
		{"table 10 qwertzuiop", `rule: word 3 "qwertzuiop": not a selector or an action`},
		{"from", `rule: word 2: a prefix is missing after "from"`},
		{"from table 10", `rule: word 2 "table": not a prefix`},
		{"-6 from 192.0.2.1", `rule: word 3 "192.0.2.1": not a prefix of family inet6`},
		{"from 192.0.2.1 to 2001:db8::1", `rule: word 4 "2001:db8::1": not a prefix of family inet`},
		{"to fe80::1%eth0 table 10", `rule: word 2 "fe80::1%eth0": not a prefix`},
		{"pref 4294967296 nop", `rule: word 2 "4294967296": not a priority: want a number of at most 32 bits`},
		{"pref -1 nop", `rule: word 2 "-1": not a priority: want a number of at most 32 bits`},
		{"4294967296: nop", `rule: word 1 "4294967296:": not a selector or an action`},
		{"sport 5-6-7 nop", `rule: word 2 "5-6-7": not a port or a range`},
		{"sport 65536 nop", `rule: word 2 "65536": not a port or a range`},
		{"uidrange 5 nop", `rule: word 2 "5": not a range of user IDs`},
		{"fwmark 1/ nop", `rule: word 2 "1/": not a mark`},
		{"flowlabel 1// nop", `rule: word 2 "1//": not a flow label`},
		{"dscp EF nop", `rule: word 2 "EF": not a DSCP`},
		{"iif an-interface-name nop", `rule: word 2 "an-interface-name": not the name of an interface: longer than 15 bytes`},
		{"type lokup", `rule: word 2 "lokup": not an action; did you mean lookup?`},
		{"table mian", `rule: word 2 "mian": not a table; did you mean main?`},
		{"table 4294967296", `rule: word 2 "4294967296": not a table`},
		{"proto 256 nop", `rule: word 2 "256": not a protocol`},
		{"tos 0x123 nop", `rule: word 2 "0x123": not a DS field`},
		{"ipproto tpc nop", `rule: word 2 "tpc": not a protocol above IP; did you mean tcp?`},
		{"realms 1/2/3 nop", `rule: word 2 "1/2/3": not realms`},
		{"attribute 5", `rule: word 3: the payload of an attribute is missing after "5"`},
		{"attribute 5 xyz", `rule: word 3 "xyz": not the payload of an attribute in hexadecimal`},
		{"attribute 6 0102", `rule: word 3 "0102": FRA_PRIORITY: 2 bytes of payload, want 4`},
	} {
		if r, err := Parse(tt.text, nil); err == nil || err.Error() != tt.want || r != (Rule{}) {
			report.Errorf("%q:\n got %v, %s\nwant %s", tt.text, err, r, tt.want)
		}
	}
}

// Words that ip(8) takes for the same thing are the same rule.
func TestParseSynonyms(t *testing.T) {
	report := testrun.Limit(t)
	for _, words := range [][]string{
		{"pref 5 table 10", "5: lookup 10", "priority 0x5 table 0xa", "order 05 table 10", "preference 5 table 10",
			"-4 pref 5 table 10", "-f inet pref 5 table 10", "table 10 pref 5 from all to any"},
		{"dev eth0 nop", "iif eth0 type nop", "iif eth0 type 3"},
		{"from 10.0.0.0/8 unreachable", "from 10/8 unreachable", "from 10.0.0.0/255.0.0.0 type unreachable"},
		{"tos 0x10 nop", "dsfield 10 nop"},
		{"realms 1/2 nop", "realm 0x10002 nop"},
		{"proto static nop", "protocol 4 nop"},
		{"suppress_prefixlength 0 table main", "sup_pl 0", "suppress_prefixlength 0 type unicast table 254"},
		{"suppress_ifgroup default nop", "sup_group 0 nop"},
		{"-6 nop", "-f inet6 nop", "-f 10 nop"},
		{"from 0.0.0.0/0 nop", "-4 from default nop", "-4 from 0/0 nop"},
		{"-6 to ::/0 nop", "-6 to default nop"},
		{"nop", "from default nop", "from any nop", "type nop"},
		{"fwmark 1 nop", "attribute 10 " + host32(1) + " nop"},
		{"table 300", "attribute 15 " + host32(300)},
		{"l3mdev", "attribute 19 01"},
	} {
		for _, s := range words[1:] {
			if got, want := parse(t, s), parse(t, words[0]); got != want {
				report.Errorf("%q is %s, want %s", s, got, want)
			}
		}
	}
}

// Names enter through a *route.Names, and no other way.
func TestNames(t *testing.T) {
	report := testrun.Limit(t)
	files, err := rttables.Load(fstest.MapFS{
		"etc/iproute2/rt_tables":  {Data: []byte("20 lan2\n")},
		"etc/iproute2/rt_protos":  {Data: []byte("210 policyroute\n")},
		"etc/iproute2/rt_realms":  {Data: []byte("7 cosmos\n")},
		"etc/iproute2/rt_dsfield": {Data: []byte("0x10 lowdelay\n0xb8 EF\n")},
		"etc/iproute2/group":      {Data: []byte("3 uplinks\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &route.Names{Files: files}
	const named = "5: from all tos lowdelay lookup lan2 suppress_ifgroup uplinks realms cosmos proto policyroute"
	const plain = "5: from all tos 0x10 lookup 20 suppress_ifgroup 3 realms 7 proto 210"
	r, err := Parse(named, n)
	if err != nil {
		t.Fatal(err)
	}
	if r.String() != plain || r.Text(n) != named || r != parse(t, plain) {
		report.Errorf("%s\n%s", r, r.Text(n))
	}
	if got := r.Args(n); got != named[len("5: "):]+" pref 5" {
		report.Error(got)
	}
	if r, err := Parse(named, nil); err == nil {
		report.Errorf("without names: %s", r)
	}
	for s, want := range map[string]CodePoint{"EF": DSCP(0x2e), "lowdelay": DSCP(4), "0x2e": DSCP(46)} {
		if r, err := Parse("nop dscp "+s, n); err != nil || r.DSCP != want {
			report.Errorf("dscp %s: %s, %v", s, r.DSCP, err)
		}
	}
}

func TestJSON(t *testing.T) {
	type file struct {
		Rules []Rule
		Mark  Mark
		Ports Ports
	}
	want := file{
		Rules: []Rule{parse(t, "5: not from 2001:db8::/32 fwmark 1/3 lookup 300 attribute 99 01"), parse(t, "table 10")},
		Mark:  FwMark(5), Ports: PortRange(1, 2),
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"Rules":["5: not from 2001:db8::/32 fwmark 0x1/0x3 lookup 300 attribute 99 01","from all lookup 10"],` +
		`"Mark":"0x5","Ports":"1-2"}`
	if string(b) != text {
		t.Errorf("\n got %s\nwant %s", b, text)
	}
	var got file
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rules) != 2 || got.Rules[0] != want.Rules[0] || got.Rules[1] != want.Rules[1] || got.Mark != want.Mark || got.Ports != want.Ports {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := json.Unmarshal([]byte(`{"Rules":["tabel 10"]}`), &got); err == nil {
		t.Error("a rule that is none was read")
	}
}

func TestActionText(t *testing.T) {
	report := testrun.Limit(t)
	for a := range int(ActionNone) + 1 {
		want := Action(a)
		b, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got Action
		if err := got.UnmarshalText(b); err != nil || got != want {
			report.Errorf("%d: %q is %d, %v", a, b, got, err)
		}
	}
	var a Action
	err := a.UnmarshalText([]byte("lokup"))
	if want := `rule: "lokup" is not an action; did you mean lookup?`; err == nil || err.Error() != want {
		report.Errorf("%v, want %s", err, want)
	}
}

// Actions in the words of ip-rule(8) that are those of routes, and NAT.
func TestParseRouteTypes(t *testing.T) {
	report := testrun.Limit(t)
	for s, want := range map[string]Rule{
		"from 192.0.2.1 unicast table 10": {From: netip.MustParsePrefix("192.0.2.1/32"), Action: ActionLookup, Table: 10},
		"throw":                           {Action: Action(route.TypeThrow)},
		"type brd table 7":                {Action: ActionNop, Table: 7},
		"type 0":                          {Action: ActionNone},
		"none":                            {Action: ActionNone},
		"type none lookup 10":             {Action: ActionNone, Table: 10},
		"type goto 5":                     {Action: ActionGoto, Goto: 5},
		"type blackhole":                  {Action: ActionBlackhole},
		"nat 192.0.2.9": {Action: actionNAT, Table: rttables.Main,
			Unknown: route.Attributes(attr.Append(nil, uint16(uapi.FRA_UNUSED2), []byte{192, 0, 2, 9}))},
	} {
		want.Family = route.IPv4
		if got, err := Parse(s, nil); err != nil || got != want {
			report.Errorf("%s: %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"nat", "nat 2001:db8::1", "type nosuch", "type goto", "type unset", "type 256"} {
		if got, err := Parse(s, nil); err == nil {
			report.Errorf("%s: %v", s, got)
		}
	}
}

// A zero that words give is in the text, in the message, and in what is read from either.
func TestZeroWords(t *testing.T) {
	report := testrun.Limit(t)
	for words, want := range map[string]string{
		"ipproto 0 lookup 10":              "from all ipproto 0 lookup 10",
		"ipproto hopopt lookup 10":         "from all ipproto 0 lookup 10",
		"ipproto 0 ipproto tcp lookup 10":  "from all ipproto tcp lookup 10",
		"ipproto tcp ipproto 0 lookup 10":  "from all ipproto 0 lookup 10",
		"realms 0 lookup 10":               "from all lookup 10 realms unknown",
		"realms 5 realms 0/0 lookup 10":    "from all lookup 10 realms unknown",
		"lookup 10 attribute 22 00":        "from all ipproto 0 lookup 10",
		"lookup 10 attribute 19 00":        "from all lookup 10 attribute 19 00",
		"lookup 10 attribute 22 06":        "from all ipproto tcp lookup 10",
		"tun_id 0 goto 0 type 1 lookup 10": "from all tun_id 0 lookup 10 attribute 4 00000000",
		"goto 0 nop":                       "from all nop attribute 4 00000000",
	} {
		r, err := Parse(words, nil)
		if err != nil || r.String() != want {
			report.Errorf("%s: %v, %v, want %s", words, r, err, want)
			continue
		}
		b, err := r.MarshalBinary()
		var back Rule
		if err == nil {
			err = back.UnmarshalBinary(b)
		}
		if err != nil || back != r {
			report.Errorf("%s: sent and received: %v, %v", words, back, err)
		}
	}
}
