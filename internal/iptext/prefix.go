package iptext

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// Prefix reads a prefix as ip(8) does: an [Addr], alone or with a length or, for
// IPv4, a netmask. It keeps host bits. The words default, all and any are the zero
// Prefix.
func Prefix(s string) (netip.Prefix, bool) {
	switch s {
	case "default", "all", "any":
		return netip.Prefix{}, true
	}
	host, length, slash := strings.Cut(s, "/")
	addr, ok := Addr(host)
	if !ok {
		return netip.Prefix{}, false
	}
	n := addr.BitLen()
	if slash {
		if n, ok = prefixLen(length, addr); !ok {
			return netip.Prefix{}, false
		}
	}
	return netip.PrefixFrom(addr, n), true
}

// prefixLen reads what follows the slash: a length or, for IPv4, a netmask.
func prefixLen(s string, addr netip.Addr) (int, bool) {
	if n, ok := Uint[uint8](s, 8); ok {
		return int(n), int(n) <= addr.BitLen()
	}
	mask, ok := Addr(s)
	if !ok || !mask.Is4() || !addr.Is4() {
		return 0, false
	}
	m := mask.As4()
	v := binary.BigEndian.Uint32(m[:])
	n := bits.LeadingZeros32(^v)
	return n, v<<n == 0
}

// Addr reads an address without a zone. As in ip(8), an IPv4 address is up to four
// numbers, which can be hexadecimal or octal. Missing numbers at the end are zeros:
// 10.1 is 10.1.0.0, not 10.0.0.1.
func Addr(s string) (netip.Addr, bool) {
	if strings.Contains(s, ":") {
		a, err := netip.ParseAddr(s)
		return a, err == nil && a.Zone() == ""
	}
	var a [4]byte
	for i := range a {
		part, rest, more := strings.Cut(s, ".")
		var ok bool
		if a[i], ok = Uint[uint8](part, 8); !ok {
			return netip.Addr{}, false
		}
		if !more {
			return netip.AddrFrom4(a), true
		}
		s = rest
	}
	return netip.Addr{}, false
}

// PrefixString formats p as ip(8) does: a single address has no length.
func PrefixString(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return "default"
	case p.IsSingleIP():
		return p.Addr().String()
	}
	return p.Addr().String() + "/" + strconv.Itoa(p.Bits())
}
