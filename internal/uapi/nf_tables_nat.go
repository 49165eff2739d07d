package uapi

// NFTANAT is the number of an attribute of the expression nat, NFTA_NAT_*.
type NFTANAT uint16

const (
	NFTA_NAT_UNSPEC        NFTANAT = 0 // 3.13
	NFTA_NAT_TYPE          NFTANAT = 1 // 3.13 be32, NFT_NAT_SNAT or NFT_NAT_DNAT
	NFTA_NAT_FAMILY        NFTANAT = 2 // 3.13 be32, NFPROTO_*
	NFTA_NAT_REG_ADDR_MIN  NFTANAT = 3 // 3.13 be32, NFT_REG_*
	NFTA_NAT_REG_ADDR_MAX  NFTANAT = 4 // 3.13 be32, NFT_REG_*
	NFTA_NAT_REG_PROTO_MIN NFTANAT = 5 // 3.13 be32, NFT_REG_*
	NFTA_NAT_REG_PROTO_MAX NFTANAT = 6 // 3.13 be32, NFT_REG_*
	NFTA_NAT_FLAGS         NFTANAT = 7 // 3.18 be32, NF_NAT_RANGE_*
)

var nftanatTable = attributes{
	NFTA_NAT_UNSPEC:        {"NFTA_NAT_UNSPEC", Version{3, 13}},
	NFTA_NAT_TYPE:          {"NFTA_NAT_TYPE", Version{3, 13}},
	NFTA_NAT_FAMILY:        {"NFTA_NAT_FAMILY", Version{3, 13}},
	NFTA_NAT_REG_ADDR_MIN:  {"NFTA_NAT_REG_ADDR_MIN", Version{3, 13}},
	NFTA_NAT_REG_ADDR_MAX:  {"NFTA_NAT_REG_ADDR_MAX", Version{3, 13}},
	NFTA_NAT_REG_PROTO_MIN: {"NFTA_NAT_REG_PROTO_MIN", Version{3, 13}},
	NFTA_NAT_REG_PROTO_MAX: {"NFTA_NAT_REG_PROTO_MAX", Version{3, 13}},
	NFTA_NAT_FLAGS:         {"NFTA_NAT_FLAGS", Version{3, 18}},
}

