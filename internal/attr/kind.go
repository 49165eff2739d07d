package attr

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// A Kind is the shape of a payload: how a V is written and read.
type Kind[V any] struct {
	// Append appends the payload, without header and padding. An error says why
	// v cannot be sent.
	Append func(b []byte, v V) ([]byte, error)
	// Decode reads the payload. An error says what is wrong with it.
	Decode func(p []byte) (V, error)

	// For a kind of fixed size, these are the functions that Append and Decode
	// call. A row can call them directly, which is faster.
	size int
	put  func(b []byte, v V) []byte
	get  func(p []byte) V
}

// fixed returns the Kind of a payload of n bytes. Of a longer payload it reads the
// first n bytes, as the kernel does.
func fixed[V any](n int, put func([]byte, V) []byte, get func([]byte) V) Kind[V] {
	return Kind[V]{
		size: n, put: put, get: get,
		Append: func(b []byte, v V) ([]byte, error) { return put(b, v), nil },
		Decode: func(p []byte) (V, error) {
			if len(p) < n {
				var zero V
				return zero, lengthError{len(p), n}
			}
			return get(p), nil
		},
	}
}

// A lengthError reports a payload that is too short.
type lengthError struct{ got, want int }

func (e lengthError) Error() string {
	return fmt.Sprintf("%d bytes of payload, want %d", e.got, e.want)
}

// U8 is the kind of a byte.
func U8[V ~uint8]() Kind[V] {
	return fixed(1,
		func(b []byte, v V) []byte { return append(b, uint8(v)) },
		func(p []byte) V { return V(p[0]) })
}

// U16 is the kind of a uint16 in host byte order.
func U16[V ~uint16]() Kind[V] {
	return fixed(2,
		func(b []byte, v V) []byte { return binary.NativeEndian.AppendUint16(b, uint16(v)) },
		func(p []byte) V { return V(binary.NativeEndian.Uint16(p)) })
}

// U32 is the kind of a uint32 in host byte order.
func U32[V ~uint32]() Kind[V] {
	return fixed(4,
		func(b []byte, v V) []byte { return binary.NativeEndian.AppendUint32(b, uint32(v)) },
		func(p []byte) V { return V(binary.NativeEndian.Uint32(p)) })
}

// DecodeU32 reads a uint32 in host byte order.
func DecodeU32[V ~uint32](p []byte, v *V) error {
	if len(p) < 4 {
		return lengthError{len(p), 4}
	}
	*v = V(binary.NativeEndian.Uint32(p))
	return nil
}

// Halves is the kind of a uint32 in host byte order that holds two numbers.
func Halves[V any](join func(high, low uint16) V, split func(V) (high, low uint16)) Kind[V] {
	return fixed(4,
		func(b []byte, v V) []byte {
			high, low := split(v)
			return binary.NativeEndian.AppendUint32(b, uint32(high)<<16|uint32(low))
		},
		func(p []byte) V {
			n := binary.NativeEndian.Uint32(p)
			return join(uint16(n>>16), uint16(n))
		})
}

// BE16 is the kind of a uint16 in network byte order.
func BE16[V ~uint16]() Kind[V] {
	return fixed(2,
		func(b []byte, v V) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) },
		func(p []byte) V { return V(binary.BigEndian.Uint16(p)) })
}

// BE32 is the kind of a uint32 in network byte order.
func BE32[V ~uint32]() Kind[V] {
	return fixed(4,
		func(b []byte, v V) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) },
		func(p []byte) V { return V(binary.BigEndian.Uint32(p)) })
}

// BE64 is the kind of a uint64 in network byte order.
func BE64[V ~uint64]() Kind[V] {
	return fixed(8,
		func(b []byte, v V) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) },
		func(p []byte) V { return V(binary.BigEndian.Uint64(p)) })
}

// Flag is the kind of a byte that is 1 for true and 0 for false. Any other value is
// read as true.
func Flag[V ~bool]() Kind[V] {
	return fixed(1,
		func(b []byte, v V) []byte {
			if v {
				return append(b, 1)
			}
			return append(b, 0)
		},
		func(p []byte) V { return p[0] != 0 })
}

// ifNameSize is IFNAMSIZ of linux/if.h, the terminating NUL included.
const ifNameSize = 16

// IfName is the kind of an interface name. It is written with a NUL at its end, and
// read with or without one.
func IfName[V ~string]() Kind[V] {
	tooLong := func(v string) error {
		return fmt.Errorf("interface name %q is longer than %d bytes", v, ifNameSize-1)
	}
	return Kind[V]{
		Append: func(b []byte, v V) ([]byte, error) {
			if len(v) >= ifNameSize {
				return nil, tooLong(string(v))
			}
			if strings.ContainsRune(string(v), 0) {
				return nil, fmt.Errorf("interface name %q contains a NUL", string(v))
			}
			return append(append(b, v...), 0), nil
		},
		Decode: func(p []byte) (V, error) {
			s, _, _ := strings.Cut(string(p), "\x00")
			if len(s) >= ifNameSize {
				return "", tooLong(s)
			}
			return V(s), nil
		},
	}
}

// Addr is the kind of an IPv4 address of 4 bytes or an IPv6 address of 16 bytes. An
// address with a zone cannot be written.
func Addr() Kind[netip.Addr] {
	return Kind[netip.Addr]{
		Append: func(b []byte, a netip.Addr) ([]byte, error) {
			if a.Zone() != "" {
				return nil, fmt.Errorf("address %s has a zone", a)
			}
			return AppendAddr(b, a), nil
		},
		Decode: func(p []byte) (netip.Addr, error) {
			a, ok := netip.AddrFromSlice(p)
			if !ok {
				return netip.Addr{}, fmt.Errorf("%d bytes of address, want 4 or 16", len(p))
			}
			return a, nil
		},
	}
}

// AppendAddr appends the 4 or 16 bytes of a, and nothing for the zero Addr.
func AppendAddr(b []byte, a netip.Addr) []byte {
	switch {
	case a.Is4():
		a4 := a.As4()
		return append(b, a4[:]...)
	case a.IsValid():
		a16 := a.As16()
		return append(b, a16[:]...)
	}
	return b
}

// A Family is an address family: it says which addresses are its own.
type Family interface {
	Has(netip.Addr) bool
	String() string
}

// CheckAddr says why a cannot be sent as an address of family f.
func CheckAddr[F Family](f F, a netip.Addr) error {
	switch {
	case !f.Has(a):
		return fmt.Errorf("%s is not an address of family %s", a, f)
	case a.Zone() != "":
		return fmt.Errorf("%s has a zone", a)
	}
	return nil
}

// DecodeAddr reads an address of family f.
func DecodeAddr[F Family](p []byte, f F, a *netip.Addr) error {
	addr, ok := netip.AddrFromSlice(p)
	if !ok || !f.Has(addr) {
		return fmt.Errorf("%d bytes of address in a message of family %s", len(p), f)
	}
	*a = addr
	return nil
}

// DecodePrefix reads the prefix of length n whose address has the given bits. It
// keeps host bits.
func DecodePrefix(b []byte, bits int, n uint8, p *netip.Prefix) error {
	a, ok := netip.AddrFromSlice(b)
	switch {
	case !ok || a.BitLen() != bits:
		return fmt.Errorf("%d bytes of address, want %d", len(b), bits/8)
	case int(n) > bits:
		return fmt.Errorf("a prefix of %d bits in an address of %d", n, bits)
	}
	*p = netip.PrefixFrom(a, int(n))
	return nil
}
