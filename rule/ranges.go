package rule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
)

// The selectors of this file are ranges. The zero of each type is unset, which
// differs from a selector for the value 0.

// Ports are one port, a range of ports, or one port with a mask: sport and dport
// of ip-rule(8). [Port] and [PortRange] make them. The zero Ports are unset.
// Ports compare with ==.
type Ports struct {
	first, last, mask uint16
	set, hasMask      bool
}

// Port returns the port n alone.
func Port(n uint16) Ports { return PortRange(n, n) }

// PortRange returns the ports from first to last. The kernel refuses a first port
// of 0, a last port of 65535, and a last port below the first.
func PortRange(first, last uint16) Ports { return Ports{first: first, last: last, set: true} }

// Masked returns p, which must be a single port, with a mask: only the bits in the mask
// are compared. Linux 6.15.
func (p Ports) Masked(mask uint16) Ports {
	p.mask, p.hasMask = mask, true
	return p
}

// First returns the lowest port, 0 if p is unset.
func (p Ports) First() uint16 { return p.first }

// Last returns the highest port, 0 if p is unset.
func (p Ports) Last() uint16 { return p.last }

// Mask returns the bits that count: all if no mask was given, none if p is unset.
func (p Ports) Mask() uint16 {
	if p.set && !p.hasMask {
		return fullPort
	}
	return p.mask
}

// fullPort is the mask with which all bits of a port count.
const fullPort = 1<<16 - 1

// IsSet reports whether p selects by the port.
func (p Ports) IsSet() bool { return p != Ports{} }

// canonical returns p without the mask that new kernels report for every single
// port.
func (p Ports) canonical() Ports {
	if p.mask == fullPort || p.mask == 0 {
		p.mask, p.hasMask = 0, false
	}
	return p
}

// String returns the port, the first and last port with a dash between them, or
// the port and the mask in hexadecimal with a slash between them. It is empty if
// p is unset.
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

// UIDs are a range of user IDs: uidrange of ip-rule(8). [UID] and [UIDRange] make
// them. The zero UIDs are unset. UIDs compare with ==.
type UIDs struct {
	first, last uint32
	set         bool
}

// UID returns the user ID n alone.
func UID(n uint32) UIDs { return UIDRange(n, n) }

// UIDRange returns the user IDs from first to last. The kernel refuses 2^32−1,
// and a last ID below the first.
func UIDRange(first, last uint32) UIDs { return UIDs{first, last, true} }

// First returns the lowest user ID, 0 if u is unset.
func (u UIDs) First() uint32 { return u.first }

// Last returns the highest user ID, 0 if u is unset.
func (u UIDs) Last() uint32 { return u.last }

// IsSet reports whether u selects by the user.
func (u UIDs) IsSet() bool { return u.set }

// String returns the first and last user ID with a dash between them. It is empty
// if u is unset.
func (u UIDs) String() string {
	if !u.set {
		return ""
	}
	return iptext.Decimal(u.first) + "-" + iptext.Decimal(u.last)
}

// MarshalText returns what String does.
func (u UIDs) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads FIRST-LAST. Empty text is the zero UIDs.
func (u *UIDs) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*u = UIDs{}
		return nil
	}
	first, last, _ := strings.Cut(string(text), "-")
	f, ok1 := iptext.Uint[uint32](first, 32)
	l, ok2 := iptext.Uint[uint32](last, 32)
	if !ok1 || !ok2 {
		return fmt.Errorf("rule: %q is not a range of user IDs: want FIRST-LAST", text)
	}
	*u = UIDRange(f, l)
	return nil
}
