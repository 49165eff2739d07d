package route

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Limits of a trace.
const (
	maxIOAM6Freq = 1000000
	maxIOAM6Size = 244
)

// parseIOAM6 takes a frequency, a mode, the addresses of a tunnel, and a trace, in
// this order. Only the trace is always required.
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
		given := w.Accept(x.word)
		switch {
		case !given && x.required:
			return nil, w.Errorf("no %s", x.word)
		case !given:
		case inline:
			return nil, w.Errorf("cannot be used with mode inline")
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

// argFrequency takes K/N: K of N packets get the trace.
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
