package attr

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// The goldens are payloads of what ip(8) 7.1.0 sent to Linux 6.18, except where
// a comment says otherwise.
func TestU8(t *testing.T) {
	testKind(t, U8[uint8](), []example[uint8]{
		{"=06", 6}, // ipproto tcp
		{"=ff", 255},
		{"=00", 0},
	})
	testShort(t, U8[uint8](), 1)
	testLong(t, U8[uint8](), "=06", 6)
}

func TestU16(t *testing.T) {
	testKind(t, U16[uint16](), []example[uint16]{
		{"f0ff", 0xfff0}, // dport 80/0xfff0
		{"0100", 1},
	})
	testShort(t, U16[uint16](), 2)
	testLong(t, U16[uint16](), "f0ff", 0xfff0)
}

func TestU32(t *testing.T) {
	testKind(t, U32[uint32](), []example[uint32]{
		{"feffffff", 4294967294}, // table 4294967294
		{"00010000", 256},        // table 256
		{"04030201", 0x01020304},
	})
	testShort(t, U32[uint32](), 4)
	testLong(t, U32[uint32](), "00010000", 256)
}

// FRA_FLOW has the source realm in the upper half, in host byte order.
func TestHalves(t *testing.T) {
	testKind(t, halves(), []example[realms]{
		{"05000000", realms{0, 5}}, // realms 5
		{"0d007a00", realms{122, 13}},
		{"00000100", realms{1, 0}},
	})
	testShort(t, halves(), 4)
	testLong(t, halves(), "0d007a00", realms{122, 13})
}

// RTA_SPORT is __be16 in net/ipv4/route.c.
func TestBE16(t *testing.T) {
	testKind(t, BE16[uint16](), []example[uint16]{
		{"=0050", 80},
		{"=1f90", 8080},
	})
	testShort(t, BE16[uint16](), 2)
	testLong(t, BE16[uint16](), "=1f90", 8080)
}

func TestBE32(t *testing.T) {
	testKind(t, BE32[uint32](), []example[uint32]{
		{"=000fffff", 0xfffff}, // flowlabel 0xfffff
		{"=01020304", 0x01020304},
	})
	testShort(t, BE32[uint32](), 4)
	testLong(t, BE32[uint32](), "=000fffff", 0xfffff)
}

func TestBE64(t *testing.T) {
	testKind(t, BE64[uint64](), []example[uint64]{
		{"=0000000000000064", 100}, // tun_id 100
		{"=0102030405060708", 0x0102030405060708},
	})
	testShort(t, BE64[uint64](), 8)
	testLong(t, BE64[uint64](), "=0000000000000064", 100)
}

func TestFlag(t *testing.T) {
	testKind(t, Flag[bool](), []example[bool]{
		{"=01", true}, // l3mdev
		{"=00", false},
	})
	testShort(t, Flag[bool](), 1)
	testLong(t, Flag[bool](), "=01", true)
	if got, err := Flag[bool]().Decode([]byte{2}); !got || err != nil {
		t.Errorf("Decode(2): got %t, %v, want true", got, err)
	}
}

func TestIfName(t *testing.T) {
	report := testrun.Limit(t)
	k := IfName[string]()
	testKind(t, k, []example[string]{
		{"=6574683000", "eth0"}, // iif eth0
		{"=31323334353637383930313233343500", "123456789012345"},
		{"=00", ""},
	})
	// A missing NUL is accepted, and what follows one is not read.
	for golden, want := range map[string]string{"=65746830": "eth0", "=657400683000": "et", "=": ""} {
		if got, err := k.Decode(recorded(t, golden)); got != want || err != nil {
			report.Errorf("Decode(%s): got %q, %v, want %q", golden, got, err, want)
		}
	}
	for _, name := range []string{"1234567890123456", "et\x00h0", "\x00"} {
		if got, err := k.Append(nil, name); err == nil {
			report.Errorf("Append(%q): got %x, want an error", name, got)
		}
	}
}

func TestAddr(t *testing.T) {
	report := testrun.Limit(t)
	k := Addr()
	testKind(t, k, []example[netip.Addr]{
		{"=c0a80106", netip.MustParseAddr("192.168.1.6")},
		{"=20010db8000100000000000000000006", netip.MustParseAddr("2001:db8:1::6")},
		{"=00000000000000000000ffff01020304", netip.MustParseAddr("::ffff:1.2.3.4")},
		{"=00000000", netip.IPv4Unspecified()},
	})
	for _, n := range []int{0, 1, 3, 5, 15, 17} {
		got, err := k.Decode(make([]byte, n))
		if want := "bytes of address, want 4 or 16"; err == nil || !strings.Contains(err.Error(), want) {
			report.Errorf("Decode of %d bytes: got %v, %v, want an error with %q", n, got, err, want)
		}
	}
	if got, err := k.Append(nil, netip.MustParseAddr("fe80::1%eth0")); err == nil {
		report.Errorf("Append of an address with a zone: got %x, want an error", got)
	}
}

func TestAppendAddr(t *testing.T) {
	report := testrun.Limit(t)
	for addr, want := range map[netip.Addr]string{
		{}:                                     "=ff",
		netip.MustParseAddr("192.168.1.6"):     "=ffc0a80106",
		netip.MustParseAddr("::ffff:10.0.0.1"): "=ff00000000000000000000ffff0a000001",
	} {
		if got, want := AppendAddr([]byte{0xff}, addr), recorded(t, want); !bytes.Equal(got, want) {
			report.Errorf("AppendAddr(%v): got %x, want %x", addr, got, want)
		}
	}
}

