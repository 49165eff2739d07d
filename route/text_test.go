package route

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/rttables"
)

func TestString(t *testing.T) {
	report := testrun.Limit(t)
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")
	dst := netip.MustParsePrefix("10.0.0.0/8")
	for _, tt := range []struct {
		route Route
		want  string
	}{
		{Route{}, "default proto unspec"},
		{Route{Protocol: ProtoBoot}, "default"},
		{Route{Protocol: ProtoBoot, Family: IPv6}, "-6 default"},
		{Route{Protocol: ProtoBoot, Family: IPMR, Dst: dst}, "-f ipmr 10.0.0.0/8"},
		{Route{Protocol: ProtoBoot, Gateway: v6}, "default via fe80::1"},
		{Route{Protocol: ProtoBoot, Family: IPv4, Gateway: v6}, "-4 default via inet6 fe80::1"},
		{Route{Protocol: ProtoBoot, Family: IPv4, Gateway: v6, PrefSrc: netip.MustParseAddr("192.0.2.2")}, "-4 default via inet6 fe80::1 src 192.0.2.2"},
		{Route{Protocol: ProtoBoot, Dst: dst, Gateway: v6}, "10.0.0.0/8 via inet6 fe80::1"},
		{Route{Protocol: ProtoBoot, Dst: dst, Family: IPv4, Gateway: v4}, "10.0.0.0/8 via 192.0.2.1"},
		{Route{Protocol: ProtoBoot, Dst: dst, OIF: 5}, "10.0.0.0/8 dev if5"},
		{Route{Protocol: ProtoBoot, Dst: dst, OIF: 5, Type: TypeUnicast}, "10.0.0.0/8 dev if5 scope global"},
		{Route{Protocol: ProtoBoot, Dst: dst, OIF: 5, Type: TypeUnicast, Scope: ScopeLink}, "10.0.0.0/8 dev if5"},
		{Route{Protocol: ProtoBoot, Dst: dst, Type: TypeUnreachable, Table: rttables.Main}, "unreachable 10.0.0.0/8"},
		{Route{Protocol: ProtoBoot, Dst: dst, Type: TypeLocal, Scope: ScopeHost, Table: rttables.Local}, "local 10.0.0.0/8"},
		{Route{Protocol: ProtoBoot, Dst: dst, Type: TypeLocal, Scope: ScopeHost, Table: rttables.Main}, "local 10.0.0.0/8 table main"},
		{Route{Protocol: ProtoBoot, Dst: dst, Type: 77}, "10.0.0.0/8 type 77"},
		{Route{Protocol: ProtoBoot, Dst: netip.MustParsePrefix("192.0.2.1/32"), Flags: FlagOnLink | FlagLinkDown, OIF: 1},
			"192.0.2.1 dev if1 onlink linkdown"},
		{Route{Protocol: ProtoBoot, Multipath: []NextHop{{OIF: 3}, {Gateway: v4, OIF: 5, Weight: 2, Flags: FlagOnLink}}},
			"default nexthop dev if3 nexthop via 192.0.2.1 dev if5 weight 2 onlink"},
	} {
		if got := tt.route.String(); got != tt.want {
			report.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// What the verbs make of unset fields is what the text says of them.
func TestStringDefaults(t *testing.T) {
	g := newGenerator(3)
	for range 5000 {
		r := g.route()
		want := r
		want.setDefaults()
		want.Dst = normalizeDefault(want.Dst)
		if got := parse(t, r.String()); !got.Equal(want) {
			t.Fatalf("%q is %q, the verbs make it %q", r, got, want)
		}
	}
}

func TestParseError(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct{ text, want string }{
		{"", "route: word 1: a route is missing"},
		{"-6", `route: word 2: a route is missing after "-6"`},
		{"default vai 10.0.0.1", `route: word 2 "vai": not an attribute of a route; did you mean via?`},
		{"default qwertzuiop", `route: word 2 "qwertzuiop": not an attribute of a route`},
		{"10.0.0.0/8 10.0.0.0/9", `route: word 2 "10.0.0.0/9": not an attribute of a route`},
		{"unreachable blackhole default", `route: word 2 "blackhole": not a destination`},
		{"10.0.0.0/33", `route: word 1 "10.0.0.0/33": not an attribute of a route`},
		{"default via", `route: word 3: an address is missing after "via"`},
		{"default via 10.0.0.256", `route: word 3 "10.0.0.256": not an address`},
		{"default via fe80::1%eth0", `route: word 3 "fe80::1%eth0": not an address`},
		{"-4 default via fe80::1", `route: word 4 "fe80::1": not an address of family inet`},
		{"10.0.0.0/8 via fe80::1", `route: word 3 "fe80::1": not an address of family inet`},
		{"10.0.0.0/8 via inet6 10.0.0.1", `route: word 4 "10.0.0.1": not an address of family inet6`},
		{"-6 10.0.0.0/8 dev if1", `route: word 2 "10.0.0.0/8": not an address of family inet6`},
		{"2001:db8::/32 dev if1 src 10.0.0.1", `route: word 5 "10.0.0.1": not an address of family inet6`},
		{"default nexthop via 10.0.0.1 nexthop via fe80::1", `route: word 7 "fe80::1": not an address of family inet`},
		{"default dev eth0", `route: word 3 "eth0": no Links to look the name up in (see route.ListLinks); if5 is the interface with the index 5`},
		{"default dev if0", `route: word 3 "if0": no Links to look the name up in (see route.ListLinks); if5 is the interface with the index 5`},
		{"default dev if4294967296", `route: word 3 "if4294967296": no Links to look the name up in (see route.ListLinks); if5 is the interface with the index 5`},
		{"default nexthop weight 0", `route: word 4 "0": not a weight: want 1 to 256`},
		{"default nexthop weight 257", `route: word 4 "257": not a weight: want 1 to 256`},
		{"default table mian", `route: word 3 "mian": not a table; did you mean main?`},
		{"default type unicats", `route: word 3 "unicats": not a type; did you mean unicast?`},
		{"default scope lnk", `route: word 3 "lnk": not a scope; did you mean link?`},
		{"default proto statc", `route: word 3 "statc": not a protocol; did you mean static?`},
		{"default pref hihg", `route: word 3 "hihg": not a preference; did you mean high?`},
		{"default metric -1", `route: word 3 "-1": not a number: want a number of at most 32 bits`},
		{"default cacheinfo 1,2", `route: word 3 "1,2": not cache information: want 8 numbers`},
		{"via 10.0.0.1", `route: word 2 "10.0.0.1": no destination: want a prefix, or default`},
		{"default via 10.0.0.1 via 10.0.0.2", `route: word 4 "via": given twice: use nexthop for several next hops`},
		{"default attribute 4 01", `route: word 4 "01": RTA_OIF: 1 bytes of payload, want 4`},
	} {
		if r, err := Parse(tt.text, nil); err == nil || err.Error() != tt.want || !r.Equal(Route{}) {
			report.Errorf("%q:\n got %v, %s\nwant %s", tt.text, err, r, tt.want)
		}
	}
}

// Words that ip(8) takes for the same thing are the same route.
func TestParseSynonyms(t *testing.T) {
	report := testrun.Limit(t)
	for _, words := range [][]string{
		{"10.0.0.0/8 dev if3", "10/8 dev if3", "to 10.0.0.0/8 dev if3", "unicast 10.0.0.0/255.0.0.0 oif if3",
			"-4 10.0.0.0/8 dev if3 scope link table main proto boot", "dev if3 10/8", "10/8 dev if3 type 1"},
		{"default via 10.0.0.1", "0.0.0.0/0 via 10.0.0.1", "0/0 via inet 10.0.0.1", "any via 10.0.0.1"},
		{"broadcast 10.0.0.255 dev if1", "brd 10.0.0.255 dev if1 table local scope link"},
		{"default metric 5", "default priority 5", "default preference 0x5"},
		{"-6 default metric 5", "-f inet6 ::/0 metric 5"},
		{"default realms 1/2", "default realm 0x10002"},
		{"default tos 0x10", "default dsfield 10"},
		{"default nexthop dev if1 nexthop dev if2 table 5", "table 5 default nexthop weight 1 dev if1 nexthop dev if2"},
		{"default metric 7", "default attribute 6 " + host32(7)},
	} {
		for _, s := range words[1:] {
			if got, want := parse(t, s), parse(t, words[0]); !got.Equal(want) {
				report.Errorf("%q is %s, want %s", s, got, want)
			}
		}
	}
}

// Names enter through *Names, and no other way.
func TestNames(t *testing.T) {
	report := testrun.Limit(t)
	files, err := rttables.Load(fstest.MapFS{
		"etc/iproute2/rt_tables": {Data: []byte("20 lan2\n")},
		"etc/iproute2/rt_protos": {Data: []byte("210 policyroute\n")},
		"etc/iproute2/rt_realms": {Data: []byte("7 cosmos\n")},
		"etc/iproute2/rt_scopes": {Data: []byte("100 near\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &Names{Files: files, Links: names.Links}
	const named = "10.0.0.0/8 dev eth1 table lan2 proto policyroute scope near realms cosmos"
	const plain = "10.0.0.0/8 dev if5 table 20 proto 210 scope 100 realms 7"
	r, err := Parse(named, n)
	if err != nil {
		t.Fatal(err)
	}
	if r.String() != plain || r.Text(n) != named || !r.Equal(parse(t, plain)) {
		report.Errorf("%s\n%s", r, r.Text(n))
	}
	if r, err := Parse(named, nil); err == nil {
		report.Errorf("without names: %s", r)
	}
	if n := (*Names)(nil); n.FileNames() != nil || n.LinkNames() != nil {
		report.Error("nil Names have names")
	}
	if n.FileNames() != files || n.LinkNames() != names.Links {
		report.Error("Names lose names")
	}
	var none *Links
	if _, ok := none.Index("eth0"); ok || none.Name(5) != "if5" {
		report.Error("nil Links know a name")
	}
	for range none.All() {
		report.Error("nil Links have one")
	}
}

// The arguments are the text without the option for the family, which those who
// run ip(8) give before "route".
func TestArgs(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct{ text, args, named string }{
		{"-6 default dev if5", "default dev if5", "default dev eth1"},
		{"10.0.0.0/8 via inet6 fe80::1 dev if3", "10.0.0.0/8 via inet6 fe80::1 dev if3", "10.0.0.0/8 via inet6 fe80::1 dev eth0"},
		{"-6 unreachable default table 20", "unreachable default table 20", "unreachable default table 20"},
		{"-f mpls 100 as 200/300 via inet 192.168.1.1 dev if3", "100 as 200/300 via inet 192.168.1.1 dev if3",
			"100 as 200/300 via inet 192.168.1.1 dev eth0"},
	} {
		r := parse(t, tt.text)
		if got := r.Args(nil); got != tt.args {
			report.Errorf("%s: %q, want %q", tt.text, got, tt.args)
		}
		if got := r.Args(names); got != tt.named {
			report.Errorf("%s: %q, want %q", tt.text, got, tt.named)
		}
	}
	g := newGenerator(5)
	for range 2000 {
		r := g.message()
		text := strings.Join(append(iptext.FamilyOption(r.Family), r.Args(names)), " ")
		if back, err := Parse(text, names); err != nil || !back.Equal(r) {
			t.Fatalf("%q is %q, want %q (%v)", text, back, r, err)
		}
	}
}

func TestJSON(t *testing.T) {
	type file struct {
		Routes []Route
		Type   Type
		Scope  Scope
		Proto  Protocol
		Family Family
	}
	want := file{
		Routes: []Route{parse(t, "10.0.0.0/8 via inet6 fe80::1 dev if3 table 20 attribute 99 01"), parse(t, "-6 unreachable default")},
		Type:   TypeThrow, Scope: ScopeLink, Proto: ProtoStatic, Family: IPv6,
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"Routes":["10.0.0.0/8 via inet6 fe80::1 dev if3 table 20 attribute 99 01","-6 unreachable default"],` +
		`"Type":"throw","Scope":"link","Proto":"static","Family":"inet6"}`
	if string(b) != text {
		t.Errorf("\n got %s\nwant %s", b, text)
	}
	var got file
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Routes) != 2 || !got.Routes[0].Equal(want.Routes[0]) || !got.Routes[1].Equal(want.Routes[1]) ||
		got.Type != want.Type || got.Scope != want.Scope || got.Proto != want.Proto || got.Family != want.Family {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := json.Unmarshal([]byte(`{"Routes":["defualt"]}`), &got); err == nil {
		t.Error("a route that is none was read")
	}
}

func TestRealms(t *testing.T) {
	report := testrun.Limit(t)
	for s, want := range map[string]Realms{"7": {0, 7}, "1/2": {1, 2}, "0x10002": {1, 2}, "1/unknown": {1, 0}, "1/": {1, 0}} {
		if got, err := ParseRealms(s, nil); err != nil || got != want {
			report.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, want := range []Realms{{}, {0, 7}, {1, 2}, {65535, 0}, {65535, 65535}} {
		b, err := want.MarshalText()
		got := Realms{9, 9}
		if err != nil || got.UnmarshalText(b) != nil || got != want {
			report.Errorf("%s is %v, want %v", b, got, want)
		}
	}
	if r := (Realms{1, 2}); r.UnmarshalText([]byte("a")) == nil || r != (Realms{1, 2}) {
		report.Errorf("%v", r)
	}
	for _, s := range []string{"", "/", "/1", "65536/1", "1/65536", "a", "1/2/3", "4294967296"} {
		if got, err := ParseRealms(s, nil); err == nil {
			report.Errorf("%q: %v", s, got)
		}
	}
}

// A zero that words give is in the text, in the message, and in what is read from either.
func TestZeroWords(t *testing.T) {
	report := testrun.Limit(t)
	for _, words := range []string{
		"10.0.0.0/8 nhid 0 dev if3", "10.0.0.0/8 via 10.0.0.1 realms unknown", "10.0.0.0/8 dev if3 ipproto 0 sport 0 dport 0",
		"10.0.0.0/8 dev if3 ipproto 0 realms 5 attribute 16 00000000", "2001:db8::/32 dev if3 expires 0",
		"10.0.0.0/8 nexthop via 10.0.0.1 realms unknown nexthop via 10.0.0.2", "10.0.0.0/8 dev if3 mtu 0",
		"2001:db8::/32 dev if3 encap seg6local action End.T table 0",
		"2001:db8::/32 dev if3 encap seg6local action End.DT4 vrftable 0",
		"2001:db8::/32 dev if3 encap seg6local action End flavors next-csid lblen 0 nflen 0",
	} {
		r, err := Parse(words, nil)
		if err != nil || r.String() != words {
			report.Errorf("%s: %v, %v", words, r, err)
			continue
		}
		b, err := r.MarshalBinary()
		var back Route
		if err == nil {
			err = back.UnmarshalBinary(b)
		}
		if err != nil || !back.Equal(r) {
			report.Errorf("%s: sent and received: %v, %v", words, back, err)
		}
		if text := r.Canonical().String(); strings.Contains(text, "nhid 0") || strings.Contains(text, "realms unknown") {
			report.Errorf("%s: canonical is %s", words, text)
		}
	}
	for words, want := range map[string]string{
		"10.0.0.0/8 nhid 0 nhid 7":                                       "10.0.0.0/8 nhid 7",
		"10.0.0.0/8 dev if3 nhid 7 nhid 0":                               "10.0.0.0/8 nhid 0 dev if3",
		"10.0.0.0/8 dev if3 realms 0 realm 5":                            "10.0.0.0/8 dev if3 realms 5",
		"10.0.0.0/8 dev if3 attribute 30 07000000 attribute 30 00000000": "10.0.0.0/8 nhid 0 dev if3",
		"10.0.0.0/8 dev if3 attribute 30 00000000 attribute 30 07000000": "10.0.0.0/8 nhid 7 dev if3",
	} {
		if r, err := Parse(words, nil); littleEndian && (err != nil || r.String() != want) {
			report.Errorf("%s: %v, %v, want %s", words, r, err, want)
		}
	}
}
