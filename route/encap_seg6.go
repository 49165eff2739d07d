package route

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// An EncapSeg6 gives packets an IPv6 segment routing header: encap seg6 of
// ip-route(8). Linux 4.10. (SEG6_IPTUNNEL_SRH)
type EncapSeg6 struct {
	// Mode says how the packet gets the header: mode. Zero: inline.
	Mode Seg6Mode
	// SRH is the header: segs, hmac.
	SRH SRH
	// TunSrc is the source of the outer packet: tunsrc. Zero: the address that
	// "ip sr tunsrc" has set. Linux 7.1; older kernels ignore it.
	// (SEG6_IPTUNNEL_SRC)
	TunSrc netip.Addr
	// Lookup is the table in which the outer packet is looked up: lookup. Zero:
	// none. Linux 7.2; older kernels ignore it. (SEG6_IPTUNNEL_TABLE)
	Lookup rttables.ID
	// Unknown holds the attributes that this package has no field for.
	Unknown Attributes
}

// A Seg6Mode says how a packet gets a segment routing header:
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

// String returns the name that ip(8) has for m, such as encap, or its number.
func (m Seg6Mode) String() string { return iptext.NameOf(seg6Modes, m) }

// MarshalText returns what String does.
func (m Seg6Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what String returns, or any number of 32 bits.
func (m *Seg6Mode) UnmarshalText(text []byte) error {
	return iptext.UnmarshalName(seg6Modes, 32, "route", "a mode", text, m)
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
	attr.KeepZero(attr.Field(uapi.SEG6_IPTUNNEL_TABLE, attr.U32, func(e *EncapSeg6) *rttables.ID { return &e.Lookup })),
)

func decodeEncapSeg6(p []byte) (Encap, error) {
	e := seg6Codec.Borrow()
	defer seg6Codec.Return(e)
	if err := seg6Codec.Decode(p, e); err != nil {
		return nil, err
	}
	return *e, nil
}

// Type returns EncapTypeSeg6.
func (e EncapSeg6) Type() EncapType { return EncapTypeSeg6 }

// String returns the words of ip-route(8): seg6 mode encap segs 2001:db8::1.
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

// Words that are parsed and printed.
const (
	tunSrcWord = "tunsrc"
	lookupWord = "lookup"
)

// A seg6Text is an EncapSeg6 that is being parsed.
type seg6Text struct {
	EncapSeg6
	names   *Names
	hasMode bool
	raw     string // the header in bytes
}

var seg6Words = iptext.Table[seg6Text]{
	{Names: []string{"mode"}, Parse: func(w *iptext.Words, e *seg6Text) error {
		e.hasMode = true
		return iptext.ArgText(w, "a mode", &e.Mode)
	}},
	{Names: []string{tunSrcWord}, Parse: func(w *iptext.Words, e *seg6Text) error {
		if err := e.afterMode(w); err != nil {
			return err
		}
		if e.Mode == Seg6Inline {
			return w.Errorf("cannot be used with mode %s", e.Mode)
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

// afterMode refuses a word that comes before mode.
func (e *seg6Text) afterMode(w *iptext.Words) error {
	if !e.hasMode {
		return w.Errorf("comes before mode: write mode first")
	}
	return nil
}

func parseEncapSeg6(w *iptext.Words, n *Names) (Encap, error) {
	e := seg6Text{names: n}
	if err := parseWords(w, seg6Words, &e); err != nil {
		return nil, err
	}
	switch {
	case !e.hasMode:
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
