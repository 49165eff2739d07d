package rule

import (
	"encoding/binary"
	"fmt"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// AppendBinary appends r as the payload of a rule message, which is struct
// fib_rule_hdr and the attributes. It adds no default, so that UnmarshalBinary
// gives r back, except for Flags, which are the kernel's own and not written.
// An error names the attribute that cannot be sent; b is then as it was.
func (r Rule) AppendBinary(b []byte) ([]byte, error) {
	b, err := r.append(b)
	if err != nil {
		err = fmt.Errorf("rule: encode: %w", err)
	}
	return b, err
}

// append is AppendBinary for the verbs, which have an error of their own.
func (r *Rule) append(b []byte) ([]byte, error) {
	m := codec.BorrowUsed()
	defer codec.ReturnUsed(m)
	m.Rule = *r
	start := len(b)
	b = append(b, uint8(r.Family), uint8(max(r.To.Bits(), 0)), uint8(max(r.From.Bits(), 0)), r.TOS,
		headerTable(r.Table), 0, 0, uint8(r.Action))
	b = binary.NativeEndian.AppendUint32(b, headerFlags(r.Not))
	b, err := codec.Append(b, m)
	if err != nil {
		return b[:start], err
	}
	return b, nil
}

// MarshalBinary is AppendBinary into a slice of its own.
func (r Rule) MarshalBinary() ([]byte, error) { return r.AppendBinary(nil) }

// headerTable is a table in the 8 bits of the header, where a greater one is 0.
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

// UnmarshalBinary makes r the rule whose message's payload is b. Attributes
// that Rule has no field for go to Unknown. An error names the attribute that
// cannot be read; r is then as it was.
//
// What the kernel says in more than one way is kept as it came: see
// [Rule.Canonical].
func (r *Rule) UnmarshalBinary(b []byte) error {
	m := codec.Borrow()
	defer codec.Return(m)
	if err := m.decode(b); err != nil {
		return fmt.Errorf("rule: decode: %w", err)
	}
	*r = m.Rule
	return nil
}

// decode reads b into m, which is zero.
func (m *message) decode(b []byte) error {
	if len(b) < uapi.SizeofFibRuleHdr {
		return fmt.Errorf("%d bytes are no rule message: its header has %d", len(b), uapi.SizeofFibRuleHdr)
	}
	flags := binary.NativeEndian.Uint32(b[uapi.FibRuleHdrFlags:])
	m.dstLen, m.srcLen = b[uapi.FibRuleHdrDstLen], b[uapi.FibRuleHdrSrcLen]
	m.Family = route.Family(b[uapi.FibRuleHdrFamily])
	m.TOS = b[uapi.FibRuleHdrTOS]
	m.Table = rttables.ID(b[uapi.FibRuleHdrTable])
	m.Action = Action(b[uapi.FibRuleHdrAction])
	m.Not = flags&uapi.FIB_RULE_INVERT != 0
	m.Flags = Flags(flags &^ uapi.FIB_RULE_INVERT)
	return codec.Decode(b[uapi.SizeofFibRuleHdr:], m)
}

// listed turns what was decoded from a listing into the form in which rules
// are compared: the kernel leaves out a priority of 0.
func (m *message) listed() Rule {
	own := message{Rule: m.Rule}
	own.toListed()
	return own.Rule
}

// toListed is listed in place.
func (m *message) toListed() {
	m.normalize()
	if !m.Priority.IsSet() {
		m.Priority = Pref(0)
	}
}
