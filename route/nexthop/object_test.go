package nexthop_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
)

// Bytes are those of a little-endian machine, like a recording.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parseNextHop(t testing.TB, s string) nexthop.Object {
	t.Helper()
	n, err := nexthop.Parse(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sent are words, and the payload that "ip nexthop add" made of them. Recorded
// on Linux 6.18, where if3 is eth0 and if5 eth1, with iproute2 6.1.0:
//
//	strace -e trace=sendmsg -e write=all ip nexthop add id 10 via 192.168.2.1 dev eth1
var sent = []struct{ words, payload string }{
	{"id 10 via 192.168.2.1 dev if5", "0200000000000000 080001000a000000 08000600c0a80201 0800050005000000"},
	{"via 192.168.2.7 dev if5", "0200000000000000 08000600c0a80207 0800050005000000"},
	{"id 11 via 192.168.1.1 dev if3 proto static onlink",
		"0200040004000000 080001000b000000 08000600c0a80101 0800050003000000"},
	{"id 12 dev if5", "0200000000000000 080001000c000000 0800050005000000"},
	{"id 13 blackhole", "0200000000000000 080001000d000000 04000400"},
	{"-6 id 14 blackhole", "0a00000000000000 080001000e000000 04000400"},
	{"id 15 via 2001:db8:1::1 dev if3",
		"0a00000000000000 080001000f000000 1400060020010db8000100000000000000000001 0800050003000000"},
	{"-6 id 16 dev if3 proto 99", "0a00630000000000 0800010010000000 0800050003000000"},
	{"id 17 via 192.168.2.9 fdb", "0200000000000000 0800010011000000 08000600c0a80209 04000b00"},
	{"id 18 via 2001:db8:1::1 fdb",
		"0a00000000000000 0800010012000000 1400060020010db8000100000000000000000001 04000b00"},
	{"id 100 group 10/11", "0000000000000000 0800010064000000 140002000a000000000000000b00000000000000"},
	{"id 101 group 10,20/11,256", "0000000000000000 0800010065000000 140002000a000000130000000b000000ff000000"},
	{"id 103 group 17 fdb", "0000000000000000 0800010067000000 0c0002001100000000000000 04000b00"},
	{"id 104 group 10,3/11,2 type resilient buckets 32 idle_timer 60 unbalanced_timer 300",
		"0000000000000000 0800010068000000 140002000a000000020000000b00000001000000" +
			"1c000c80 0600010020000000 0800020070170000 0800030030750000 0600030001000000"},
	{"id 104 group 10 type resilient buckets 8 idle_timer 0 unbalanced_timer 1",
		"0000000000000000 0800010068000000 0c0002000a00000000000000" +
			"1c000c80 0600010008000000 0800020000000000 0800030064000000 0600030001000000"},
	{"id 104 group 10 type resilient", "0000000000000000 0800010068000000 0c0002000a00000000000000 0600030001000000"},
}

// The words of ip(8) are what it sends, in both directions.
func TestSent(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range sent {
		n := parseNextHop(t, tt.words)
		if got := n.String(); got != tt.words {
			report.Errorf("%q, want %q", got, tt.words)
		}
		if !littleEndian {
			continue
		}
		want := unhex(t, tt.payload)
		got, err := n.AppendBinary([]byte("head"))
		if err != nil || !bytes.Equal(got, append([]byte("head"), want...)) {
			report.Errorf("%s: %v\n got %x\nwant 68656164%x", tt.words, err, got, want)
		}
		var back nexthop.Object
		if err := back.UnmarshalBinary(want); err != nil || !back.Equal(n) {
			report.Errorf("%s: %v\n%s", tt.words, err, cmp.Diff(n.String(), back.String()))
		}
	}
}

// encap is the payload of NHA_ENCAP for "encap ip id 5 dst 10.0.0.1".
const encap = "0c0001000000000000000005080002000a0000010800030000000000" +
	"050005000000000005000400000000000600060000000000"

// reported is what the kernel (Linux 6.18) sent for a dump, and the words for
// it, which are those of "ip nexthop show" but for an encapsulation.
var reported = []struct{ payload, words string }{
	{"02fd000000000000 080001000a000000 0800050005000000 08000600c0a80201", "id 10 via 192.168.2.1 dev if5 scope link"},
	{"0200000000000000 080001000d000000 04000400", "id 13 blackhole"},
	{"0afd000000000000 080001000f000000 0800050003000000 1400060020010db8000100000000000000000001",
		"id 15 via 2001:db8:1::1 dev if3 scope link"},
	{"02fd000000000000 0800010011000000 04000b00 08000600c0a80209", "id 17 via 192.168.2.9 scope link fdb"},
	{"02fd000000000000 0800010014000000 0800050005000000 08000600c0a80201" +
		"38000800" + encap + "0600070002000000",
		"id 20 via 192.168.2.1 dev if5 scope link attribute 8 " + encap + " attribute 7 0200"},
	{"0000000000000000 0800010064000000 0600030000000000 140002000a000000000000000b00000000000000 08000e0000000080",
		"id 100 group 10/11"},
	{"0000000000000000 0800010067000000 04000b00 0600030000000000 0c0002001100000000000000 08000e0000000080",
		"id 103 group 17 fdb"},
	{"0000000000000000 0800010068000000 0600030001000000 140002000a000000020000000b00000001000000" +
		"28000c80 0600010008000000 0800020070170000 0800030030750000 0c0004000000000000000000 08000e0000000080",
		"id 104 group 10,3/11,2 type resilient buckets 8 idle_timer 60 unbalanced_timer 300"},
}

func TestReported(t *testing.T) {
	if !littleEndian {
		return // the payloads are of a little-endian machine
	}
	for _, tt := range reported {
		var n nexthop.Object
		if err := n.UnmarshalBinary(unhex(t, tt.payload)); err != nil || n.String() != tt.words {
			t.Errorf("%s: %v\n got %s\nwant %s", tt.payload, err, n, tt.words)
		}
		checkNextHop(t, n)
	}
}

// checkNextHop sends n through bytes and through text.
func checkNextHop(t *testing.T, n nexthop.Object) {
	t.Helper()
	b, err := n.MarshalBinary()
	if err != nil {
		t.Fatalf("%s: %v", n, err)
	}
	var back nexthop.Object
	if err := back.UnmarshalBinary(b); err != nil || !back.Equal(n) {
		t.Fatalf("%s: %x is %s, %v", n, b, back, err)
	}
	if back := parseNextHop(t, n.String()); !back.Equal(n) {
		t.Fatalf("%+v: text %q is\n%+v", n, n, back)
	}
	if c := n.Canonical(); !c.Canonical().Equal(c) {
		t.Fatalf("the canonical form %s has another, %s", c, c.Canonical())
	}
}

// No field is missing above, and none in Equal.
func TestFields(t *testing.T) {
	report := testrun.Limit(t)
	full := nexthop.Object{
		ID: 1, Family: route.IPv4, Protocol: 2, Scope: 3, Flags: 4, Gateway: netip.MustParseAddr("10.0.0.1"),
		OIF: 5, Blackhole: true, FDB: true, Group: []nexthop.Member{{ID: 6, Weight: 7}}, GroupType: 8,
		Resilient: nexthop.ResilientGroup{
			Buckets: 9, IdleTimer: route.Some(10 * time.Second), UnbalancedTimer: route.Some(time.Minute),
			UnbalancedTime: 20 * time.Millisecond, Unknown: "\x04\x00\x63\x00",
		},
		Unknown: "\x04\x00\x62\x00",
	}
	if littleEndian {
		checkNextHop(t, full)
	}
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if v.Field(i).IsZero() {
			report.Errorf("%s is not set", name)
		}
		other := full
		reflect.ValueOf(&other).Elem().Field(i).SetZero()
		if other.Equal(full) {
			report.Errorf("Equal does not look at %s", name)
		}
	}
	for i, r := 0, reflect.ValueOf(full.Resilient); i < r.NumField(); i++ {
		if r.Field(i).IsZero() {
			report.Errorf("Resilient.%s is not set", r.Type().Field(i).Name)
		}
	}
}

