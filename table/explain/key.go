package explain

import (
	"cmp"
	"encoding/binary"
	"net/netip"
)

// A key is an address of either family as 128 bits. Those of IPv4 are the first 32.
type key struct{ hi, lo uint64 }

func keyOf(a netip.Addr) key {
	if a.Is4() {
		b := a.As4()
		return key{hi: uint64(binary.BigEndian.Uint32(b[:])) << 32}
	}
	b := a.As16()
	return key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// addr returns the address of a key.
func (k key) addr(v4 bool) netip.Addr {
	if v4 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(k.hi>>32))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return netip.AddrFrom16(b)
}

// maskOf returns a mask of n bits.
func maskOf(n int) key {
	switch {
	case n <= 0:
		return key{}
	case n <= 64:
		return key{hi: ^uint64(0) << (64 - n)}
	}
	return key{^uint64(0), ^uint64(0) << (128 - n)}
}

func (k key) and(m key) key { return key{k.hi & m.hi, k.lo & m.lo} }
func (k key) or(m key) key  { return key{k.hi | m.hi, k.lo | m.lo} }
func (k key) not() key      { return key{^k.hi, ^k.lo} }
func (k key) isZero() bool  { return k.hi|k.lo == 0 }
func (k key) less(o key) bool {
	return k.hi < o.hi || k.hi == o.hi && k.lo < o.lo
}

func (k key) compare(o key) int { return cmp.Or(cmp.Compare(k.hi, o.hi), cmp.Compare(k.lo, o.lo)) }

// next returns the key behind k, and false behind the last one.
func (k key) next() (key, bool) {
	k.lo++
	if k.lo == 0 {
		k.hi++
	}
	return k, !k.isZero()
}
