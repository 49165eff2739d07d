package uapi

// MPLSIPTunnel is the number of an attribute of LWTUNNEL_ENCAP_MPLS, MPLS_IPTUNNEL_*.
type MPLSIPTunnel uint16

const (
	MPLS_IPTUNNEL_UNSPEC MPLSIPTunnel = 0 // 4.3
	MPLS_IPTUNNEL_DST    MPLSIPTunnel = 1 // 4.3 label stack
	MPLS_IPTUNNEL_TTL    MPLSIPTunnel = 2 // 4.12 u8
)

var mplsIPTunnelTable = attributes{
	MPLS_IPTUNNEL_UNSPEC: {"MPLS_IPTUNNEL_UNSPEC", Version{4, 3}},
	MPLS_IPTUNNEL_DST:    {"MPLS_IPTUNNEL_DST", Version{4, 3}},
	MPLS_IPTUNNEL_TTL:    {"MPLS_IPTUNNEL_TTL", Version{4, 12}},
}

// String returns the kernel's name of the attribute; "MPLS_IPTUNNEL_77" for an unknown one.
func (a MPLSIPTunnel) String() string { return mplsIPTunnelTable.name("MPLS_IPTUNNEL_", uint16(a)) }

// Since returns the first kernel that has the attribute. It is zero for an
// unknown one.
func (a MPLSIPTunnel) Since() Version { return mplsIPTunnelTable.since(uint16(a)) }
