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
)

// Segments is a list of IPv6 addresses, 16 bytes each; see [MakeSegments]. It is a
// string, so values that contain it compare with ==. The empty string means no
// segments.
type Segments string

// MakeSegments returns the path over these addresses. The packet goes to the first one
// first.
func MakeSegments(addrs ...netip.Addr) Segments {
	var b []byte
	for _, a := range addrs {
		a16 := a.As16()
		b = append(b, a16[:]...)
	}
	return Segments(b)
}

// Values returns the addresses in the order of the path.
func (s Segments) Values() []netip.Addr {
	var addrs []netip.Addr
	for ; len(s) >= 16; s = s[16:] {
		addrs = append(addrs, netip.AddrFrom16([16]byte([]byte(s[:16]))))
	}
	return addrs
}

// String returns the addresses with commas between them.
func (s Segments) String() string {
	var text []string
	for _, a := range s.Values() {
		text = append(text, a.String())
	}
	return strings.Join(text, ",")
}

// argSegments takes IPv6 addresses with commas between them.
func argSegments(w *iptext.Words, s *Segments) error {
	text, err := w.Arg("segments")
	if err != nil {
		return err
	}
	var addrs []netip.Addr
	for part := range strings.SplitSeq(text, ",") {
		a, ok := iptext.Addr(part)
		if !ok || !a.Is6() {
			return w.Errorf("not segments: want IPv6 addresses with commas between them")
		}
		addrs = append(addrs, a)
	}
	*s = MakeSegments(addrs...)
	return nil
}

// An SRH is an IPv6 segment routing header, struct ipv6_sr_hdr of linux/seg6.h. The
// zero SRH means no header.
type SRH struct {
	// Segs is the path: segs. If the header is put into the packet itself, one more
	// segment follows, which the kernel sets to the packet's own destination.
	Segs Segments
	// HMAC is the number of the key that signs the header: hmac. Zero: not
	// signed.
	HMAC uint32
	// Raw is the header in bytes, in place of the other fields. It is set for a
	// header with flags, a tag or other TLVs.
	Raw string
}

// append appends the header. inline says that the header is put into the packet
// itself: it then has a place for the packet's own destination.
func (h SRH) append(b []byte, inline bool) ([]byte, error) {
	if h.Raw != "" {
		if h.Segs != "" || h.HMAC != 0 {
			return b, errors.New("the field Raw is set together with Segs or HMAC")
		}
		return append(b, h.Raw...), nil
	}
	segs := h.Segs.Values()
	if inline {
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

// decodeSRH reads a header. A header that append would write otherwise is Raw.
func decodeSRH(p string, inline bool) SRH {
	var h SRH
	if len(p) >= uapi.SizeofIPv6SRHdr {
		n := (int(p[uapi.IPv6SRHdrFirstSegment]) + 1) * 16
		rest := p[uapi.SizeofIPv6SRHdr:]
		h.Segs = reversed(rest[:min(n, len(rest)&^15)])
		if tlv := rest[min(n, len(rest)):]; len(tlv) == uapi.SizeofSR6TLVHMAC {
			h.HMAC = binary.BigEndian.Uint32([]byte(tlv[uapi.SR6TLVHMACKeyID:]))
		}
		if inline && len(h.Segs) >= 16 {
			h.Segs = h.Segs[:len(h.Segs)-16]
		}
	}
	if same, err := h.append(nil, inline); err != nil || string(same) != p {
		return SRH{Raw: p}
	}
	return h
}

// reversed returns the addresses of s from the last to the first.
func reversed(s string) Segments {
	b := make([]byte, 0, len(s))
	for i := len(s) - 16; i >= 0; i -= 16 {
		b = append(b, s[i:i+16]...)
	}
	return Segments(b)
}

// words returns the words for the header.
func (h SRH) words() []string {
	switch {
	case h.Raw != "":
		return []string{rawSRHWord, hex.EncodeToString([]byte(h.Raw))}
	case h.HMAC != 0:
		return []string{"segs", h.Segs.String(), "hmac", iptext.Hex(h.HMAC)}
	}
	return []string{"segs", h.Segs.String()}
}

// rawSRHWord is the keyword for a header in hexadecimal, which ip(8) has no
// words for.
const rawSRHWord = "rawsrh"

// errRawSRH is the error for a header that has both forms.
const errRawSRH = rawSRHWord + " does not go with segs and hmac"
