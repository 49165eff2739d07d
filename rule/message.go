package rule

import (
	"encoding/binary"
	"fmt"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// AppendBinary appends r as the payload of a rule message: struct fib_rule_hdr and the
// attributes. It adds no defaults, so UnmarshalBinary returns the same rule, with two
// exceptions: Flags, which only the kernel sets, are not written; and ActionNone is
// written as an unset Action, because both are 0 in a message. An error names the
// attribute or field that cannot be sent; AppendBinary then returns b unchanged.
func (r Rule) AppendBinary(b []byte) ([]byte, error) {
	b, err := r.append(b)
	if err != nil {
		err = fmt.Errorf("rule: encode: %w", err)
	}
	return b, err
}

// append is AppendBinary for the verbs, which have their own errors.
func (r *Rule) append(b []byte) ([]byte, error) {
	if r.Action > ActionNone {
		return b, fmt.Errorf("action: %d does not fit 8 bits", r.Action)
	}
	if r.fitsFastPath() {
		return r.appendFast(r.appendHeader(b)), nil
	}
	return r.appendAny(b)
}

// appendAny is append by the codec alone.
func (r *Rule) appendAny(b []byte) ([]byte, error) {
	m := codec.BorrowUsed()
	defer codec.ReturnUsed(m)
	m.Rule = *r
	out, err := codec.Append(r.appendHeader(b), m)
	if err != nil {
		return b, err
	}
	return out, nil
}

// appendHeader appends struct fib_rule_hdr.
func (r *Rule) appendHeader(b []byte) []byte {
	b = append(b, uint8(r.Family), uint8(max(r.To.Bits(), 0)), uint8(max(r.From.Bits(), 0)), r.TOS,
		headerTable(r.Table), 0, 0, uint8(r.Action))
	return binary.NativeEndian.AppendUint32(b, headerFlags(r.Not))
}

// MarshalBinary returns what AppendBinary appends.
func (r Rule) MarshalBinary() ([]byte, error) { return r.AppendBinary(nil) }

// headerTable returns a table for the 8 bits of the header, where one above 255 is
// 0.
func headerTable(id rttables.ID) uint8 {
	if id > 255 {
		return uapi.RT_TABLE_UNSPEC
	}
	return uint8(id)
}

func headerFlags(not bool) uint32 {
	if not {
		return uapi.FIB_RULE_INVERT
	}
	return 0
}

// UnmarshalBinary sets r to the rule of a message with the payload b. Attributes
// without a field are kept in Unknown. An error names the attribute that cannot be
// read; r then does not change.
//
// If a selector has several encodings, the encoding of the message is kept: see
// [Rule.Canonical]. An action of 0 in the message becomes the unset Action, which is
// right for a request to delete a rule. In a rule that the kernel reports, 0 means
// ActionNone.
func (r *Rule) UnmarshalBinary(b []byte) error {
	var got Rule
	if err := got.read(b); err != nil {
		return fmt.Errorf("rule: decode: %w", err)
	}
	*r = got
	return nil
}

// read reads b into r, which is zero.
func (r *Rule) read(b []byte) error {
	if len(b) < uapi.SizeofFibRuleHdr {
		return fmt.Errorf("%d bytes are too short for a rule message: its header alone has %d", len(b), uapi.SizeofFibRuleHdr)
	}
	dstLen, srcLen := r.readHeader(b)
	rest := r.readFast(b[uapi.SizeofFibRuleHdr:], dstLen, srcLen)
	if len(rest) == 0 {
		return nil
	}
	return r.readRest(rest, dstLen, srcLen)
}

// readHeader reads struct fib_rule_hdr, and returns the lengths of the prefixes,
// whose addresses are attributes.
func (r *Rule) readHeader(b []byte) (dstLen, srcLen uint8) {
	flags := binary.NativeEndian.Uint32(b[uapi.FibRuleHdrFlags:])
	r.Family = route.Family(b[uapi.FibRuleHdrFamily])
	r.TOS = b[uapi.FibRuleHdrTOS]
	r.Table = rttables.ID(b[uapi.FibRuleHdrTable])
	r.Action = Action(b[uapi.FibRuleHdrAction])
	r.Not = flags&uapi.FIB_RULE_INVERT != 0
	r.Flags = Flags(flags &^ uapi.FIB_RULE_INVERT)
	return b[uapi.FibRuleHdrDstLen], b[uapi.FibRuleHdrSrcLen]
}

// readRest reads the attributes from the first that readFast does not read. The
// message for the codec is on the heap, so r must not be a part of it.
func (r *Rule) readRest(b []byte, dstLen, srcLen uint8) error {
	m := codec.BorrowUsed()
	defer codec.ReturnUsed(m)
	*m = message{Rule: *r, dstLen: dstLen, srcLen: srcLen}
	err := codec.Decode(b, m)
	if err == nil {
		*r = m.Rule
	}
	return err
}

// normalizeListed gives r, which was read from a listing, the form in which rules
// are compared. The kernel leaves out a priority of 0.
func (r *Rule) normalizeListed() {
	r.normalize()
	if r.Action == 0 {
		r.Action = ActionNone
	}
	if !r.Priority.IsSet() {
		r.Priority = Priority(0)
	}
}
