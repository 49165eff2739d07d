package route

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// Segments are IPv6 addresses, 16 bytes each; see [MakeSegments]. It is a string
// so that values that hold one compare with ==. Empty is none.
type Segments string

// MakeSegments is the path over addresses, the first one first.
func MakeSegments(addrs ...netip.Addr) Segments {
	var b []byte
	for _, a := range addrs {
		a16 := a.As16()
		b = append(b, a16[:]...)
	}
	return Segments(b)
}

// Values returns the addresses, the first one first.
func (s Segments) Values() []netip.Addr {
	var addrs []netip.Addr
	for ; len(s) >= 16; s = s[16:] {
		addrs = append(addrs, netip.AddrFrom16([16]byte([]byte(s[:16]))))
	}
	return addrs
}

// String is the addresses with commas between them.
func (s Segments) String() string {
	var text []string
	for _, a := range s.Values() {
		text = append(text, a.String())
	}
	return strings.Join(text, ",")
}

func argSegments(w *iptext.Words, s *Segments) error {
	text, err := w.Arg("segments")
	if err != nil {
		return err
	}
	var addrs []netip.Addr
	for part := range strings.SplitSeq(text, ",") {
		a, ok := iptext.Addr(part)
		if !ok || !a.Is6() {
			return w.Errorf("not segments: want IPv6 addresses, commas between them")
		}
		addrs = append(addrs, a)
	}
	*s = MakeSegments(addrs...)
	return nil
}

// An SRH is an IPv6 segment routing header, struct ipv6_sr_hdr of linux/seg6.h.
// The zero SRH is none.
type SRH struct {
	// Segs is the path: segs. Where a header is put into the packet itself, the
	// packet's destination follows, for which the header has a place.
	Segs Segments
	// HMAC is the number of the key that signs the header: hmac. Zero: none.
	HMAC uint32
	// Raw is the header in bytes, instead of the others: one with flags, a tag
	// or TLVs of another kind.
	Raw string
}

// append appends the header. slot says whether the packet's own destination
// follows.
func (h SRH) append(b []byte, slot bool) ([]byte, error) {
	if h.Raw != "" {
		if h.Segs != "" || h.HMAC != 0 {
			return b, errors.New("a raw header with segments or an HMAC")
		}
		return append(b, h.Raw...), nil
	}
	segs := h.Segs.Values()
	if slot {
		segs = append(segs, netip.IPv6Unspecified())
	}
	size := uapi.SizeofIPv6SRHdr + 16*len(segs)
	flags := 0
	if h.HMAC != 0 {
		size += uapi.SizeofSR6TLVHMAC
		flags = uapi.SR6_FLAG1_HMAC
	}
	if len(h.Segs)%16 != 0 || h.Segs == "" || size/8-1 > 255 {
		return b, fmt.Errorf("%d segments", len(segs))
	}
	last := uint8(len(segs) - 1)
	b = append(b, 0, uint8(size/8-1), uapi.IPV6_SRCRT_TYPE_4, last, last, uint8(flags), 0, 0)
	for i := range segs {
		b = attr.AppendAddr(b, segs[len(segs)-1-i])
	}
	if h.HMAC != 0 {
		b = append(b, uapi.SR6_TLV_HMAC, uapi.SizeofSR6TLVHMAC-2, 0, 0)
		b = binary.BigEndian.AppendUint32(b, h.HMAC)
		b = append(b, make([]byte, uapi.SizeofSR6TLVHMAC-uapi.SR6TLVHMACKeyID-4)...)
	}
	return b, nil
}

// decodeSRH reads a header. What append would not write is kept as it is.
func decodeSRH(p string, slot bool) SRH {
	var h SRH
	if len(p) >= uapi.SizeofIPv6SRHdr {
		n := (int(p[uapi.IPv6SRHdrFirstSegment]) + 1) * 16
		rest := p[uapi.SizeofIPv6SRHdr:]
		h.Segs = reversed(rest[:min(n, len(rest)&^15)])
		if tlv := rest[min(n, len(rest)):]; len(tlv) == uapi.SizeofSR6TLVHMAC {
			h.HMAC = binary.BigEndian.Uint32([]byte(tlv[uapi.SR6TLVHMACKeyID:]))
		}
		if slot && len(h.Segs) >= 16 {
			h.Segs = h.Segs[:len(h.Segs)-16]
		}
	}
	if same, err := h.append(nil, slot); err != nil || string(same) != p {
		return SRH{Raw: p}
	}
	return h
}

