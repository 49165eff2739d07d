package route

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An Encap describes the encapsulation that a route adds to packets: encap of
// ip-route(8), a lightweight tunnel (RTA_ENCAP_TYPE and RTA_ENCAP). Its type is
// EncapMPLS, EncapIP, EncapIP6, EncapSeg6, EncapSeg6Local or, for other kinds,
// EncapRaw: the struct, not a pointer to it. Encaps compare with ==. A nil Encap means
// no encapsulation. Linux 4.3.
type Encap interface {
	// Type returns the kind. (RTA_ENCAP_TYPE)
	Type() EncapType
	// String returns the words of ip-route(8) that follow encap.
	String() string

	// append appends the payload of RTA_ENCAP.
	append(b []byte) ([]byte, error)
	// words returns the words that follow the type. complete is false if the
	// words do not say everything.
	words(n *Names) (words []string, complete bool)
	// canonical returns what the kernel reports, without counters.
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

// An encapKind is a kind of encapsulation that ip(8) has a name for.
type encapKind struct {
	typ  EncapType
	name string
	// is reports whether e is the kind's own struct, and decode reads the
	// payload of RTA_ENCAP into one. Both are nil for a kind without a struct,
	// which is an EncapRaw.
	is     func(e Encap) bool
	decode func(payload []byte) (Encap, error)
	// parse reads the words that follow the name. It is nil for bpf, whose
	// words name a file.
	parse func(w *iptext.Words, n *Names) (Encap, error)
}

// encapKinds has one row for each kind. Its type, codec and words are in the
// file of its name.
var encapKinds = [...]encapKind{
	{EncapTypeMPLS, "mpls", is[EncapMPLS], decodeEncapMPLS, parseEncapMPLS},
	{EncapTypeIP, "ip", is[EncapIP], decodeEncapIP, parseEncapIP},
	{EncapTypeILA, "ila", nil, nil, rawWords(EncapTypeILA, parseILA)},
	{EncapTypeIP6, "ip6", is[EncapIP6], decodeEncapIP6, parseEncapIP6},
	{EncapTypeSeg6, "seg6", is[EncapSeg6], decodeEncapSeg6, parseEncapSeg6},
	{EncapTypeBPF, "bpf", nil, nil, nil},
	{EncapTypeSeg6Local, "seg6local", is[EncapSeg6Local], decodeEncapSeg6Local, parseEncapSeg6Local},
	{EncapTypeRPL, "rpl", nil, nil, rawWords(EncapTypeRPL, parseRPL)},
	{EncapTypeIOAM6, "ioam6", nil, nil, rawWords(EncapTypeIOAM6, parseIOAM6)},
	{EncapTypeXFRM, "xfrm", nil, nil, rawWords(EncapTypeXFRM, parseXFRM)},
}

// is reports whether e is an E. A pointer to an E has the methods of an Encap,
// too, and is none.
func is[E Encap](e Encap) bool {
	_, ok := e.(E)
	return ok
}

// encapNames are the names of encapKinds.
var encapNames = func() (names iptext.Enum) {
	for _, k := range encapKinds {
		names = append(names, iptext.EnumName{N: uint8(k.typ), Name: k.name})
	}
	return names
}()

// String returns the name that ip(8) has for t, such as seg6, or its number.
func (t EncapType) String() string { return iptext.NameOf(encapNames, t) }

// MarshalText returns what String does.
func (t EncapType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what String returns, or any number of 16 bits.
func (t *EncapType) UnmarshalText(text []byte) error {
	return iptext.UnmarshalName(encapNames, 16, "route", "a type of encapsulation", text, t)
}

// isEncap reports whether e is one of this package's structs.
func isEncap(e Encap) bool {
	for _, k := range encapKinds {
		if k.is != nil && k.is(e) {
			return true
		}
	}
	return is[EncapRaw](e)
}

// decodeEncap reads the payload of RTA_ENCAP.
func decodeEncap(t EncapType, payload []byte) (Encap, error) {
	for _, k := range encapKinds {
		if k.typ == t && k.decode != nil {
			return k.decode(payload)
		}
	}
	return EncapRaw{t, string(payload)}, nil
}

func canonicalEncap(e Encap) Encap {
	if e == nil {
		return nil
	}
	return e.canonical()
}
