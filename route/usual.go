package route

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// Nearly every route is made of the same few attributes. This file reads and
// writes them without the calls that a row of the codec takes, in a third of
// the time. Whatever is out of the ordinary, mistakes too, is left to the codec,
// which gives the same result for all that is done here.

// Lengths of attributes with their headers.
const (
	attrHeader = 4
	attrU8     = attrHeader + 1
	attrU32    = attrHeader + 4
	attrAddr4  = attrHeader + 4
	attrAddr6  = attrHeader + 16
	attrCache  = attrHeader + sizeofCacheInfo
)

// readUsual reads attributes up to the first that is out of the ordinary, and
// returns that and what follows it.
func (r *Route) readUsual(b []byte, dstLen uint8) []byte {
	for len(b) >= attrHeader {
		n := int(binary.NativeEndian.Uint16(b))
		end := (n + 3) &^ 3
		if n < attrU8 || end > len(b) {
			return b
		}
		p := b[attrHeader:n]
		switch num := uapi.RTA(binary.NativeEndian.Uint16(b[2:])); {
		case n == attrU32 && num == uapi.RTA_TABLE:
			r.Table = rttables.ID(binary.NativeEndian.Uint32(p))
		case n == attrU32 && num == uapi.RTA_OIF:
			r.OIF = binary.NativeEndian.Uint32(p)
		case n == attrU32 && num == uapi.RTA_PRIORITY:
			r.Priority = binary.NativeEndian.Uint32(p)
		case num == uapi.RTA_DST || num == uapi.RTA_GATEWAY || num == uapi.RTA_PREFSRC:
			var a netip.Addr
			switch {
			case n == attrAddr4 && r.Family == IPv4:
				a = netip.AddrFrom4([4]byte(p))
			case n == attrAddr6 && r.Family == IPv6:
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
		case n == attrCache && num == uapi.RTA_CACHEINFO:
			r.CacheInfo = decodeCacheInfo(p)
		case n == attrU32 && num == uapi.RTA_UID: // of what was looked up
			if r.Packet == nil {
				r.Packet = new(Packet)
			}
			r.Packet.UID.Set(binary.NativeEndian.Uint32(p))
		case n == attrU8 && num == uapi.RTA_PREF:
			r.Preference.Set(Preference(p[0]))
		default:
			return b
		}
		b = b[end:]
	}
	return b
}

// isUsual reports whether appendUsual can write r.
func (r *Route) isUsual() bool {
	return (r.Family == IPv4 || r.Family == IPv6) &&
		(!r.Dst.IsValid() || r.Family.Has(r.Dst.Addr())) && r.Src == netip.Prefix{} &&
		(!r.Gateway.IsValid() || r.Family.Has(r.Gateway) && r.Gateway.Zone() == "") &&
		(!r.PrefSrc.IsValid() || r.Family.Has(r.PrefSrc) && r.PrefSrc.Zone() == "") &&
		len(r.Multipath) == 0 && r.Encap == nil && r.Metrics == nil && r.MPLS == nil && r.Packet == nil &&
		r.NextHopID == 0 && r.Realms == Realms{} && !r.Expires.set && !r.Preference.set &&
		r.Unknown == "" && r.CacheInfo == CacheInfo{}
}

// appendUsual appends the attributes of a route that isUsual.
func (r *Route) appendUsual(b []byte) []byte {
	b = slices.Grow(b, 3*attrAddr6+3*attrU32)
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
