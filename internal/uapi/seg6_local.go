package uapi

// Seg6Local is the number of an attribute of LWTUNNEL_ENCAP_SEG6_LOCAL, SEG6_LOCAL_*.
type Seg6Local uint16

const (
	SEG6_LOCAL_UNSPEC   Seg6Local = 0  // 4.14
	SEG6_LOCAL_ACTION   Seg6Local = 1  // 4.14 u32, SEG6_LOCAL_ACTION_*
	SEG6_LOCAL_SRH      Seg6Local = 2  // 4.14 struct ipv6_sr_hdr
	SEG6_LOCAL_TABLE    Seg6Local = 3  // 4.14 u32
	SEG6_LOCAL_NH4      Seg6Local = 4  // 4.14 IPv4 address
	SEG6_LOCAL_NH6      Seg6Local = 5  // 4.14 IPv6 address
	SEG6_LOCAL_IIF      Seg6Local = 6  // 4.14 u32
	SEG6_LOCAL_OIF      Seg6Local = 7  // 4.14 u32
	SEG6_LOCAL_BPF      Seg6Local = 8  // 4.18 nested SEG6_LOCAL_BPF_PROG_*
	SEG6_LOCAL_VRFTABLE Seg6Local = 9  // 5.11 u32
	SEG6_LOCAL_COUNTERS Seg6Local = 10 // 5.13 nested SEG6_LOCAL_CNT_*; ignored before
	SEG6_LOCAL_FLAVORS  Seg6Local = 11 // 6.1 nested SEG6_LOCAL_FLV_*; ignored before
)

var seg6LocalTable = attributes{
	SEG6_LOCAL_UNSPEC:   {"SEG6_LOCAL_UNSPEC", Version{4, 14}},
	SEG6_LOCAL_ACTION:   {"SEG6_LOCAL_ACTION", Version{4, 14}},
	SEG6_LOCAL_SRH:      {"SEG6_LOCAL_SRH", Version{4, 14}},
	SEG6_LOCAL_TABLE:    {"SEG6_LOCAL_TABLE", Version{4, 14}},
	SEG6_LOCAL_NH4:      {"SEG6_LOCAL_NH4", Version{4, 14}},
	SEG6_LOCAL_NH6:      {"SEG6_LOCAL_NH6", Version{4, 14}},
	SEG6_LOCAL_IIF:      {"SEG6_LOCAL_IIF", Version{4, 14}},
	SEG6_LOCAL_OIF:      {"SEG6_LOCAL_OIF", Version{4, 14}},
	SEG6_LOCAL_BPF:      {"SEG6_LOCAL_BPF", Version{4, 18}},
	SEG6_LOCAL_VRFTABLE: {"SEG6_LOCAL_VRFTABLE", Version{5, 11}},
	SEG6_LOCAL_COUNTERS: {"SEG6_LOCAL_COUNTERS", Version{5, 13}},
	SEG6_LOCAL_FLAVORS:  {"SEG6_LOCAL_FLAVORS", Version{6, 1}},
}

// String returns the kernel's name of the attribute; "SEG6_LOCAL_77" for an unknown one.
func (a Seg6Local) String() string { return seg6LocalTable.name("SEG6_LOCAL_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a Seg6Local) Since() Version { return seg6LocalTable.since(uint16(a)) }

// SEG6_LOCAL_ACTION_*: values of SEG6_LOCAL_ACTION. Not every kernel that has a
// number implements it.
const (
	SEG6_LOCAL_ACTION_UNSPEC       = 0  // 4.14
	SEG6_LOCAL_ACTION_END          = 1  // 4.14
	SEG6_LOCAL_ACTION_END_X        = 2  // 4.14
	SEG6_LOCAL_ACTION_END_T        = 3  // 4.14
	SEG6_LOCAL_ACTION_END_DX2      = 4  // 4.14
	SEG6_LOCAL_ACTION_END_DX6      = 5  // 4.14
	SEG6_LOCAL_ACTION_END_DX4      = 6  // 4.14
	SEG6_LOCAL_ACTION_END_DT6      = 7  // 4.14
	SEG6_LOCAL_ACTION_END_DT4      = 8  // 4.14
	SEG6_LOCAL_ACTION_END_B6       = 9  // 4.14
	SEG6_LOCAL_ACTION_END_B6_ENCAP = 10 // 4.14
	SEG6_LOCAL_ACTION_END_BM       = 11 // 4.14
	SEG6_LOCAL_ACTION_END_S        = 12 // 4.14
	SEG6_LOCAL_ACTION_END_AS       = 13 // 4.14
	SEG6_LOCAL_ACTION_END_AM       = 14 // 4.14
	SEG6_LOCAL_ACTION_END_BPF      = 15 // 4.18
	SEG6_LOCAL_ACTION_END_DT46     = 16 // 5.14
)

// SEG6_LOCAL_BPF_PROG_*: attributes of SEG6_LOCAL_BPF.
const (
	SEG6_LOCAL_BPF_PROG_UNSPEC = 0 // 4.18
	SEG6_LOCAL_BPF_PROG        = 1 // 4.18 u32
	SEG6_LOCAL_BPF_PROG_NAME   = 2 // 4.18 string
)

// SEG6_LOCAL_CNT_*: attributes of SEG6_LOCAL_COUNTERS.
const (
	SEG6_LOCAL_CNT_UNSPEC  = 0 // 5.13
	SEG6_LOCAL_CNT_PAD     = 1 // 5.13
	SEG6_LOCAL_CNT_PACKETS = 2 // 5.13 u64
	SEG6_LOCAL_CNT_BYTES   = 3 // 5.13 u64
	SEG6_LOCAL_CNT_ERRORS  = 4 // 5.13 u64
)

// SEG6_LOCAL_FLV_*: attributes of SEG6_LOCAL_FLAVORS.
const (
	SEG6_LOCAL_FLV_UNSPEC         = 0 // 6.1
	SEG6_LOCAL_FLV_OPERATION      = 1 // 6.1 u32, bit SEG6_LOCAL_FLV_OP_*
	SEG6_LOCAL_FLV_LCBLOCK_BITS   = 2 // 6.1 u8
	SEG6_LOCAL_FLV_LCNODE_FN_BITS = 3 // 6.1 u8
)

// SEG6_LOCAL_FLV_OP_*: bit numbers in SEG6_LOCAL_FLV_OPERATION.
const (
	SEG6_LOCAL_FLV_OP_UNSPEC    = 0 // 6.1
	SEG6_LOCAL_FLV_OP_PSP       = 1 // 6.1 implemented from 6.3 on
	SEG6_LOCAL_FLV_OP_USP       = 2 // 6.1
	SEG6_LOCAL_FLV_OP_USD       = 3 // 6.1
	SEG6_LOCAL_FLV_OP_NEXT_CSID = 4 // 6.1
)
