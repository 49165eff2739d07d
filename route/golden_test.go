package route

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// The golden bytes of this file are from struct rtmsg, struct rtnexthop, struct
// rtvia, struct rta_cacheinfo and enum rtattr_type_t in linux/rtnetlink.h.
// Numbers in host order are made by host16 and host32, those in network order
// are spelled out.

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

// nexthop is struct rtnexthop with attributes.
func nexthop(flags, hops string, index uint32, attrs string) string {
	return host16(uint16(8+len(attrs)/2)) + flags + hops + host32(index) + attrs
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The destination default of both families, as ip(8) sends it.
var (
	default4 = attribute(1, "00000000")
	default6 = attribute(1, "00000000000000000000000000000000")
)

const (
	none  = "0000000000000000" // the header of the zero Route
	inet  = "0200000000000000"
	inet6 = "0a00000000000000"
)

// golden has each field alone.
var golden = []struct {
	route  Route
	header string // family, dst_len, src_len, tos, table, protocol, scope, type
	flags  uint32
	attrs  string
}{
	{Route{}, none, 0, ""},
	{Route{Family: IPv4}, inet, 0, default4},
	{Route{Family: IPv6}, inet6, 0, default6},
	{Route{Family: IP6MR}, "8100000000000000", 0, ""},
	{Route{TOS: 0x10}, "0000001000000000", 0, ""},
	{Route{Table: 254}, "00000000fe000000", 0, ""},
	{Route{Table: 256}, none, 0, attribute(15, host32(256))},
	{Route{Protocol: ProtoDHCP}, "0000000000100000", 0, ""},
	{Route{Scope: ScopeLink}, "000000000000fd00", 0, ""},
	{Route{Type: TypeThrow}, "0000000000000009", 0, ""},
	{Route{Flags: FlagOnLink}, none, 4, ""},
	{Route{Flags: FlagPervasive}, none, 2, ""},
	{Route{Family: IPv4, Dst: netip.MustParsePrefix("192.0.2.0/24")}, "0218000000000000", 0, attribute(1, "c0000200")},
	{Route{Family: IPv6, Src: netip.MustParsePrefix("2001:db8::/32")}, "0a00200000000000", 0,
		default6 + attribute(2, "20010db8000000000000000000000000")},
	{Route{Packet: &Packet{IIF: 3}}, none, 0, attribute(3, host32(3))},
	{Route{OIF: 5}, none, 0, attribute(4, host32(5))},
	{Route{Family: IPv4, Gateway: netip.MustParseAddr("192.0.2.1")}, inet, 0, default4 + attribute(5, "c0000201")},
	{Route{Family: IPv6, Gateway: netip.MustParseAddr("fe80::1")}, inet6, 0,
		default6 + attribute(5, "fe800000000000000000000000000001")},
	{Route{Family: IPv4, Gateway: netip.MustParseAddr("fe80::1")}, inet, 0,
		default4 + attribute(18, host16(10)+"fe800000000000000000000000000001")},
	{Route{Family: MPLS, Gateway: netip.MustParseAddr("192.0.2.1")}, "1c14000000000000", 0,
		attribute(18, host16(2)+"c0000201")},
	{Route{Priority: 1024}, none, 0, attribute(6, host32(1024))},
	{Route{Family: IPv4, PrefSrc: netip.MustParseAddr("192.0.2.2")}, inet, 0, default4 + attribute(7, "c0000202")},
	{Route{Family: IPv4, Multipath: []NextHop{
		{Gateway: netip.MustParseAddr("192.0.2.1"), OIF: 3, Weight: 1, Flags: FlagOnLink},
		{Gateway: netip.MustParseAddr("fe80::1"), OIF: 5, Weight: 256, Realms: Realms{1, 2}},
		{OIF: 7, Weight: 2, Encap: EncapRaw{Kind: 200, Data: "abcd"}},
	}}, inet, 0, default4 + attribute(9,
		nexthop("04", "00", 3, attribute(5, "c0000201"))+
			nexthop("00", "ff", 5, attribute(18, host16(10)+"fe800000000000000000000000000001")+attribute(11, host32(1<<16|2)))+
			nexthop("00", "01", 7, attribute(0x8016, "61626364")+attribute(21, host16(200))))},
	{Route{Realms: Realms{Src: 3, Dst: 4}}, none, 0, attribute(11, host32(3<<16|4))},
	{Route{CacheInfo: CacheInfo{ClntRef: 1, LastUse: 2, Expires: -3, Error: 4, Used: 5, ID: 6, TS: 7, TSAge: 8}}, none, 0,
		attribute(12, host32(1)+host32(2)+host32(1<<32-3)+host32(4)+host32(5)+host32(6)+host32(7)+host32(8))},
	{Route{Packet: &Packet{Mark: 0x10}}, none, 0, attribute(16, host32(0x10))},
	{Route{Preference: Some(PrefMedium)}, none, 0, attribute(20, "00")},
	{Route{Preference: Some(PrefLow)}, none, 0, attribute(20, "03")},
	{Route{Packet: &Packet{UID: Some[uint32](0)}}, none, 0, attribute(25, host32(0))},
	{Route{Packet: &Packet{IPProto: TCP}}, none, 0, attribute(27, "06")},
	{Route{Packet: &Packet{SPort: 0x1234}}, none, 0, attribute(28, "1234")},
	{Route{Packet: &Packet{DPort: 443}}, none, 0, attribute(29, "01bb")},
	{Route{Metrics: &Metrics{MTU: 1400}}, none, 0, attribute(8, attribute(2, host32(1400)))},
	{Route{Encap: EncapMPLS{Labels: MakeLabels(100)}}, none, 0, attribute(0x8016, attribute(1, "00064100")) + attribute(21, host16(1))},
	{Route{Expires: Some[uint32](100)}, none, 0, attribute(23, host32(100))},
	{Route{Family: MPLS, MPLS: &MPLSRoute{Label: Some[uint32](100)}}, "1c14000000000000", 0, attribute(1, "00064100")},
	{Route{Family: MPLS, MPLS: &MPLSRoute{NewDst: MakeLabels(200, 0)}}, "1c14000000000000", 0, attribute(19, "000c800000000100")},
	{Route{MPLS: &MPLSRoute{TTLPropagate: Some(false)}}, none, 0, attribute(26, "00")},
	{Route{NextHopID: 7}, none, 0, attribute(30, host32(7))},
	{Route{Packet: &Packet{FlowLabel: Some[uint32](0x12345)}}, none, 0, attribute(31, "00012345")},
}

func TestGolden(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range golden {
		want := unhex(t, tt.header+host32(tt.flags)+tt.attrs)
		got, err := tt.route.AppendBinary([]byte("head"))
		if err != nil || string(got) != "head"+string(want) {
			report.Errorf("%s:\n got %x, %v\nwant 68656164%x", tt.route, got, err, want)
		}
		var back Route
		if err := back.UnmarshalBinary(want); err != nil || !back.Equal(tt.route) {
			report.Errorf("%x: %v\n got %+v\nwant %+v", want, err, back, tt.route)
		}
	}
}

// No field of Route or NextHop is missing above, but for those that hold
// whatever there is no field for.
func TestGoldenComplete(t *testing.T) {
	report := testrun.Limit(t)
	fields := map[string]bool{"Route.Unknown": true, "NextHop.Unknown": true, // TestUnknown
		"NextHop.NewDst": true} // TestMPLS
	see := func(v reflect.Value) {
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				fields[v.Type().Name()+"."+v.Type().Field(i).Name] = true
			}
		}
	}
	for _, tt := range golden {
		see(reflect.ValueOf(tt.route))
		see(reflect.ValueOf(deref(tt.route.MPLS)))
		see(reflect.ValueOf(deref(tt.route.Packet)))
		for _, nh := range tt.route.Multipath {
			see(reflect.ValueOf(nh))
		}
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Route](), reflect.TypeFor[NextHop](), reflect.TypeFor[MPLSRoute](), reflect.TypeFor[Packet](),
	} {
		for i := range typ.NumField() {
			if name := typ.Name() + "." + typ.Field(i).Name; !fields[name] {
				report.Errorf("no golden bytes for the field %s", name)
			}
		}
	}
}

