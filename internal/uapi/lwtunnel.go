package uapi

// LWTUNNEL_ENCAP_*: values of RTA_ENCAP_TYPE and NHA_ENCAP_TYPE.
const (
	LWTUNNEL_ENCAP_NONE       = 0  // 4.3
	LWTUNNEL_ENCAP_MPLS       = 1  // 4.3 MPLSIPTunnel
	LWTUNNEL_ENCAP_IP         = 2  // 4.3 LWTunnelIP
	LWTUNNEL_ENCAP_ILA        = 3  // 4.3
	LWTUNNEL_ENCAP_IP6        = 4  // 4.3 LWTunnelIP6
	LWTUNNEL_ENCAP_SEG6       = 5  // 4.10 Seg6IPTunnel
	LWTUNNEL_ENCAP_BPF        = 6  // 4.10 LWTBPF
	LWTUNNEL_ENCAP_SEG6_LOCAL = 7  // 4.14 Seg6Local
	LWTUNNEL_ENCAP_RPL        = 8  // 5.7
	LWTUNNEL_ENCAP_IOAM6      = 9  // 5.15
	LWTUNNEL_ENCAP_XFRM       = 10 // 6.1 LWTXFRM
)

// LWTunnelIP is the number of an attribute of LWTUNNEL_ENCAP_IP, LWTUNNEL_IP_*.
type LWTunnelIP uint16

const (
	LWTUNNEL_IP_UNSPEC LWTunnelIP = 0 // 4.3
	LWTUNNEL_IP_ID     LWTunnelIP = 1 // 4.3 be64
	LWTUNNEL_IP_DST    LWTunnelIP = 2 // 4.3 IPv4 address
	LWTUNNEL_IP_SRC    LWTunnelIP = 3 // 4.3 IPv4 address
	LWTUNNEL_IP_TTL    LWTunnelIP = 4 // 4.3 u8
	LWTUNNEL_IP_TOS    LWTunnelIP = 5 // 4.3 u8
	LWTUNNEL_IP_FLAGS  LWTunnelIP = 6 // 4.3 be16
	LWTUNNEL_IP_PAD    LWTunnelIP = 7 // 4.7
	LWTUNNEL_IP_OPTS   LWTunnelIP = 8 // 5.5 nested LWTUNNEL_IP_OPTS_*
)

var lwtunnelIPTable = attributes{
	LWTUNNEL_IP_UNSPEC: {"LWTUNNEL_IP_UNSPEC", Version{4, 3}},
	LWTUNNEL_IP_ID:     {"LWTUNNEL_IP_ID", Version{4, 3}},
	LWTUNNEL_IP_DST:    {"LWTUNNEL_IP_DST", Version{4, 3}},
	LWTUNNEL_IP_SRC:    {"LWTUNNEL_IP_SRC", Version{4, 3}},
	LWTUNNEL_IP_TTL:    {"LWTUNNEL_IP_TTL", Version{4, 3}},
	LWTUNNEL_IP_TOS:    {"LWTUNNEL_IP_TOS", Version{4, 3}},
	LWTUNNEL_IP_FLAGS:  {"LWTUNNEL_IP_FLAGS", Version{4, 3}},
	LWTUNNEL_IP_PAD:    {"LWTUNNEL_IP_PAD", Version{4, 7}},
	LWTUNNEL_IP_OPTS:   {"LWTUNNEL_IP_OPTS", Version{5, 5}},
}

