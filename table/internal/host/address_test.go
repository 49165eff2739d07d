package host

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// What the kernel says of addresses: plain ones, those with a peer, and IPv6 ones
// that cannot be used yet, or never.
func TestDecodeAddress(t *testing.T) {
	message := func(family, bits, flags, scope byte, attrs ...any) []byte {
		b := binary.NativeEndian.AppendUint32([]byte{family, bits, flags, scope}, 7)
		for i := 0; i < len(attrs); i += 2 {
			b = attr.Append(b, uint16(attrs[i].(int)), attrs[i+1].([]byte))
		}
		return b
	}
	flags := func(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }
	a, peer := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.1")
	a6 := netip.MustParseAddr("2001:db8::2")
	for _, tt := range []struct {
		name string
		b    []byte
		want Address
	}{
		{"plain", message(uapi.AF_INET, 24, 0x80, uapi.RT_SCOPE_UNIVERSE, uapi.IFA_ADDRESS, a.AsSlice(), uapi.IFA_LOCAL, a.AsSlice()),
			Address{Index: 7, Addr: a, Subnet: netip.MustParsePrefix("10.0.0.0/24"), Global: true}},
		{"peer", message(uapi.AF_INET, 32, 0x80, uapi.RT_SCOPE_UNIVERSE, uapi.IFA_ADDRESS, peer.AsSlice(), uapi.IFA_LOCAL, a.AsSlice()),
			Address{Index: 7, Addr: a, Subnet: netip.MustParsePrefix("10.0.0.1/32"), Global: true}},
		{"single", message(uapi.AF_INET, 32, 0x80, uapi.RT_SCOPE_HOST, uapi.IFA_ADDRESS, a.AsSlice(), uapi.IFA_LOCAL, a.AsSlice()),
			Address{Index: 7, Addr: a}},
		{"IPv6", message(uapi.AF_INET6, 64, 0, uapi.RT_SCOPE_UNIVERSE, uapi.IFA_ADDRESS, a6.AsSlice(), uapi.IFA_FLAGS, flags(0x80)),
			Address{Index: 7, Addr: a6, Subnet: netip.MustParsePrefix("2001:db8::/64"), Global: true}},
		{"tentative", message(uapi.AF_INET6, 128, 0, uapi.RT_SCOPE_LINK, uapi.IFA_ADDRESS, a6.AsSlice(), uapi.IFA_FLAGS, flags(uapi.IFA_F_TENTATIVE)),
			Address{Index: 7, Addr: a6, Tentative: true, Dynamic: true}},
		{"failed", message(uapi.AF_INET6, 128, 0, uapi.RT_SCOPE_LINK, uapi.IFA_ADDRESS, a6.AsSlice(), uapi.IFA_FLAGS, flags(uapi.IFA_F_DADFAILED)),
			Address{Index: 7, Addr: a6, Tentative: true, Dynamic: true}},
		{"optimistic", message(uapi.AF_INET6, 128, 0, uapi.RT_SCOPE_LINK, uapi.IFA_ADDRESS, a6.AsSlice(),
			uapi.IFA_FLAGS, flags(uapi.IFA_F_TENTATIVE|uapi.IFA_F_OPTIMISTIC)), Address{Index: 7, Addr: a6, Dynamic: true}},
		{"secondary and deprecated", message(uapi.AF_INET, 24, uapi.IFA_F_SECONDARY, uapi.RT_SCOPE_UNIVERSE, uapi.IFA_ADDRESS, a.AsSlice(),
			uapi.IFA_LOCAL, a.AsSlice(), uapi.IFA_FLAGS, flags(uapi.IFA_F_SECONDARY|uapi.IFA_F_DEPRECATED)),
			Address{Index: 7, Addr: a, Subnet: netip.MustParsePrefix("10.0.0.0/24"), Global: true, Secondary: true, Deprecated: true, Dynamic: true}},
		{"temporary", message(uapi.AF_INET6, 128, 0, uapi.RT_SCOPE_UNIVERSE, uapi.IFA_ADDRESS, a6.AsSlice(),
			uapi.IFA_FLAGS, flags(uapi.IFA_F_TEMPORARY|uapi.IFA_F_DEPRECATED)),
			Address{Index: 7, Addr: a6, Global: true, Temporary: true, Deprecated: true, Dynamic: true}},
		{"none", message(uapi.AF_INET, 0, 0, uapi.RT_SCOPE_UNIVERSE), Address{Index: 7, Global: true, Dynamic: true}},
	} {
		if got, err := decodeAddress(tt.b); err != nil || got != tt.want {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
	if _, err := decodeAddress(make([]byte, uapi.SizeofIfAddrmsg-1)); err == nil {
		t.Error("a message without a whole header is accepted")
	}
}

// FuzzDecodeAddress: any message that has a header is read, whatever attributes it has.
func FuzzDecodeAddress(f *testing.F) {
	b := []byte{uapi.AF_INET, 24, 0x80, uapi.RT_SCOPE_UNIVERSE, 7, 0, 0, 0}
	b = attr.Append(b, uapi.IFA_LOCAL, []byte{10, 0, 0, 2})
	f.Add(b)
	f.Add(append(attr.Append(b, 999, []byte{1}), 9, 0, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := decodeAddress(b); (err == nil) != (len(b) >= uapi.SizeofIfAddrmsg) {
			t.Errorf("%x: %v", b, err)
		}
	})
}
