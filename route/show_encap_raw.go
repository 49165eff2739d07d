package route

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// show writes what ip(8) knows of kinds that this package has no struct for.
func (e EncapRaw) show(o *iptext.Out, s *shower) {
	data := Attributes(e.Data)
	switch e.Kind {
	case EncapTypeILA:
		showILA(o, data)
	case EncapTypeBPF:
		showBPF(o, data)
	case EncapTypeRPL:
		showRPL(o, data)
	case EncapTypeIOAM6:
		showIOAM6(o, data)
	case EncapTypeXFRM:
		showXFRM(o, s, data)
	}
}

var (
	ilaCsumModes = iptext.Enum{
		{N: uapi.ILA_CSUM_ADJUST_TRANSPORT, Name: "adj-transport"},
		{N: uapi.ILA_CSUM_NEUTRAL_MAP, Name: "neutral-map"},
		{N: uapi.ILA_CSUM_NO_ACTION, Name: "no-action"},
		{N: uapi.ILA_CSUM_NEUTRAL_MAP_AUTO, Name: "neutral-map-auto"},
	}
	ilaIdentTypes = iptext.Enum{
		{N: uapi.ILA_ATYPE_IID, Name: "iid"},
		{N: uapi.ILA_ATYPE_LUID, Name: "luid"},
		{N: uapi.ILA_ATYPE_VIRT_V4, Name: "virt-v4"},
		{N: uapi.ILA_ATYPE_VIRT_UNI_V6, Name: "virt-uni-v6"},
		{N: uapi.ILA_ATYPE_VIRT_MULTI_V6, Name: "virt-multi-v6"},
		{N: uapi.ILA_ATYPE_NONLOCAL_ADDR, Name: "nonlocal-addr"},
		{N: uapi.ILA_ATYPE_USE_FORMAT, Name: "use-format"},
	}
	ilaHookTypes = iptext.Enum{
		{N: uapi.ILA_HOOK_ROUTE_OUTPUT, Name: "output"},
		{N: uapi.ILA_HOOK_ROUTE_INPUT, Name: "input"},
	}
)

func showILA(o *iptext.Out, data Attributes) {
	if p, ok := first(data, uapi.ILA_ATTR_LOCATOR); ok && len(p) >= 8 {
		words := make([]string, 4)
		for i := range words {
			words[i] = fmt.Sprintf("%x", binary.BigEndian.Uint16(p[2*i:]))
		}
		put(o, "locator", " ", strings.Join(words, ":"))
	}
	for _, x := range []struct {
		num        uint16
		name, word string
		names      iptext.Enum
	}{
		{uapi.ILA_ATTR_CSUM_MODE, "csum_mode", "csum-mode", ilaCsumModes},
		{uapi.ILA_ATTR_IDENT_TYPE, "ident_type", "ident-type", ilaIdentTypes},
		{uapi.ILA_ATTR_HOOK_TYPE, "hook_type", "hook-type", ilaHookTypes},
	} {
		if p, ok := first(data, x.num); ok && len(p) > 0 {
			put(o, x.name, " "+x.word+" ", enumName(x.names, uint64(p[0]), unknownWord))
		}
	}
}

func showBPF(o *iptext.Out, data Attributes) {
	for _, x := range []struct {
		num  uapi.LWTBPF
		word string
	}{{uapi.LWT_BPF_IN, "in"}, {uapi.LWT_BPF_OUT, "out"}, {uapi.LWT_BPF_XMIT, "xmit"}} {
		if prog, ok := first(data, uint16(x.num)); ok {
			showProgram(o, x.word, Attributes(prog))
		}
	}
	if _, ok := first(data, uint16(uapi.LWT_BPF_XMIT_HEADROOM)); ok {
		putUint(o, "headroom", " ", u32(data, uint16(uapi.LWT_BPF_XMIT_HEADROOM)))
	}
}

