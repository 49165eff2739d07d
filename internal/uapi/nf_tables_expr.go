package uapi

// NFTAExpr is the number of an attribute of an expression, NFTA_EXPR_*.
type NFTAExpr uint16

const (
	NFTA_EXPR_UNSPEC NFTAExpr = 0 // 3.13
	NFTA_EXPR_NAME   NFTAExpr = 1 // 3.13 string
	NFTA_EXPR_DATA   NFTAExpr = 2 // 3.13 nested
)

var nftaExprTable = attributes{
	NFTA_EXPR_UNSPEC: {"NFTA_EXPR_UNSPEC", Version{3, 13}},
	NFTA_EXPR_NAME:   {"NFTA_EXPR_NAME", Version{3, 13}},
	NFTA_EXPR_DATA:   {"NFTA_EXPR_DATA", Version{3, 13}},
}

// String returns the kernel's name of the attribute; "NFTA_EXPR_77" for an unknown one.
func (a NFTAExpr) String() string { return nftaExprTable.name("NFTA_EXPR_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAExpr) Since() Version { return nftaExprTable.since(uint16(a)) }

// NFTAData is the number of an attribute of a value or a verdict, NFTA_DATA_*.
type NFTAData uint16

const (
	NFTA_DATA_UNSPEC  NFTAData = 0 // 3.13
	NFTA_DATA_VALUE   NFTAData = 1 // 3.13 bytes
	NFTA_DATA_VERDICT NFTAData = 2 // 3.13 nested NFTA_VERDICT_*
)

var nftaDataTable = attributes{
	NFTA_DATA_UNSPEC:  {"NFTA_DATA_UNSPEC", Version{3, 13}},
	NFTA_DATA_VALUE:   {"NFTA_DATA_VALUE", Version{3, 13}},
	NFTA_DATA_VERDICT: {"NFTA_DATA_VERDICT", Version{3, 13}},
}

// String returns the kernel's name of the attribute; "NFTA_DATA_77" for an unknown one.
func (a NFTAData) String() string { return nftaDataTable.name("NFTA_DATA_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAData) Since() Version { return nftaDataTable.since(uint16(a)) }

// NFTAVerdict is the number of an attribute of a verdict, NFTA_VERDICT_*.
type NFTAVerdict uint16

const (
	NFTA_VERDICT_UNSPEC   NFTAVerdict = 0 // 3.13
	NFTA_VERDICT_CODE     NFTAVerdict = 1 // 3.13 be32, signed, NF_* or NFT_*
	NFTA_VERDICT_CHAIN    NFTAVerdict = 2 // 3.13 string
	NFTA_VERDICT_CHAIN_ID NFTAVerdict = 3 // 5.9 be32
)

var nftaVerdictTable = attributes{
	NFTA_VERDICT_UNSPEC:   {"NFTA_VERDICT_UNSPEC", Version{3, 13}},
	NFTA_VERDICT_CODE:     {"NFTA_VERDICT_CODE", Version{3, 13}},
	NFTA_VERDICT_CHAIN:    {"NFTA_VERDICT_CHAIN", Version{3, 13}},
	NFTA_VERDICT_CHAIN_ID: {"NFTA_VERDICT_CHAIN_ID", Version{5, 9}},
}

// String returns the kernel's name of the attribute; "NFTA_VERDICT_77" for an unknown one.
func (a NFTAVerdict) String() string { return nftaVerdictTable.name("NFTA_VERDICT_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAVerdict) Since() Version { return nftaVerdictTable.since(uint16(a)) }

// NFTAMeta is the number of an attribute of the expression meta, NFTA_META_*.
type NFTAMeta uint16

const (
	NFTA_META_UNSPEC NFTAMeta = 0 // 3.13
	NFTA_META_DREG   NFTAMeta = 1 // 3.13 be32, NFT_REG_*
	NFTA_META_KEY    NFTAMeta = 2 // 3.13 be32, NFT_META_*
	NFTA_META_SREG   NFTAMeta = 3 // 3.14 be32, NFT_REG_*
)

var nftaMetaTable = attributes{
	NFTA_META_UNSPEC: {"NFTA_META_UNSPEC", Version{3, 13}},
	NFTA_META_DREG:   {"NFTA_META_DREG", Version{3, 13}},
	NFTA_META_KEY:    {"NFTA_META_KEY", Version{3, 13}},
	NFTA_META_SREG:   {"NFTA_META_SREG", Version{3, 14}},
}

// String returns the kernel's name of the attribute; "NFTA_META_77" for an unknown one.
func (a NFTAMeta) String() string { return nftaMetaTable.name("NFTA_META_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAMeta) Since() Version { return nftaMetaTable.since(uint16(a)) }

// NFTACT is the number of an attribute of the expression ct, NFTA_CT_*.
type NFTACT uint16

const (
	NFTA_CT_UNSPEC    NFTACT = 0 // 3.13
	NFTA_CT_DREG      NFTACT = 1 // 3.13 be32, NFT_REG_*
	NFTA_CT_KEY       NFTACT = 2 // 3.13 be32, NFT_CT_*
	NFTA_CT_DIRECTION NFTACT = 3 // 3.13 u8, IP_CT_DIR_*
	NFTA_CT_SREG      NFTACT = 4 // 3.14 be32, NFT_REG_*
)

var nftactTable = attributes{
	NFTA_CT_UNSPEC:    {"NFTA_CT_UNSPEC", Version{3, 13}},
	NFTA_CT_DREG:      {"NFTA_CT_DREG", Version{3, 13}},
	NFTA_CT_KEY:       {"NFTA_CT_KEY", Version{3, 13}},
	NFTA_CT_DIRECTION: {"NFTA_CT_DIRECTION", Version{3, 13}},
	NFTA_CT_SREG:      {"NFTA_CT_SREG", Version{3, 14}},
}

// String returns the kernel's name of the attribute; "NFTA_CT_77" for an unknown one.
func (a NFTACT) String() string { return nftactTable.name("NFTA_CT_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTACT) Since() Version { return nftactTable.since(uint16(a)) }

// NFTACmp is the number of an attribute of the expression cmp, NFTA_CMP_*.
type NFTACmp uint16

const (
	NFTA_CMP_UNSPEC NFTACmp = 0 // 3.13
	NFTA_CMP_SREG   NFTACmp = 1 // 3.13 be32, NFT_REG_*
	NFTA_CMP_OP     NFTACmp = 2 // 3.13 be32, NFT_CMP_*
	NFTA_CMP_DATA   NFTACmp = 3 // 3.13 nested NFTA_DATA_*
)

var nftaCmpTable = attributes{
	NFTA_CMP_UNSPEC: {"NFTA_CMP_UNSPEC", Version{3, 13}},
	NFTA_CMP_SREG:   {"NFTA_CMP_SREG", Version{3, 13}},
	NFTA_CMP_OP:     {"NFTA_CMP_OP", Version{3, 13}},
	NFTA_CMP_DATA:   {"NFTA_CMP_DATA", Version{3, 13}},
}

// String returns the kernel's name of the attribute; "NFTA_CMP_77" for an unknown one.
func (a NFTACmp) String() string { return nftaCmpTable.name("NFTA_CMP_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTACmp) Since() Version { return nftaCmpTable.since(uint16(a)) }

// NFTARange is the number of an attribute of the expression range, NFTA_RANGE_*.
type NFTARange uint16

const (
	NFTA_RANGE_UNSPEC    NFTARange = 0 // 4.9
	NFTA_RANGE_SREG      NFTARange = 1 // 4.9 be32, NFT_REG_*
	NFTA_RANGE_OP        NFTARange = 2 // 4.9 be32, NFT_RANGE_*
	NFTA_RANGE_FROM_DATA NFTARange = 3 // 4.9 nested NFTA_DATA_*
	NFTA_RANGE_TO_DATA   NFTARange = 4 // 4.9 nested NFTA_DATA_*
)

var nftaRangeTable = attributes{
	NFTA_RANGE_UNSPEC:    {"NFTA_RANGE_UNSPEC", Version{4, 9}},
	NFTA_RANGE_SREG:      {"NFTA_RANGE_SREG", Version{4, 9}},
	NFTA_RANGE_OP:        {"NFTA_RANGE_OP", Version{4, 9}},
	NFTA_RANGE_FROM_DATA: {"NFTA_RANGE_FROM_DATA", Version{4, 9}},
	NFTA_RANGE_TO_DATA:   {"NFTA_RANGE_TO_DATA", Version{4, 9}},
}

// String returns the kernel's name of the attribute; "NFTA_RANGE_77" for an unknown one.
func (a NFTARange) String() string { return nftaRangeTable.name("NFTA_RANGE_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTARange) Since() Version { return nftaRangeTable.since(uint16(a)) }

// NFTABitwise is the number of an attribute of the expression bitwise, NFTA_BITWISE_*.
type NFTABitwise uint16

const (
	NFTA_BITWISE_UNSPEC NFTABitwise = 0 // 3.13
	NFTA_BITWISE_SREG   NFTABitwise = 1 // 3.13 be32, NFT_REG_*
	NFTA_BITWISE_DREG   NFTABitwise = 2 // 3.13 be32, NFT_REG_*
	NFTA_BITWISE_LEN    NFTABitwise = 3 // 3.13 be32
	NFTA_BITWISE_MASK   NFTABitwise = 4 // 3.13 nested NFTA_DATA_*
	NFTA_BITWISE_XOR    NFTABitwise = 5 // 3.13 nested NFTA_DATA_*
	NFTA_BITWISE_OP     NFTABitwise = 6 // 5.6 be32, NFT_BITWISE_*
	NFTA_BITWISE_DATA   NFTABitwise = 7 // 5.6 nested NFTA_DATA_*
)

var nftaBitwiseTable = attributes{
	NFTA_BITWISE_UNSPEC: {"NFTA_BITWISE_UNSPEC", Version{3, 13}},
	NFTA_BITWISE_SREG:   {"NFTA_BITWISE_SREG", Version{3, 13}},
	NFTA_BITWISE_DREG:   {"NFTA_BITWISE_DREG", Version{3, 13}},
	NFTA_BITWISE_LEN:    {"NFTA_BITWISE_LEN", Version{3, 13}},
	NFTA_BITWISE_MASK:   {"NFTA_BITWISE_MASK", Version{3, 13}},
	NFTA_BITWISE_XOR:    {"NFTA_BITWISE_XOR", Version{3, 13}},
	NFTA_BITWISE_OP:     {"NFTA_BITWISE_OP", Version{5, 6}},
	NFTA_BITWISE_DATA:   {"NFTA_BITWISE_DATA", Version{5, 6}},
}

// String returns the kernel's name of the attribute; "NFTA_BITWISE_77" for an unknown one.
func (a NFTABitwise) String() string { return nftaBitwiseTable.name("NFTA_BITWISE_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTABitwise) Since() Version { return nftaBitwiseTable.since(uint16(a)) }

// NFTAImmediate is the number of an attribute of the expression immediate, NFTA_IMMEDIATE_*.
type NFTAImmediate uint16

const (
	NFTA_IMMEDIATE_UNSPEC NFTAImmediate = 0 // 3.13
	NFTA_IMMEDIATE_DREG   NFTAImmediate = 1 // 3.13 be32, NFT_REG_*
	NFTA_IMMEDIATE_DATA   NFTAImmediate = 2 // 3.13 nested NFTA_DATA_*
)

var nftaImmediateTable = attributes{
	NFTA_IMMEDIATE_UNSPEC: {"NFTA_IMMEDIATE_UNSPEC", Version{3, 13}},
	NFTA_IMMEDIATE_DREG:   {"NFTA_IMMEDIATE_DREG", Version{3, 13}},
	NFTA_IMMEDIATE_DATA:   {"NFTA_IMMEDIATE_DATA", Version{3, 13}},
}

// String returns the kernel's name of the attribute; "NFTA_IMMEDIATE_77" for an unknown one.
func (a NFTAImmediate) String() string { return nftaImmediateTable.name("NFTA_IMMEDIATE_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAImmediate) Since() Version { return nftaImmediateTable.since(uint16(a)) }

// NFTAPayload is the number of an attribute of the expression payload, NFTA_PAYLOAD_*.
type NFTAPayload uint16

const (
	NFTA_PAYLOAD_UNSPEC      NFTAPayload = 0 // 3.13
	NFTA_PAYLOAD_DREG        NFTAPayload = 1 // 3.13 be32, NFT_REG_*
	NFTA_PAYLOAD_BASE        NFTAPayload = 2 // 3.13 be32, NFT_PAYLOAD_*
	NFTA_PAYLOAD_OFFSET      NFTAPayload = 3 // 3.13 be32
	NFTA_PAYLOAD_LEN         NFTAPayload = 4 // 3.13 be32
	NFTA_PAYLOAD_SREG        NFTAPayload = 5 // 4.5 be32, NFT_REG_*
	NFTA_PAYLOAD_CSUM_TYPE   NFTAPayload = 6 // 4.5 be32, NFT_PAYLOAD_CSUM_*
	NFTA_PAYLOAD_CSUM_OFFSET NFTAPayload = 7 // 4.5 be32
	NFTA_PAYLOAD_CSUM_FLAGS  NFTAPayload = 8 // 4.10 be32, NFT_PAYLOAD_L4CSUM_*
)

var nftaPayloadTable = attributes{
	NFTA_PAYLOAD_UNSPEC:      {"NFTA_PAYLOAD_UNSPEC", Version{3, 13}},
	NFTA_PAYLOAD_DREG:        {"NFTA_PAYLOAD_DREG", Version{3, 13}},
	NFTA_PAYLOAD_BASE:        {"NFTA_PAYLOAD_BASE", Version{3, 13}},
	NFTA_PAYLOAD_OFFSET:      {"NFTA_PAYLOAD_OFFSET", Version{3, 13}},
	NFTA_PAYLOAD_LEN:         {"NFTA_PAYLOAD_LEN", Version{3, 13}},
	NFTA_PAYLOAD_SREG:        {"NFTA_PAYLOAD_SREG", Version{4, 5}},
	NFTA_PAYLOAD_CSUM_TYPE:   {"NFTA_PAYLOAD_CSUM_TYPE", Version{4, 5}},
	NFTA_PAYLOAD_CSUM_OFFSET: {"NFTA_PAYLOAD_CSUM_OFFSET", Version{4, 5}},
	NFTA_PAYLOAD_CSUM_FLAGS:  {"NFTA_PAYLOAD_CSUM_FLAGS", Version{4, 10}},
}

// String returns the kernel's name of the attribute; "NFTA_PAYLOAD_77" for an unknown one.
func (a NFTAPayload) String() string { return nftaPayloadTable.name("NFTA_PAYLOAD_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAPayload) Since() Version { return nftaPayloadTable.since(uint16(a)) }

// NFTALookup is the number of an attribute of the expression lookup, NFTA_LOOKUP_*.
type NFTALookup uint16

const (
	NFTA_LOOKUP_UNSPEC NFTALookup = 0 // 3.13
	NFTA_LOOKUP_SET    NFTALookup = 1 // 3.13 string
	NFTA_LOOKUP_SREG   NFTALookup = 2 // 3.13 be32, NFT_REG_*
	NFTA_LOOKUP_DREG   NFTALookup = 3 // 3.13 be32, NFT_REG_*
	NFTA_LOOKUP_SET_ID NFTALookup = 4 // 3.16 be32
	NFTA_LOOKUP_FLAGS  NFTALookup = 5 // 4.8 be32, NFT_LOOKUP_F_*
)

var nftaLookupTable = attributes{
	NFTA_LOOKUP_UNSPEC: {"NFTA_LOOKUP_UNSPEC", Version{3, 13}},
	NFTA_LOOKUP_SET:    {"NFTA_LOOKUP_SET", Version{3, 13}},
	NFTA_LOOKUP_SREG:   {"NFTA_LOOKUP_SREG", Version{3, 13}},
	NFTA_LOOKUP_DREG:   {"NFTA_LOOKUP_DREG", Version{3, 13}},
	NFTA_LOOKUP_SET_ID: {"NFTA_LOOKUP_SET_ID", Version{3, 16}},
	NFTA_LOOKUP_FLAGS:  {"NFTA_LOOKUP_FLAGS", Version{4, 8}},
}

// String returns the kernel's name of the attribute; "NFTA_LOOKUP_77" for an unknown one.
func (a NFTALookup) String() string { return nftaLookupTable.name("NFTA_LOOKUP_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTALookup) Since() Version { return nftaLookupTable.since(uint16(a)) }

// NFTADynset is the number of an attribute of the expression dynset, NFTA_DYNSET_*.
type NFTADynset uint16

const (
	NFTA_DYNSET_UNSPEC      NFTADynset = 0  // 4.1
	NFTA_DYNSET_SET_NAME    NFTADynset = 1  // 4.1 string
	NFTA_DYNSET_SET_ID      NFTADynset = 2  // 4.1 be32
	NFTA_DYNSET_OP          NFTADynset = 3  // 4.1 be32, NFT_DYNSET_OP_*
	NFTA_DYNSET_SREG_KEY    NFTADynset = 4  // 4.1 be32, NFT_REG_*
	NFTA_DYNSET_SREG_DATA   NFTADynset = 5  // 4.1 be32, NFT_REG_*
	NFTA_DYNSET_TIMEOUT     NFTADynset = 6  // 4.1 be64, milliseconds
	NFTA_DYNSET_EXPR        NFTADynset = 7  // 4.1 nested NFTA_EXPR_*
	NFTA_DYNSET_PAD         NFTADynset = 8  // 4.7
	NFTA_DYNSET_FLAGS       NFTADynset = 9  // 4.10 be32, NFT_DYNSET_F_*
	NFTA_DYNSET_EXPRESSIONS NFTADynset = 10 // 5.11 nested NFTA_LIST_ELEM
)

var nftaDynsetTable = attributes{
	NFTA_DYNSET_UNSPEC:      {"NFTA_DYNSET_UNSPEC", Version{4, 1}},
	NFTA_DYNSET_SET_NAME:    {"NFTA_DYNSET_SET_NAME", Version{4, 1}},
	NFTA_DYNSET_SET_ID:      {"NFTA_DYNSET_SET_ID", Version{4, 1}},
	NFTA_DYNSET_OP:          {"NFTA_DYNSET_OP", Version{4, 1}},
	NFTA_DYNSET_SREG_KEY:    {"NFTA_DYNSET_SREG_KEY", Version{4, 1}},
	NFTA_DYNSET_SREG_DATA:   {"NFTA_DYNSET_SREG_DATA", Version{4, 1}},
	NFTA_DYNSET_TIMEOUT:     {"NFTA_DYNSET_TIMEOUT", Version{4, 1}},
	NFTA_DYNSET_EXPR:        {"NFTA_DYNSET_EXPR", Version{4, 1}},
	NFTA_DYNSET_PAD:         {"NFTA_DYNSET_PAD", Version{4, 7}},
	NFTA_DYNSET_FLAGS:       {"NFTA_DYNSET_FLAGS", Version{4, 10}},
	NFTA_DYNSET_EXPRESSIONS: {"NFTA_DYNSET_EXPRESSIONS", Version{5, 11}},
}

// String returns the kernel's name of the attribute; "NFTA_DYNSET_77" for an unknown one.
func (a NFTADynset) String() string { return nftaDynsetTable.name("NFTA_DYNSET_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTADynset) Since() Version { return nftaDynsetTable.since(uint16(a)) }

// NFTAFIB is the number of an attribute of the expression fib, NFTA_FIB_*.
type NFTAFIB uint16

const (
	NFTA_FIB_UNSPEC NFTAFIB = 0 // 4.10
	NFTA_FIB_DREG   NFTAFIB = 1 // 4.10 be32, NFT_REG_*
	NFTA_FIB_RESULT NFTAFIB = 2 // 4.10 be32, NFT_FIB_RESULT_*
	NFTA_FIB_FLAGS  NFTAFIB = 3 // 4.10 be32, NFTA_FIB_F_*
)

var nftafibTable = attributes{
	NFTA_FIB_UNSPEC: {"NFTA_FIB_UNSPEC", Version{4, 10}},
	NFTA_FIB_DREG:   {"NFTA_FIB_DREG", Version{4, 10}},
	NFTA_FIB_RESULT: {"NFTA_FIB_RESULT", Version{4, 10}},
	NFTA_FIB_FLAGS:  {"NFTA_FIB_FLAGS", Version{4, 10}},
}

// String returns the kernel's name of the attribute; "NFTA_FIB_77" for an unknown one.
func (a NFTAFIB) String() string { return nftafibTable.name("NFTA_FIB_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAFIB) Since() Version { return nftafibTable.since(uint16(a)) }