// Equal looks at every field, also of next hops and of the cache information.
func TestEqual(t *testing.T) {
	report := testrun.Limit(t)
	base := func() Route {
		return Route{Multipath: []NextHop{{}}, Metrics: new(Metrics), MPLS: new(MPLSRoute), Packet: new(Packet)}
	}
	if !base().Equal(Route{Multipath: []NextHop{{}}}) {
		report.Error("a pointer to nothing is not equal to none")
	}
	r := base()
	n := 0
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for i := range v.NumField() {
			f, name := v.Field(i), path+"."+v.Type().Field(i).Name
			if f.Kind() == reflect.Struct && f.Type() == reflect.TypeFor[CacheInfo]() {
				walk(f, name)
				continue
			}
			if f.Kind() == reflect.Pointer {
				walk(f.Elem(), name)
				continue
			}
			old := reflect.New(f.Type()).Elem()
			old.Set(f)
			f.Set(other(t, f))
			n++
			if r.Equal(base()) || base().Equal(r) || !r.Equal(r) {
				report.Errorf("Equal does not look at %s", name)
			}
			f.Set(old)
			if !r.Equal(base()) {
				t.Fatalf("%s is not restored", name)
			}
		}
	}
	walk(reflect.ValueOf(&r).Elem(), "Route")
	walk(reflect.ValueOf(&r.Multipath[0]).Elem(), "NextHop")
	if n < 60 {
		report.Errorf("%d fields", n)
	}
}

