package uapi

// NFT_MSG_*: messages of nf_tables, to be added to NFNL_SUBSYS_NFTABLES << 8.
const (
	NFT_MSG_NEWTABLE     = 0  // 3.13
	NFT_MSG_GETTABLE     = 1  // 3.13
	NFT_MSG_DELTABLE     = 2  // 3.13
	NFT_MSG_NEWCHAIN     = 3  // 3.13
	NFT_MSG_GETCHAIN     = 4  // 3.13
	NFT_MSG_DELCHAIN     = 5  // 3.13
	NFT_MSG_NEWRULE      = 6  // 3.13
	NFT_MSG_GETRULE      = 7  // 3.13
	NFT_MSG_DELRULE      = 8  // 3.13
	NFT_MSG_NEWSET       = 9  // 3.13
	NFT_MSG_GETSET       = 10 // 3.13
	NFT_MSG_DELSET       = 11 // 3.13
	NFT_MSG_NEWSETELEM   = 12 // 3.13
	NFT_MSG_GETSETELEM   = 13 // 3.13
	NFT_MSG_DELSETELEM   = 14 // 3.13
	NFT_MSG_NEWGEN       = 15 // 3.16
	NFT_MSG_GETGEN       = 16 // 3.16
	NFT_MSG_TRACE        = 17 // 4.6
	NFT_MSG_NEWOBJ       = 18 // 4.10
	NFT_MSG_GETOBJ       = 19 // 4.10
	NFT_MSG_DELOBJ       = 20 // 4.10
	NFT_MSG_GETOBJ_RESET = 21 // 4.10
	NFT_MSG_NEWFLOWTABLE = 22 // 4.16
	NFT_MSG_GETFLOWTABLE = 23 // 4.16
	NFT_MSG_DELFLOWTABLE = 24 // 4.16
)

// Limits of names and of user data, in bytes.
const (
	NFT_NAME_MAXLEN       = 256 // 4.14 with the terminating NUL
	NFT_USERDATA_MAXLEN   = 256 // 3.15
	NFT_DATA_VALUE_MAXLEN = 64  // 4.1
)

// NFT_REG_*: registers. A register of 16 bytes overlaps four of 4 bytes.
const (
	NFT_REG_VERDICT = 0  // 3.13
	NFT_REG_1       = 1  // 3.13
	NFT_REG_2       = 2  // 3.13
	NFT_REG_3       = 3  // 3.13
	NFT_REG_4       = 4  // 3.13
	NFT_REG32_00    = 8  // 4.1 the first of NFT_REG_1
	NFT_REG32_15    = 23 // 4.1
	NFT_REG_SIZE    = 16 // 4.1
	NFT_REG32_SIZE  = 4  // 4.1
)

// Verdicts of nf_tables. Others are NF_DROP and NF_ACCEPT.
const (
	NFT_CONTINUE = -1 // 3.13
	NFT_BREAK    = -2 // 3.13
	NFT_JUMP     = -3 // 3.13
	NFT_GOTO     = -4 // 3.13
	NFT_RETURN   = -5 // 3.13
)

// NFTA_LIST_ELEM is the attribute of each member of a list.
const (
	NFTA_LIST_ELEM = 1 // 3.13 nested
)

// NFTA_DEVICE_NAME is the attribute of each member of NFTA_HOOK_DEVS.
const (
	NFTA_DEVICE_NAME = 1 // 5.5 string
)

// NFTA_SET_FIELD_LEN is the attribute of a field of a concatenated key.
const (
	NFTA_SET_FIELD_LEN = 1 // 5.6 be32, bytes
)

// NFT_TABLE_F_*: flags of a table.
const (
	NFT_TABLE_F_DORMANT = 0x1 // 3.13 its chains see no packets
	NFT_TABLE_F_OWNER   = 0x2 // 5.12 it is removed with the socket that made it
)

// NFT_CHAIN_*: flags of a chain.
const (
	NFT_CHAIN_BASE       = 0x1 // 5.8
	NFT_CHAIN_HW_OFFLOAD = 0x2 // 5.8
	NFT_CHAIN_BINDING    = 0x4 // 5.9
)

