package route

import (
	"encoding/binary"
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An Encap is what a route wraps packets into: encap of ip-route(8), a light
// weight tunnel (RTA_ENCAP_TYPE and RTA_ENCAP). It is an [EncapMPLS], [EncapIP],
// [EncapIP6], [EncapSeg6], [EncapSeg6Local], or, of another kind, an
// [EncapRaw]: the value, not a pointer. Two of them compare with ==. Nil is
// none. Linux 4.3.
type Encap interface {
	// Type is the kind. (RTA_ENCAP_TYPE)
	Type() EncapType
	// String is the words of ip-route(8) that follow encap.
	String() string

	// append appends the payload of RTA_ENCAP.
	append(b []byte) ([]byte, error)
	// words are the words after that of the type, and whether they say
	// everything.
	words(n *Names) ([]string, bool)
	// canonical is what the kernel reports, without what is the kernel's own.
	canonical() Encap
}

// An EncapType is a kind of encapsulation: LWTUNNEL_ENCAP_* of
// linux/lwtunnel.h.
type EncapType uint16

// The kinds of encapsulation, in the words of ip-route(8).
const (
	EncapTypeMPLS      EncapType = uapi.LWTUNNEL_ENCAP_MPLS       // MPLS labels; Linux 4.3
	EncapTypeIP        EncapType = uapi.LWTUNNEL_ENCAP_IP         // the key of an IPv4 tunnel; Linux 4.3
	EncapTypeILA       EncapType = uapi.LWTUNNEL_ENCAP_ILA        // identifier-locator addressing; Linux 4.3
	EncapTypeIP6       EncapType = uapi.LWTUNNEL_ENCAP_IP6        // the key of an IPv6 tunnel; Linux 4.3
	EncapTypeSeg6      EncapType = uapi.LWTUNNEL_ENCAP_SEG6       // an IPv6 segment routing header; Linux 4.10
	EncapTypeBPF       EncapType = uapi.LWTUNNEL_ENCAP_BPF        // BPF programs; Linux 4.10
	EncapTypeSeg6Local EncapType = uapi.LWTUNNEL_ENCAP_SEG6_LOCAL // what to do with such a header; Linux 4.14
	EncapTypeRPL       EncapType = uapi.LWTUNNEL_ENCAP_RPL        // an RPL source route; Linux 5.7
	EncapTypeIOAM6     EncapType = uapi.LWTUNNEL_ENCAP_IOAM6      // in-band measurements; Linux 5.15
	EncapTypeXFRM      EncapType = uapi.LWTUNNEL_ENCAP_XFRM       // IPsec; Linux 6.1
)

var encapTypes = iptext.Enum{
	{N: uapi.LWTUNNEL_ENCAP_MPLS, Name: "mpls"},
	{N: uapi.LWTUNNEL_ENCAP_IP, Name: "ip"},
	{N: uapi.LWTUNNEL_ENCAP_ILA, Name: "ila"},
	{N: uapi.LWTUNNEL_ENCAP_IP6, Name: "ip6"},
	{N: uapi.LWTUNNEL_ENCAP_SEG6, Name: "seg6"},
	{N: uapi.LWTUNNEL_ENCAP_BPF, Name: "bpf"},
	{N: uapi.LWTUNNEL_ENCAP_SEG6_LOCAL, Name: "seg6local"},
	{N: uapi.LWTUNNEL_ENCAP_RPL, Name: "rpl"},
	{N: uapi.LWTUNNEL_ENCAP_IOAM6, Name: "ioam6"},
	{N: uapi.LWTUNNEL_ENCAP_XFRM, Name: "xfrm"},
}

// String is the name that ip(8) has for t, such as seg6, else its number.
func (t EncapType) String() string {
	if t > 255 {
		return iptext.Decimal(t)
	}
	return encapTypes.Name(uint8(t))
}

// An EncapRaw is an encapsulation of a kind that this package has no struct
// for. It is written as it came.
type EncapRaw struct {
	Kind EncapType
	// Data is the payload of RTA_ENCAP.
	Data string
}

// Type is e.Kind.
func (e EncapRaw) Type() EncapType { return e.Kind }

// String is the word raw, the type, and Data in hexadecimal.
func (e EncapRaw) String() string { return encapString(e, nil) }

func (e EncapRaw) append(b []byte) ([]byte, error) { return append(b, e.Data...), nil }
func (e EncapRaw) words(*Names) ([]string, bool)   { return nil, false }
func (e EncapRaw) canonical() Encap                { return e }

// decodeEncap reads the payload of RTA_ENCAP.
func decodeEncap(t EncapType, p []byte) (Encap, error) {
	switch t {
	case EncapTypeMPLS:
		return decodeEncapMPLS(p)
	case EncapTypeIP:
		return decodeEncapIP(p)
	case EncapTypeIP6:
		return decodeEncapIP6(p)
	case EncapTypeSeg6:
		return decodeEncapSeg6(p)
	case EncapTypeSeg6Local:
		return decodeEncapSeg6Local(p)
	}
	return EncapRaw{t, string(p)}, nil
}

func canonicalEncap(e Encap) Encap {
	if e == nil {
		return nil
	}
	return e.canonical()
}

// encapParts are the two attributes of an encapsulation, of which either may
// come first.
type encapParts struct {
	typ        EncapType
	data       []byte
	has, typed bool
}

// encapRow is the row of RTA_ENCAP.
func encapRow[M any](at func(*M) (*Encap, *encapParts)) attr.Row[M] {
	return attr.Nested(attr.Func(uapi.RTA_ENCAP,
		func(b []byte, m *M) ([]byte, bool, error) {
			e, _ := at(m)
			if *e == nil {
				return b, false, nil
			}
			b, err := appendEncap(b, *e)
			return b, true, err
		},
		func(p []byte, m *M) error {
			_, parts := at(m)
			parts.data, parts.has = p, true
			return nil
		}))
}

// encapTypeRow is the row of RTA_ENCAP_TYPE.
func encapTypeRow[M any](at func(*M) (*Encap, *encapParts)) attr.Row[M] {
	u16 := attr.U16[EncapType]()
	return attr.Func(uapi.RTA_ENCAP_TYPE,
		func(b []byte, m *M) ([]byte, bool, error) {
			e, _ := at(m)
			if *e == nil {
				return b, false, nil
			}
			b, err := u16.Append(b, (*e).Type())
			return b, true, err
		},
		func(p []byte, m *M) (err error) {
			_, parts := at(m)
			parts.typ, err = u16.Decode(p)
			parts.typed = true
			return err
		})
}

// appendEncap appends the payload of RTA_ENCAP.
func appendEncap(b []byte, e Encap) ([]byte, error) {
	if !isEncap(e) {
		return b, fmt.Errorf("%T is not a kind of encapsulation", e)
	}
	return e.append(b)
}

// isEncap reports whether e is one of this package's values: pointers to them
// have their methods as well.
func isEncap(e Encap) bool {
	switch e.(type) {
	case EncapMPLS, EncapIP, EncapIP6, EncapSeg6, EncapSeg6Local, EncapRaw:
		return true
	}
	return false
}

// finish makes an encapsulation of the attributes that came. One that came
// alone takes the place of that of e; without e it is kept.
func (parts *encapParts) finish(e *Encap, unknown *Attributes) error {
	if !parts.has && !parts.typed {
		return nil
	}
	if *e != nil && !parts.typed {
		parts.typ, parts.typed = (*e).Type(), true
	}
	if *e != nil && !parts.has {
		var err error
		if parts.data, err = appendEncap(nil, *e); err != nil {
			return err
		}
		parts.has = true
	}
	switch {
	case !parts.has:
		keep(unknown, uapi.RTA_ENCAP_TYPE, binary.NativeEndian.AppendUint16(nil, uint16(parts.typ)))
	case !parts.typed:
		keep(unknown, uapi.RTA_ENCAP, parts.data)
	default:
		got, err := decodeEncap(parts.typ, parts.data)
		if err != nil {
			return &attr.Error{Attr: uapi.RTA_ENCAP.String(), Err: err}
		}
		*e = got
	}
	*parts = encapParts{}
	return nil
}