func TestAppendError(t *testing.T) {
	report := testrun.Limit(t)
	res := func(r nexthop.ResilientGroup) nexthop.Object { return nexthop.Object{Resilient: r} }
	for _, tt := range []struct {
		n    nexthop.Object
		want string
	}{
		{nexthop.Object{Family: route.IPv6, Gateway: netip.MustParseAddr("10.0.0.1")},
			"nexthop: encode: NHA_GATEWAY: 10.0.0.1 is not an address of family inet6"},
		{nexthop.Object{Family: route.IPv6, Gateway: netip.MustParseAddr("fe80::1%eth0")},
			"nexthop: encode: NHA_GATEWAY: fe80::1%eth0 has a zone"},
		{res(nexthop.ResilientGroup{IdleTimer: route.Some(15 * time.Millisecond)}),
			"nexthop: encode: NHA_RES_GROUP: NHA_RES_GROUP_IDLE_TIMER: 15ms is not a multiple of 10ms"},
		{res(nexthop.ResilientGroup{UnbalancedTimer: route.Some(-time.Second)}),
			"nexthop: encode: NHA_RES_GROUP: NHA_RES_GROUP_UNBALANCED_TIMER: -1s is not a multiple of 10ms"},
		{res(nexthop.ResilientGroup{UnbalancedTimer: route.Some(12000 * time.Hour)}),
			"nexthop: encode: NHA_RES_GROUP: NHA_RES_GROUP_UNBALANCED_TIMER: 12000h0m0s is longer than 11930h27m52.95s"},
		{nexthop.Object{Group: make([]nexthop.Member, 9000)},
			"nexthop: encode: NHA_GROUP: 72000 bytes do not fit into an attribute"},
	} {
		got, err := tt.n.AppendBinary([]byte("head"))
		if err == nil || err.Error() != tt.want || string(got) != "head" {
			report.Errorf("\n got %v, %q\nwant %s", err, got, tt.want)
		}
	}
}