// reversed is the addresses of s from the last to the first.
func reversed(s string) Segments {
	b := make([]byte, 0, len(s))
	for i := len(s) - 16; i >= 0; i -= 16 {
		b = append(b, s[i:i+16]...)
	}
	return Segments(b)
}

// words are the words for the header.
func (h SRH) words() []string {
	switch {
	case h.Raw != "":
		return []string{rawSRHWord, hex.EncodeToString([]byte(h.Raw))}
	case h.HMAC != 0:
		return []string{"segs", h.Segs.String(), "hmac", iptext.Hex(h.HMAC)}
	}
	return []string{"segs", h.Segs.String()}
}

// rawSRHWord stands before the bytes of a header in hexadecimal. ip(8) has no
// word for them.
const rawSRHWord = "rawsrh"

// A Seg6Mode is how a segment routing header gets to a packet:
// SEG6_IPTUN_MODE_* of linux/seg6_iptunnel.h.
type Seg6Mode uint32

// The modes, in the words of ip-route(8).
const (
	Seg6Inline     Seg6Mode = uapi.SEG6_IPTUN_MODE_INLINE      // inline: into the packet itself
	Seg6Encap      Seg6Mode = uapi.SEG6_IPTUN_MODE_ENCAP       // encap: around it
	Seg6L2Encap    Seg6Mode = uapi.SEG6_IPTUN_MODE_L2ENCAP     // l2encap: around the frame; Linux 4.14
	Seg6EncapRed   Seg6Mode = uapi.SEG6_IPTUN_MODE_ENCAP_RED   // encap.red: without the first segment; Linux 6.0
	Seg6L2EncapRed Seg6Mode = uapi.SEG6_IPTUN_MODE_L2ENCAP_RED // l2encap.red: both; Linux 6.0
)

var seg6Modes = iptext.Enum{
	{N: uapi.SEG6_IPTUN_MODE_INLINE, Name: "inline"},
	{N: uapi.SEG6_IPTUN_MODE_ENCAP, Name: "encap"},
	{N: uapi.SEG6_IPTUN_MODE_L2ENCAP, Name: "l2encap"},
	{N: uapi.SEG6_IPTUN_MODE_ENCAP_RED, Name: "encap.red"},
	{N: uapi.SEG6_IPTUN_MODE_L2ENCAP_RED, Name: "l2encap.red"},
}

// String is the name that ip(8) has for m, such as encap, else its number.
func (m Seg6Mode) String() string {
	if m > 255 {
		return iptext.Decimal(m)
	}
	return seg6Modes.Name(uint8(m))
}

// An EncapSeg6 gives packets an IPv6 segment routing header: encap seg6 of
// ip-route(8). Linux 4.10. (SEG6_IPTUNNEL_SRH)
type EncapSeg6 struct {
	// Mode is how: mode. Zero: inline.
	Mode Seg6Mode
	// SRH is the header: segs, hmac.
	SRH SRH
	// TunSrc is the source of the outer packet: tunsrc. Zero: as "ip sr
	// tunsrc" says. Linux 7.1; older kernels ignore it. (SEG6_IPTUNNEL_SRC)
	TunSrc netip.Addr
	// Lookup is the table where the outer packet is looked up: lookup. Zero:
	// none. Linux 7.2; older kernels ignore it. (SEG6_IPTUNNEL_TABLE)
	Lookup rttables.ID
	// Unknown are the attributes that this package has no field for.
	Unknown Attributes
}

var seg6Codec = attr.NewCodec(func(e *EncapSeg6) *Attributes { return &e.Unknown },
	attr.Func(uapi.SEG6_IPTUNNEL_SRH,
		func(b []byte, e *EncapSeg6) ([]byte, bool, error) {
			if e.SRH == (SRH{}) && e.Mode == 0 {
				return b, false, nil
			}
			b = binary.NativeEndian.AppendUint32(b, uint32(e.Mode))
			if e.SRH == (SRH{}) {
				return b, true, nil
			}
			b, err := e.SRH.append(b, e.Mode == Seg6Inline)
			return b, true, err
		},
		func(p []byte, e *EncapSeg6) error {
			if len(p) < uapi.SizeofSeg6IPTunnelEncap {
				return fmt.Errorf("%d bytes of payload, want %d", len(p), uapi.SizeofSeg6IPTunnelEncap)
			}
			e.Mode = Seg6Mode(binary.NativeEndian.Uint32(p))
			e.SRH = decodeSRH(string(p[uapi.SizeofSeg6IPTunnelEncap:]), e.Mode == Seg6Inline)
			return nil
		}),
	addressOf(uapi.SEG6_IPTUNNEL_SRC, IPv6, func(e *EncapSeg6) *netip.Addr { return &e.TunSrc }),
	nonZero(uapi.SEG6_IPTUNNEL_TABLE, attr.U32,
		func(e *EncapSeg6) (*rttables.ID, *Attributes) { return &e.Lookup, &e.Unknown }),
)

