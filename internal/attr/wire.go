package attr

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
)

// The layout of struct nlattr in linux/netlink.h: two host-order uint16, the
// length (header included, padding not) and the type.
const (
	headerLen = 4
	align     = 4

	// TypeMask is NLA_TYPE_MASK: it cuts NLA_F_NESTED and NLA_F_NET_BYTEORDER
	// off a type.
	TypeMask = 0x3fff

	// MaxPayload is what the 16-bit length leaves for a payload.
	MaxPayload = 0xffff - headerLen
)

// Lengths of attributes, header included and padding not, for code that reads
// attributes without a Codec.
const (
	LenHeader = headerLen
	LenU8     = headerLen + 1
	LenU32    = headerLen + 4
	LenAddr4  = headerLen + 4
	LenAddr6  = headerLen + 16
)

// padded returns n rounded up to the alignment of attributes.
func padded(n int) int { return (n + align - 1) &^ (align - 1) }

// Append appends one attribute with its header and padding. The payload must be at
// most MaxPayload bytes long.
func Append(b []byte, num uint16, payload []byte) []byte {
	b = appendHeader(b, num, len(payload))
	b = append(b, payload...)
	return pad(b, len(payload))
}

// AppendU32 appends an attribute that is a uint32 in host byte order.
func AppendU32[A Number](b []byte, num A, v uint32) []byte {
	at := len(b)
	b = slices.Grow(b, headerLen+4)[:at+headerLen+4]
	putHeader(b[at:], uint16(num), 4)
	binary.NativeEndian.PutUint32(b[at+headerLen:], v)
	return b
}

// AppendU8 appends an attribute that is a byte, with its padding.
func AppendU8[A Number](b []byte, num A, v uint8) []byte {
	at := len(b)
	b = AppendU32(b, num, 0)
	putHeader(b[at:], uint16(num), 1)
	b[at+headerLen] = v
	return b
}

// AppendIP appends an attribute that is an address, which must be valid.
func AppendIP[A Number](b []byte, num A, a netip.Addr) []byte {
	at, n := len(b), a.BitLen()/8
	b = slices.Grow(b, headerLen+n)[:at+headerLen+n]
	putHeader(b[at:], uint16(num), n)
	if a.Is4() {
		a4 := a.As4()
		copy(b[at+headerLen:], a4[:])
	} else {
		a16 := a.As16()
		copy(b[at+headerLen:], a16[:])
	}
	return b
}

// appendHeader appends the header of an attribute with n bytes of payload.
func appendHeader(b []byte, num uint16, n int) []byte {
	b = append(b, 0, 0, 0, 0)
	putHeader(b[len(b)-headerLen:], num, n)
	return b
}

// putHeader writes the header of an attribute with n bytes of payload.
func putHeader(b []byte, num uint16, n int) {
	binary.NativeEndian.PutUint16(b, uint16(headerLen+n))
	binary.NativeEndian.PutUint16(b[2:], num)
}

// pad appends the zeros that follow n bytes of payload.
func pad(b []byte, n int) []byte {
	if n%align == 0 {
		return b
	}
	return append(b, "\x00\x00\x00"[:padded(n)-n]...)
}

// next splits b after its first attribute. It returns the type with its flag bits,
// the payload, the bytes of the attribute with its padding, and the rest of b. ok is
// false if b does not start with a complete attribute. No slice has capacity beyond
// its end.
func next(b []byte) (num uint16, payload, whole, rest []byte, ok bool) {
	if len(b) < headerLen {
		return 0, nil, nil, nil, false
	}
	n := int(binary.NativeEndian.Uint16(b))
	if n < headerLen || n > len(b) {
		return 0, nil, nil, nil, false
	}
	// The last attribute of a message can lack its padding.
	end := min(padded(n), len(b))
	return binary.NativeEndian.Uint16(b[2:]), b[headerLen:n:n], b[:end:end], b[end:], true
}

// At returns the type, without its flag bits, of the top-level attribute of b that
// the byte at offset off belongs to. The kernel reports such an offset for a
// refusal.
func At(b []byte, off int) (num uint16, ok bool) {
	for pos := 0; off >= pos; {
		num, _, whole, rest, ok := next(b)
		if !ok {
			return 0, false
		}
		if off < pos+len(whole) {
			return num & TypeMask, true
		}
		pos += len(whole)
		b = rest
	}
	return 0, false
}

// All yields the attributes of raw: the type with its flag bits, and the payload.
func All[T ~string | ~[]byte](raw T) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		b := []byte(raw)
		for {
			num, payload, _, rest, ok := next(b)
			if !ok || !yield(num, payload) {
				return
			}
			b = rest
		}
	}
}

// Without returns raw without the attributes that have one of some types, whatever
// their flag bits.
func Without[T ~string, A ~uint16 | ~int](raw T, nums ...A) T {
	if raw == "" {
		return raw
	}
	var left []byte
	for num, payload := range All(raw) {
		if !slices.Contains(nums, A(num&TypeMask)) {
			left = Append(left, num, payload)
		}
	}
	return T(left)
}

// First returns the payload of the first attribute of raw that has a type,
// whatever its flag bits.
func First[T ~string | ~[]byte, A ~uint16 | ~int](raw T, num A) (payload []byte, ok bool) {
	for n, p := range All(raw) {
		if n&TypeMask == uint16(num) {
			return p, true
		}
	}
	return nil, false
}
