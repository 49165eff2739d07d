package route

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A message is a route that is being encoded or decoded, with the fields of struct
// rtmsg that belong to attributes.
type message struct {
	Route
	dstLen, srcLen uint8
	encapParts
}

// codec has one row for each attribute of a route message that Route has a
// field for. They are written in this order, which is that of ip(8).
var codec = attr.NewCodec(func(m *message) *Attributes { return &m.Unknown },
	destination(),
	attr.Section(func(m *message) bool { return m.MPLS != nil },
		newDst(func(m *message) (*Labels, Family, *Attributes) { return &m.mpls().NewDst, m.Family, &m.Unknown }),
	),
	attr.Section(func(m *message) bool { return m.Src != netip.Prefix{} },
		prefix(uapi.RTA_SRC, func(m *message) (*netip.Prefix, *uint8) { return &m.Src, &m.srcLen }),
	),
	attr.Func(uapi.RTA_TABLE, putTable, getTable),
	attr.Func(uapi.RTA_GATEWAY,
		func(b []byte, m *message) ([]byte, bool, error) { return putGateway(b, m.Family, m.Gateway) },
		func(p []byte, m *message) error {
			return getAddr(uapi.RTA_GATEWAY, p, m.Family, &m.Gateway, &m.Unknown)
		}),
	attr.Func(uapi.RTA_VIA,
		func(b []byte, m *message) ([]byte, bool, error) { return putVia(b, m.Family, m.Gateway) },
		func(p []byte, m *message) error { return getVia(p, &m.Gateway, &m.Unknown) }),
	address(uapi.RTA_PREFSRC, func(m *message) *netip.Addr { return &m.PrefSrc }),
	attr.Field(uapi.RTA_OIF, attr.U32, func(m *message) *uint32 { return &m.OIF }),
	attr.KeepZero(attr.Part(packet, attr.Field(uapi.RTA_IIF, attr.U32, func(p *Packet) *uint32 { return &p.IIF }))),
	attr.Field(uapi.RTA_PRIORITY, attr.U32, func(m *message) *uint32 { return &m.Priority }),
	attr.Section((*message).hasRareFields,
		encapRow(func(m *message) (*Encap, *encapParts) { return &m.Encap, &m.encapParts }),
		encapTypeRow(func(m *message) (*Encap, *encapParts) { return &m.Encap, &m.encapParts }),
		attr.Func(uapi.RTA_METRICS, putMetrics, getMetrics),
		attr.Func(uapi.RTA_MULTIPATH, putMultipath, getMultipath),
		attr.KeepZero(attr.Field(uapi.RTA_NH_ID, attr.U32, func(m *message) *uint32 { return &m.NextHopID })),
		attr.KeepZero(attr.Field(uapi.RTA_FLOW, realms, func(m *message) *Realms { return &m.Realms })),
		attr.OptField(uapi.RTA_PREF, attr.U8, func(m *message) *Opt[Preference] { return &m.Preference }),
		attr.KeepZero(attr.Part(packet, attr.Field(uapi.RTA_MARK, attr.U32, func(p *Packet) *uint32 { return &p.Mark }))),
		attr.Part(packet, attr.OptField(uapi.RTA_UID, attr.U32, func(p *Packet) *Opt[uint32] { return &p.UID })),
		attr.KeepZero(attr.Part(packet, attr.Field(uapi.RTA_IP_PROTO, attr.U8, func(p *Packet) *IPProto { return &p.IPProto }))),
		attr.KeepZero(attr.Part(packet, attr.Field(uapi.RTA_SPORT, attr.BE16, func(p *Packet) *uint16 { return &p.SPort }))),
		attr.KeepZero(attr.Part(packet, attr.Field(uapi.RTA_DPORT, attr.BE16, func(p *Packet) *uint16 { return &p.DPort }))),
		attr.Part(packet, attr.OptField(uapi.RTA_FLOWLABEL, attr.BE32, func(p *Packet) *Opt[uint32] { return &p.FlowLabel })),
		attr.OptField(uapi.RTA_EXPIRES, attr.U32, func(m *message) *Opt[uint32] { return &m.Expires }),
		attr.Part(func(m *message) **MPLSRoute { return &m.MPLS },
			attr.OptField(uapi.RTA_TTL_PROPAGATE, attr.Flag, func(r *MPLSRoute) *Opt[bool] { return &r.TTLPropagate })),
		attr.Field(uapi.RTA_CACHEINFO, cacheInfo, func(m *message) *CacheInfo { return &m.CacheInfo }),
	),
	attr.Drop[message](uapi.RTA_PAD),
)