// other is a value that differs from v's, which is zero but for Multipath.
func other(t *testing.T, v reflect.Value) reflect.Value {
	t.Helper()
	for _, x := range []any{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParseAddr("10.0.0.1"), Some[uint32](0),
		Some(PrefMedium), Some(false), Realms{0, 1}, []NextHop{{}, {}}, Attributes("x"), true} {
		if reflect.TypeOf(x) == v.Type() {
			return reflect.ValueOf(x)
		}
	}
	out := reflect.New(v.Type()).Elem()
	switch {
	case v.Kind() == reflect.Interface:
		out.Set(reflect.ValueOf(EncapMPLS{}))
	case v.CanUint():
		out.SetUint(1)
	case v.CanInt():
		out.SetInt(1)
	case v.Kind() == reflect.Slice:
		out.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case v.Kind() == reflect.String:
		out.SetString("x")
	case v.Kind() == reflect.Struct && v.NumField() > 0:
		out.Set(notZero(t, v.Type()))
	default:
		t.Fatalf("no other value of type %s", v.Type())
	}
	return out
}

// notZero sets the first exported field of a struct that can be set.
func notZero(t *testing.T, typ reflect.Type) reflect.Value {
	t.Helper()
	out := reflect.New(typ).Elem()
	for i := range typ.NumField() {
		if f := out.Field(i); f.CanSet() {
			f.Set(other(t, f))
			return out
		}
	}
	t.Fatalf("no field of %s can be set", typ)
	return out
}

// The kernel's flags are read, and written neither of the route nor of a next
// hop.
func TestFlags(t *testing.T) {
	var r Route
	payload := inet + host32(1<<31|0x7f05) + default4 + attribute(9, nexthop("7f", "00", 3, ""))
	if err := r.UnmarshalBinary(unhex(t, payload)); err != nil {
		t.Fatal(err)
	}
	const want = "dead onlink notify cloned prefix rt_offload flags 0x80003400"
	if got := r.Flags.String(); got != want {
		t.Errorf("flags %q, want %q", got, want)
	}
	if got := r.Multipath[0].Flags.String(); got != "dead onlink pervasive offload trap linkdown unresolved" {
		t.Errorf("flags %q", got)
	}
	got, err := r.MarshalBinary()
	if err != nil || !bytes.Equal(got, unhex(t, inet+host32(4)+default4+attribute(9, nexthop("06", "00", 3, "")))) {
		t.Errorf("written: %x, %v", got, err)
	}
}

