package uapi

// Size and offsets of struct nhmsg, the header of nexthop messages.
const (
	NhmsgFamily   = 0 // 5.3 u8
	NhmsgScope    = 1 // 5.3 u8, RT_SCOPE_*, reported only
	NhmsgProtocol = 2 // 5.3 u8, RTPROT_*
	NhmsgResvd    = 3 // 5.3 u8, reserved
	NhmsgFlags    = 4 // 5.3 u32, RTNH_F_*
	SizeofNhmsg   = 8 // 5.3
)

// Size and offsets of struct nexthop_grp, an entry of NHA_GROUP. The field of the
// weight has the weight minus one.
const (
	NexthopGrpID         = 0 // 5.3 u32
	NexthopGrpWeight     = 4 // 5.3 u8, weight - 1
	NexthopGrpWeightHigh = 5 // 6.12 u8, upper half of weight - 1
	NexthopGrpResvd2     = 6 // 5.3 u16, reserved
	SizeofNexthopGrp     = 8 // 5.3
)

// NEXTHOP_GRP_TYPE_*: values of NHA_GROUP_TYPE.
const (
	NEXTHOP_GRP_TYPE_MPATH = 0 // 5.3 by hash threshold
	NEXTHOP_GRP_TYPE_RES   = 1 // 5.13 resilient
)

// NHA is the number of a nexthop attribute, NHA_*.
type NHA uint16

const (
	NHA_UNSPEC          NHA = 0  // 5.3
	NHA_ID              NHA = 1  // 5.3 u32, 0: the kernel chooses
	NHA_GROUP           NHA = 2  // 5.3 struct nexthop_grp, several
	NHA_GROUP_TYPE      NHA = 3  // 5.3 u16, NEXTHOP_GRP_TYPE_*
	NHA_BLACKHOLE       NHA = 4  // 5.3 flag
	NHA_OIF             NHA = 5  // 5.3 u32
	NHA_GATEWAY         NHA = 6  // 5.3 address
	NHA_ENCAP_TYPE      NHA = 7  // 5.3 u16, LWTUNNEL_ENCAP_*
	NHA_ENCAP           NHA = 8  // 5.3 nested, by NHA_ENCAP_TYPE
	NHA_GROUPS          NHA = 9  // 5.3 flag, of a dump: groups only
	NHA_MASTER          NHA = 10 // 5.3 u32, of a dump: only those with this master
	NHA_FDB             NHA = 11 // 5.8 flag, of a bridge
	NHA_RES_GROUP       NHA = 12 // 5.13 nested NHA_RES_GROUP_*
	NHA_RES_BUCKET      NHA = 13 // 5.13 nested NHA_RES_BUCKET_*
	NHA_OP_FLAGS        NHA = 14 // 6.9 u32, NHA_OP_FLAG_*
	NHA_GROUP_STATS     NHA = 15 // 6.9 nested NHA_GROUP_STATS_*
	NHA_HW_STATS_ENABLE NHA = 16 // 6.9 u32
	NHA_HW_STATS_USED   NHA = 17 // 6.9 u32, reported only
)

var nhaTable = attributes{
	NHA_UNSPEC:          {"NHA_UNSPEC", Version{5, 3}},
	NHA_ID:              {"NHA_ID", Version{5, 3}},
	NHA_GROUP:           {"NHA_GROUP", Version{5, 3}},
	NHA_GROUP_TYPE:      {"NHA_GROUP_TYPE", Version{5, 3}},
	NHA_BLACKHOLE:       {"NHA_BLACKHOLE", Version{5, 3}},
	NHA_OIF:             {"NHA_OIF", Version{5, 3}},
	NHA_GATEWAY:         {"NHA_GATEWAY", Version{5, 3}},
	NHA_ENCAP_TYPE:      {"NHA_ENCAP_TYPE", Version{5, 3}},
	NHA_ENCAP:           {"NHA_ENCAP", Version{5, 3}},
	NHA_GROUPS:          {"NHA_GROUPS", Version{5, 3}},
	NHA_MASTER:          {"NHA_MASTER", Version{5, 3}},
	NHA_FDB:             {"NHA_FDB", Version{5, 8}},
	NHA_RES_GROUP:       {"NHA_RES_GROUP", Version{5, 13}},
	NHA_RES_BUCKET:      {"NHA_RES_BUCKET", Version{5, 13}},
	NHA_OP_FLAGS:        {"NHA_OP_FLAGS", Version{6, 9}},
	NHA_GROUP_STATS:     {"NHA_GROUP_STATS", Version{6, 9}},
	NHA_HW_STATS_ENABLE: {"NHA_HW_STATS_ENABLE", Version{6, 9}},
	NHA_HW_STATS_USED:   {"NHA_HW_STATS_USED", Version{6, 9}},
}

// String returns the kernel's name of the attribute; "NHA_77" for an unknown one.
func (a NHA) String() string { return nhaTable.name("NHA_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NHA) Since() Version { return nhaTable.since(uint16(a)) }

// NHA_RES_GROUP_*: attributes of NHA_RES_GROUP. Times are in USER_HZ.
const (
	NHA_RES_GROUP_UNSPEC           = 0 // 5.13
	NHA_RES_GROUP_PAD              = 0 // 5.13
	NHA_RES_GROUP_BUCKETS          = 1 // 5.13 u16
	NHA_RES_GROUP_IDLE_TIMER       = 2 // 5.13 u32
	NHA_RES_GROUP_UNBALANCED_TIMER = 3 // 5.13 u32
	NHA_RES_GROUP_UNBALANCED_TIME  = 4 // 5.13 u64
)

// NHA_RES_BUCKET_*: attributes of NHA_RES_BUCKET.
const (
	NHA_RES_BUCKET_UNSPEC    = 0 // 5.13
	NHA_RES_BUCKET_PAD       = 0 // 5.13
	NHA_RES_BUCKET_INDEX     = 1 // 5.13 u16
	NHA_RES_BUCKET_IDLE_TIME = 2 // 5.13 u64, USER_HZ
	NHA_RES_BUCKET_NH_ID     = 3 // 5.13 u32
)

// NHA_OP_FLAG_*: bits of NHA_OP_FLAGS.
const (
	NHA_OP_FLAG_DUMP_STATS       = 0x1        // 6.9
	NHA_OP_FLAG_DUMP_HW_STATS    = 0x2        // 6.9
	NHA_OP_FLAG_RESP_GRP_RESVD_0 = 0x80000000 // 6.12 reserved fields of groups are zero
)

// NHA_GROUP_STATS_*: attributes of NHA_GROUP_STATS.
const (
	NHA_GROUP_STATS_UNSPEC = 0 // 6.9
	NHA_GROUP_STATS_ENTRY  = 1 // 6.9 nested NHA_GROUP_STATS_ENTRY_*
)

// NHA_GROUP_STATS_ENTRY_*: attributes of NHA_GROUP_STATS_ENTRY.
const (
	NHA_GROUP_STATS_ENTRY_UNSPEC     = 0 // 6.9
	NHA_GROUP_STATS_ENTRY_PAD        = 0 // 6.9
	NHA_GROUP_STATS_ENTRY_ID         = 1 // 6.9 u32
	NHA_GROUP_STATS_ENTRY_PACKETS    = 2 // 6.9 u32 or u64
	NHA_GROUP_STATS_ENTRY_PACKETS_HW = 3 // 6.9 u32 or u64
)
