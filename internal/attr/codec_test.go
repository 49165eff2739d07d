package attr

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// full has each attribute of the codec set, and two that it has no row for: a
// nested one, and one with three bytes of payload.
var full = message{
	priority:  opt[uint32]{0, true},
	src:       netip.MustParseAddr("192.168.1.6"),
	iif:       "eth0",
	port:      80,
	flowLabel: 0xfffff,
	tunID:     100,
	flow:      realms{122, 13},
	table:     256,
	proto:     6,
	portMask:  0xfff0,
	l3mdev:    true,
	odd:       []byte{},
}

// goldenFull is full in the order of the rows, without the unknown ones. The
// attributes are those that ip(8) 7.1.0 sends; fe3f and 6400 are made up.
const goldenFull = "0800 0600 00000000" + // pref 0
	" 0800 0200 =c0a80106" + // from 192.168.1.6
	" 0900 0300 =6574683000 =000000" + // iif eth0
	" 0600 fe3f =0050 =0000" +
	" 0800 1a00 =000fffff" + // flowlabel 0xfffff
	" 0c00 0c00 =0000000000000064" + // tun_id 100
	" 0800 0b00 0d007a00" + // realms 122/13
	" 0800 0f00 00010000" + // table 256
	" 0500 1600 =06 =000000" + // ipproto tcp
	" 0600 1d00 f0ff =0000" + // dport 80/0xfff0
	" 0500 1300 =01 =000000" + // l3mdev
	" 0400 6400"

// The same as a nested attribute of a newer kernel, and one that is not padded.
const (
	goldenNested = " 0c00 e883 0800 0100 01000000" // 0x3e8 with NLA_F_NESTED
	goldenThree  = " 0700 e903 =010203"            // 0x3e9
)

func TestAppend(t *testing.T) {
	c := newCodec()
	m := full
	m.unknown = string(recorded(t, goldenNested))
	prefix := []byte("header")
	got, err := c.Append(bytes.Clone(prefix), &m)
	if err != nil {
		t.Fatal(err)
	}
	want := append(prefix, recorded(t, goldenFull+goldenNested)...)
	if !bytes.Equal(got, want) {
		t.Errorf("Append:\ngot  %x\nwant %x", got, want)
	}
	if got, err := c.Append(nil, &message{}); err != nil || len(got) != 0 {
		t.Errorf("Append of a zero message: got %x, %v, want nothing", got, err)
	}
}

func TestDecode(t *testing.T) {
	c := newCodec()
	var m message
	if err := c.Decode(recorded(t, goldenFull), &m); err != nil {
		t.Fatal(err)
	}
	if !equal(&m, &full) {
		t.Errorf("Decode:\ngot  %+v\nwant %+v", m, full)
	}
	m = message{}
	if err := c.Decode(nil, &m); err != nil || !equal(&m, &message{}) {
		t.Errorf("Decode of nothing: got %+v, %v", m, err)
	}
}

// equal is == for messages but for the slice, in which nil and empty differ.
func equal(a, b *message) bool {
	x, y := *a, *b
	same := bytes.Equal(x.odd, y.odd) && (x.odd == nil) == (y.odd == nil)
	x.odd, y.odd = nil, nil
	return same && x.priority == y.priority && x.src == y.src && x.iif == y.iif && x.flow == y.flow &&
		x.tunID == y.tunID && x.table == y.table && x.l3mdev == y.l3mdev && x.proto == y.proto &&
		x.flowLabel == y.flowLabel && x.portMask == y.portMask && x.port == y.port && x.unknown == y.unknown
}