func packet(m *message) **Packet { return &m.Packet }

// mpls returns the place for decoded fields of MPLS routes.
func (m *message) mpls() *MPLSRoute {
	if m.MPLS == nil {
		m.MPLS = new(MPLSRoute)
	}
	return m.MPLS
}

// hasRareFields reports whether m has a field of the section, as few routes do.
func (m *message) hasRareFields() bool {
	return m.Encap != nil || len(m.Multipath) > 0 || m.NextHopID != 0 || m.Realms != Realms{} ||
		m.Preference.set || m.Expires.set || m.CacheInfo != CacheInfo{} ||
		m.Metrics != nil || m.MPLS != nil || m.Packet != nil
}

// nextHopCodec has the attributes of an entry of RTA_MULTIPATH.
var nextHopCodec = attr.NewCodec(func(m *nextHopMessage) *Attributes { return &m.Unknown },
	attr.Func(uapi.RTA_GATEWAY,
		func(b []byte, m *nextHopMessage) ([]byte, bool, error) { return putGateway(b, m.family, m.Gateway) },
		func(p []byte, m *nextHopMessage) error {
			return getAddr(uapi.RTA_GATEWAY, p, m.family, &m.Gateway, &m.Unknown)
		}),
	attr.Func(uapi.RTA_VIA,
		func(b []byte, m *nextHopMessage) ([]byte, bool, error) { return putVia(b, m.family, m.Gateway) },
		func(p []byte, m *nextHopMessage) error { return getVia(p, &m.Gateway, &m.Unknown) }),
	attr.KeepZero(attr.Field(uapi.RTA_FLOW, realms, func(m *nextHopMessage) *Realms { return &m.Realms })),
	newDst(func(m *nextHopMessage) (*Labels, Family, *Attributes) { return &m.NewDst, m.family, &m.Unknown }),
	encapRow(func(m *nextHopMessage) (*Encap, *encapParts) { return &m.Encap, &m.encapParts }),
	encapTypeRow(func(m *nextHopMessage) (*Encap, *encapParts) { return &m.Encap, &m.encapParts }),
)

// A nextHopMessage is a next hop that is being encoded or decoded, with the family of
// its route.
type nextHopMessage struct {
	NextHop
	family Family
	encapParts
}

// Rows that need more of the message than their own field.

// prefix returns a row for the address of a prefix, whose length is in the header.
func prefix(num uapi.RTA, at func(*message) (*netip.Prefix, *uint8)) attr.Row[message] {
	return attr.Func(num,
		func(b []byte, m *message) ([]byte, bool, error) {
			p, _ := at(m)
			return putPrefix(b, m, *p)
		},
		func(b []byte, m *message) error {
			p, bits := at(m)
			return getPrefix(num, b, m, *bits, p)
		})
}

// destination returns the row of RTA_DST. For the destination default, ip(8) sends an
// address of zeros with the length 0, and the kernel sends no attribute. The
// destination of an MPLS route is a label.
func destination() attr.Row[message] {
	return attr.Func(uapi.RTA_DST,
		func(b []byte, m *message) ([]byte, bool, error) {
			if label, ok := deref(m.MPLS).Label.Get(); ok {
				return append(b, MakeLabels(label)...), true, checkLabel(m.Family, label)
			}
			if m.Dst.IsValid() || m.Family != IPv4 && m.Family != IPv6 {
				return putPrefix(b, m, m.Dst)
			}
			var zeros [16]byte
			return append(b, zeros[:m.Family.Bits()/8]...), true, nil
		},
		func(b []byte, m *message) error {
			if m.Family == MPLS && len(b) == 4 && Labels(b).plain() {
				m.mpls().Label.Set(Labels(b).Values()[0])
				return nil
			}
			err := getPrefix(uapi.RTA_DST, b, m, m.dstLen, &m.Dst)
			m.Dst = normalizeDefault(m.Dst)
			return err
		})
}

