package capture

import (
	"encoding/hex"
	"fmt"
	"testing"
)

// Headers by hand, whole and cut.
func TestDecode(t *testing.T) {
	const src6, dst6 = "20010db8000000000000000000000001", "20010db8000000000000000000000002"
	for _, c := range []struct{ name, in, want string }{
		{"UDP", "45b8001c00000000401100000a0000010a00000204d2003500080000", "10.0.0.1:1234 10.0.0.2:53 17 tos 0xb8 label 0x0"},
		{"options", "4600001c00000000400600000a0000010a0000020101010104d20035", "10.0.0.1:1234 10.0.0.2:53 6 tos 0x0 label 0x0"},
		{"later fragment", "4500001c00000001401100000a0000010a00000204d2003500080000", "10.0.0.1:0 10.0.0.2:0 17 tos 0x0 label 0x0"},
		{"header that is cut", "45000014000000004011000a", ""},
		{"header longer than the packet", "4f00001400000000401100000a0000010a000002", "10.0.0.1:0 10.0.0.2:0 17 tos 0x0 label 0x0"},
		{"ICMP", "4500001c00000000400100000a0000010a0000020800000000000000", "10.0.0.1:0 10.0.0.2:0 1 tos 0x0 label 0x0"},
		{"IPv6 UDP", "6b8abcde00081140" + src6 + dst6 + "04d2003500080000", "[2001:db8::1]:1234 [2001:db8::2]:53 17 tos 0xb8 label 0xabcde"},
		{"IPv6 extensions", "6000000000080040" + src6 + dst6 + "2c00000000000000" + "0600000000000000" + "04d20035",
			"[2001:db8::1]:1234 [2001:db8::2]:53 6 tos 0x0 label 0x0"},
		{"IPv6 later fragment", "6000000000082c40" + src6 + dst6 + "1100000800000000" + "04d20035", "[2001:db8::1]:0 [2001:db8::2]:0 17 tos 0x0 label 0x0"},
		{"neither", "0102", ""},
		{"nothing", "", ""},
	} {
		b, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		var p Packet
		if p.decode(b) {
			got = fmt.Sprintf("%v %v %d tos %#x label %#x", p.Src, p.Dst, p.Proto, p.TOS, p.FlowLabel)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// No packet from the wire makes decode panic, and its addresses are valid.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"4500001c", "6000000000080040", "45b8001c00000000401100000a0000010a00000204d2003500080000"} {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Packet
		if p.decode(b) && (!p.Src.IsValid() || p.Src.Addr().BitLen() != p.Dst.Addr().BitLen()) {
			t.Errorf("%x: %v", b, p)
		}
	})
}
