package rule

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// The golden bytes of this file are from struct fib_rule_hdr and the enum in
// linux/fib_rules.h, and from fib_rule_policy in net/core/fib_rules.c, which
// says what each attribute holds. Numbers in host order are made by host16 and
// host32, those in network order are spelled out.

func host16(v uint16) string {
	return hex.EncodeToString(binary.NativeEndian.AppendUint16(nil, v))
}

func host32(v uint32) string {
	return hex.EncodeToString(binary.NativeEndian.AppendUint32(nil, v))
}

// attribute is struct nlattr: length and type in host order, payload, padding.
func attribute(num uint16, payload string) string {
	n := len(payload) / 2
	return host16(uint16(4+n)) + host16(num) + payload + strings.Repeat("00", (4-n%4)%4)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	inet  = "02"
	inet6 = "0a"
)

// golden has each field alone: the bytes from dst_len to action, the flags, and
// the attributes.
var golden = []struct {
	rule   Rule
	header string // family, dst_len, src_len, tos, table, res1, res2, action
	flags  uint32
	attrs  string
}{
	{Rule{Family: route.IPv4}, inet + "00000000000000", 0, ""},
	{Rule{Family: route.IP6MR}, "81" + "00000000000000", 0, ""},
	{Rule{TOS: 0x1c}, "0000001c00000000", 0, ""},
	{Rule{Table: 254}, "00000000fe000000", 0, ""},
	{Rule{Action: ActionLookup}, "0000000000000001", 0, ""},
	{Rule{Action: ActionGoto, Goto: 300}, "0000000000000002", 0, attribute(4, host32(300))},
	{Rule{Action: ActionGoto}, "0000000000000002", 0, attribute(4, host32(0))},
	{Rule{Action: ActionNop}, "0000000000000003", 0, ""},
	{Rule{Action: ActionBlackhole}, "0000000000000006", 0, ""},
	{Rule{Action: ActionUnreachable}, "0000000000000007", 0, ""},
	{Rule{Action: ActionProhibit}, "0000000000000008", 0, ""},
	{Rule{Not: true}, "0000000000000000", 2, ""},
	{Rule{Priority: Priority(0)}, "0000000000000000", 0, attribute(6, host32(0))},
	{Rule{Priority: Priority(1 << 31)}, "0000000000000000", 0, attribute(6, host32(1<<31))},
	{Rule{Family: route.IPv4, To: netip.MustParsePrefix("192.0.2.1/24")},
		inet + "18000000000000", 0, attribute(1, "c0000201")},
	{Rule{Family: route.IPv4, From: netip.MustParsePrefix("0.0.0.0/0")},
		inet + "00000000000000", 0, attribute(2, "00000000")},
	{Rule{Family: route.IPv6, From: netip.MustParsePrefix("2001:db8::5/128")},
		inet6 + "00800000000000", 0, attribute(2, "20010db8000000000000000000000005")},
	{Rule{Family: route.IPv6, To: netip.MustParsePrefix("::ffff:192.0.2.0/120")},
		inet6 + "78000000000000", 0, attribute(1, "00000000000000000000ffffc0000200")},
	{Rule{IIF: "eth0"}, "0000000000000000", 0, attribute(3, "6574683000")},
	{Rule{OIF: "a-name-of-15-by"}, "0000000000000000", 0, attribute(17, "612d6e616d652d6f662d31352d627900")},
	{Rule{FwMark: FwMark(0x10)}, "0000000000000000", 0, attribute(10, host32(0x10))},
	{Rule{FwMark: FwMark(0).Masked(0xf0)}, "0000000000000000", 0,
		attribute(10, host32(0)) + attribute(16, host32(0xf0))},
	{Rule{Realms: route.Realms{Src: 1, Dst: 2}}, "0000000000000000", 0, attribute(11, host32(1<<16|2))},
	{Rule{TunID: TunID(0x0102030405060708)}, "0000000000000000", 0, attribute(12, "0102030405060708")},
	{Rule{SuppressIfGroup: SuppressIfGroup(0)}, "0000000000000000", 0, attribute(13, host32(0))},
	{Rule{SuppressPrefixLength: SuppressPrefixLength(16)}, "0000000000000000", 0, attribute(14, host32(16))},
	{Rule{Table: 256}, "0000000000000000", 0, attribute(15, host32(256))},
	{Rule{L3MDev: true}, "0000000000000000", 0, attribute(19, "01")},
	{Rule{UIDRange: UIDRange(1, 70000)}, "0000000000000000", 0, attribute(20, host32(1)+host32(70000))},
	{Rule{Protocol: 99}, "0000000000000000", 0, attribute(21, "63")},
	{Rule{IPProto: route.TCP}, "0000000000000000", 0, attribute(22, "06")},
	{Rule{SPort: PortRange(80, 443)}, "0000000000000000", 0, attribute(23, host16(80)+host16(443))},
	{Rule{DPort: Port(53)}, "0000000000000000", 0, attribute(24, host16(53)+host16(53))},
	{Rule{DSCP: DSCP(0)}, "0000000000000000", 0, attribute(25, "00")},
	{Rule{DSCP: DSCP(10).Masked(0x3e)}, "0000000000000000", 0, attribute(25, "0a") + attribute(30, "3e")},
	{Rule{FlowLabel: FlowLabel(0x12345)}, "0000000000000000", 0,
		attribute(26, "00012345") + attribute(27, "000fffff")},
	{Rule{FlowLabel: FlowLabel(0x300).Masked(0xff00)}, "0000000000000000", 0,
		attribute(26, "00000300") + attribute(27, "0000ff00")},
	{Rule{SPort: Port(0x50).Masked(0xfff0)}, "0000000000000000", 0,
		attribute(23, host16(0x50)+host16(0x50)) + attribute(28, host16(0xfff0))},
	{Rule{DPort: Port(1).Masked(0xf)}, "0000000000000000", 0,
		attribute(24, host16(1)+host16(1)) + attribute(29, host16(0xf))},
	{Rule{Unknown: route.Attributes("\x05\x00\x63\x00\x01\x00\x00\x00")}, "0000000000000000", 0,
		"0500630001000000"},
}