// normalizeDefault returns p, or the zero Prefix for 0.0.0.0/0 and ::/0.
func normalizeDefault(p netip.Prefix) netip.Prefix {
	if p.Bits() == 0 && p.Addr().IsUnspecified() {
		return netip.Prefix{}
	}
	return p
}

func putPrefix(b []byte, m *message, p netip.Prefix) ([]byte, bool, error) {
	if !p.IsValid() {
		return b, false, nil
	}
	if !m.Family.Has(p.Addr()) {
		return b, true, fmt.Errorf("%s is not a prefix of family %s", p, m.Family)
	}
	return attr.AppendAddr(b, p.Addr()), true, nil
}

func getPrefix(num uapi.RTA, b []byte, m *message, bits uint8, p *netip.Prefix) error {
	if m.Family.Bits() == 0 {
		keepUnknown(&m.Unknown, num, b)
		return nil
	}
	return attr.DecodePrefix(b, m.Family.Bits(), bits, p)
}

// address returns a row for an address of the route's own family.
func address(num uapi.RTA, at func(*message) *netip.Addr) attr.Row[message] {
	return attr.Func(num,
		func(b []byte, m *message) ([]byte, bool, error) {
			a := *at(m)
			if !a.IsValid() {
				return b, false, nil
			}
			return attr.AppendAddr(b, a), true, attr.CheckAddr(m.Family, a)
		},
		func(p []byte, m *message) error { return getAddr(num, p, m.Family, at(m), &m.Unknown) })
}

// keepUnknown appends an attribute to the unknown ones. MPLS routes have attributes
// with the same numbers and other contents.
func keepUnknown[A attr.Number](unknown *Attributes, num A, p []byte) {
	*unknown += Attributes(attr.Append(nil, uint16(num), p))
}

// A table above 255 does not fit into the header, which is then zero. The kernel
// reports both the header and the attribute; the attribute is right.
func putTable(b []byte, m *message) ([]byte, bool, error) {
	if m.Table <= 255 {
		return b, false, nil
	}
	return binary.NativeEndian.AppendUint32(b, uint32(m.Table)), true, nil
}

func getTable(p []byte, m *message) error { return attr.DecodeU32(p, &m.Table) }

func putGateway(b []byte, f Family, a netip.Addr) ([]byte, bool, error) {
	if !f.Has(a) {
		return b, false, nil // none, or for putVia
	}
	return attr.AppendAddr(b, a), true, attr.CheckAddr(f, a)
}

// getAddr reads an address of family f. For a family without addresses, it keeps the
// attribute as unknown.
func getAddr(num uapi.RTA, p []byte, f Family, a *netip.Addr, unknown *Attributes) error {
	if f.Bits() == 0 {
		keepUnknown(unknown, num, p)
		return nil
	}
	return attr.DecodeAddr(p, f, a)
}

// RTA_VIA is struct rtvia: a host-order family, then the address.
func putVia(b []byte, f Family, a netip.Addr) ([]byte, bool, error) {
	if !a.IsValid() || f.Has(a) {
		return b, false, nil
	}
	of := FamilyOf(a)
	b = binary.NativeEndian.AppendUint16(b, uint16(of))
	return attr.AppendAddr(b, a), true, attr.CheckAddr(of, a)
}

// getVia keeps a gateway of another family, such as the link-layer address of an MPLS
// route, as an unknown attribute.
func getVia(p []byte, a *netip.Addr, unknown *Attributes) error {
	if len(p) < 2 {
		return errors.New("no family")
	}
	family := binary.NativeEndian.Uint16(p)
	if Family(family).Bits() == 0 || family > 255 {
		keepUnknown(unknown, uapi.RTA_VIA, p)
		return nil
	}
	return attr.DecodeAddr(p[2:], Family(family), a)
}

// realms is the kind of Realms, a uint32 with the source realm in its upper half.
func realms() attr.Kind[Realms] {
	return attr.Halves(func(src, dst uint16) Realms { return Realms{src, dst} },
		func(r Realms) (src, dst uint16) { return r.Src, r.Dst })
}

