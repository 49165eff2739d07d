package nexthop

import (
	"encoding/binary"
	"fmt"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// AppendBinary appends n as the payload of a nexthop message: struct nhmsg and the
// attributes. It adds no defaults, so [Object.UnmarshalBinary] returns the same object,
// except for Flags that only the kernel sets, which are not written. An error names the
// attribute that cannot be sent; AppendBinary then returns b unchanged.
func (n Object) AppendBinary(b []byte) ([]byte, error) {
	b, err := n.append(b)
	if err != nil {
		err = fmt.Errorf("nexthop: encode: %w", err)
	}
	return b, err
}

// MarshalBinary returns what AppendBinary appends.
func (n Object) MarshalBinary() ([]byte, error) { return n.AppendBinary(nil) }

// append is AppendBinary for the verbs, whose errors have text of their own.
func (n *Object) append(b []byte) ([]byte, error) {
	m := codec.Borrow()
	defer codec.Return(m)
	m.Object = *n
	start := len(b)
	b = append(b, uint8(n.Family), uint8(n.Scope), uint8(n.Protocol), 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(n.Flags&sentFlags))
	b, err := codec.Append(b, m)
	if err != nil {
		return b[:start], err
	}
	return b, nil
}

// UnmarshalBinary sets n to the object of a nexthop message with the payload b.
// Attributes that Object has no field for go to Unknown. An error names the
// attribute that cannot be read; n is then unchanged.
//
// Some kernels before 6.12 send random bits in the upper half of a group's weights.
// [Get] and the listings clear these bits. UnmarshalBinary cannot do that, because it
// does not know whether b comes from such a kernel.
func (n *Object) UnmarshalBinary(b []byte) error {
	m := codec.Borrow()
	defer codec.Return(m)
	if err := m.decode(b); err != nil {
		return fmt.Errorf("nexthop: decode: %w", err)
	}
	*n = m.Object
	return nil
}

// decode sets m to the message with the payload b.
func (m *message) decode(b []byte) error {
	if len(b) < uapi.SizeofNhmsg {
		return shortError(len(b))
	}
	*m = message{Object: Object{
		Family:   route.Family(b[uapi.NhmsgFamily]),
		Scope:    route.Scope(b[uapi.NhmsgScope]),
		Protocol: route.Protocol(b[uapi.NhmsgProtocol]),
		Flags:    route.Flags(binary.NativeEndian.Uint32(b[uapi.NhmsgFlags:])),
	}}
	return codec.Decode(b[uapi.SizeofNhmsg:], m)
}

// decodeReply is decode for a reply of the kernel. A kernel that does not send
// NHA_OP_FLAG_RESP_GRP_RESVD_0 may leave the upper halves of weights
// uninitialized.
func (m *message) decodeReply(b []byte) error {
	err := m.decode(b)
	if m.opFlags&uapi.NHA_OP_FLAG_RESP_GRP_RESVD_0 == 0 {
		for i := range m.Group {
			m.Group[i].Weight = (m.Group[i].Weight-1)&0xff + 1
		}
	}
	return err
}
