package uapi

// IOAM6_IPTUNNEL_*: attributes of LWTUNNEL_ENCAP_IOAM6.
const (
	IOAM6_IPTUNNEL_MODE   = 1 // 5.16 u8
	IOAM6_IPTUNNEL_DST    = 2 // 5.16 IPv6 address
	IOAM6_IPTUNNEL_TRACE  = 3 // 5.15 struct ioam6_trace_hdr
	IOAM6_IPTUNNEL_FREQ_K = 4 // 5.18 u32
	IOAM6_IPTUNNEL_FREQ_N = 5 // 5.18 u32
	IOAM6_IPTUNNEL_SRC    = 6 // 6.13 IPv6 address
)

// IOAM6_IPTUNNEL_MODE_*: values of IOAM6_IPTUNNEL_MODE.
const (
	IOAM6_IPTUNNEL_MODE_INLINE = 1 // 5.16
	IOAM6_IPTUNNEL_MODE_ENCAP  = 2 // 5.16
	IOAM6_IPTUNNEL_MODE_AUTO   = 3 // 5.16
)

// Size and offsets of struct ioam6_trace_hdr.
const (
	IOAM6TraceHdrNamespace = 0 // 5.15 be16
	IOAM6TraceHdrRemLen    = 3 // 5.15 u8, of which the low 7 bits are the length in words
	IOAM6TraceHdrType      = 4 // 5.15 be32, of which the upper 24 bits are the type
	SizeofIOAM6TraceHdr    = 8 // 5.15 without the data
)