// What the codec does not know stands in the message afterwards as it stood
// before, flags included. Padding is zeros, also where the last one has none.
func TestUnknown(t *testing.T) {
	report := testrun.Limit(t)
	c := newCodec()
	var m message
	if err := c.Decode(recorded(t, goldenNested+" 0800 0f00 00010000"+goldenThree), &m); err != nil {
		t.Fatal(err)
	}
	want := string(recorded(t, goldenNested+goldenThree+" =00"))
	if m.unknown != want || m.table != 256 {
		report.Errorf("got %x and table %d, want %x and 256", m.unknown, m.table, want)
	}
	got, err := c.Append(nil, &m)
	if want := recorded(t, "0800 0f00 00010000"+goldenNested+goldenThree+" =00"); err != nil || !bytes.Equal(got, want) {
		report.Errorf("Append: error %v\ngot  %x\nwant %x", err, got, want)
	}
	var dirty message
	if err := c.Decode(recorded(t, goldenThree+" =ff"), &dirty); err != nil || dirty.unknown != want[12:] {
		report.Errorf("with something in the padding: got %x, %v, want %x", dirty.unknown, err, want[12:])
	}
	n := 0
	for num, p := range All(m.unknown) {
		switch n++; n {
		case 1:
			if num != 0x83e8 || !bytes.Equal(p, recorded(t, "0800 0100 01000000")) {
				report.Errorf("All: first %#x %x", num, p)
			}
		case 2:
			if num != 0x3e9 || string(p) != "\x01\x02\x03" {
				report.Errorf("All: second %#x %x", num, p)
			}
		}
	}
	if n != 2 {
		report.Errorf("All yields %d attributes, want 2", n)
	}
}

// Keeping an unpadded attribute does not write into the caller's bytes.
func TestUnknownLeavesInput(t *testing.T) {
	b := recorded(t, goldenThree+" =ff")
	var m message
	if err := newCodec().Decode(b[:7], &m); err != nil || b[7] != 0xff {
		t.Errorf("error %v, byte after the message is %#x, want 0xff", err, b[7])
	}
}

