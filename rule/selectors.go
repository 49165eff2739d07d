package rule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
)

// The selectors of this file are values with a mask or a second end. Their
// zeros are unset, and distinct from a selector for the value 0.

// masked is a value of which only the bits in mask count. How the mask was
// given is kept: none stands for all bits, and is not sent.
type masked struct {
	value, mask  uint32
	set, hasMask bool
}

// canonical is without a mask of all bits. A mask alone stays.
func (m masked) canonical(all uint32) masked {
	if m.set && m.hasMask && m.mask == all {
		m.mask, m.hasMask = 0, false
	}
	return m
}

func (m masked) text(value, mask func(uint32) string) string {
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

// parseMasked reads VALUE[/MASK], both of at most the given bits, or /MASK: a
// kernel may report a mask alone.
func parseMasked(s string, bits int) (m masked, ok bool) {
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
// 0x10/0xf0. The zero Mark is unset. Marks compare with ==.
type Mark struct{ m masked }

// FwMark is the mark n, all bits of which count. FwMark(0) is accepted by the
// kernel and matches every packet.
func FwMark(n uint32) Mark { return Mark{masked{value: n, set: true}} }

// Masked is m with a mask: only those bits count.
func (m Mark) Masked(mask uint32) Mark {
	m.m.set, m.m.mask, m.m.hasMask = true, mask, true
	return m
}

// Value is the mark's value, 0 if it is unset.
func (m Mark) Value() uint32 { return m.m.value }

// Mask is the bits that count: all where no mask was given, none if the mark
// is unset.
func (m Mark) Mask() uint32 {
	if m.m.set && !m.m.hasMask {
		return 1<<32 - 1
	}
	return m.m.mask
}

// IsSet reports whether m selects by the mark.
func (m Mark) IsSet() bool { return m != Mark{} }

// canonical is what the kernel makes of m. Of the mark 0 it keeps, and reports,
// the mask alone: without one, every packet matches.
func (m Mark) canonical() Mark {
	if m.m.value != 0 {
		return Mark{m.m.canonical(1<<32 - 1)}
	}
	if m.m.mask == 0 {
		return Mark{}
	}
	return FwMark(0).Masked(m.m.mask)
}

// String is the mark in hexadecimal, with a slash and the mask if one was
// given; empty if it is unset.
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

// A DSCP is a code point of the DS field, its upper six bits, with a mask: dscp
// of ip-rule(8). The zero DSCP is unset. DSCPs compare with ==.
type DSCP struct{ m masked }

// CodePoint is the code point n, from 0 to 63.
func CodePoint(n uint8) DSCP { return DSCP{masked{value: uint32(n), set: true}} }

// Masked is d with a mask: only those bits count. Linux 6.15.
func (d DSCP) Masked(mask uint8) DSCP {
	d.m.set, d.m.mask, d.m.hasMask = true, uint32(mask), true
	return d
}

// Value is the code point, 0 if it is unset.
func (d DSCP) Value() uint8 { return uint8(d.m.value) }

// IsSet reports whether d selects by the code point.
func (d DSCP) IsSet() bool { return d != DSCP{} }

func (d DSCP) canonical() DSCP { return DSCP{d.m.canonical(0x3f)} }

// String is the code point in decimal; with a mask, both in hexadecimal.
func (d DSCP) String() string { return d.m.text(iptext.Decimal[uint32], iptext.Hex[uint32]) }

// MarshalText returns what String does.
func (d DSCP) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads VALUE or VALUE/MASK. Empty text is the zero DSCP. Values
// that are too large for a DSCP, up to 255, are left to the kernel's judgement.
func (d *DSCP) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = DSCP{}
		return nil
	}
	v, ok := parseMasked(string(text), 8)
	if !ok {
		return fmt.Errorf("rule: %q is not a DSCP", text)
	}
	*d = DSCP{v}
	return nil
}

// A FlowLabel is an IPv6 flow label of 20 bits with a mask: flowlabel of
// ip-rule(8). The zero FlowLabel is unset. FlowLabels compare with ==.
type FlowLabel struct{ m masked }

// allLabel is the mask for which all bits of a flow label count. Unlike other
// masks it is always sent.
const allLabel = 1<<20 - 1

// Label is the flow label n.
func Label(n uint32) FlowLabel { return FlowLabel{masked{value: n, set: true}}.Masked(allLabel) }

// Masked is f with a mask: only those bits count.
func (f FlowLabel) Masked(mask uint32) FlowLabel {
	f.m.set, f.m.mask, f.m.hasMask = true, mask, true
	return f
}

// Value is the flow label, 0 if it is unset.
func (f FlowLabel) Value() uint32 { return f.m.value }

// Mask is the bits that count, none if the flow label is unset.
func (f FlowLabel) Mask() uint32 { return f.m.mask }

// IsSet reports whether f selects by the flow label.
func (f FlowLabel) IsSet() bool { return f != FlowLabel{} }

// String is the flow label in hexadecimal, with a slash and the mask if not all
// bits count; empty if it is unset.
func (f FlowLabel) String() string {
	if f.m.set && !f.m.hasMask {
		return iptext.Hex(f.m.value) + "/" // what no kernel reports
	}
	return f.m.canonical(allLabel).text(iptext.Hex[uint32], iptext.Hex[uint32])
}

