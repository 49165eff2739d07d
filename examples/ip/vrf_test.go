package main

import (
	"encoding/binary"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// The table of a VRF is read whatever other attributes the message has.
func TestDecodeVRF(t *testing.T) {
	vrf := func(more []byte, kind string, data []byte) []byte {
		b := append(make([]byte, uapi.SizeofIfInfomsg), more...)
		b = attr.Append(b, uapi.IFLA_IFNAME, []byte("red\x00"))
		info := attr.Append(nil, uapi.IFLA_INFO_KIND, []byte(kind))
		return attr.Append(b, uapi.IFLA_LINKINFO, attr.Append(info, uapi.IFLA_INFO_DATA, data))
	}
	table := attr.Append(nil, uapi.IFLA_VRF_TABLE, binary.NativeEndian.AppendUint32(nil, 1010))
	for name, more := range map[string][]byte{
		"plain": nil, "a short hardware address": attr.Append(nil, uapi.IFLA_ADDRESS, []byte{5}),
		"counters that are not known": attr.Append(nil, 23, make([]byte, 208)), "an unknown attribute": attr.Append(nil, 999, []byte{1}),
	} {
		if got, ok := decodeVRF(vrf(more, "vrf\x00", table), "red"); got != 1010 || !ok {
			t.Errorf("%s: %v, %t", name, got, ok)
		}
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "half a header": make([]byte, 5), "no attributes": make([]byte, uapi.SizeofIfInfomsg),
		"another kind": vrf(nil, "veth", table), "no table": vrf(nil, "vrf", nil), "half a table": vrf(nil, "vrf", attr.Append(nil, uapi.IFLA_VRF_TABLE, []byte{1})),
	} {
		if got, ok := decodeVRF(b, "red"); ok {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, ok := decodeVRF(vrf(nil, "vrf", table), "blue"); ok {
		t.Error("red is taken for blue")
	}
}