func TestDecodeSpecial(t *testing.T) {
	report := testrun.Limit(t)
	tests := []struct {
		name  string
		bytes string
		want  message
	}{
		{"the last of two counts", "0800 0f00 01000000 0800 0f00 02000000", message{table: 2}},
		{"flag bits of a known one", "0800 0f80 02000000 0800 0640 03000000",
			message{table: 2, priority: opt[uint32]{3, true}}},
		{"without the last padding", "0500 1600 =06", message{proto: 6}},
		{"with some of it", "0500 1600 =06 =00", message{proto: 6}},
		{"padding is dropped", "0400 1200 0800 0f00 02000000 0800 1200 00000000", message{table: 2}},
		{"too long", "0900 0f00 02000000 =07000000", message{table: 2}},
		{"zero of an optional one", "0800 0600 00000000", message{priority: opt[uint32]{0, true}}},
		{"zero of one that is not", "0800 0f00 00000000", message{}},
	}
	c := newCodec()
	for _, tt := range tests {
		var m message
		if err := c.Decode(recorded(t, tt.bytes), &m); err != nil || !equal(&m, &tt.want) {
			report.Errorf("%s: error %v\ngot  %+v\nwant %+v", tt.name, err, m, tt.want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	report := testrun.Limit(t)
	tests := []struct {
		name  string
		bytes string
		want  string
	}{
		{"u32", "0700 0f00 =010203 =00", "FRA_TABLE: 3 bytes of payload, want 4"},
		{"optional", "0600 0600 =0102 =0000", "FRA_PRIORITY: 2 bytes of payload, want 4"},
		{"empty", "0400 0f00", "FRA_TABLE: 0 bytes of payload, want 4"},
		{"u8", "0400 1600", "FRA_IP_PROTO: 0 bytes of payload, want 1"},
		{"u16", "0500 1d00 =01 =000000", "FRA_DPORT_MASK: 1 bytes of payload, want 2"},
		{"be64", "0800 0c00 00000000", "FRA_TUN_ID: 4 bytes of payload, want 8"},
		{"address", "0900 0200 =0102030405 =000000", "FRA_SRC: 5 bytes of address, want 4 or 16"},
		{"a row's own", "1100 6400 =00000000000000000000000000 =000000", "FRA_100: odd"},
		{"after others", "0800 0f00 02000000 0400 1300", "FRA_L3MDEV: 0 bytes of payload, want 1"},
		{"header cut off", "0800 0f00 02000000 0800 =0f", errTruncated.Error()},
		{"payload cut off", "0800 0f00 =020000", errTruncated.Error()},
		{"no length", "0000 0f00 02000000", errTruncated.Error()},
		{"length of less than a header", "0300 0f00 02000000", errTruncated.Error()},
	}
	c := newCodec()
	for _, tt := range tests {
		err := c.Decode(recorded(t, tt.bytes), new(message))
		if err == nil || err.Error() != tt.want {
			report.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
		var named *Error
		if got, want := errors.As(err, &named), tt.want != errTruncated.Error(); got != want {
			report.Errorf("%s: the error is an *Error: %t, want %t", tt.name, got, want)
		}
	}
}

func TestAppendErrors(t *testing.T) {
	report := testrun.Limit(t)
	tests := []struct {
		name string
		m    message
		want string
	}{
		{"zone", message{src: netip.MustParseAddr("fe80::1%eth0")}, "FRA_SRC: address fe80::1%eth0 has a zone"},
		{"name", message{priority: opt[uint32]{1, true}, iif: "1234567890123456"},
			`FRA_IIFNAME: interface name "1234567890123456" is longer than 15 bytes`},
		{"a row's own", message{table: 1, odd: []byte{1}, oddErr: errOdd}, "FRA_100: odd"},
		{"too long", message{table: 1, odd: make([]byte, 65532)}, "FRA_100: 65532 bytes do not fit into an attribute"},
		{"much too long", message{odd: make([]byte, 1<<20)}, "FRA_100: 1048576 bytes do not fit into an attribute"},
	}
	c := newCodec()
	for _, tt := range tests {
		for _, room := range []int{0, 1 << 21} { // with and without growing
			b := append(make([]byte, 0, room+6), "header"...)
			got, err := c.Append(b, &tt.m)
			if err == nil || err.Error() != tt.want {
				report.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
			}
			if string(got) != "header" {
				report.Errorf("%s: the bytes are %q afterwards, want %q", tt.name, got[:min(len(got), 32)], "header")
			}
			var named *Error
			if !errors.As(err, &named) || named.Unwrap() == nil {
				report.Errorf("%s: %#v is not an *Error", tt.name, err)
			}
		}
	}
	b, err := c.Append(nil, &message{odd: make([]byte, MaxPayload)})
	if err != nil || len(b) != 65536 || !bytes.Equal(b[:4], recorded(t, "ffff 6400")) {
		report.Errorf("the longest payload: %d bytes, error %v", len(b), err)
	}
	var m message
	if err := c.Decode(b, &m); err != nil || len(m.odd) != 65531 {
		report.Errorf("the longest payload: decoded %d bytes, error %v", len(m.odd), err)
	}
}

// A message may have more rows than a byte can number.
func TestManyRows(t *testing.T) {
	type big struct {
		v       [300]uint8
		unknown string
	}
	var rows []Row[big]
	for i := range 300 {
		rows = append(rows, Field(uapi.FRA(i+1), U8, func(m *big) *uint8 { return &m.v[i] }))
	}
	c := NewCodec(func(m *big) *string { return &m.unknown }, rows...)
	var m, got big
	for i := range m.v {
		m.v[i] = uint8(i%255 + 1)
	}
	b, err := c.Append(nil, &m)
	if err == nil {
		err = c.Decode(b, &got)
	}
	if err != nil || got != m {
		t.Errorf("error %v, unknown %x", err, got.unknown)
	}
}

func TestName(t *testing.T) {
	report := testrun.Limit(t)
	c := newCodec()
	for num, want := range map[uint16]string{
		uint16(uapi.FRA_TABLE): "FRA_TABLE", uint16(uapi.FRA_PAD): "FRA_PAD", uint16(portNum): "FRA_16382",
		uint16(uapi.FRA_DST): "", 0: "", 0x3fff: "", 0xffff: "",
	} {
		if got := c.Name(num); got != want {
			report.Errorf("Name(%d): got %q, want %q", num, got, want)
		}
	}
}

func TestBorrowIsZero(t *testing.T) {
	c := newCodec()
	for range 100 {
		m := c.Borrow()
		if !equal(m, &message{}) || m.oddErr != nil {
			t.Fatalf("borrowed %+v", m)
		}
		*m = full
		m.oddErr = errOdd
		c.Return(m)
	}
}

// Encoding and decoding cost no allocation, as long as the buffer is large
// enough and nothing is kept that needs a copy, such as a string.
func TestAllocations(t *testing.T) {
	c := newCodec()
	b := recorded(t, strings.Replace(goldenFull, " 0900 0300 =6574683000 =000000", "", 1))
	b = b[:len(b)-4] // the row that makes a slice
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		m := c.Borrow()
		if err := c.Decode(b, m); err != nil {
			t.Fatal(err)
		}
		var err error
		if buf, err = c.Append(buf[:0], m); err != nil {
			t.Fatal(err)
		}
		c.Return(m)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if !bytes.Equal(buf, b) {
		t.Errorf("decoded and encoded:\ngot  %x\nwant %x", buf, b)
	}
}

func TestConcurrent(t *testing.T) {
	report := testrun.Limit(t)
	c := newCodec()
	want := recorded(t, goldenFull)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				m := c.Borrow()
				err := c.Decode(want, m)
				if err == nil && !equal(m, &full) {
					report.Errorf("got %+v", m)
				}
				b, err2 := c.Append(nil, m)
				if err != nil || err2 != nil || !bytes.Equal(b, want) {
					report.Errorf("errors %v, %v, bytes %x", err, err2, b)
				}
				c.Return(m)
			}
		})
	}
	wg.Wait()
}

