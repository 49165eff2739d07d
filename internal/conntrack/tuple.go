package conntrack

import (
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Tuple is what identifies the packets of one direction of a connection. Tuples can be
// compared with ==.
type Tuple struct {
	Source, Dest netip.Addr
	Proto        uint8 // IPPROTO_*
	// SourcePort and DestPort are for protocols with ports. For GRE they are the keys.
	SourcePort, DestPort uint16
	// ICMP is for ICMP and ICMPv6.
	ICMP    ICMP
	Zone    uint16 // the zone, if it is of one direction only
	Unknown string // the attributes without a field, with headers
}

// An ICMP is what identifies packets of ICMP and ICMPv6.
type ICMP struct {
	ID         uint16
	Type, Code uint8
}

// String returns text like "udp 10.1.0.2:53 -> 192.0.2.1:4000".
func (t Tuple) String() string {
	proto := fmt.Sprintf("proto %d", t.Proto)
	switch t.Proto {
	case uapi.IPPROTO_TCP:
		proto = "tcp"
	case uapi.IPPROTO_UDP:
		proto = "udp"
	case uapi.IPPROTO_ICMP, uapi.IPPROTO_ICMPV6:
		return fmt.Sprintf("icmp %s -> %s type %d id %d", t.Source, t.Dest, t.ICMP.Type, t.ICMP.ID)
	}
	if !hasPorts(t.Proto) {
		return fmt.Sprintf("%s %s -> %s", proto, t.Source, t.Dest)
	}
	return fmt.Sprintf("%s %s -> %s", proto, netip.AddrPortFrom(t.Source, t.SourcePort), netip.AddrPortFrom(t.Dest, t.DestPort))
}

// hasPorts reports whether the tuples of a protocol have ports.
func hasPorts(proto uint8) bool {
	switch proto {
	case uapi.IPPROTO_TCP, uapi.IPPROTO_UDP, uapi.IPPROTO_UDPLITE, uapi.IPPROTO_SCTP, uapi.IPPROTO_DCCP, uapi.IPPROTO_GRE:
		return true
	}
	return false
}

// tupleCodec is for the attributes of CTA_TUPLE_ORIG and CTA_TUPLE_REPLY.
var tupleCodec = attr.NewCodec(func(t *Tuple) *string { return &t.Unknown },
	attr.Nested(attr.Func(uapi.CTA_TUPLE_IP, putAddrs, getAddrs)),
	attr.Nested(attr.Func(uapi.CTA_TUPLE_PROTO, putProto, getProto)),
	attr.Field(uapi.CTA_TUPLE_ZONE, attr.BE16[uint16], func(t *Tuple) *uint16 { return &t.Zone }),
)

func putAddrs(b []byte, t *Tuple) ([]byte, bool, error) {
	switch {
	case !t.Source.IsValid() && !t.Dest.IsValid():
		return b, false, nil
	case t.Source.Zone() != "" || t.Dest.Zone() != "":
		return b, false, fmt.Errorf("an address of %s and %s has a zone", t.Source, t.Dest)
	case t.Source.Is4() && t.Dest.Is4():
		b = attr.AppendIP(b, uapi.CTA_IP_V4_SRC, t.Source)
		return attr.AppendIP(b, uapi.CTA_IP_V4_DST, t.Dest), true, nil
	case t.Source.Is6() && t.Dest.Is6():
		b = attr.AppendIP(b, uapi.CTA_IP_V6_SRC, t.Source)
		return attr.AppendIP(b, uapi.CTA_IP_V6_DST, t.Dest), true, nil
	}
	return b, false, fmt.Errorf("%q and %q are not addresses of one family", t.Source, t.Dest)
}

func getAddrs(p []byte, t *Tuple) error {
	for num, addr := range attr.All(p) {
		a, ok := netip.AddrFromSlice(addr)
		var to *netip.Addr
		is4 := true
		switch uapi.CTAIP(num & attr.TypeMask) {
		case uapi.CTA_IP_V4_SRC:
			to = &t.Source
		case uapi.CTA_IP_V4_DST:
			to = &t.Dest
		case uapi.CTA_IP_V6_SRC:
			to, is4 = &t.Source, false
		case uapi.CTA_IP_V6_DST:
			to, is4 = &t.Dest, false
		default:
			continue
		}
		if !ok || a.Is4() != is4 {
			return fmt.Errorf("%d bytes of address", len(addr))
		}
		*to = a
	}
	return nil
}

// An ip protocol has its own numbers of attributes for ICMP.
type icmpAttrs struct{ id, typ, code uapi.CTAProto }

func icmpAttrsOf(proto uint8) (icmpAttrs, bool) {
	switch proto {
	case uapi.IPPROTO_ICMP:
		return icmpAttrs{uapi.CTA_PROTO_ICMP_ID, uapi.CTA_PROTO_ICMP_TYPE, uapi.CTA_PROTO_ICMP_CODE}, true
	case uapi.IPPROTO_ICMPV6:
		return icmpAttrs{uapi.CTA_PROTO_ICMPV6_ID, uapi.CTA_PROTO_ICMPV6_TYPE, uapi.CTA_PROTO_ICMPV6_CODE}, true
	}
	return icmpAttrs{}, false
}

func appendBig16[A attr.Number](b []byte, num A, v uint16) []byte {
	return attr.Append(b, uint16(num), []byte{byte(v >> 8), byte(v)})
}

func putProto(b []byte, t *Tuple) ([]byte, bool, error) {
	if t.Proto == 0 {
		return b, false, nil
	}
	b = attr.AppendU8(b, uapi.CTA_PROTO_NUM, t.Proto)
	if hasPorts(t.Proto) {
		b = appendBig16(b, uapi.CTA_PROTO_SRC_PORT, t.SourcePort)
		b = appendBig16(b, uapi.CTA_PROTO_DST_PORT, t.DestPort)
	}
	if nums, ok := icmpAttrsOf(t.Proto); ok {
		b = appendBig16(b, nums.id, t.ICMP.ID)
		b = attr.AppendU8(b, nums.typ, t.ICMP.Type)
		b = attr.AppendU8(b, nums.code, t.ICMP.Code)
	}
	return b, true, nil
}

func getProto(p []byte, t *Tuple) (err error) {
	big16, u8 := attr.BE16[uint16](), attr.U8[uint8]()
	for num, v := range attr.All(p) {
		switch uapi.CTAProto(num & attr.TypeMask) {
		case uapi.CTA_PROTO_NUM:
			t.Proto, err = u8.Decode(v)
		case uapi.CTA_PROTO_SRC_PORT:
			t.SourcePort, err = big16.Decode(v)
		case uapi.CTA_PROTO_DST_PORT:
			t.DestPort, err = big16.Decode(v)
		case uapi.CTA_PROTO_ICMP_ID, uapi.CTA_PROTO_ICMPV6_ID:
			t.ICMP.ID, err = big16.Decode(v)
		case uapi.CTA_PROTO_ICMP_TYPE, uapi.CTA_PROTO_ICMPV6_TYPE:
			t.ICMP.Type, err = u8.Decode(v)
		case uapi.CTA_PROTO_ICMP_CODE, uapi.CTA_PROTO_ICMPV6_CODE:
			t.ICMP.Code, err = u8.Decode(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