func TestGolden(t *testing.T) {
	for _, tt := range golden {
		want := unhex(t, tt.header+host32(tt.flags)+tt.attrs)
		if littleEndian || tt.rule.Unknown == "" {
			checkGolden(t, tt.rule, want)
		}
	}
}

func checkGolden(t *testing.T, r Rule, want []byte) {
	t.Helper()
	got, err := r.AppendBinary([]byte("head"))
	if err != nil || !bytes.Equal(got, append([]byte("head"), want...)) {
		t.Errorf("%s:\n got %x, %v\nwant 68656164%x", r, got, err, want)
	}
	var back Rule
	if err := back.UnmarshalBinary(want); err != nil || back != r {
		t.Errorf("%x: %v\n%s", want, err, cmp.Diff(r.String(), back.String()))
	}
}

// No attribute of linux/fib_rules.h and no field of Rule is missing above.
func TestGoldenComplete(t *testing.T) {
	report := testrun.Limit(t)
	attrs, fields := map[uint16]bool{}, map[string]bool{}
	for _, tt := range golden {
		b := unhex(t, tt.attrs)
		for num := range route.Attributes(b).All() {
			attrs[num] = true
		}
		v := reflect.ValueOf(tt.rule)
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				fields[v.Type().Field(i).Name] = true
			}
		}
	}
	fields["Flags"] = true // TestFlags
	for i := range reflect.TypeFor[Rule]().NumField() {
		if name := reflect.TypeFor[Rule]().Field(i).Name; !fields[name] {
			report.Errorf("no golden bytes for the field %s", name)
		}
	}
	for num := uapi.FRA_DST; num <= uapi.FRA_DSCP_MASK; num++ {
		switch num {
		case uapi.FRA_UNUSED2, uapi.FRA_UNUSED3, uapi.FRA_UNUSED4, uapi.FRA_UNUSED5, uapi.FRA_PAD:
			continue
		}
		if !attrs[uint16(num)] {
			report.Errorf("no golden bytes for %s", num)
		}
	}
}