// The rows of a section are written in their place if it is present, and read
// in any case.
func TestSection(t *testing.T) {
	report := testrun.Limit(t)
	type pair struct {
		a, b, c uint8
		unknown string
	}
	c := NewCodec(func(m *pair) *string { return &m.unknown },
		Field(uapi.FRA(1), U8, func(m *pair) *uint8 { return &m.a }),
		Section(func(m *pair) bool { return m.b == 2 },
			Field(uapi.FRA(2), U8, func(m *pair) *uint8 { return &m.b }),
			Drop[pair](uapi.FRA(4))),
		Field(uapi.FRA(3), U8, func(m *pair) *uint8 { return &m.c }))
	for _, tt := range []struct {
		m    pair
		want string
	}{
		{pair{a: 1, b: 2, c: 3}, "0500 0100 =01 =000000 0500 0200 =02 =000000 0500 0300 =03 =000000"},
		{pair{a: 1, b: 9, c: 3}, "0500 0100 =01 =000000 0500 0300 =03 =000000"},
		{pair{b: 2}, "0500 0200 =02 =000000"},
	} {
		if got, err := c.Append(nil, &tt.m); err != nil || !bytes.Equal(got, recorded(t, tt.want)) {
			report.Errorf("%+v: got %x, %v, want %s", tt.m, got, err, tt.want)
		}
	}
	var got pair
	if err := c.Decode(recorded(t, "0500 0200 =09 =000000 0400 0400"), &got); err != nil || got != (pair{b: 9}) {
		report.Errorf("decoded %+v, %v", got, err)
	}
	if name := c.Name(2); name != "FRA_SRC" || c.Name(0) != "" {
		report.Errorf("names %q and %q", name, c.Name(0))
	}
}
