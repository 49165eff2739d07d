package uapi

// Seg6IPTunnel is the number of an attribute of LWTUNNEL_ENCAP_SEG6, SEG6_IPTUNNEL_*.
type Seg6IPTunnel uint16

const (
	SEG6_IPTUNNEL_UNSPEC Seg6IPTunnel = 0 // 4.10
	SEG6_IPTUNNEL_SRH    Seg6IPTunnel = 1 // 4.10 struct seg6_iptunnel_encap
	SEG6_IPTUNNEL_SRC    Seg6IPTunnel = 2 // 7.1 IPv6 address
	SEG6_IPTUNNEL_TABLE  Seg6IPTunnel = 3 // 7.2 u32
)

var seg6IPTunnelTable = attributes{
	SEG6_IPTUNNEL_UNSPEC: {"SEG6_IPTUNNEL_UNSPEC", Version{4, 10}},
	SEG6_IPTUNNEL_SRH:    {"SEG6_IPTUNNEL_SRH", Version{4, 10}},
	SEG6_IPTUNNEL_SRC:    {"SEG6_IPTUNNEL_SRC", Version{7, 1}},
	SEG6_IPTUNNEL_TABLE:  {"SEG6_IPTUNNEL_TABLE", Version{7, 2}},
}

// String returns the kernel's name of the attribute; "SEG6_IPTUNNEL_77" for an unknown one.
func (a Seg6IPTunnel) String() string { return seg6IPTunnelTable.name("SEG6_IPTUNNEL_", uint16(a)) }

// Since returns the first kernel that has the attribute. It is zero for an
// unknown one.
func (a Seg6IPTunnel) Since() Version { return seg6IPTunnelTable.since(uint16(a)) }

// Size and offset of struct seg6_iptunnel_encap: a host-order mode, then a
// struct ipv6_sr_hdr.
const (
	Seg6IPTunnelEncapMode   = 0 // 4.10 s32, SEG6_IPTUN_MODE_*
	SizeofSeg6IPTunnelEncap = 4 // 4.10 without the header
)

// SEG6_IPTUN_MODE_*: modes of struct seg6_iptunnel_encap.
const (
	SEG6_IPTUN_MODE_INLINE      = 0 // 4.10
	SEG6_IPTUN_MODE_ENCAP       = 1 // 4.10
	SEG6_IPTUN_MODE_L2ENCAP     = 2 // 4.14
	SEG6_IPTUN_MODE_ENCAP_RED   = 3 // 6.0
	SEG6_IPTUN_MODE_L2ENCAP_RED = 4 // 6.0
)