// The kernel's flags are read and not written. The padding that aligns 64 bits
// is neither.
func TestFlags(t *testing.T) {
	report := testrun.Limit(t)
	var r Rule
	if err := r.UnmarshalBinary(unhex(t, "0000000000000000"+host32(0x1001f)+attribute(18, ""))); err != nil {
		t.Fatal(err)
	}
	want := "permanent,unresolved,iif-detached,oif-detached,find-saddr"
	if !r.Not || r.Flags.String() != want {
		report.Errorf("flags %q, not %v", r.Flags, r.Not)
	}
	r.Flags |= 1 << 30
	if got := r.Flags.String(); got != want+",0x40000000" {
		report.Errorf("flags %q", got)
	}
	for _, want := range []Flags{0, r.Flags, FlagIIFDetached, 1 << 31} {
		var got Flags = 5
		if text, err := want.MarshalText(); err != nil || got.UnmarshalText(text) != nil || got != want {
			report.Errorf("flags %q read as %q", text, got)
		}
	}
	for _, text := range []string{"up", "permanent,", ",", "0x100000000", "permanent unresolved"} {
		got := FlagPermanent
		if err := got.UnmarshalText([]byte(text)); err == nil || got != FlagPermanent {
			report.Errorf("flags %q read as %q, %v", text, got, err)
		}
	}
	got, err := r.MarshalBinary()
	if err != nil || !bytes.Equal(got, unhex(t, "0000000000000000"+host32(2))) {
		report.Errorf("written: %x, %v", got, err)
	}
}

// A payload that is too short is an error that names the attribute, and leaves
// the rule as it was.
func TestTooShort(t *testing.T) {
	report := testrun.Limit(t)
	for num := uapi.FRA_DST; num <= uapi.FRA_DSCP_MASK; num++ {
		switch num {
		case uapi.FRA_UNUSED2, uapi.FRA_UNUSED3, uapi.FRA_UNUSED4, uapi.FRA_UNUSED5, uapi.FRA_PAD,
			uapi.FRA_IIFNAME, uapi.FRA_OIFNAME: // of any length
			continue
		}
		r := Rule{Table: 5}
		err := r.UnmarshalBinary(unhex(t, inet+"00000000000000"+host32(0)+attribute(uint16(num), "")))
		if err == nil || !strings.HasPrefix(err.Error(), "rule: decode: "+num.String()+": ") || r != (Rule{Table: 5}) {
			report.Errorf("%s: %v, %s", num, err, r)
		}
	}
	for _, tt := range []struct{ payload, want string }{
		{"", "rule: decode: 0 bytes are too short for a rule message: its header alone has 12"},
		{"0200000000000001000000", "rule: decode: 11 bytes are too short for a rule message: its header alone has 12"},
		{inet + "0000000000000100000000" + "0400", "rule: decode: attribute is cut off or has no valid length"},
		{inet + "0000000000000100000000" + host16(3) + host16(6), "rule: decode: attribute is cut off or has no valid length"},
		{inet + "0000000000000100000000" + host16(9) + host16(6) + "00000000", "rule: decode: attribute is cut off or has no valid length"},
		{inet + "0000000000000100000000" + attribute(12, "01020304050607"), "rule: decode: FRA_TUN_ID: 7 bytes of payload, want 8"},
		{inet + "0000000000000100000000" + attribute(20, "01020304050607"), "rule: decode: FRA_UID_RANGE: 7 bytes of payload, want 8"},
		{inet + "0000000000000100000000" + attribute(23, "010203"), "rule: decode: FRA_SPORT_RANGE: 3 bytes of payload, want 4"},
		{inet + "0000000000000100000000" + attribute(2, "20010db8000000000000000000000005"), "rule: decode: FRA_SRC: 16 bytes of address, want 4"},
		{inet + "0021000000000100000000" + attribute(2, "c0000201"), "rule: decode: FRA_SRC: a prefix of 33 bits in an address of 32"},
		{inet6 + "0000000000000100000000" + attribute(3, "61616161616161616161616161616161"),
			`rule: decode: FRA_IIFNAME: interface name "aaaaaaaaaaaaaaaa" is longer than 15 bytes`},
	} {
		var r Rule
		if err := r.UnmarshalBinary(unhex(t, tt.payload)); err == nil || err.Error() != tt.want {
			report.Errorf("%s:\n got %v\nwant %s", tt.payload, err, tt.want)
		}
	}
}

