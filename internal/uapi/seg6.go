package uapi

// Size and offsets of struct ipv6_sr_hdr, the IPv6 segment routing header. The
// segments follow it, the last of the path first.
const (
	IPv6SRHdrNexthdr      = 0 // 4.10 u8
	IPv6SRHdrHdrlen       = 1 // 4.10 u8, in 8 bytes, less the first 8
	IPv6SRHdrType         = 2 // 4.10 u8, IPV6_SRCRT_TYPE_4
	IPv6SRHdrSegmentsLeft = 3 // 4.10 u8
	IPv6SRHdrFirstSegment = 4 // 4.10 u8, index of the last entry
	IPv6SRHdrFlags        = 5 // 4.10 u8, SR6_FLAG1_*
	IPv6SRHdrTag          = 6 // 4.10 u16
	SizeofIPv6SRHdr       = 8 // 4.10 without segments
)

// IPV6_SRCRT_TYPE_4 is the type of a segment routing header; it is from
// linux/ipv6.h.
const IPV6_SRCRT_TYPE_4 = 4 // 4.10

// SR6_FLAG1_*: flags of struct ipv6_sr_hdr.
const (
	SR6_FLAG1_PROTECTED = 0x40 // 4.10
	SR6_FLAG1_OAM       = 0x20 // 4.10
	SR6_FLAG1_ALERT     = 0x10 // 4.10
	SR6_FLAG1_HMAC      = 0x8  // 4.10
)

// SR6_TLV_*: types of the TLVs that may follow the segments.
const (
	SR6_TLV_INGRESS = 1 // 4.10
	SR6_TLV_EGRESS  = 2 // 4.10
	SR6_TLV_OPAQUE  = 3 // 4.10
	SR6_TLV_PADDING = 4 // 4.10
	SR6_TLV_HMAC    = 5 // 4.10
)

// Size and offset of struct sr6_tlv_hmac, a TLV at the end of a segment routing
// header; it is from linux/seg6_hmac.h.
const (
	SR6TLVHMACKeyID  = 4  // 4.10 be32, the number of the key
	SizeofSR6TLVHMAC = 40 // 4.10
)