// showProgram writes a BPF program by its name.
func showProgram(o *iptext.Out, word string, prog Attributes) {
	name, ok := first(prog, uapi.LWT_BPF_PROG_NAME)
	s, _, _ := strings.Cut(string(name), "\x00")
	switch {
	case ok:
		put(o, word, word+" ", s)
	case o.IsJSON():
		o.Str(word, "", "<unknown>")
	default:
		o.Text(word, " ")
	}
}

func showRPL(o *iptext.Out, data Attributes) {
	p, _ := first(data, uapi.RPL_IPTUNNEL_SRH)
	if len(p) < uapi.SizeofRPLSRHdr {
		return
	}
	showSegments(o, reversedSegments(p[uapi.SizeofRPLSRHdr:], int(p[uapi.RPLSRHdrSegmentsLeft])))
}

var ioam6Modes = iptext.Enum{
	{N: uapi.IOAM6_IPTUNNEL_MODE_INLINE, Name: "inline"},
	{N: uapi.IOAM6_IPTUNNEL_MODE_ENCAP, Name: "encap"},
	{N: uapi.IOAM6_IPTUNNEL_MODE_AUTO, Name: "auto"},
}

// showIOAM6 writes a trace, and nothing if a part of it is not there.
func showIOAM6(o *iptext.Out, data Attributes) {
	mode, _ := first(data, uapi.IOAM6_IPTUNNEL_MODE)
	trace, _ := first(data, uapi.IOAM6_IPTUNNEL_TRACE)
	_, hasK := first(data, uapi.IOAM6_IPTUNNEL_FREQ_K)
	_, hasN := first(data, uapi.IOAM6_IPTUNNEL_FREQ_N)
	if len(mode) == 0 || len(trace) < uapi.SizeofIOAM6TraceHdr || !hasK || !hasN {
		return
	}
	o.Uint("freqk", "freq ", u32(data, uapi.IOAM6_IPTUNNEL_FREQ_K))
	putUint(o, "freqn", "/", u32(data, uapi.IOAM6_IPTUNNEL_FREQ_N))
	src, hasSrc := first(data, uapi.IOAM6_IPTUNNEL_SRC)
	dst, hasDst := first(data, uapi.IOAM6_IPTUNNEL_DST)
	inline := mode[0] == uapi.IOAM6_IPTUNNEL_MODE_INLINE
	if inline && hasSrc || !inline && !hasDst {
		return
	}
	put(o, "mode", "mode ", enumName(ioam6Modes, uint64(mode[0]), "<unknown>"))
	if !inline {
		putAddrBytes(o, tunSrcWord, src)
		putAddrBytes(o, tunDstWord, dst)
	}
	o.Null("trace", "trace ")
	o.Null("prealloc", "prealloc ")
	typ := binary.BigEndian.Uint32(trace[uapi.IOAM6TraceHdrType:]) >> 8
	if o.IsJSON() {
		o.Str("type", "", fmt.Sprintf("%x", typ))
	} else {
		o.Text("type ", hexOf8(typ), " ")
	}
	putUint(o, "ns", "ns ", binary.BigEndian.Uint16(trace[uapi.IOAM6TraceHdrNamespace:]))
	putUint(o, "size", "size ", 4*uint32(trace[uapi.IOAM6TraceHdrRemLen]&0x7f))
}

// hexOf8 is n as printf(3) has it for %#08x: eight letters with the 0x, which
// zero is without.
func hexOf8(n uint32) string {
	if n == 0 {
		return "00000000"
	}
	return fmt.Sprintf("0x%06x", n)
}

func putAddrBytes(o *iptext.Out, name string, p []byte) {
	a, _ := netip.AddrFromSlice(p)
	putAddr(o, name, a)
}

func showXFRM(o *iptext.Out, s *shower, data Attributes) {
	if _, ok := first(data, uint16(uapi.LWT_XFRM_IF_ID)); ok {
		putUint(o, "if_id", "if_id ", u32(data, uint16(uapi.LWT_XFRM_IF_ID)))
	}
	if _, ok := first(data, uint16(uapi.LWT_XFRM_LINK)); ok {
		put(o, "link_dev", "link_dev ", s.links.Name(uint32(u32(data, uint16(uapi.LWT_XFRM_LINK)))))
	}
}