// String returns the kernel's name of the attribute; "NFTA_NAT_77" for an unknown one.
func (a NFTANAT) String() string { return nftanatTable.name("NFTA_NAT_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTANAT) Since() Version { return nftanatTable.since(uint16(a)) }

// NFTAMasq is the number of an attribute of the expression masq, NFTA_MASQ_*.
type NFTAMasq uint16

const (
	NFTA_MASQ_UNSPEC        NFTAMasq = 0 // 3.18
	NFTA_MASQ_FLAGS         NFTAMasq = 1 // 3.18 be32, NF_NAT_RANGE_*
	NFTA_MASQ_REG_PROTO_MIN NFTAMasq = 2 // 4.6 be32, NFT_REG_*
	NFTA_MASQ_REG_PROTO_MAX NFTAMasq = 3 // 4.6 be32, NFT_REG_*
)

var nftaMasqTable = attributes{
	NFTA_MASQ_UNSPEC:        {"NFTA_MASQ_UNSPEC", Version{3, 18}},
	NFTA_MASQ_FLAGS:         {"NFTA_MASQ_FLAGS", Version{3, 18}},
	NFTA_MASQ_REG_PROTO_MIN: {"NFTA_MASQ_REG_PROTO_MIN", Version{4, 6}},
	NFTA_MASQ_REG_PROTO_MAX: {"NFTA_MASQ_REG_PROTO_MAX", Version{4, 6}},
}

// String returns the kernel's name of the attribute; "NFTA_MASQ_77" for an unknown one.
func (a NFTAMasq) String() string { return nftaMasqTable.name("NFTA_MASQ_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAMasq) Since() Version { return nftaMasqTable.since(uint16(a)) }

// NFTARedir is the number of an attribute of the expression redir, NFTA_REDIR_*.
type NFTARedir uint16

const (
	NFTA_REDIR_UNSPEC        NFTARedir = 0 // 3.19
	NFTA_REDIR_REG_PROTO_MIN NFTARedir = 1 // 3.19 be32, NFT_REG_*
	NFTA_REDIR_REG_PROTO_MAX NFTARedir = 2 // 3.19 be32, NFT_REG_*
	NFTA_REDIR_FLAGS         NFTARedir = 3 // 3.19 be32, NF_NAT_RANGE_*
)

var nftaRedirTable = attributes{
	NFTA_REDIR_UNSPEC:        {"NFTA_REDIR_UNSPEC", Version{3, 19}},
	NFTA_REDIR_REG_PROTO_MIN: {"NFTA_REDIR_REG_PROTO_MIN", Version{3, 19}},
	NFTA_REDIR_REG_PROTO_MAX: {"NFTA_REDIR_REG_PROTO_MAX", Version{3, 19}},
	NFTA_REDIR_FLAGS:         {"NFTA_REDIR_FLAGS", Version{3, 19}},
}

// String returns the kernel's name of the attribute; "NFTA_REDIR_77" for an unknown one.
func (a NFTARedir) String() string { return nftaRedirTable.name("NFTA_REDIR_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTARedir) Since() Version { return nftaRedirTable.since(uint16(a)) }

// NFTACounter is the number of an attribute of the expression counter, NFTA_COUNTER_*.
type NFTACounter uint16

const (
	NFTA_COUNTER_UNSPEC  NFTACounter = 0 // 3.13
	NFTA_COUNTER_BYTES   NFTACounter = 1 // 3.13 be64
	NFTA_COUNTER_PACKETS NFTACounter = 2 // 3.13 be64
	NFTA_COUNTER_PAD     NFTACounter = 3 // 4.7
)

var nftaCounterTable = attributes{
	NFTA_COUNTER_UNSPEC:  {"NFTA_COUNTER_UNSPEC", Version{3, 13}},
	NFTA_COUNTER_BYTES:   {"NFTA_COUNTER_BYTES", Version{3, 13}},
	NFTA_COUNTER_PACKETS: {"NFTA_COUNTER_PACKETS", Version{3, 13}},
	NFTA_COUNTER_PAD:     {"NFTA_COUNTER_PAD", Version{4, 7}},
}

// String returns the kernel's name of the attribute; "NFTA_COUNTER_77" for an unknown one.
func (a NFTACounter) String() string { return nftaCounterTable.name("NFTA_COUNTER_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTACounter) Since() Version { return nftaCounterTable.since(uint16(a)) }

// NFTATarget is the number of an attribute of the expression target, which stands for a target of iptables, NFTA_TARGET_*.
type NFTATarget uint16

const (
	NFTA_TARGET_UNSPEC NFTATarget = 0 // 3.13
	NFTA_TARGET_NAME   NFTATarget = 1 // 3.13 string
	NFTA_TARGET_REV    NFTATarget = 2 // 3.13 be32
	NFTA_TARGET_INFO   NFTATarget = 3 // 3.13 bytes, a struct of the target
)

var nftaTargetTable = attributes{
	NFTA_TARGET_UNSPEC: {"NFTA_TARGET_UNSPEC", Version{3, 13}},
	NFTA_TARGET_NAME:   {"NFTA_TARGET_NAME", Version{3, 13}},
	NFTA_TARGET_REV:    {"NFTA_TARGET_REV", Version{3, 13}},
	NFTA_TARGET_INFO:   {"NFTA_TARGET_INFO", Version{3, 13}},
}

// String returns the kernel's name of the attribute; "NFTA_TARGET_77" for an unknown one.
func (a NFTATarget) String() string { return nftaTargetTable.name("NFTA_TARGET_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTATarget) Since() Version { return nftaTargetTable.since(uint16(a)) }

// NFTAMatch is the number of an attribute of the expression match, which stands for a match of iptables, NFTA_MATCH_*.
type NFTAMatch uint16

const (
	NFTA_MATCH_UNSPEC NFTAMatch = 0 // 3.13
	NFTA_MATCH_NAME   NFTAMatch = 1 // 3.13 string
	NFTA_MATCH_REV    NFTAMatch = 2 // 3.13 be32
	NFTA_MATCH_INFO   NFTAMatch = 3 // 3.13 bytes, a struct of the match
)

var nftaMatchTable = attributes{
	NFTA_MATCH_UNSPEC: {"NFTA_MATCH_UNSPEC", Version{3, 13}},
	NFTA_MATCH_NAME:   {"NFTA_MATCH_NAME", Version{3, 13}},
	NFTA_MATCH_REV:    {"NFTA_MATCH_REV", Version{3, 13}},
	NFTA_MATCH_INFO:   {"NFTA_MATCH_INFO", Version{3, 13}},
}

// String returns the kernel's name of the attribute; "NFTA_MATCH_77" for an unknown one.
func (a NFTAMatch) String() string { return nftaMatchTable.name("NFTA_MATCH_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAMatch) Since() Version { return nftaMatchTable.since(uint16(a)) }