// What cannot be sent is an error that names the attribute.
func TestAppendError(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct {
		rule Rule
		want string
	}{
		{Rule{Family: route.IPv6, From: netip.MustParsePrefix("10.0.0.0/8")},
			"rule: encode: FRA_SRC: 10.0.0.0/8 is not a prefix of family inet6"},
		{Rule{Family: route.IPv4, To: netip.MustParsePrefix("::ffff:10.0.0.0/104")},
			"rule: encode: FRA_DST: ::ffff:10.0.0.0/104 is not a prefix of family inet"},
		{Rule{From: netip.MustParsePrefix("10.0.0.0/8")},
			"rule: encode: FRA_SRC: 10.0.0.0/8 is not a prefix of family unspec"},
		{Rule{IIF: "sixteen-byte-dev"},
			`rule: encode: FRA_IIFNAME: interface name "sixteen-byte-dev" is longer than 15 bytes`},
		{Rule{OIF: "a\x00b"}, `rule: encode: FRA_OIFNAME: interface name "a\x00b" contains a NUL`},
	} {
		b := append(make([]byte, 0, 256), "head"...)
		got, err := tt.rule.AppendBinary(b)
		if err == nil || err.Error() != tt.want || string(got) != "head" {
			report.Errorf("\n got %v, %q\nwant %s", err, got, tt.want)
		}
	}
}

// Random rules of all fields together, through bytes and through text.
func TestRoundTrip(t *testing.T) {
	g := newGenerator(2)
	seen := map[uapi.FRA]bool{}
	for range 20000 {
		r := g.rule()
		if g.maybe(6) {
			r.Unknown = g.unknown()
		}
		b, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		noteAttributes(seen, b)
		sent := r
		if sent.Action == ActionNone { // in a message it is the same as an unset one
			sent.Action = 0
		}
		var back Rule
		if err := back.UnmarshalBinary(b); err != nil || back != sent {
			t.Fatalf("%x: %s is %s, %v", b, r, back, err)
		}
		if again, err := back.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%s:\n got %x, %v\nwant %x", r, again, err, b)
		}
		if back, err := Parse(r.String(), nil); err != nil || back != r {
			t.Fatalf("%q is %s, %v", r, back, err)
		}
		if c := r.Canonical(); c != c.Canonical() {
			t.Fatalf("the canonical form %s has another, %s", c, c.Canonical())
		}
	}
	wantRows(t, seen, func(uapi.FRA) bool { return true })
}

// Attributes of a newer kernel go through bytes and text, and do not get lost.
func TestUnknown(t *testing.T) {
	const header = inet + "00000014000001"
	payload := unhex(t, header+host32(0)+attribute(60, "010203")+attribute(0x8000|61, "")+attribute(22, "11"))
	var r Rule
	// The last attribute may lack its padding.
	if err := r.UnmarshalBinary(payload[:len(payload)-3]); err != nil {
		t.Fatal(err)
	}
	if got := r.String(); got != "from all ipproto udp lookup 20 attribute 60 010203 attribute 32829 -" {
		t.Error(got)
	}
	back := parse(t, r.String())
	if back != r {
		t.Errorf("%s is %s", r, back)
	}
	got, err := back.MarshalBinary()
	want := unhex(t, header+host32(0)+attribute(22, "11")+attribute(60, "010203")+attribute(0x8000|61, ""))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("\n got %x, %v\nwant %x", got, err, want)
	}
}

func TestAllocs(t *testing.T) {
	r := parse(t, "pref 5 from 10.0.0.0/8 to 192.0.2.1 fwmark 1/3 dport 80-90 uidrange 1-2 ipproto tcp table 1000 proto 99")
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(1000, func() { buf, err = r.AppendBinary(buf[:0]) }); n != 0 || err != nil {
		t.Errorf("AppendBinary: %v allocations, %v", n, err)
	}
	var back Rule
	if n := testing.AllocsPerRun(1000, func() { err = back.UnmarshalBinary(b) }); n != 0 || err != nil {
		t.Errorf("UnmarshalBinary: %v allocations, %v", n, err)
	}
}

func BenchmarkAppendBinary(b *testing.B) {
	r := parse(b, "pref 5 from 10.0.0.0/8 fwmark 1/3 dport 80-90 table 1000 proto 99")
	var buf []byte
	for b.Loop() {
		buf, _ = r.AppendBinary(buf[:0])
	}
}

func BenchmarkUnmarshalBinary(b *testing.B) {
	payload, err := parse(b, "pref 5 from 10.0.0.0/8 fwmark 1/3 dport 80-90 table 1000 proto 99").MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	var r Rule
	for b.Loop() {
		if err := r.UnmarshalBinary(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		parse(b, "pref 5 from 10.0.0.0/8 fwmark 1/3 dport 80-90 table 1000 proto 99")
	}
}

func BenchmarkString(b *testing.B) {
	r := parse(b, "pref 5 from 10.0.0.0/8 fwmark 1/3 dport 80-90 table 1000 proto 99")
	for b.Loop() {
		_ = r.String()
	}
}
