package uapi

// IPS_*: bits of CTA_STATUS.
const (
	IPS_EXPECTED      = 0x1    // 2.6
	IPS_SEEN_REPLY    = 0x2    // 2.6
	IPS_ASSURED       = 0x4    // 2.6
	IPS_CONFIRMED     = 0x8    // 2.6
	IPS_SRC_NAT       = 0x10   // 2.6 the source is translated
	IPS_DST_NAT       = 0x20   // 2.6 the destination is translated
	IPS_SEQ_ADJUST    = 0x40   // 2.6
	IPS_SRC_NAT_DONE  = 0x80   // 2.6
	IPS_DST_NAT_DONE  = 0x100  // 2.6
	IPS_DYING         = 0x200  // 2.6
	IPS_FIXED_TIMEOUT = 0x400  // 2.6
	IPS_TEMPLATE      = 0x800  // 2.6.34
	IPS_UNTRACKED     = 0x1000 // 2.6.36
	IPS_HELPER        = 0x2000 // 3.10
	IPS_OFFLOAD       = 0x4000 // 4.16
	IPS_HW_OFFLOAD    = 0x8000 // 5.7
)

// Bits of the state of a packet, NFT_CT_STATE.
const (
	NF_CT_STATE_INVALID_BIT   = 0x1  // 3.13
	NF_CT_STATE_UNTRACKED_BIT = 0x40 // 3.13
)

// IP_CT_*: the state of a packet. The bit of a state is 1 << (state % IP_CT_IS_REPLY + 1).
const (
	IP_CT_ESTABLISHED = 0 // 2.6
	IP_CT_RELATED     = 1 // 2.6
	IP_CT_NEW         = 2 // 2.6
	IP_CT_IS_REPLY    = 3 // 2.6
)

// IP_CT_DIR_*: directions of a connection. They are from linux/netfilter/nf_conntrack_tuple_common.h.
const (
	IP_CT_DIR_ORIGINAL = 0 // 2.6
	IP_CT_DIR_REPLY    = 1 // 2.6
)