// cacheInfo is the kind of CacheInfo, eight words of 32 bits.
func cacheInfo() attr.Kind[CacheInfo] {
	return attr.Kind[CacheInfo]{
		Append: func(b []byte, c CacheInfo) ([]byte, error) {
			for _, v := range []uint32{c.ClntRef, c.LastUse, uint32(c.Expires), c.Error, c.Used, c.ID, c.TS, c.TSAge} {
				b = binary.NativeEndian.AppendUint32(b, v)
			}
			return b, nil
		},
		Decode: func(p []byte) (CacheInfo, error) {
			if len(p) < sizeofCacheInfo {
				return CacheInfo{}, fmt.Errorf("%d bytes of payload, want %d", len(p), sizeofCacheInfo)
			}
			return decodeCacheInfo(p), nil
		},
	}
}

// sizeofCacheInfo is the size of struct rta_cacheinfo.
const sizeofCacheInfo = 32

// decodeCacheInfo reads a struct rta_cacheinfo that is complete.
func decodeCacheInfo(p []byte) CacheInfo {
	u32 := binary.NativeEndian.Uint32
	p = p[:sizeofCacheInfo]
	return CacheInfo{
		ClntRef: u32(p), LastUse: u32(p[4:]), Expires: int32(u32(p[8:])), Error: u32(p[12:]),
		Used: u32(p[16:]), ID: u32(p[20:]), TS: u32(p[24:]), TSAge: u32(p[28:]),
	}
}

// maxWeight is the largest weight that fits into rtnh_hops, a byte with the weight
// minus one.
const maxWeight = 256

// RTA_MULTIPATH is a sequence of struct rtnexthop, each followed by attributes.
func putMultipath(b []byte, m *message) ([]byte, bool, error) {
	if len(m.Multipath) == 0 {
		return b, false, nil
	}
	nm := nextHopCodec.Borrow()
	defer nextHopCodec.Return(nm)
	for i, nh := range m.Multipath {
		if nh.Weight < 1 || nh.Weight > maxWeight {
			return b, true, fmt.Errorf("next hop %d: weight %d is not between 1 and %d", i+1, nh.Weight, maxWeight)
		}
		start := len(b)
		b = append(b, 0, 0, uint8(nh.Flags&sentFlags), uint8(nh.Weight-1))
		b = binary.NativeEndian.AppendUint32(b, nh.OIF)
		nm.NextHop, nm.family = nh, m.Family
		var err error
		if b, err = nextHopCodec.Append(b, nm); err != nil {
			return b, true, fmt.Errorf("next hop %d: %w", i+1, err)
		}
		if len(b)-start > attr.MaxPayload {
			return b, true, fmt.Errorf("next hop %d is too long", i+1)
		}
		binary.NativeEndian.PutUint16(b[start:], uint16(len(b)-start))
	}
	return b, true, nil
}

func getMultipath(p []byte, m *message) error {
	nm := nextHopCodec.Borrow()
	defer nextHopCodec.Return(nm)
	m.Multipath = nil
	for i := 1; len(p) > 0; i++ {
		if len(p) < uapi.SizeofRtNexthop {
			return fmt.Errorf("next hop %d is cut off", i)
		}
		n := int(binary.NativeEndian.Uint16(p))
		if n < uapi.SizeofRtNexthop || n > len(p) {
			return fmt.Errorf("next hop %d has no valid length", i)
		}
		*nm = nextHopMessage{family: m.Family, NextHop: NextHop{
			Flags:  Flags(p[uapi.RtNexthopFlags]),
			Weight: uint16(p[uapi.RtNexthopHops]) + 1,
			OIF:    binary.NativeEndian.Uint32(p[uapi.RtNexthopIfindex:]),
		}}
		err := nextHopCodec.Decode(p[uapi.SizeofRtNexthop:n:n], nm)
		if err == nil {
			err = nm.finish(&nm.Encap, &nm.Unknown)
		}
		if err != nil {
			return fmt.Errorf("next hop %d: %w", i, err)
		}
		m.Multipath = append(m.Multipath, nm.NextHop)
		p = p[min((n+3)&^3, len(p)):]
	}
	return nil
}
