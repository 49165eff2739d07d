package route

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// The words of kinds that this package has no struct for make an EncapRaw. Its
// own text has them as bytes.

// rawParsers are the kinds with words, by their types. ip(8) has words for one
// more, bpf, which name a file.
var rawParsers = map[EncapType]func(*iptext.Words, *Names) ([]byte, error){
	EncapTypeILA:   parseILA,
	EncapTypeRPL:   parseRPL,
	EncapTypeIOAM6: parseIOAM6,
	EncapTypeXFRM:  parseXFRM,
}

func parseEncapRaw(w *iptext.Words, n *Names, t EncapType) (Encap, error) {
	parse, ok := rawParsers[t]
	if !ok {
		return nil, w.Errorf("not a type of encapsulation with words: use %s %d", rawWord, t)
	}
	b, err := parse(w, n)
	return EncapRaw{Kind: t, Data: string(b)}, err
}

func appendU32(b []byte, num uint16, v uint32) []byte {
	return attr.Append(b, num, binary.NativeEndian.AppendUint32(nil, v))
}

// parseILA takes a locator, four numbers of 16 bits in hexadecimal, and modes.
func parseILA(w *iptext.Words, _ *Names) ([]byte, error) {
	s, err := w.Arg("a locator")
	if err != nil {
		return nil, err
	}
	var locator []byte
	for part := range strings.SplitSeq(s, ":") {
		v, ok := iptext.Uint[uint16]("0x"+part, 16)
		if !ok {
			return nil, w.Errorf("not a locator")
		}
		locator = binary.BigEndian.AppendUint16(locator, v)
	}
	if len(locator) != 8 {
		return nil, w.Errorf("not a locator: want four numbers, colons between them")
	}
	b := attr.Append(nil, uapi.ILA_ATTR_LOCATOR, locator)
	for {
		num, names := uint16(0), iptext.Enum(nil)
		switch {
		case w.Accept("csum-mode"):
			num, names = uapi.ILA_ATTR_CSUM_MODE, iptext.ILACsumModes
		case w.Accept("ident-type"):
			num, names = uapi.ILA_ATTR_IDENT_TYPE, iptext.ILAIdentTypes
		case w.Accept("hook-type"):
			num, names = uapi.ILA_ATTR_HOOK_TYPE, iptext.ILAHookTypes
		default:
			return b, nil
		}
		v, err := argEnum(w, names)
		if err != nil {
			return nil, err
		}
		b = attr.Append(b, num, []byte{v})
	}
}

// argEnum takes one of names.
func argEnum(w *iptext.Words, names iptext.Enum) (uint8, error) {
	s, err := w.Arg("a name")
	if err != nil {
		return 0, err
	}
	for _, x := range names {
		if x.Name == s {
			return x.N, nil
		}
	}
	return 0, w.Errorf("not one of %s", strings.Join(names.Names(), ", "))
}

// parseRPL takes segments. The header has the first of them last.
func parseRPL(w *iptext.Words, _ *Names) ([]byte, error) {
	if !w.Accept("segs") {
		return nil, w.Errorf("no segs")
	}
	var segs Segments
	if err := argSegments(w, &segs); err != nil {
		return nil, err
	}
	n := len(segs) / 16
	if 2*n > 255 {
		return nil, w.Errorf("%d segments", n)
	}
	b := make([]byte, uapi.SizeofRPLSRHdr)
	b[uapi.RPLSRHdrHdrlen], b[uapi.RPLSRHdrType], b[uapi.RPLSRHdrSegmentsLeft] = uint8(2*n), rplType, uint8(n)
	b = append(b, reversed(string(segs))...)
	return attr.Append(nil, uapi.RPL_IPTUNNEL_SRH, b), nil
}

// rplType is the type of an RPL source route, RFC 6554.
const rplType = 3

// Limits of a trace.
const (
	maxIOAM6Freq = 1000000
	maxIOAM6Size = 244
)

