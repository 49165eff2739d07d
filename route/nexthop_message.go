package route

import (
	"encoding/binary"
	"fmt"

	"github.com/policyroute/policyroute/internal/uapi"
)

// AppendBinary appends n as the payload of a nexthop message, which is struct
// nhmsg and the attributes. It adds no default, so that UnmarshalBinary gives n
// back, except for those Flags that are the kernel's own: they are not
// written. An error names the attribute that cannot be sent; b is then as it
// was.
func (n NextHopObject) AppendBinary(b []byte) ([]byte, error) {
	b, err := n.append(b)
	if err != nil {
		err = fmt.Errorf("route: encode: %w", err)
	}
	return b, err
}

// MarshalBinary is AppendBinary into a slice of its own.
func (n NextHopObject) MarshalBinary() ([]byte, error) { return n.AppendBinary(nil) }

// append is AppendBinary for the verbs, which have an error of their own.
func (n *NextHopObject) append(b []byte) ([]byte, error) {
	m := objectCodec.Borrow()
	defer objectCodec.Return(m)
	m.NextHopObject = *n
	start := len(b)
	b = append(b, uint8(n.Family), uint8(n.Scope), uint8(n.Protocol), 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(n.Flags&ownFlags))
	b, err := objectCodec.Append(b, m)
	if err != nil {
		return b[:start], err
	}
	return b, nil
}

// UnmarshalBinary makes n the object whose message's payload is b. Attributes
// that NextHopObject has no field for go to Unknown. An error names the
// attribute that cannot be read; n is then as it was.
//
// In replies of some kernels before 6.12 the upper half of a group's weights
// is random. [GetNextHop] and the listings leave it out there; of a message
// alone it cannot be told.
func (n *NextHopObject) UnmarshalBinary(b []byte) error {
	m := objectCodec.Borrow()
	defer objectCodec.Return(m)
	if err := m.decode(b); err != nil {
		return fmt.Errorf("route: decode: %w", err)
	}
	*n = m.NextHopObject
	return nil
}

// decode reads b into m, whatever m was.
func (m *objectMessage) decode(b []byte) error {
	if len(b) < uapi.SizeofNhmsg {
		return fmt.Errorf("%d bytes are no nexthop message: its header has %d", len(b), uapi.SizeofNhmsg)
	}
	*m = objectMessage{NextHopObject: NextHopObject{
		Family:   Family(b[uapi.NhmsgFamily]),
		Scope:    Scope(b[uapi.NhmsgScope]),
		Protocol: Protocol(b[uapi.NhmsgProtocol]),
		Flags:    Flags(binary.NativeEndian.Uint32(b[uapi.NhmsgFlags:])),
	}}
	return objectCodec.Decode(b[uapi.SizeofNhmsg:], m)
}

// decodeReply is decode for what the kernel sent.
func (m *objectMessage) decodeReply(b []byte) error {
	err := m.decode(b)
	if m.opFlags&uapi.NHA_OP_FLAG_RESP_GRP_RESVD_0 == 0 {
		for i := range m.Group {
			m.Group[i].Weight = (m.Group[i].Weight-1)&0xff + 1
		}
	}
	return err
}