// A payload that cannot be read is an error that names the attribute, and
// leaves the route as it was.
func TestTooShort(t *testing.T) {
	report := testrun.Limit(t)
	for _, num := range []uapi.RTA{uapi.RTA_DST, uapi.RTA_SRC, uapi.RTA_IIF, uapi.RTA_OIF, uapi.RTA_GATEWAY,
		uapi.RTA_PRIORITY, uapi.RTA_PREFSRC, uapi.RTA_FLOW, uapi.RTA_CACHEINFO, uapi.RTA_TABLE, uapi.RTA_MARK,
		uapi.RTA_VIA, uapi.RTA_PREF, uapi.RTA_UID, uapi.RTA_IP_PROTO, uapi.RTA_SPORT, uapi.RTA_DPORT,
		uapi.RTA_NH_ID, uapi.RTA_FLOWLABEL, uapi.RTA_ENCAP_TYPE, uapi.RTA_EXPIRES, uapi.RTA_TTL_PROPAGATE} {
		r := Route{Table: 5}
		err := r.UnmarshalBinary(unhex(t, inet+host32(0)+attribute(uint16(num), "")))
		if err == nil || !strings.HasPrefix(err.Error(), "route: decode: "+num.String()+": ") || !r.Equal(Route{Table: 5}) {
			report.Errorf("%s: %v, %s", num, err, r)
		}
	}
	for _, tt := range []struct{ payload, want string }{
		{"", "0 bytes are too short for a route message: its header alone has 12"},
		{inet + "0000000000", "attribute is cut off or has no valid length"},
		{inet + host32(0) + attribute(5, "fe800000000000000000000000000001"), "RTA_GATEWAY: 16 bytes of address in a message of family inet"},
		{inet + host32(0) + attribute(18, host16(10)+"c0000201"), "RTA_VIA: 4 bytes of address in a message of family inet6"},
		{"0221000000000000" + host32(0) + attribute(1, "c0000201"), "RTA_DST: a prefix of 33 bits in an address of 32"},
		{inet + host32(0) + attribute(9, "08000000"), "RTA_MULTIPATH: next hop 1 is cut off"},
		{inet + host32(0) + attribute(9, host16(7)+"000000000000"), "RTA_MULTIPATH: next hop 1 has no valid length"},
		{inet + host32(0) + attribute(9, nexthop("00", "00", 3, "")+host16(12)+"000000000000"), "RTA_MULTIPATH: next hop 2 has no valid length"},
		{inet + host32(0) + attribute(9, nexthop("00", "00", 3, attribute(5, "c00002"))),
			"RTA_MULTIPATH: next hop 1: RTA_GATEWAY: 3 bytes of address in a message of family inet"},
	} {
		var r Route
		err := r.UnmarshalBinary(unhex(t, tt.payload))
		if want := "route: decode: " + tt.want; err == nil || err.Error() != want {
			report.Errorf("%s:\n got %v\nwant %s", tt.payload, err, want)
		}
	}
}

// What cannot be sent is an error that names the attribute.
func TestAppendError(t *testing.T) {
	report := testrun.Limit(t)
	zone, four := netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("192.0.2.1")
	for _, tt := range []struct {
		route Route
		want  string
	}{
		{Route{Family: IPv6, Dst: netip.MustParsePrefix("10.0.0.0/8")}, "RTA_DST: 10.0.0.0/8 is not a prefix of family inet6"},
		{Route{Family: IPv4, Src: netip.MustParsePrefix("::/0")}, "RTA_SRC: ::/0 is not a prefix of family inet"},
		{Route{Family: IPv6, PrefSrc: four}, "RTA_PREFSRC: 192.0.2.1 is not an address of family inet6"},
		{Route{Family: IPv6, PrefSrc: zone}, "RTA_PREFSRC: fe80::1%eth0 has a zone"},
		{Route{Family: IPv6, Gateway: zone}, "RTA_GATEWAY: fe80::1%eth0 has a zone"},
		{Route{Family: IPv4, Gateway: zone}, "RTA_VIA: fe80::1%eth0 has a zone"},
		{Route{Family: IPv4, Multipath: []NextHop{{Weight: 1}, {}}}, "RTA_MULTIPATH: next hop 2: weight 0 is not between 1 and 256"},
		{Route{Family: IPv4, Multipath: []NextHop{{Weight: 257}}}, "RTA_MULTIPATH: next hop 1: weight 257 is not between 1 and 256"},
		{Route{Family: IPv6, Multipath: []NextHop{{Weight: 1, Gateway: zone}}},
			"RTA_MULTIPATH: next hop 1: RTA_GATEWAY: fe80::1%eth0 has a zone"},
		{Route{Family: IPv4, Multipath: manyHops(9000)}, "RTA_MULTIPATH: 72000 bytes do not fit into an attribute"},
	} {
		b := append(make([]byte, 0, 256), "head"...)
		got, err := tt.route.AppendBinary(b)
		if want := "route: encode: " + tt.want; err == nil || err.Error() != want || string(got) != "head" {
			report.Errorf("\n got %v, %q\nwant %s", err, got, want)
		}
	}
}

func manyHops(n int) []NextHop {
	hops := make([]NextHop, n)
	for i := range hops {
		hops[i].Weight = 1
	}
	return hops
}
