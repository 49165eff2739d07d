package show

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// rawEncaps are the kinds of encapsulation that ip(8) has words for and package
// route has no struct for.
var rawEncaps = map[route.EncapType]func(*printer, route.Attributes){
	route.EncapTypeILA:   (*printer).encapILA,
	route.EncapTypeBPF:   (*printer).encapBPF,
	route.EncapTypeRPL:   (*printer).encapRPL,
	route.EncapTypeIOAM6: (*printer).encapIOAM6,
	route.EncapTypeXFRM:  (*printer).encapXFRM,
}

func (p *printer) encapRaw(e route.EncapRaw) {
	if print, ok := rawEncaps[e.Kind]; ok {
		print(p, route.Attributes(e.Data))
	}
}

func (p *printer) encapILA(attrs route.Attributes) {
	if b, ok := attr.First(attrs, uapi.ILA_ATTR_LOCATOR); ok && len(b) >= 8 {
		words := make([]string, 4)
		for i := range words {
			words[i] = fmt.Sprintf("%x", binary.BigEndian.Uint16(b[2*i:]))
		}
		p.put("locator", " ", strings.Join(words, ":"))
	}
	for _, x := range []struct {
		num        int
		name, word string
		names      iptext.Enum
	}{
		{uapi.ILA_ATTR_CSUM_MODE, "csum_mode", "csum-mode", iptext.ILACsumModes},
		{uapi.ILA_ATTR_IDENT_TYPE, "ident_type", "ident-type", iptext.ILAIdentTypes},
		{uapi.ILA_ATTR_HOOK_TYPE, "hook_type", "hook-type", iptext.ILAHookTypes},
	} {
		if b, ok := attr.First(attrs, x.num); ok && len(b) > 0 {
			p.put(x.name, " "+x.word+" ", enumOr(x.names, b[0], unknown))
		}
	}
}

func (p *printer) encapBPF(attrs route.Attributes) {
	for _, x := range []struct {
		num  uapi.LWTBPF
		word string
	}{{uapi.LWT_BPF_IN, "in"}, {uapi.LWT_BPF_OUT, "out"}, {uapi.LWT_BPF_XMIT, "xmit"}} {
		if prog, ok := attr.First(attrs, x.num); ok {
			p.program(x.word, route.Attributes(prog))
		}
	}
	if _, ok := attr.First(attrs, uapi.LWT_BPF_XMIT_HEADROOM); ok {
		putUint(p, "headroom", " ", hostU32(attrs, uapi.LWT_BPF_XMIT_HEADROOM))
	}
}

// program prints the name of a BPF program.
func (p *printer) program(word string, prog route.Attributes) {
	name, ok := attr.First(prog, uapi.LWT_BPF_PROG_NAME)
	s, _, _ := strings.Cut(string(name), "\x00")
	switch {
	case ok:
		p.put(word, word+" ", s)
	case p.IsJSON():
		p.Str(word, "", unknownBracket)
	default:
		p.Text(word, " ")
	}
}

func (p *printer) encapRPL(attrs route.Attributes) {
	b, _ := attr.First(attrs, uapi.RPL_IPTUNNEL_SRH)
	if len(b) < uapi.SizeofRPLSRHdr {
		return
	}
	p.segments(reversedSegments(b[uapi.SizeofRPLSRHdr:], int(b[uapi.RPLSRHdrSegmentsLeft])))
}

// encapIOAM6 prints a trace. It prints nothing if an attribute is missing.
func (p *printer) encapIOAM6(attrs route.Attributes) {
	mode, _ := attr.First(attrs, uapi.IOAM6_IPTUNNEL_MODE)
	trace, _ := attr.First(attrs, uapi.IOAM6_IPTUNNEL_TRACE)
	_, hasK := attr.First(attrs, uapi.IOAM6_IPTUNNEL_FREQ_K)
	_, hasN := attr.First(attrs, uapi.IOAM6_IPTUNNEL_FREQ_N)
	if len(mode) == 0 || len(trace) < uapi.SizeofIOAM6TraceHdr || !hasK || !hasN {
		return
	}
	p.Uint("freqk", "freq ", uint64(hostU32(attrs, uapi.IOAM6_IPTUNNEL_FREQ_K)))
	putUint(p, "freqn", "/", hostU32(attrs, uapi.IOAM6_IPTUNNEL_FREQ_N))
	src, hasSrc := attr.First(attrs, uapi.IOAM6_IPTUNNEL_SRC)
	dst, hasDst := attr.First(attrs, uapi.IOAM6_IPTUNNEL_DST)
	inline := mode[0] == uapi.IOAM6_IPTUNNEL_MODE_INLINE
	if inline && hasSrc || !inline && !hasDst {
		return
	}
	p.put("mode", "mode ", enumOr(iptext.IOAM6Modes, mode[0], unknownBracket))
	if !inline {
		p.putAddrBytes("tunsrc", src)
		p.putAddrBytes("tundst", dst)
	}
	p.Null("trace", "trace ")
	p.Null("prealloc", "prealloc ")
	typ := binary.BigEndian.Uint32(trace[uapi.IOAM6TraceHdrType:]) >> 8
	if p.IsJSON() {
		p.Str("type", "", fmt.Sprintf("%x", typ))
	} else {
		p.Text("type ", traceType(typ), " ")
	}
	putUint(p, "ns", "ns ", binary.BigEndian.Uint16(trace[uapi.IOAM6TraceHdrNamespace:]))
	putUint(p, "size", "size ", 4*uint32(trace[uapi.IOAM6TraceHdrRemLen]&0x7f))
}

// traceType formats n as printf(3) does for %#08x: eight characters including
// the 0x, which zero does not have.
func traceType(n uint32) string {
	if n == 0 {
		return "00000000"
	}
	return fmt.Sprintf("0x%06x", n)
}

func (p *printer) putAddrBytes(name string, b []byte) {
	a, _ := netip.AddrFromSlice(b)
	p.putAddr(name, a)
}

func (p *printer) encapXFRM(attrs route.Attributes) {
	if _, ok := attr.First(attrs, uapi.LWT_XFRM_IF_ID); ok {
		putUint(p, "if_id", "if_id ", hostU32(attrs, uapi.LWT_XFRM_IF_ID))
	}
	if _, ok := attr.First(attrs, uapi.LWT_XFRM_LINK); ok {
		p.put("link_dev", "link_dev ", p.links.Name(hostU32(attrs, uapi.LWT_XFRM_LINK)))
	}
}
