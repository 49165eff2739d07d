package rule

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
)

// The selectors of this file are values with a mask. A constructor has the name
// of the field of Rule. The zero of each type is unset, which differs from a
// selector for the value 0.

// A valueMask is a value of which only the bits in mask count. It remembers whether
// a mask was given: without one all bits count, and no mask is sent.
type valueMask struct {
	value, mask  uint32
	set, hasMask bool
}

// canonical returns m without a mask of all bits. A mask alone stays.
func (m valueMask) canonical(all uint32) valueMask {
	if m.set && m.hasMask && m.mask == all {
		m.mask, m.hasMask = 0, false
	}
	return m
}

func (m valueMask) text(value, mask func(uint32) string) string {
	switch {
	case !m.set && !m.hasMask:
		return ""
	case !m.set:
		return "/" + mask(m.mask)
	case m.hasMask:
		return mask(m.value) + "/" + mask(m.mask)
	}
	return value(m.value)
}

// parseMasked reads VALUE[/MASK], each of at most the given number of bits, or
// /MASK, since a kernel may report a mask alone.
func parseMasked(s string, bits int) (m valueMask, ok bool) {
	value, mask, hasMask := strings.Cut(s, "/")
	m.set, m.hasMask = value != "" || !hasMask, hasMask
	if m.set {
		m.value, ok = parseBits(value, bits)
	}
	if m.set && (!ok || !hasMask) {
		return m, ok
	}
	m.mask, ok = parseBits(mask, bits)
	return m, ok
}

func parseBits(s string, bits int) (uint32, bool) {
	n, ok := iptext.Uint[uint32](s, 32)
	return n, ok && n>>bits == 0
}

// A Mark is a firewall mark with a mask: fwmark of ip-rule(8), such as
// 0x10/0xf0. [FwMark] makes one. The zero Mark is unset. Marks compare with ==.
type Mark struct{ m valueMask }

// FwMark returns the mark n, without a mask: all bits are compared. The kernel accepts
// FwMark(0), but such a rule matches every packet.
func FwMark(n uint32) Mark { return Mark{valueMask{value: n, set: true}} }

// Masked returns m with a mask: only the bits in the mask are compared. The kernel
// keeps other bits of the value. It does not compare them with packets, but two rules
// that differ in them are different rules.
func (m Mark) Masked(mask uint32) Mark {
	m.m.set, m.m.mask, m.m.hasMask = true, mask, true
	return m
}

// Value returns the value of m, 0 if m is unset.
func (m Mark) Value() uint32 { return m.m.value }

// Mask returns the bits that count: all if no mask was given, none if m is unset.
func (m Mark) Mask() uint32 {
	if m.m.set && !m.m.hasMask {
		return 1<<32 - 1
	}
	return m.m.mask
}

// IsSet reports whether m selects by the mark.
func (m Mark) IsSet() bool { return m != Mark{} }

// canonical returns what the kernel makes of m. If the value is 0 the kernel
// keeps and reports only the mask; without a mask every packet matches.
func (m Mark) canonical() Mark {
	if m.m.value != 0 {
		return Mark{m.m.canonical(1<<32 - 1)}
	}
	if m.m.mask == 0 {
		return Mark{}
	}
	return FwMark(0).Masked(m.m.mask)
}

// String returns the mark in hexadecimal, followed by a slash and the mask if one
// was given. It is empty if m is unset.
func (m Mark) String() string {
	// iproute2 writes a plain 0 where a mask follows.
	return m.m.text(iptext.Hex[uint32], func(n uint32) string {
		if n == 0 {
			return "0"
		}
		return iptext.Hex(n)
	})
}

// MarshalText returns what String does.
func (m Mark) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads VALUE or VALUE/MASK, each in decimal, or hexadecimal
// after 0x. Empty text is the zero Mark.
func (m *Mark) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*m = Mark{}
		return nil
	}
	v, ok := parseMasked(string(text), 32)
	if !ok {
		return fmt.Errorf("rule: %q is not a mark", text)
	}
	*m = Mark{v}
	return nil
}