func TestUnmarshalError(t *testing.T) {
	report := testrun.Limit(t)
	if !littleEndian {
		return // the payloads are of a little-endian machine
	}
	const header = "0200000000000000"
	for _, tt := range []struct{ payload, want string }{
		{"02000000000000", "7 bytes are too short for a nexthop message: its header alone has 8"},
		{header + "0400", "attribute is cut off or has no valid length"},
		{header + "0600010001000000", "NHA_ID: 2 bytes of payload, want 4"},
		{header + "0c000200010000000000", "attribute is cut off or has no valid length"},
		{header + "0a00020001000000 00000000", "NHA_GROUP: 6 bytes are not a multiple of 8, the size of an entry"},
		{header + "0500030001000000", "NHA_GROUP_TYPE: 1 bytes of payload, want 2"},
		{header + "0600050001000000", "NHA_OIF: 2 bytes of payload, want 4"},
		{header + "0600060001000000", "NHA_GATEWAY: 2 bytes of address in a message of family inet"},
		{header + "1400060020010db8000100000000000000000001", "NHA_GATEWAY: 16 bytes of address in a message of family inet"},
		{header + "0c000c80 05000100 01000000", "NHA_RES_GROUP: NHA_RES_GROUP_BUCKETS: 1 bytes of payload, want 2"},
		{header + "0c000c80 06000200 01000000", "NHA_RES_GROUP: NHA_RES_GROUP_IDLE_TIMER: 2 bytes of payload, want 4"},
		{header + "10000c80 0c000400 ffffffffffffffff", "NHA_RES_GROUP: NHA_RES_GROUP_UNBALANCED_TIME: " +
			"18446744073709551615 times 10ms is too long for a time.Duration"},
		{header + "06000e0001000000", "NHA_OP_FLAGS: 2 bytes of payload, want 4"},
	} {
		n := nexthop.Object{ID: 5}
		err := n.UnmarshalBinary(unhex(t, tt.payload))
		if err == nil || err.Error() != "nexthop: decode: "+tt.want || !n.Equal(nexthop.Object{ID: 5}) {
			report.Errorf("%s:\n got %v, %s\nwant nexthop: decode: %s", tt.payload, err, n, tt.want)
		}
	}
}

