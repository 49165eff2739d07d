package route

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// Nearly every route has only a few kinds of attributes. This file reads and writes
// these without the calls that a row of the codec takes, in a third of the time. It
// leaves all others, and all mistakes, to the codec. For the attributes of this
// file, the codec has the same result.

// lenCache is the length of RTA_CACHEINFO with its header.
const lenCache = attr.LenHeader + sizeofCacheInfo

// readFast reads attributes up to the first that it leaves to the codec, and
// returns that one and those after it.
func (r *Route) readFast(b []byte, dstLen uint8) []byte {
	for len(b) >= attr.LenHeader {
		n := int(binary.NativeEndian.Uint16(b))
		end := (n + 3) &^ 3
		if n < attr.LenU8 || end > len(b) {
			return b
		}
		p := b[attr.LenHeader:n]
		switch num := uapi.RTA(binary.NativeEndian.Uint16(b[2:])); {
		case n == attr.LenU32 && num == uapi.RTA_TABLE:
			r.Table = rttables.ID(binary.NativeEndian.Uint32(p))
		case n == attr.LenU32 && num == uapi.RTA_OIF:
			r.OIF = binary.NativeEndian.Uint32(p)
		case n == attr.LenU32 && num == uapi.RTA_PRIORITY:
			r.Priority = binary.NativeEndian.Uint32(p)
		case num == uapi.RTA_DST || num == uapi.RTA_GATEWAY || num == uapi.RTA_PREFSRC:
			var a netip.Addr
			switch {
			case n == attr.LenAddr4 && r.Family == IPv4:
				a = netip.AddrFrom4([4]byte(p))
			case n == attr.LenAddr6 && r.Family == IPv6:
				a = netip.AddrFrom16([16]byte(p))
			default:
				return b
			}
			switch {
			case num == uapi.RTA_GATEWAY:
				r.Gateway = a
			case num == uapi.RTA_PREFSRC:
				r.PrefSrc = a
			case dstLen == 0 || int(dstLen) > a.BitLen():
				return b
			default:
				r.Dst = netip.PrefixFrom(a, int(dstLen))
			}
		case n == lenCache && num == uapi.RTA_CACHEINFO:
			r.CacheInfo = decodeCacheInfo(p)
		case n == attr.LenU32 && num == uapi.RTA_UID: // of a looked-up route
			if r.Packet == nil {
				r.Packet = new(Packet)
			}
			r.Packet.UID.Set(binary.NativeEndian.Uint32(p))
		case n == attr.LenU8 && num == uapi.RTA_PREF:
			r.Preference.Set(Preference(p[0]))
		default:
			return b
		}
		b = b[end:]
	}
	return b
}

// fitsFastPath reports whether appendFast can write r.
func (r *Route) fitsFastPath() bool {
	return (r.Family == IPv4 || r.Family == IPv6) &&
		(!r.Dst.IsValid() || r.Family.Has(r.Dst.Addr())) && r.Src == netip.Prefix{} &&
		(!r.Gateway.IsValid() || r.Family.Has(r.Gateway) && r.Gateway.Zone() == "") &&
		(!r.PrefSrc.IsValid() || r.Family.Has(r.PrefSrc) && r.PrefSrc.Zone() == "") &&
		len(r.Multipath) == 0 && r.Encap == nil && r.Metrics == nil && r.MPLS == nil && r.Packet == nil &&
		r.NextHopID == 0 && r.Realms == Realms{} && !r.Expires.set && !r.Preference.set &&
		r.Unknown == "" && r.CacheInfo == CacheInfo{}
}

// appendFast appends the attributes of a route that fits the fast path.
func (r *Route) appendFast(b []byte) []byte {
	b = slices.Grow(b, 3*attr.LenAddr6+3*attr.LenU32)
	if r.Dst.IsValid() {
		b = attr.AppendIP(b, uapi.RTA_DST, r.Dst.Addr())
	} else if r.Family == IPv4 {
		b = attr.AppendIP(b, uapi.RTA_DST, netip.IPv4Unspecified())
	} else {
		b = attr.AppendIP(b, uapi.RTA_DST, netip.IPv6Unspecified())
	}
	if r.Table > 255 {
		b = attr.AppendU32(b, uapi.RTA_TABLE, uint32(r.Table))
	}
	if r.Gateway.IsValid() {
		b = attr.AppendIP(b, uapi.RTA_GATEWAY, r.Gateway)
	}
	if r.PrefSrc.IsValid() {
		b = attr.AppendIP(b, uapi.RTA_PREFSRC, r.PrefSrc)
	}
	if r.OIF != 0 {
		b = attr.AppendU32(b, uapi.RTA_OIF, r.OIF)
	}
	if r.Priority != 0 {
		b = attr.AppendU32(b, uapi.RTA_PRIORITY, r.Priority)
	}
	return b
}