// A CodePoint is a DSCP, the upper six bits of the DS field, with a mask: dscp of
// ip-rule(8). [DSCP] makes one. The zero CodePoint is unset. CodePoints compare
// with ==.
type CodePoint struct{ m valueMask }

// DSCP returns the code point n, from 0 to 63, without a mask: all bits are compared.
func DSCP(n uint8) CodePoint { return CodePoint{valueMask{value: uint32(n), set: true}} }

// Masked returns d with a mask: only the bits in the mask are compared. Linux 6.15.
func (d CodePoint) Masked(mask uint8) CodePoint {
	d.m.set, d.m.mask, d.m.hasMask = true, uint32(mask), true
	return d
}

// Value returns the code point, 0 if d is unset.
func (d CodePoint) Value() uint8 { return uint8(d.m.value) }

// Mask returns the bits that are compared: all six if no mask was given, none if d is
// unset.
func (d CodePoint) Mask() uint8 {
	if d.m.set && !d.m.hasMask {
		return fullDSCP
	}
	return uint8(d.m.mask)
}

// fullDSCP is the mask with which all bits of a code point count.
const fullDSCP = 1<<6 - 1

// IsSet reports whether d selects by the code point.
func (d CodePoint) IsSet() bool { return d != CodePoint{} }

func (d CodePoint) canonical() CodePoint { return CodePoint{d.m.canonical(fullDSCP)} }

// String returns the code point in decimal, or, if a mask was given, both in
// hexadecimal with a slash between them. It is empty if d is unset.
func (d CodePoint) String() string { return d.m.text(iptext.Decimal[uint32], iptext.Hex[uint32]) }

// MarshalText returns what String does.
func (d CodePoint) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads VALUE or VALUE/MASK. Empty text is the zero CodePoint. It
// accepts values up to 255: the kernel refuses those from 64 on.
func (d *CodePoint) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = CodePoint{}
		return nil
	}
	v, ok := parseMasked(string(text), 8)
	if !ok {
		return fmt.Errorf("rule: %q is not a DSCP", text)
	}
	*d = CodePoint{v}
	return nil
}

// A Label is an IPv6 flow label of 20 bits with a mask: flowlabel of ip-rule(8).
// [FlowLabel] makes one. The zero Label is unset. Labels compare with ==.
type Label struct{ m valueMask }

// allLabel is the mask with which all bits of a flow label count. Unlike other
// masks it is always sent.
const allLabel = 1<<20 - 1

// FlowLabel returns the flow label n, without a mask: all bits are compared.
func FlowLabel(n uint32) Label { return Label{valueMask{value: n, set: true}}.Masked(allLabel) }

// Masked returns f with a mask: only the bits in the mask are compared.
func (f Label) Masked(mask uint32) Label {
	f.m.set, f.m.mask, f.m.hasMask = true, mask, true
	return f
}

// Value returns the flow label, 0 if f is unset.
func (f Label) Value() uint32 { return f.m.value }

// Mask returns the bits that are compared, none if f is unset.
func (f Label) Mask() uint32 { return f.m.mask }

// IsSet reports whether f selects by the flow label.
func (f Label) IsSet() bool { return f != Label{} }

// String returns the flow label in hexadecimal, followed by a slash and the mask
// unless all bits count. It is empty if f is unset.
func (f Label) String() string {
	if f.m.set && !f.m.hasMask {
		return iptext.Hex(f.m.value) + "/" // what no kernel reports
	}
	return f.m.canonical(allLabel).text(iptext.Hex[uint32], iptext.Hex[uint32])
}

// MarshalText returns what String does.
func (f Label) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads VALUE or VALUE/MASK. Empty text is the zero Label.
func (f *Label) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*f = Label{}
		return nil
	}
	value, noMask := strings.CutSuffix(string(text), "/")
	v, ok := parseMasked(value, 32)
	if !ok || noMask && v.hasMask {
		return fmt.Errorf("rule: %q is not a flow label", text)
	}
	if *f = (Label{v}); !v.hasMask && !noMask {
		*f = FlowLabel(v.value)
	}
	return nil
}
