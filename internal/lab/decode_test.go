package lab

import (
	"encoding/hex"
	"testing"
)

// Packets that a kernel does not send by itself.
func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		ether    uint16
		want     string
	}{
		{"empty", "", etherIPv4, "in  ethertype 0x0800 length 0"},
		{"not IPv4", "6500001400000000401100000a0000010a000002", etherIPv4, "in  ethertype 0x0800 length 20"},
		{"header longer than the packet", "4f00001400000000401100000a0000010a000002", etherIPv4,
			"in  10.0.0.1 > 10.0.0.2 udp length 20"},
		{"options", "46000020000000004011" + "00000a0000010a000002" + "01010101" + "0102030400080000", etherIPv4,
			"in  10.0.0.1:258 > 10.0.0.2:772 udp length 32"},
		{"unknown protocol", "450000140000000040fd00000a0000010a000002", etherIPv4,
			"in  10.0.0.1 > 10.0.0.2 proto 253 length 20"},
		{"hop-by-hop, routing, fragment, destination, authentication, TCP",
			"6000000000540040" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002" +
				"2b00050200000100" + "2c00000000000000" + "3c00000000000001" + "3300010400000000" +
				"0604000000000001000000010000000000000000000000ff" +
				"01020304" + "0000000000000000" + "5012ffff00000000", etherIPv6,
			"in  [2001:db8::1]:258 > [2001:db8::2]:772 tcp [S.] length 116"},
		{"extension longer than the packet",
			"6000000000080040" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002" +
				"11ff000000000000", etherIPv6,
			"in  2001:db8::1 > 2001:db8::2 proto 0 length 48"},
		{"ARP for something else", "0006080006040001", etherARP, "in  ethertype 0x0806 length 8"},
		{"LLDP", "0207", 0x88cc, "in  ethertype 0x88cc length 2"},
	} {
		b, err := hex.DecodeString(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		r := record{length: uint32(len(b))}
		r.decode(tt.ether, b)
		if got := r.packet().String(); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// Decoding ends for any bytes, the addresses have the family of the frame, and a truncated
// packet has the same values as the whole packet, or fewer.
func FuzzPacket(f *testing.F) {
	for _, s := range []string{
		"4500002100004000401126ba0a0000010a00000200090035000d0000",
		"6000000000080040" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002" + "1100050200000100",
		"0001080006040001020000000001" + "0a000001" + "000000000000" + "0a000002",
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		for _, ether := range []uint16{etherIPv4, etherIPv6, etherARP, 0x88cc} {
			f.Add(ether, b)
		}
	}
	f.Fuzz(func(t *testing.T, ether uint16, b []byte) {
		var r record
		r.decode(ether, b)
		p := r.packet()
		if p.String() == "" || p.EtherType != ether {
			t.Errorf("got %v for ethertype %#x", p, ether)
		}
		switch src, dst := p.Src.Addr(), p.Dst.Addr(); {
		case src.IsValid() != dst.IsValid():
			t.Errorf("one address of two: %v", p)
		case src.IsValid() && src.Is4() == (ether == etherIPv6):
			t.Errorf("wrong family: %v", p)
		case !src.IsValid() && p != Packet{Time: p.Time, EtherType: ether}:
			t.Errorf("no address but more: %+v", p)
		}
		for i := range b {
			var part record
			part.decode(ether, b[:i])
			if part.hasAddrs && (part.src != r.src || part.dst != r.dst) {
				t.Errorf("cut to %d bytes: %v, whole: %v", i, part.packet(), p)
			}
		}
	})
}
