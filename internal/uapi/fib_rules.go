package uapi

// Size and offsets of struct fib_rule_hdr, the header of rule messages. It is
// struct rtmsg with two reserved bytes instead of protocol and scope.
const (
	FibRuleHdrFamily = 0  // 2.6.19 u8
	FibRuleHdrDstLen = 1  // 2.6.19 u8, bits
	FibRuleHdrSrcLen = 2  // 2.6.19 u8, bits
	FibRuleHdrTOS    = 3  // 2.6.19 u8
	FibRuleHdrTable  = 4  // 2.6.19 u8, overruled by FRA_TABLE
	FibRuleHdrRes1   = 5  // 2.6.19 u8, reserved
	FibRuleHdrRes2   = 6  // 2.6.19 u8, reserved
	FibRuleHdrAction = 7  // 2.6.19 u8, FR_ACT_*
	FibRuleHdrFlags  = 8  // 2.6.19 u32, FIB_RULE_*
	SizeofFibRuleHdr = 12 // 2.6.19
)

// Flags of struct fib_rule_hdr. Only FIB_RULE_INVERT and FIB_RULE_FIND_SADDR are
// set by user space. The kernel sets the others, but if user space sends them, it
// stores them as they are.
const (
	FIB_RULE_PERMANENT    = 0x1                   // 2.6.19 cannot be deleted
	FIB_RULE_INVERT       = 0x2                   // 2.6.20 not
	FIB_RULE_UNRESOLVED   = 0x4                   // 2.6.22 the target of the goto does not exist
	FIB_RULE_IIF_DETACHED = 0x8                   // 2.6.22 no such input interface
	FIB_RULE_DEV_DETACHED = FIB_RULE_IIF_DETACHED // 2.6.22 the older name
	FIB_RULE_OIF_DETACHED = 0x10                  // 2.6.33 no such output interface
	FIB_RULE_FIND_SADDR   = 0x10000               // 2.6.22 IPv6: choose a source in the prefix
)

// FR_ACT_*: the actions of a rule.
const (
	FR_ACT_UNSPEC      = 0 // 2.6.19
	FR_ACT_TO_TBL      = 1 // 2.6.19 lookup
	FR_ACT_GOTO        = 2 // 2.6.22
	FR_ACT_NOP         = 3 // 2.6.22
	FR_ACT_RES3        = 4 // 2.6.19 reserved
	FR_ACT_RES4        = 5 // 2.6.19 reserved
	FR_ACT_BLACKHOLE   = 6 // 2.6.19 drop silently
	FR_ACT_UNREACHABLE = 7 // 2.6.19 ENETUNREACH
	FR_ACT_PROHIBIT    = 8 // 2.6.19 EACCES
)

// FRA is the number of a rule attribute, FRA_*.
//
// A kernel accepts and ignores attributes that it does not know: on 6.1, "dscp 10"
// becomes a rule that matches every packet, and on 6.12, "dscp 0xa/0x3e" becomes
// the rule "dscp 10". Since 6.15, kernels report FRA_SPORT_MASK and FRA_DPORT_MASK
// of 0xffff with every single port, and FRA_DSCP_MASK of 0x3f with every plain
// FRA_DSCP, also for rules that were added without a mask. Older kernels do not
// have these attributes.
type FRA uint16

