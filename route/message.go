package route

import (
	"encoding/binary"
	"fmt"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// mplsBits is the length of a label, the destination of an MPLS route.
const mplsBits = 20

// AppendBinary appends r as the payload of a route message, which is struct
// rtmsg and the attributes. It adds no default, so that UnmarshalBinary gives
// r back, with two exceptions: Flags that are the kernel's own are not written,
// and a Dst of 0.0.0.0/0 or ::/0 is the zero Dst. An error names the attribute
// that cannot be sent; b is then as it was.
func (r Route) AppendBinary(b []byte) ([]byte, error) {
	b, err := r.append(b)
	if err != nil {
		err = fmt.Errorf("route: encode: %w", err)
	}
	return b, err
}

// append is AppendBinary for the verbs, which have an error of their own.
func (r *Route) append(b []byte) ([]byte, error) {
	m := codec.BorrowUsed()
	m.Route = *r
	b, err := m.append(b)
	codec.ReturnUsed(m)
	return b, err
}

// MarshalBinary is AppendBinary into a slice of its own.
func (r Route) MarshalBinary() ([]byte, error) { return r.AppendBinary(nil) }

func (m *message) append(b []byte) ([]byte, error) {
	header := uint8(m.Table)
	if m.Table > 255 {
		header = uapi.RT_TABLE_UNSPEC
	}
	dstLen, srcLen := max(m.Dst.Bits(), 0), max(m.Src.Bits(), 0)
	if m.Family == MPLS {
		dstLen = mplsBits
	}
	start := len(b)
	b = append(b, uint8(m.Family), uint8(dstLen), uint8(srcLen), m.TOS,
		header, uint8(m.Protocol), uint8(m.Scope), uint8(m.Type))
	b = binary.NativeEndian.AppendUint32(b, uint32(m.Flags&ownFlags))
	b, err := codec.Append(b, m)
	if err != nil {
		return b[:start], err
	}
	return b, nil
}

// UnmarshalBinary makes r the route whose message's payload is b. Attributes
// that Route has no field for go to Unknown. An error names the attribute that
// cannot be read; r is then as it was.
func (r *Route) UnmarshalBinary(b []byte) error {
	m := codec.Borrow()
	defer codec.Return(m)
	if err := m.decode(b); err != nil {
		return fmt.Errorf("route: decode: %w", err)
	}
	*r = m.Route
	return nil
}

// decode reads b into m, which is zero.
func (m *message) decode(b []byte) error {
	if len(b) < uapi.SizeofRtMsg {
		return fmt.Errorf("%d bytes are no route message: its header has %d", len(b), uapi.SizeofRtMsg)
	}
	m.dstLen, m.srcLen = b[uapi.RtMsgDstLen], b[uapi.RtMsgSrcLen]
	m.Family = Family(b[uapi.RtMsgFamily])
	m.TOS = b[uapi.RtMsgTOS]
	m.Table = rttables.ID(b[uapi.RtMsgTable])
	m.Protocol = Protocol(b[uapi.RtMsgProtocol])
	m.Scope = Scope(b[uapi.RtMsgScope])
	m.Type = Type(b[uapi.RtMsgType])
	m.Flags = Flags(binary.NativeEndian.Uint32(b[uapi.RtMsgFlags:]))
	if err := codec.Decode(b[uapi.SizeofRtMsg:], m); err != nil {
		return err
	}
	m.trim()
	return m.finish(&m.Encap, &m.Unknown)
}

// attrAt names the attribute of a request's payload that a refusal points at.
func attrAt(err error, payload []byte) string {
	return rtnl.AttrAt(err, payload, uapi.SizeofRtMsg, codec.Name)
}
