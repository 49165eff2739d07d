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

// AppendBinary appends r as the payload of a route message: struct rtmsg and the
// attributes. It adds no defaults, so [Route.UnmarshalBinary] returns the same route,
// with two exceptions: Flags that only the kernel sets are not written, and a Dst of
// 0.0.0.0/0 or ::/0 becomes the zero Dst. An error names the attribute that cannot be
// sent; AppendBinary then returns b unchanged.
func (r Route) AppendBinary(b []byte) ([]byte, error) {
	b, err := r.append(b)
	if err != nil {
		err = fmt.Errorf("route: encode: %w", err)
	}
	return b, err
}

// append is AppendBinary for the verbs, whose errors have text of their own.
func (r *Route) append(b []byte) ([]byte, error) {
	if r.fitsFastPath() {
		return r.appendFast(r.appendHeader(b)), nil
	}
	return r.appendAny(b)
}

// appendAny is append without the fast path.
func (r *Route) appendAny(b []byte) ([]byte, error) {
	m := codec.BorrowUsed()
	m.Route = *r
	out, err := codec.Append(r.appendHeader(b), m)
	codec.ReturnUsed(m)
	if err != nil {
		return b, err
	}
	return out, nil
}

// MarshalBinary returns what AppendBinary appends.
func (r Route) MarshalBinary() ([]byte, error) { return r.AppendBinary(nil) }

// appendHeader appends struct rtmsg.
func (r *Route) appendHeader(b []byte) []byte {
	table := uint8(r.Table)
	if r.Table > 255 {
		table = uapi.RT_TABLE_UNSPEC
	}
	dstLen, srcLen := max(r.Dst.Bits(), 0), max(r.Src.Bits(), 0)
	if r.Family == MPLS {
		dstLen = mplsBits
	}
	b = append(b, uint8(r.Family), uint8(dstLen), uint8(srcLen), r.TOS,
		table, uint8(r.Protocol), uint8(r.Scope), uint8(r.Type))
	return binary.NativeEndian.AppendUint32(b, uint32(r.Flags&sentFlags))
}

// UnmarshalBinary sets r to the route of a message with the payload b. Attributes
// that Route has no field for go to Unknown. An error names the attribute that
// cannot be read; r is then unchanged.
func (r *Route) UnmarshalBinary(b []byte) error {
	if err := r.decode(b); err != nil {
		return fmt.Errorf("route: decode: %w", err)
	}
	return nil
}

// decode is UnmarshalBinary for the verbs, whose errors have text of their own.
func (r *Route) decode(b []byte) error {
	var got Route
	err := got.read(b)
	if err == nil {
		*r = got
	}
	return err
}

// read reads b into r, which must be zero.
func (r *Route) read(b []byte) error {
	if len(b) < uapi.SizeofRtMsg {
		return fmt.Errorf("%d bytes are too short for a route message: its header alone has %d", len(b), uapi.SizeofRtMsg)
	}
	dstLen, srcLen := r.readHeader(b)
	rest := r.readFast(b[uapi.SizeofRtMsg:], dstLen)
	if len(rest) == 0 {
		return nil
	}
	return r.readRest(rest, dstLen, srcLen)
}

// readHeader reads struct rtmsg, and returns the lengths of the prefixes whose
// addresses are attributes.
func (r *Route) readHeader(b []byte) (dstLen, srcLen uint8) {
	r.Family = Family(b[uapi.RtMsgFamily])
	r.TOS = b[uapi.RtMsgTOS]
	r.Table = rttables.ID(b[uapi.RtMsgTable])
	r.Protocol = Protocol(b[uapi.RtMsgProtocol])
	r.Scope = Scope(b[uapi.RtMsgScope])
	r.Type = Type(b[uapi.RtMsgType])
	r.Flags = Flags(binary.NativeEndian.Uint32(b[uapi.RtMsgFlags:]))
	return b[uapi.RtMsgDstLen], b[uapi.RtMsgSrcLen]
}

// readRest reads the attributes that the fast path leaves to the codec. It copies r,
// since the codec's messages are on the heap.
func (r *Route) readRest(b []byte, dstLen, srcLen uint8) error {
	m := codec.BorrowUsed()
	defer codec.ReturnUsed(m)
	*m = message{Route: *r, dstLen: dstLen, srcLen: srcLen}
	err := codec.Decode(b, m)
	if err == nil {
		err = m.finish(&m.Encap, &m.Unknown)
	}
	if err == nil {
		*r = m.Route
		r.trim()
	}
	return err
}

// attrAt returns the name of the attribute of a request that a refusal points at.
func attrAt(err error, payload []byte) string {
	return rtnl.AttrAt(err, payload, uapi.SizeofRtMsg, codec.Name)
}