// MarshalText returns what String does.
func (f FlowLabel) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads VALUE or VALUE/MASK. Empty text is the zero FlowLabel.
func (f *FlowLabel) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*f = FlowLabel{}
		return nil
	}
	value, noMask := strings.CutSuffix(string(text), "/")
	v, ok := parseMasked(value, 32)
	if !ok || noMask && v.hasMask {
		return fmt.Errorf("rule: %q is not a flow label", text)
	}
	if *f = (FlowLabel{v}); !v.hasMask && !noMask {
		*f = Label(v.value)
	}
	return nil
}

// Ports are one port, a range of them, or one with a mask: sport and dport of
// ip-rule(8). The zero Ports are unset. Ports compare with ==.
type Ports struct {
	first, last, mask uint16
	set, hasMask      bool
}

// Port is the port n.
func Port(n uint16) Ports { return PortRange(n, n) }

// PortRange are the ports from first to last. The kernel refuses a first of 0,
// a last of 65535, and a last below the first.
func PortRange(first, last uint16) Ports { return Ports{first: first, last: last, set: true} }

// Masked is p, which must be a single port, with a mask: only those bits count.
// Linux 6.15.
func (p Ports) Masked(mask uint16) Ports {
	p.mask, p.hasMask = mask, true
	return p
}

// First is the lowest port, 0 if p is unset.
func (p Ports) First() uint16 { return p.first }

// Last is the highest port, 0 if p is unset.
func (p Ports) Last() uint16 { return p.last }

// IsSet reports whether p selects by the port.
func (p Ports) IsSet() bool { return p != Ports{} }

// canonical is without the mask that new kernels report for every single port.
func (p Ports) canonical() Ports {
	if p.mask == 0xffff || p.mask == 0 {
		p.mask, p.hasMask = 0, false
	}
	return p
}

// String is the port, the first and last with a dash between them, or port and
// mask in hexadecimal with a slash; empty if p is unset.
func (p Ports) String() string {
	switch {
	case !p.set && !p.hasMask:
		return ""
	case !p.set:
		return "/" + iptext.Hex(p.mask)
	case p.hasMask && p.first == p.last:
		return iptext.Hex(p.first) + "/" + iptext.Hex(p.mask)
	case p.hasMask:
		return fmt.Sprintf("%d-%d/%#x", p.first, p.last, p.mask)
	case p.first == p.last:
		return strconv.Itoa(int(p.first))
	}
	return strconv.Itoa(int(p.first)) + "-" + strconv.Itoa(int(p.last))
}

// MarshalText returns what String does.
func (p Ports) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

var errPorts = errors.New("not a port, FIRST-LAST, or PORT/MASK")

// UnmarshalText reads PORT, FIRST-LAST or PORT/MASK. Empty text is the zero
// Ports.
func (p *Ports) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Ports{}
		return nil
	}
	value, mask, hasMask := strings.Cut(string(text), "/")
	got := Ports{set: value != "" || !hasMask, hasMask: hasMask}
	ok1, ok2, ok3 := true, true, true
	if got.set {
		first, last, isRange := strings.Cut(value, "-")
		if !isRange {
			last = first
		}
		got.first, ok1 = iptext.Uint[uint16](first, 16)
		got.last, ok2 = iptext.Uint[uint16](last, 16)
	}
	if hasMask {
		got.mask, ok3 = iptext.Uint[uint16](mask, 16)
	}
	if !ok1 || !ok2 || !ok3 {
		return fmt.Errorf("rule: %q is %w", text, errPorts)
	}
	*p = got
	return nil
}

// A UIDRange is a range of user IDs: uidrange of ip-rule(8). The zero UIDRange
// is unset. UIDRanges compare with ==.
type UIDRange struct {
	first, last uint32
	set         bool
}

// UID is the user n alone.
func UID(n uint32) UIDRange { return UIDs(n, n) }

// UIDs are the users from first to last. The kernel refuses 2^32−1, and a last
// below the first.
func UIDs(first, last uint32) UIDRange { return UIDRange{first, last, true} }

// First is the lowest user ID, 0 if u is unset.
func (u UIDRange) First() uint32 { return u.first }

// Last is the highest user ID, 0 if u is unset.
func (u UIDRange) Last() uint32 { return u.last }

// IsSet reports whether u selects by the user.
func (u UIDRange) IsSet() bool { return u.set }

// String is the first and last user ID with a dash between them; empty if u is
// unset.
func (u UIDRange) String() string {
	if !u.set {
		return ""
	}
	return iptext.Decimal(u.first) + "-" + iptext.Decimal(u.last)
}

// MarshalText returns what String does.
func (u UIDRange) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads FIRST-LAST. Empty text is the zero UIDRange.
func (u *UIDRange) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*u = UIDRange{}
		return nil
	}
	first, last, _ := strings.Cut(string(text), "-")
	f, ok1 := iptext.Uint[uint32](first, 32)
	l, ok2 := iptext.Uint[uint32](last, 32)
	if !ok1 || !ok2 {
		return fmt.Errorf("rule: %q is not a range of user IDs: want FIRST-LAST", text)
	}
	*u = UIDs(f, l)
	return nil
}