// String returns the kernel's name of the attribute; "LWTUNNEL_IP_77" for an unknown one.
func (a LWTunnelIP) String() string { return lwtunnelIPTable.name("LWTUNNEL_IP_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a LWTunnelIP) Since() Version { return lwtunnelIPTable.since(uint16(a)) }

// LWTunnelIP6 is the number of an attribute of LWTUNNEL_ENCAP_IP6, LWTUNNEL_IP6_*.
type LWTunnelIP6 uint16

const (
	LWTUNNEL_IP6_UNSPEC   LWTunnelIP6 = 0 // 4.3
	LWTUNNEL_IP6_ID       LWTunnelIP6 = 1 // 4.3 be64
	LWTUNNEL_IP6_DST      LWTunnelIP6 = 2 // 4.3 IPv6 address
	LWTUNNEL_IP6_SRC      LWTunnelIP6 = 3 // 4.3 IPv6 address
	LWTUNNEL_IP6_HOPLIMIT LWTunnelIP6 = 4 // 4.3 u8
	LWTUNNEL_IP6_TC       LWTunnelIP6 = 5 // 4.3 u8
	LWTUNNEL_IP6_FLAGS    LWTunnelIP6 = 6 // 4.3 be16
	LWTUNNEL_IP6_PAD      LWTunnelIP6 = 7 // 4.7
	LWTUNNEL_IP6_OPTS     LWTunnelIP6 = 8 // 5.5 nested LWTUNNEL_IP_OPTS_*
)

var lwtunnelIP6Table = attributes{
	LWTUNNEL_IP6_UNSPEC:   {"LWTUNNEL_IP6_UNSPEC", Version{4, 3}},
	LWTUNNEL_IP6_ID:       {"LWTUNNEL_IP6_ID", Version{4, 3}},
	LWTUNNEL_IP6_DST:      {"LWTUNNEL_IP6_DST", Version{4, 3}},
	LWTUNNEL_IP6_SRC:      {"LWTUNNEL_IP6_SRC", Version{4, 3}},
	LWTUNNEL_IP6_HOPLIMIT: {"LWTUNNEL_IP6_HOPLIMIT", Version{4, 3}},
	LWTUNNEL_IP6_TC:       {"LWTUNNEL_IP6_TC", Version{4, 3}},
	LWTUNNEL_IP6_FLAGS:    {"LWTUNNEL_IP6_FLAGS", Version{4, 3}},
	LWTUNNEL_IP6_PAD:      {"LWTUNNEL_IP6_PAD", Version{4, 7}},
	LWTUNNEL_IP6_OPTS:     {"LWTUNNEL_IP6_OPTS", Version{5, 5}},
}

// String returns the kernel's name of the attribute; "LWTUNNEL_IP6_77" for an unknown one.
func (a LWTunnelIP6) String() string { return lwtunnelIP6Table.name("LWTUNNEL_IP6_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a LWTunnelIP6) Since() Version { return lwtunnelIP6Table.since(uint16(a)) }

// LWTUNNEL_IP_OPTS_*: attributes of LWTUNNEL_IP_OPTS and LWTUNNEL_IP6_OPTS.
const (
	LWTUNNEL_IP_OPTS_UNSPEC = 0 // 5.5
	LWTUNNEL_IP_OPTS_GENEVE = 1 // 5.5 nested LWTUNNEL_IP_OPT_GENEVE_*
	LWTUNNEL_IP_OPTS_VXLAN  = 2 // 5.5 nested LWTUNNEL_IP_OPT_VXLAN_*
	LWTUNNEL_IP_OPTS_ERSPAN = 3 // 5.5 nested LWTUNNEL_IP_OPT_ERSPAN_*
)

// LWTUNNEL_IP_OPT_*: attributes of the options.
const (
	LWTUNNEL_IP_OPT_GENEVE_CLASS = 1 // 5.5 be16
	LWTUNNEL_IP_OPT_GENEVE_TYPE  = 2 // 5.5 u8
	LWTUNNEL_IP_OPT_GENEVE_DATA  = 3 // 5.5 bytes
	LWTUNNEL_IP_OPT_VXLAN_GBP    = 1 // 5.5 u32
	LWTUNNEL_IP_OPT_ERSPAN_VER   = 1 // 5.5 u8
	LWTUNNEL_IP_OPT_ERSPAN_INDEX = 2 // 5.5 be32
	LWTUNNEL_IP_OPT_ERSPAN_DIR   = 3 // 5.5 u8
	LWTUNNEL_IP_OPT_ERSPAN_HWID  = 4 // 5.5 u8
)

// LWTBPF is the number of an attribute of LWTUNNEL_ENCAP_BPF, LWT_BPF_*.
type LWTBPF uint16

const (
	LWT_BPF_UNSPEC        LWTBPF = 0 // 4.10
	LWT_BPF_IN            LWTBPF = 1 // 4.10 nested LWT_BPF_PROG_*
	LWT_BPF_OUT           LWTBPF = 2 // 4.10 nested LWT_BPF_PROG_*
	LWT_BPF_XMIT          LWTBPF = 3 // 4.10 nested LWT_BPF_PROG_*
	LWT_BPF_XMIT_HEADROOM LWTBPF = 4 // 4.10 u32
)

var lwtBPFTable = attributes{
	LWT_BPF_UNSPEC:        {"LWT_BPF_UNSPEC", Version{4, 10}},
	LWT_BPF_IN:            {"LWT_BPF_IN", Version{4, 10}},
	LWT_BPF_OUT:           {"LWT_BPF_OUT", Version{4, 10}},
	LWT_BPF_XMIT:          {"LWT_BPF_XMIT", Version{4, 10}},
	LWT_BPF_XMIT_HEADROOM: {"LWT_BPF_XMIT_HEADROOM", Version{4, 10}},
}

// String returns the kernel's name of the attribute; "LWT_BPF_77" for an unknown one.
func (a LWTBPF) String() string { return lwtBPFTable.name("LWT_BPF_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a LWTBPF) Since() Version { return lwtBPFTable.since(uint16(a)) }

// LWT_BPF_PROG_*: attributes of a program.
const (
	LWT_BPF_PROG_UNSPEC = 0 // 4.10
	LWT_BPF_PROG_FD     = 1 // 4.10 u32
	LWT_BPF_PROG_NAME   = 2 // 4.10 string
)

// LWTXFRM is the number of an attribute of LWTUNNEL_ENCAP_XFRM, LWT_XFRM_*.
type LWTXFRM uint16

const (
	LWT_XFRM_UNSPEC LWTXFRM = 0 // 6.1
	LWT_XFRM_IF_ID  LWTXFRM = 1 // 6.1 u32
	LWT_XFRM_LINK   LWTXFRM = 2 // 6.1 u32
)

var lwtXFRMTable = attributes{
	LWT_XFRM_UNSPEC: {"LWT_XFRM_UNSPEC", Version{6, 1}},
	LWT_XFRM_IF_ID:  {"LWT_XFRM_IF_ID", Version{6, 1}},
	LWT_XFRM_LINK:   {"LWT_XFRM_LINK", Version{6, 1}},
}

// String returns the kernel's name of the attribute; "LWT_XFRM_77" for an unknown one.
func (a LWTXFRM) String() string { return lwtXFRMTable.name("LWT_XFRM_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a LWTXFRM) Since() Version { return lwtXFRMTable.since(uint16(a)) }