func TestDecodePrefix(t *testing.T) {
	report := testrun.Limit(t)
	tests := []struct {
		payload string
		bits    int
		n       uint8
		want    string // empty: an error
	}{
		{"=0a000000", 32, 8, "10.0.0.0/8"},       // from 10/8
		{"=c6336407", 32, 24, "198.51.100.7/24"}, // host bits are kept
		{"=00000000", 32, 0, "0.0.0.0/0"},
		{"=c0a80106", 32, 32, "192.168.1.6/32"},
		{"=20010db800aa00000000000000000000", 128, 48, "2001:db8:aa::/48"},
		{"=00000000000000000000ffff01020300", 128, 120, "::ffff:1.2.3.0/120"},
		{"=c0a80106", 32, 33, ""},
		{"=20010db800aa00000000000000000000", 128, 129, ""},
		{"=20010db800aa00000000000000000000", 32, 32, ""},
		{"=c0a80106", 128, 32, ""},
		{"=c0a801", 32, 8, ""},
		{"=", 32, 0, ""},
		{"=c0a80106", 0, 0, ""},
	}
	for _, tt := range tests {
		before := netip.MustParsePrefix("192.0.2.0/24")
		got := before
		err := DecodePrefix(recorded(t, tt.payload), tt.bits, tt.n, &got)
		switch {
		case tt.want == "" && (err == nil || got != before):
			report.Errorf("%s with %d of %d bits: got %v, %v, want an error and nothing changed", tt.payload, tt.n, tt.bits, got, err)
		case tt.want != "" && (err != nil || got.String() != tt.want):
			report.Errorf("%s with %d of %d bits: got %v, %v, want %s", tt.payload, tt.n, tt.bits, got, err, tt.want)
		}
	}
}

type example[V any] struct {
	golden string
	value  V
}

// testKind checks both directions of a kind.
func testKind[V comparable](t *testing.T, k Kind[V], examples []example[V]) {
	t.Helper()
	for _, x := range examples {
		want := recorded(t, x.golden)
		got, err := k.Append([]byte{0xff}, x.value)
		if err != nil || !bytes.Equal(got, append([]byte{0xff}, want...)) {
			t.Errorf("Append(%v) to ff: got %x, %v, want ff%x", x.value, got, err, want)
		}
		v, err := k.Decode(want)
		if err != nil || v != x.value {
			t.Errorf("Decode(%x): got %v, %v, want %v", want, v, err, x.value)
		}
	}
}

// testShort checks that a payload of fewer than n bytes is an error.
func testShort[V any](t *testing.T, k Kind[V], n int) {
	t.Helper()
	for i := range n {
		v, err := k.Decode(make([]byte, i, n))
		if want := (lengthError{i, n}); !errors.Is(err, want) {
			t.Errorf("Decode of %d bytes: got %v, %v, want %v", i, v, err, want)
		}
	}
}

// testLong checks that a payload which is too long is read from its start, as
// the kernel reads it.
func testLong[V comparable](t *testing.T, k Kind[V], golden string, want V) {
	t.Helper()
	if got, err := k.Decode(append(recorded(t, golden), 1, 2, 3)); got != want || err != nil {
		t.Errorf("Decode of %s and three bytes: got %v, %v, want %v", golden, got, err, want)
	}
}

// family4 is a Family.
type family4 struct{}

func (family4) Has(a netip.Addr) bool { return a.Is4() }
func (family4) String() string        { return "inet" }

func TestFamilyAddr(t *testing.T) {
	report := testrun.Limit(t)
	for text, want := range map[string]string{
		"192.0.2.1": "<nil>", "2001:db8::1": "2001:db8::1 is not an address of family inet",
		"fe80::1%eth0": "fe80::1%eth0 is not an address of family inet",
	} {
		if got := fmt.Sprint(CheckAddr(family4{}, netip.MustParseAddr(text))); got != want {
			report.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if err := CheckAddr(family4{}, netip.Addr{}); err == nil {
		report.Error("the zero Addr can be sent")
	}
	a := netip.MustParseAddr("2001:db8::1")
	for n, want := range map[int]string{
		0: "0 bytes of address in a message of family inet", 3: "3 bytes of address in a message of family inet",
		16: "16 bytes of address in a message of family inet",
	} {
		if err := DecodeAddr(make([]byte, n), family4{}, &a); err == nil || err.Error() != want || a.Is4() {
			report.Errorf("%d bytes: %v, %v, want %s", n, a, err, want)
		}
	}
	if err := DecodeAddr([]byte{192, 0, 2, 1}, family4{}, &a); err != nil || a != netip.MustParseAddr("192.0.2.1") {
		report.Errorf("%v, %v", a, err)
	}
}

// anyFamily is a Family that has all addresses.
type anyFamily struct{ family4 }

func (anyFamily) Has(netip.Addr) bool { return true }

func TestCheckAddrZone(t *testing.T) {
	err := CheckAddr(anyFamily{}, netip.MustParseAddr("fe80::1%eth0"))
	if err == nil || err.Error() != "fe80::1%eth0 has a zone" {
		t.Error(err)
	}
}
