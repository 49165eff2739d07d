package rule

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// Nearly every rule has only a few kinds of attributes. This file reads and writes
// these without the calls that a row of the codec takes. It leaves all others, and
// all mistakes, to the codec. For the attributes of this file, the codec has the
// same result.

// readFast reads attributes up to the first that it leaves to the codec, and
// returns that one and those after it.
func (r *Rule) readFast(b []byte, dstLen, srcLen uint8) []byte {
	for len(b) >= attr.LenHeader {
		n := int(binary.NativeEndian.Uint16(b))
		end := (n + 3) &^ 3
		if n < attr.LenU8 || end > len(b) {
			return b
		}
		p := b[attr.LenHeader:n]
		switch num := uapi.FRA(binary.NativeEndian.Uint16(b[2:])); {
		case num == uapi.FRA_SRC:
			if !readPrefix(&r.From, r.Family, p, srcLen) {
				return b
			}
		case num == uapi.FRA_DST:
			if !readPrefix(&r.To, r.Family, p, dstLen) {
				return b
			}
		case n == attr.LenU8 && num == uapi.FRA_PROTOCOL:
			r.Protocol = route.Protocol(p[0])
		case n != attr.LenU32:
			return b
		case num == uapi.FRA_PRIORITY:
			r.Priority = route.Some(binary.NativeEndian.Uint32(p))
		case num == uapi.FRA_TABLE:
			r.Table = rttables.ID(binary.NativeEndian.Uint32(p))
		case num == uapi.FRA_SUPPRESS_PREFIXLEN:
			r.SuppressPrefixLength = route.Some(binary.NativeEndian.Uint32(p))
		case num == uapi.FRA_FWMARK:
			r.FwMark.m.value, r.FwMark.m.set = binary.NativeEndian.Uint32(p), true
		case num == uapi.FRA_FWMASK:
			r.FwMark.m.mask, r.FwMark.m.hasMask = binary.NativeEndian.Uint32(p), true
		default:
			return b
		}
		b = b[end:]
	}
	return b
}

// readPrefix reads the address of a prefix of n bits. It returns false if they do
// not fit the family.
func readPrefix(p *netip.Prefix, f route.Family, b []byte, n uint8) bool {
	var a netip.Addr
	switch {
	case len(b) == 4 && f == route.IPv4 && n <= 32:
		a = netip.AddrFrom4([4]byte(b))
	case len(b) == 16 && f == route.IPv6 && n <= 128:
		a = netip.AddrFrom16([16]byte(b))
	default:
		return false
	}
	*p = netip.PrefixFrom(a, int(n))
	return true
}

// fitsFastPath reports whether appendFast can write r.
func (r *Rule) fitsFastPath() bool {
	return (!r.From.IsValid() || r.Family.Has(r.From.Addr())) && (!r.To.IsValid() || r.Family.Has(r.To.Addr())) &&
		r.IIF == "" && r.OIF == "" && r.DSCP == CodePoint{} && r.FlowLabel == Label{} && r.IPProto == 0 &&
		r.SPort == Ports{} && r.DPort == Ports{} && r.UIDRange == UIDs{} && !r.TunID.IsSet() && !r.L3MDev &&
		r.Goto == 0 && r.Action != ActionGoto && !r.SuppressIfGroup.IsSet() && r.Realms == route.Realms{} && r.Unknown == ""
}

// appendFast appends the attributes of a rule for which fitsFastPath returns true.
func (r *Rule) appendFast(b []byte) []byte {
	b = slices.Grow(b, 2*attr.LenAddr6+6*attr.LenU32)
	if n, ok := r.Priority.Get(); ok {
		b = attr.AppendU32(b, uapi.FRA_PRIORITY, n)
	}
	if r.From.IsValid() {
		b = attr.AppendIP(b, uapi.FRA_SRC, r.From.Addr())
	}
	if r.To.IsValid() {
		b = attr.AppendIP(b, uapi.FRA_DST, r.To.Addr())
	}
	if m := r.FwMark.m; m.set {
		b = attr.AppendU32(b, uapi.FRA_FWMARK, m.value)
	}
	if m := r.FwMark.m; m.hasMask {
		b = attr.AppendU32(b, uapi.FRA_FWMASK, m.mask)
	}
	if r.Table > 255 {
		b = attr.AppendU32(b, uapi.FRA_TABLE, uint32(r.Table))
	}
	if n, ok := r.SuppressPrefixLength.Get(); ok {
		b = attr.AppendU32(b, uapi.FRA_SUPPRESS_PREFIXLEN, n)
	}
	if r.Protocol != 0 {
		b = attr.AppendU8(b, uapi.FRA_PROTOCOL, uint8(r.Protocol))
	}
	return b
}