// Random objects of all fields together, through bytes and through text.
func TestRoundTrip(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		checkNextHop(t, randomNextHop(g))
	}
}

func randomNextHop(g *rand.Rand) nexthop.Object {
	n := nexthop.Object{
		ID: g.Uint32N(1000), Family: route.IPv4, Protocol: route.Protocol(g.UintN(256)), Scope: route.Scope(g.UintN(256)),
		OIF: g.Uint32N(3), Blackhole: g.IntN(4) == 0, FDB: g.IntN(4) == 0,
	}
	if g.IntN(2) == 0 {
		n.Flags = route.FlagOnLink
	}
	switch g.IntN(3) {
	case 0:
		n.Family = route.IPv6
	case 1:
		n.Gateway = netip.AddrFrom4([4]byte{10, byte(g.Uint32()), byte(g.Uint32()), byte(g.Uint32())})
	default:
		n.Family, n.Gateway = route.IPv6, netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(g.Uint32())})
	}
	if g.IntN(3) > 0 {
		return n
	}
	n.Family, n.Gateway, n.GroupType = 0, netip.Addr{}, nexthop.GroupType(g.UintN(2))
	for range 1 + g.IntN(5) {
		n.Group = append(n.Group, nexthop.Member{ID: g.Uint32(), Weight: uint16(1 + g.UintN(65535))})
	}
	ticks := func() time.Duration { return 10 * time.Millisecond * time.Duration(g.Uint32()) }
	if g.IntN(2) == 0 {
		n.Resilient.Buckets = uint16(g.Uint32())
	}
	if g.IntN(2) == 0 {
		n.Resilient.IdleTimer = route.Some(ticks())
	}
	if g.IntN(2) == 0 {
		n.Resilient.UnbalancedTimer, n.Resilient.UnbalancedTime = route.Some(ticks()%time.Second), ticks()
	}
	return n
}

func TestAllocs(t *testing.T) {
	n := parseNextHop(t, "id 10 via 192.168.2.1 dev if5 proto static onlink")
	b, err := n.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 256)
	if got := testing.AllocsPerRun(1000, func() { buf, err = n.AppendBinary(buf[:0]) }); got != 0 || err != nil {
		t.Errorf("AppendBinary: %v allocations, %v", got, err)
	}
	var back nexthop.Object
	if got := testing.AllocsPerRun(1000, func() { err = back.UnmarshalBinary(b) }); got != 0 || err != nil {
		t.Errorf("UnmarshalBinary: %v allocations, %v", got, err)
	}
}

// No attribute of linux/nexthop.h that an object can have is missing above.
func TestGoldenComplete(t *testing.T) {
	if !littleEndian {
		return // the payloads are of a little-endian machine
	}
	seen := map[uint16]bool{}
	for _, tt := range reported {
		for num := range route.Attributes(unhex(t, tt.payload)[uapi.SizeofNhmsg:]).All() {
			seen[num&0x3fff] = true
		}
	}
	for num := uapi.NHA_ID; num <= uapi.NHA_OP_FLAGS; num++ {
		switch num {
		case uapi.NHA_GROUPS, uapi.NHA_MASTER, uapi.NHA_RES_BUCKET: // of requests, and of buckets
			continue
		}
		if !seen[uint16(num)] {
			t.Errorf("no golden bytes for %s", num)
		}
	}
}