// NFT_SET_*: flags of a set.
const (
	NFT_SET_ANONYMOUS = 0x1   // 3.13
	NFT_SET_CONSTANT  = 0x2   // 3.13
	NFT_SET_INTERVAL  = 0x4   // 3.13
	NFT_SET_MAP       = 0x8   // 3.13
	NFT_SET_TIMEOUT   = 0x10  // 4.1
	NFT_SET_EVAL      = 0x20  // 4.1 rules add elements: dynamic
	NFT_SET_OBJECT    = 0x40  // 4.10
	NFT_SET_CONCAT    = 0x80  // 5.6
	NFT_SET_EXPR      = 0x100 // 5.8
)

// NFT_SET_POL_*: what a set is optimized for.
const (
	NFT_SET_POL_PERFORMANCE = 0 // 3.16
	NFT_SET_POL_MEMORY      = 1 // 3.16
)

// NFT_SET_ELEM_*: flags of an element.
const (
	NFT_SET_ELEM_INTERVAL_END = 0x1 // 3.13
	NFT_SET_ELEM_CATCHALL     = 0x2 // 5.13
)

// NFT_DATA_VERDICT is the NFTA_SET_DATA_TYPE of a map to verdicts.
const (
	NFT_DATA_VERDICT = 0xffffff00 // 3.13
)

// NFT_META_*: keys of the expression meta.
const (
	NFT_META_LEN         = 0  // 3.13
	NFT_META_PROTOCOL    = 1  // 3.13
	NFT_META_PRIORITY    = 2  // 3.13
	NFT_META_MARK        = 3  // 3.13
	NFT_META_IIF         = 4  // 3.13
	NFT_META_OIF         = 5  // 3.13
	NFT_META_IIFNAME     = 6  // 3.13
	NFT_META_OIFNAME     = 7  // 3.13
	NFT_META_IIFTYPE     = 8  // 3.13
	NFT_META_OIFTYPE     = 9  // 3.13
	NFT_META_SKUID       = 10 // 3.13
	NFT_META_SKGID       = 11 // 3.13
	NFT_META_NFTRACE     = 12 // 3.13
	NFT_META_RTCLASSID   = 13 // 3.13
	NFT_META_SECMARK     = 14 // 3.13
	NFT_META_NFPROTO     = 15 // 3.14
	NFT_META_L4PROTO     = 16 // 3.14
	NFT_META_BRI_IIFNAME = 17 // 3.16
	NFT_META_BRI_OIFNAME = 18 // 3.16
	NFT_META_PKTTYPE     = 19 // 3.17
	NFT_META_CPU         = 20 // 3.17
	NFT_META_IIFGROUP    = 21 // 3.18
	NFT_META_OIFGROUP    = 22 // 3.18
	NFT_META_CGROUP      = 23 // 3.19
	NFT_META_PRANDOM     = 24 // 4.7
	NFT_META_SECPATH     = 25 // 4.15
)

// NFT_CT_*: keys of the expression ct.
const (
	NFT_CT_STATE      = 0  // 3.13
	NFT_CT_DIRECTION  = 1  // 3.13
	NFT_CT_STATUS     = 2  // 3.13
	NFT_CT_MARK       = 3  // 3.13
	NFT_CT_SECMARK    = 4  // 3.13
	NFT_CT_EXPIRATION = 5  // 3.13
	NFT_CT_HELPER     = 6  // 3.13
	NFT_CT_L3PROTOCOL = 7  // 3.13
	NFT_CT_SRC        = 8  // 3.13
	NFT_CT_DST        = 9  // 3.13
	NFT_CT_PROTOCOL   = 10 // 3.13
	NFT_CT_PROTO_SRC  = 11 // 3.13
	NFT_CT_PROTO_DST  = 12 // 3.13
	NFT_CT_LABELS     = 13 // 3.16
	NFT_CT_PKTS       = 14 // 4.5
	NFT_CT_BYTES      = 15 // 4.5
	NFT_CT_AVGPKT     = 16 // 4.9
	NFT_CT_ZONE       = 17 // 4.11
	NFT_CT_EVENTMASK  = 18 // 4.12
	NFT_CT_SRC_IP     = 19 // 4.17
	NFT_CT_DST_IP     = 20 // 4.17
	NFT_CT_SRC_IP6    = 21 // 4.17
	NFT_CT_DST_IP6    = 22 // 4.17
	NFT_CT_ID         = 23 // 5.3
)