const (
	FRA_UNSPEC             FRA = 0  // 2.6.19
	FRA_DST                FRA = 1  // 2.6.19 address
	FRA_SRC                FRA = 2  // 2.6.19 address
	FRA_IIFNAME            FRA = 3  // 2.6.19 string
	FRA_GOTO               FRA = 4  // 2.6.22 u32
	FRA_UNUSED2            FRA = 5  // 2.6.19
	FRA_PRIORITY           FRA = 6  // 2.6.19 u32
	FRA_UNUSED3            FRA = 7  // 2.6.19
	FRA_UNUSED4            FRA = 8  // 2.6.19
	FRA_UNUSED5            FRA = 9  // 2.6.19
	FRA_FWMARK             FRA = 10 // 2.6.19 u32
	FRA_FLOW               FRA = 11 // 2.6.19 u32, source realm in the upper half
	FRA_TUN_ID             FRA = 12 // 4.3 be64
	FRA_SUPPRESS_IFGROUP   FRA = 13 // 3.12 u32, 0xffffffff unset
	FRA_SUPPRESS_PREFIXLEN FRA = 14 // 3.12 u32, 0xffffffff unset
	FRA_TABLE              FRA = 15 // 2.6.19 u32
	FRA_FWMASK             FRA = 16 // 2.6.19 u32
	FRA_OIFNAME            FRA = 17 // 2.6.33 string
	FRA_PAD                FRA = 18 // 4.7
	FRA_L3MDEV             FRA = 19 // 4.8 u8
	FRA_UID_RANGE          FRA = 20 // 4.10 two u32
	FRA_PROTOCOL           FRA = 21 // 4.17 u8
	FRA_IP_PROTO           FRA = 22 // 4.17 u8
	FRA_SPORT_RANGE        FRA = 23 // 4.17 two u16
	FRA_DPORT_RANGE        FRA = 24 // 4.17 two u16
	FRA_DSCP               FRA = 25 // 6.12 u8
	FRA_FLOWLABEL          FRA = 26 // 6.14 be32
	FRA_FLOWLABEL_MASK     FRA = 27 // 6.14 be32
	FRA_SPORT_MASK         FRA = 28 // 6.15 u16
	FRA_DPORT_MASK         FRA = 29 // 6.15 u16
	FRA_DSCP_MASK          FRA = 30 // 6.15 u8
)

var fraTable = attributes{
	FRA_UNSPEC:             {name: "FRA_UNSPEC"},
	FRA_DST:                {name: "FRA_DST"},
	FRA_SRC:                {name: "FRA_SRC"},
	FRA_IIFNAME:            {name: "FRA_IIFNAME"},
	FRA_GOTO:               {name: "FRA_GOTO"},
	FRA_UNUSED2:            {name: "FRA_UNUSED2"},
	FRA_PRIORITY:           {name: "FRA_PRIORITY"},
	FRA_UNUSED3:            {name: "FRA_UNUSED3"},
	FRA_UNUSED4:            {name: "FRA_UNUSED4"},
	FRA_UNUSED5:            {name: "FRA_UNUSED5"},
	FRA_FWMARK:             {name: "FRA_FWMARK"},
	FRA_FLOW:               {name: "FRA_FLOW"},
	FRA_TUN_ID:             {"FRA_TUN_ID", Version{4, 3}},
	FRA_SUPPRESS_IFGROUP:   {"FRA_SUPPRESS_IFGROUP", Version{3, 12}},
	FRA_SUPPRESS_PREFIXLEN: {"FRA_SUPPRESS_PREFIXLEN", Version{3, 12}},
	FRA_TABLE:              {name: "FRA_TABLE"},
	FRA_FWMASK:             {name: "FRA_FWMASK"},
	FRA_OIFNAME:            {name: "FRA_OIFNAME"},
	FRA_PAD:                {"FRA_PAD", Version{4, 7}},
	FRA_L3MDEV:             {"FRA_L3MDEV", Version{4, 8}},
	FRA_UID_RANGE:          {"FRA_UID_RANGE", Version{4, 10}},
	FRA_PROTOCOL:           {"FRA_PROTOCOL", Version{4, 17}},
	FRA_IP_PROTO:           {"FRA_IP_PROTO", Version{4, 17}},
	FRA_SPORT_RANGE:        {"FRA_SPORT_RANGE", Version{4, 17}},
	FRA_DPORT_RANGE:        {"FRA_DPORT_RANGE", Version{4, 17}},
	FRA_DSCP:               {"FRA_DSCP", Version{6, 12}},
	FRA_FLOWLABEL:          {"FRA_FLOWLABEL", Version{6, 14}},
	FRA_FLOWLABEL_MASK:     {"FRA_FLOWLABEL_MASK", Version{6, 14}},
	FRA_SPORT_MASK:         {"FRA_SPORT_MASK", Version{6, 15}},
	FRA_DPORT_MASK:         {"FRA_DPORT_MASK", Version{6, 15}},
	FRA_DSCP_MASK:          {"FRA_DSCP_MASK", Version{6, 15}},
}

// String returns the kernel's name of the attribute, "FRA_DST"; "FRA_77" for an
// unknown one.
func (a FRA) String() string { return fraTable.name("FRA_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// attribute of Linux 2.6 and for an unknown one.
func (a FRA) Since() Version { return fraTable.since(uint16(a)) }