// parseIOAM6 takes a frequency, a mode and the addresses of a tunnel, each of
// which may be left out, and then a trace: its words stand in this order.
func parseIOAM6(w *iptext.Words, _ *Names) ([]byte, error) {
	k, n := uint32(1), uint32(1)
	if w.Accept("freq") {
		var err error
		if k, n, err = argFrequency(w); err != nil {
			return nil, err
		}
	}
	mode := uint8(uapi.IOAM6_IPTUNNEL_MODE_INLINE)
	if w.Accept("mode") {
		var err error
		if mode, err = argEnum(w, iptext.IOAM6Modes); err != nil {
			return nil, err
		}
	}
	b := appendU32(nil, uapi.IOAM6_IPTUNNEL_FREQ_K, k)
	b = appendU32(b, uapi.IOAM6_IPTUNNEL_FREQ_N, n)
	b = attr.Append(b, uapi.IOAM6_IPTUNNEL_MODE, []byte{mode})
	inline := mode == uapi.IOAM6_IPTUNNEL_MODE_INLINE
	for _, x := range []struct {
		word     string
		num      uint16
		required bool
	}{{tunSrcWord, uapi.IOAM6_IPTUNNEL_SRC, false}, {tunDstWord, uapi.IOAM6_IPTUNNEL_DST, !inline}} {
		said := w.Accept(x.word)
		switch {
		case !said && x.required:
			return nil, w.Errorf("no %s", x.word)
		case !said:
		case inline:
			return nil, w.Errorf("does not go with mode inline")
		default:
			own, a := IPv6, netip.Addr{}
			if err := argAddr(w, &own, &a); err != nil {
				return nil, err
			}
			b = attr.Append(b, x.num, a.AsSlice())
		}
	}
	if !w.Accept("trace") || !w.Accept("prealloc") {
		return nil, w.Errorf("no trace prealloc")
	}
	trace, err := argTrace(w)
	return attr.Append(b, uapi.IOAM6_IPTUNNEL_TRACE, trace), err
}

const tunDstWord = "tundst"

// argFrequency takes K/N: into K of N packets.
func argFrequency(w *iptext.Words) (k, n uint32, _ error) {
	s, err := w.Arg("a frequency")
	if err != nil {
		return 0, 0, err
	}
	before, after, _ := strings.Cut(s, "/")
	k, ok1 := iptext.Uint[uint32](before, 32)
	n, ok2 := iptext.Uint[uint32](after, 32)
	if !ok1 || !ok2 || k < 1 || k > n || n > maxIOAM6Freq {
		return 0, 0, w.Errorf("not a frequency: want K/N, up to %d", maxIOAM6Freq)
	}
	return k, n, nil
}

// argTrace takes a type, a namespace and a size, in any order, as a struct
// ioam6_trace_hdr.
func argTrace(w *iptext.Words) ([]byte, error) {
	trace := make([]byte, uapi.SizeofIOAM6TraceHdr)
	typ, ns, size := false, false, false
	for {
		switch {
		case !typ && w.Accept("type"):
			v, err := iptext.ArgUint[uint32](w, "a type of traces", 32)
			if err == nil && v == 0 {
				err = w.Errorf("not a type of traces")
			}
			if err != nil {
				return nil, err
			}
			binary.BigEndian.PutUint32(trace[uapi.IOAM6TraceHdrType:], v<<8)
			typ = true
		case !ns && w.Accept("ns"):
			v, err := iptext.ArgUint[uint16](w, "a namespace of traces", 16)
			if err != nil {
				return nil, err
			}
			binary.BigEndian.PutUint16(trace[uapi.IOAM6TraceHdrNamespace:], v)
			ns = true
		case !size && w.Accept("size"):
			v, err := iptext.ArgUint[uint16](w, "a size", 16)
			if err == nil && (v == 0 || v%4 != 0 || v > maxIOAM6Size) {
				err = w.Errorf("not a size: want a multiple of 4 up to %d", maxIOAM6Size)
			}
			if err != nil {
				return nil, err
			}
			trace[uapi.IOAM6TraceHdrRemLen] = uint8(v / 4)
			size = true
		case typ && ns && size:
			return trace, nil
		default:
			return nil, w.Errorf("want type, ns and size")
		}
	}
}

// parseXFRM takes the number of an XFRM interface, and an interface. ip(8) drops
// all words of the route behind them; here they count.
func parseXFRM(w *iptext.Words, n *Names) ([]byte, error) {
	var id, link uint32
	for {
		var err error
		switch {
		case id == 0 && w.Accept("if_id"):
			if id, err = iptext.ArgUint[uint32](w, "a number", 32); err == nil && id == 0 {
				err = w.Errorf("not a number from 1")
			}
		case w.Accept("link_dev"):
			err = iptext.ArgLink(w, n.LinkNames().Index, &link)
		case id == 0:
			return nil, w.Errorf("no if_id")
		default:
			b := appendU32(nil, uint16(uapi.LWT_XFRM_IF_ID), id)
			if link != 0 {
				b = appendU32(b, uint16(uapi.LWT_XFRM_LINK), link)
			}
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