func decodeEncapSeg6(p []byte) (Encap, error) {
	e := seg6Codec.Borrow()
	defer seg6Codec.Return(e)
	if err := seg6Codec.Decode(p, e); err != nil {
		return nil, err
	}
	return *e, nil
}

// Type is EncapTypeSeg6.
func (e EncapSeg6) Type() EncapType { return EncapTypeSeg6 }

// String is the words of ip-route(8): seg6 mode encap segs 2001:db8::1.
func (e EncapSeg6) String() string { return encapString(e, nil) }

func (e EncapSeg6) append(b []byte) ([]byte, error) { return seg6Codec.Append(b, &e) }

func (e EncapSeg6) canonical() Encap { return e }

func (e EncapSeg6) words(n *Names) ([]string, bool) {
	words := []string{"mode", e.Mode.String()}
	if e.TunSrc.IsValid() {
		words = append(words, tunSrcWord, e.TunSrc.String())
	}
	words = append(words, e.SRH.words()...)
	if e.Lookup != 0 {
		words = append(words, lookupWord, n.FileNames().Name(e.Lookup))
	}
	return words, e.SRH != (SRH{}) && e.Unknown == ""
}

// Words that are said and shown.
const (
	tunSrcWord = "tunsrc"
	lookupWord = "lookup"
)

// A seg6Text is an EncapSeg6 on its way from text.
type seg6Text struct {
	EncapSeg6
	names *Names
	mode  bool   // said
	raw   string // the header
}

var seg6Words = iptext.Table[seg6Text]{
	{Names: []string{"mode"}, Parse: func(w *iptext.Words, e *seg6Text) error {
		s, err := w.Arg("a mode")
		if err != nil {
			return err
		}
		e.mode = true
		n, ok := seg6Modes.Number(s)
		if e.Mode = Seg6Mode(n); ok {
			return nil
		}
		if e.Mode, ok = iptext.Uint[Seg6Mode](s, 32); !ok {
			return w.Errorf("not a mode%s", iptext.Suggest(s, seg6Modes.Names()))
		}
		return nil
	}},
	{Names: []string{tunSrcWord}, Parse: func(w *iptext.Words, e *seg6Text) error {
		if err := e.afterMode(w); err != nil {
			return err
		}
		if e.Mode == Seg6Inline {
			return w.Errorf("does not go with mode %s", e.Mode)
		}
		own := IPv6
		return argAddr(w, &own, &e.TunSrc)
	}},
	{Names: []string{lookupWord}, Parse: func(w *iptext.Words, e *seg6Text) error {
		err := argTable(w, e.names, &e.Lookup)
		if err == nil && e.Lookup == 0 {
			err = w.Errorf("not a table")
		}
		return err
	}},
	{Names: []string{"segs"}, Parse: func(w *iptext.Words, e *seg6Text) error {
		if err := e.afterMode(w); err != nil {
			return err
		}
		return argSegments(w, &e.SRH.Segs)
	}},
	{Names: []string{"hmac"}, Parse: func(w *iptext.Words, e *seg6Text) (err error) {
		e.SRH.HMAC, err = iptext.ArgUint[uint32](w, "a key", 32)
		return err
	}},
	{Names: []string{rawSRHWord}, Parse: func(w *iptext.Words, e *seg6Text) (err error) {
		e.raw, err = argHex(w, "a header")
		return err
	}},
}

// afterMode refuses a word that stands before mode.
func (e *seg6Text) afterMode(w *iptext.Words) error {
	if !e.mode {
		return w.Errorf("stands before mode")
	}
	return nil
}

// errRawSRH is what is wrong with words for a header that has both forms.
const errRawSRH = rawSRHWord + " does not go with segs and hmac"

func parseEncapSeg6(w *iptext.Words, n *Names) (Encap, error) {
	e := seg6Text{names: n}
	if err := parseWords(w, seg6Words, &e); err != nil {
		return nil, err
	}
	switch {
	case !e.mode:
		return nil, w.Errorf("no mode")
	case e.raw != "" && e.SRH != (SRH{}):
		return nil, w.Errorf(errRawSRH)
	case e.raw != "":
		e.SRH = decodeSRH(e.raw, e.Mode == Seg6Inline)
	case e.SRH.Segs == "":
		return nil, w.Errorf("no segs")
	}
	return e.EncapSeg6, nil
}
