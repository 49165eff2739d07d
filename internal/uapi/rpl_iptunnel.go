package uapi

// RPL_IPTUNNEL_*: attributes of LWTUNNEL_ENCAP_RPL.
const (
	RPL_IPTUNNEL_SRH = 1 // 5.7 struct ipv6_rpl_sr_hdr
)

// Size and offsets of struct ipv6_rpl_sr_hdr, which addresses follow.
const (
	RPLSRHdrHdrlen       = 1 // 5.7 u8, in units of 8 bytes without the first
	RPLSRHdrType         = 2 // 5.7 u8
	RPLSRHdrSegmentsLeft = 3 // 5.7 u8
	SizeofRPLSRHdr       = 8 // 5.7 without addresses
)