// NFT_CMP_*: how the expression cmp compares.
const (
	NFT_CMP_EQ  = 0 // 3.13
	NFT_CMP_NEQ = 1 // 3.13
	NFT_CMP_LT  = 2 // 3.13
	NFT_CMP_LTE = 3 // 3.13
	NFT_CMP_GT  = 4 // 3.13
	NFT_CMP_GTE = 5 // 3.13
)

// NFT_RANGE_*: how the expression range compares.
const (
	NFT_RANGE_EQ  = 0 // 4.9
	NFT_RANGE_NEQ = 1 // 4.9
)

// NFT_BITWISE_*: what the expression bitwise does.
const (
	NFT_BITWISE_MASK_XOR = 0 // 5.6
	NFT_BITWISE_LSHIFT   = 1 // 5.6
	NFT_BITWISE_RSHIFT   = 2 // 5.6
)

// NFT_LOOKUP_F_INV inverts the expression lookup.
const (
	NFT_LOOKUP_F_INV = 0x1 // 4.8
)

// NFT_DYNSET_OP_*: what the expression dynset does.
const (
	NFT_DYNSET_OP_ADD    = 0 // 4.1
	NFT_DYNSET_OP_UPDATE = 1 // 4.1
	NFT_DYNSET_OP_DELETE = 2 // 5.4
)

// NFT_DYNSET_F_*: flags of the expression dynset.
const (
	NFT_DYNSET_F_INV  = 0x1 // 4.10
	NFT_DYNSET_F_EXPR = 0x2 // 5.11
)

// NFT_PAYLOAD_*: where the offset of the expression payload starts.
const (
	NFT_PAYLOAD_LL_HEADER        = 0 // 3.13
	NFT_PAYLOAD_NETWORK_HEADER   = 1 // 3.13
	NFT_PAYLOAD_TRANSPORT_HEADER = 2 // 3.13
	NFT_PAYLOAD_INNER_HEADER     = 3 // 5.16
)

// Checksums that the expression payload updates.
const (
	NFT_PAYLOAD_CSUM_NONE        = 0   // 4.5
	NFT_PAYLOAD_CSUM_INET        = 1   // 4.5
	NFT_PAYLOAD_CSUM_SCTP        = 2   // 5.10
	NFT_PAYLOAD_L4CSUM_PSEUDOHDR = 0x1 // 4.10 a flag
)

// NFT_FIB_RESULT_*: what the expression fib finds.
const (
	NFT_FIB_RESULT_UNSPEC   = 0 // 4.10
	NFT_FIB_RESULT_OIF      = 1 // 4.10
	NFT_FIB_RESULT_OIFNAME  = 2 // 4.10
	NFT_FIB_RESULT_ADDRTYPE = 3 // 4.10
)

// NFTA_FIB_F_*: what the expression fib looks up.
const (
	NFTA_FIB_F_SADDR   = 0x1  // 4.10
	NFTA_FIB_F_DADDR   = 0x2  // 4.10
	NFTA_FIB_F_MARK    = 0x4  // 4.10
	NFTA_FIB_F_IIF     = 0x8  // 4.10
	NFTA_FIB_F_OIF     = 0x10 // 4.10
	NFTA_FIB_F_PRESENT = 0x20 // 4.13
)

// NFT_NAT_*: which address the expression nat translates.
const (
	NFT_NAT_SNAT = 0 // 3.13
	NFT_NAT_DNAT = 1 // 3.13
)
