package check

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// neighbourMessage is a message about an address on the interface 7 that nobody has
// answered for, with more attributes.
func neighbourMessage(dst []byte, more ...byte) []byte {
	b := make([]byte, uapi.SizeofNdMsg)
	b[uapi.NdMsgFamily] = uapi.AF_INET
	binary.NativeEndian.PutUint32(b[uapi.NdMsgIndex:], 7)
	binary.NativeEndian.PutUint16(b[uapi.NdMsgState:], uapi.NUD_FAILED)
	return append(attr.Append(b, uapi.NDA_DST, dst), more...)
}

// Only the address of a neighbour is needed: hardware addresses of any length, attributes
// that are not known, and bytes that are none do no harm.
func TestDecodeNeighbour(t *testing.T) {
	a := []byte{192, 0, 2, 1}
	want := neighbour{7, netip.MustParseAddr("192.0.2.1")}
	for _, n := range []int{0, 1, 4, 6, 8, 20, 32, 200} {
		b := neighbourMessage(a, attr.Append(nil, uapi.NDA_LLADDR, make([]byte, n))...)
		if got, state, ok := decodeNeighbour(b); !ok || got != want || state != uapi.NUD_FAILED {
			t.Errorf("a hardware address of %d bytes: %v, %#x, %t", n, got, state, ok)
		}
	}
	for name, more := range map[string][]byte{
		"an unknown attribute": attr.Append(nil, 999, []byte{1, 2, 3}), "half an attribute": {9, 0, 1}, "a wrong length": {0xff, 0xff, 2, 0, 1},
	} {
		if got, _, ok := decodeNeighbour(neighbourMessage(a, more...)); !ok || got != want {
			t.Errorf("%s: %v, %t", name, got, ok)
		}
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "half a header": make([]byte, uapi.SizeofNdMsg-1), "no address": make([]byte, uapi.SizeofNdMsg),
		"an address of another length": neighbourMessage(a[:3]),
	} {
		if got, _, ok := decodeNeighbour(b); ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzDecodeNeighbour(f *testing.F) {
	f.Add(neighbourMessage([]byte{192, 0, 2, 1}))
	f.Add(neighbourMessage(make([]byte, 16), attr.Append(nil, uapi.NDA_LLADDR, []byte{5})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, _, ok := decodeNeighbour(b); ok != n.addr.IsValid() {
			t.Errorf("%x: %v, %t", b, n, ok)
		}
	})
}
