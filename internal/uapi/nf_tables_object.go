package uapi

// NFTATable is the number of an attribute of a message of a table, NFTA_TABLE_*.
type NFTATable uint16

const (
	NFTA_TABLE_UNSPEC   NFTATable = 0 // 3.13
	NFTA_TABLE_NAME     NFTATable = 1 // 3.13 string
	NFTA_TABLE_FLAGS    NFTATable = 2 // 3.13 be32, NFT_TABLE_F_*
	NFTA_TABLE_USE      NFTATable = 3 // 3.13 be32, the number of chains, sets and other objects
	NFTA_TABLE_HANDLE   NFTATable = 4 // 4.16 be64
	NFTA_TABLE_PAD      NFTATable = 5 // 4.16
	NFTA_TABLE_USERDATA NFTATable = 6 // 5.10 bytes
	NFTA_TABLE_OWNER    NFTATable = 7 // 5.12 be32, the port of the socket that owns the table
)

var nftaTableTable = attributes{
	NFTA_TABLE_UNSPEC:   {"NFTA_TABLE_UNSPEC", Version{3, 13}},
	NFTA_TABLE_NAME:     {"NFTA_TABLE_NAME", Version{3, 13}},
	NFTA_TABLE_FLAGS:    {"NFTA_TABLE_FLAGS", Version{3, 13}},
	NFTA_TABLE_USE:      {"NFTA_TABLE_USE", Version{3, 13}},
	NFTA_TABLE_HANDLE:   {"NFTA_TABLE_HANDLE", Version{4, 16}},
	NFTA_TABLE_PAD:      {"NFTA_TABLE_PAD", Version{4, 16}},
	NFTA_TABLE_USERDATA: {"NFTA_TABLE_USERDATA", Version{5, 10}},
	NFTA_TABLE_OWNER:    {"NFTA_TABLE_OWNER", Version{5, 12}},
}

// String returns the kernel's name of the attribute; "NFTA_TABLE_77" for an unknown one.
func (a NFTATable) String() string { return nftaTableTable.name("NFTA_TABLE_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTATable) Since() Version { return nftaTableTable.since(uint16(a)) }

// NFTAChain is the number of an attribute of a message of a chain, NFTA_CHAIN_*.
type NFTAChain uint16

const (
	NFTA_CHAIN_UNSPEC   NFTAChain = 0  // 3.13
	NFTA_CHAIN_TABLE    NFTAChain = 1  // 3.13 string
	NFTA_CHAIN_HANDLE   NFTAChain = 2  // 3.13 be64
	NFTA_CHAIN_NAME     NFTAChain = 3  // 3.13 string
	NFTA_CHAIN_HOOK     NFTAChain = 4  // 3.13 nested NFTA_HOOK_*
	NFTA_CHAIN_POLICY   NFTAChain = 5  // 3.13 be32, NF_DROP or NF_ACCEPT
	NFTA_CHAIN_USE      NFTAChain = 6  // 3.13 be32, the number of rules and of jumps to the chain
	NFTA_CHAIN_TYPE     NFTAChain = 7  // 3.13 string
	NFTA_CHAIN_COUNTERS NFTAChain = 8  // 3.13 nested NFTA_COUNTER_*
	NFTA_CHAIN_PAD      NFTAChain = 9  // 4.7
	NFTA_CHAIN_FLAGS    NFTAChain = 10 // 5.3 be32, NFT_CHAIN_*
	NFTA_CHAIN_ID       NFTAChain = 11 // 5.9 be32
	NFTA_CHAIN_USERDATA NFTAChain = 12 // 5.10 bytes
)

var nftaChainTable = attributes{
	NFTA_CHAIN_UNSPEC:   {"NFTA_CHAIN_UNSPEC", Version{3, 13}},
	NFTA_CHAIN_TABLE:    {"NFTA_CHAIN_TABLE", Version{3, 13}},
	NFTA_CHAIN_HANDLE:   {"NFTA_CHAIN_HANDLE", Version{3, 13}},
	NFTA_CHAIN_NAME:     {"NFTA_CHAIN_NAME", Version{3, 13}},
	NFTA_CHAIN_HOOK:     {"NFTA_CHAIN_HOOK", Version{3, 13}},
	NFTA_CHAIN_POLICY:   {"NFTA_CHAIN_POLICY", Version{3, 13}},
	NFTA_CHAIN_USE:      {"NFTA_CHAIN_USE", Version{3, 13}},
	NFTA_CHAIN_TYPE:     {"NFTA_CHAIN_TYPE", Version{3, 13}},
	NFTA_CHAIN_COUNTERS: {"NFTA_CHAIN_COUNTERS", Version{3, 13}},
	NFTA_CHAIN_PAD:      {"NFTA_CHAIN_PAD", Version{4, 7}},
	NFTA_CHAIN_FLAGS:    {"NFTA_CHAIN_FLAGS", Version{5, 3}},
	NFTA_CHAIN_ID:       {"NFTA_CHAIN_ID", Version{5, 9}},
	NFTA_CHAIN_USERDATA: {"NFTA_CHAIN_USERDATA", Version{5, 10}},
}

// String returns the kernel's name of the attribute; "NFTA_CHAIN_77" for an unknown one.
func (a NFTAChain) String() string { return nftaChainTable.name("NFTA_CHAIN_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAChain) Since() Version { return nftaChainTable.since(uint16(a)) }

// NFTAHook is the number of an attribute of the hook of a chain, NFTA_HOOK_*.
type NFTAHook uint16

const (
	NFTA_HOOK_UNSPEC   NFTAHook = 0 // 3.13
	NFTA_HOOK_HOOKNUM  NFTAHook = 1 // 3.13 be32, NF_INET_*
	NFTA_HOOK_PRIORITY NFTAHook = 2 // 3.13 be32, signed
	NFTA_HOOK_DEV      NFTAHook = 3 // 4.2 string
	NFTA_HOOK_DEVS     NFTAHook = 4 // 5.5 nested NFTA_DEVICE_NAME
)

var nftaHookTable = attributes{
	NFTA_HOOK_UNSPEC:   {"NFTA_HOOK_UNSPEC", Version{3, 13}},
	NFTA_HOOK_HOOKNUM:  {"NFTA_HOOK_HOOKNUM", Version{3, 13}},
	NFTA_HOOK_PRIORITY: {"NFTA_HOOK_PRIORITY", Version{3, 13}},
	NFTA_HOOK_DEV:      {"NFTA_HOOK_DEV", Version{4, 2}},
	NFTA_HOOK_DEVS:     {"NFTA_HOOK_DEVS", Version{5, 5}},
}

// String returns the kernel's name of the attribute; "NFTA_HOOK_77" for an unknown one.
func (a NFTAHook) String() string { return nftaHookTable.name("NFTA_HOOK_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAHook) Since() Version { return nftaHookTable.since(uint16(a)) }

// NFTARule is the number of an attribute of a message of a rule, NFTA_RULE_*.
type NFTARule uint16

const (
	NFTA_RULE_UNSPEC      NFTARule = 0  // 3.13
	NFTA_RULE_TABLE       NFTARule = 1  // 3.13 string
	NFTA_RULE_CHAIN       NFTARule = 2  // 3.13 string
	NFTA_RULE_HANDLE      NFTARule = 3  // 3.13 be64
	NFTA_RULE_EXPRESSIONS NFTARule = 4  // 3.13 nested NFTA_LIST_ELEM
	NFTA_RULE_COMPAT      NFTARule = 5  // 3.13 nested
	NFTA_RULE_POSITION    NFTARule = 6  // 3.13 be64, the handle of the rule before this one
	NFTA_RULE_USERDATA    NFTARule = 7  // 3.15 bytes
	NFTA_RULE_PAD         NFTARule = 8  // 4.7
	NFTA_RULE_ID          NFTARule = 9  // 4.11 be32
	NFTA_RULE_POSITION_ID NFTARule = 10 // 5.1 be32
	NFTA_RULE_CHAIN_ID    NFTARule = 11 // 5.9 be32
)

var nftaRuleTable = attributes{
	NFTA_RULE_UNSPEC:      {"NFTA_RULE_UNSPEC", Version{3, 13}},
	NFTA_RULE_TABLE:       {"NFTA_RULE_TABLE", Version{3, 13}},
	NFTA_RULE_CHAIN:       {"NFTA_RULE_CHAIN", Version{3, 13}},
	NFTA_RULE_HANDLE:      {"NFTA_RULE_HANDLE", Version{3, 13}},
	NFTA_RULE_EXPRESSIONS: {"NFTA_RULE_EXPRESSIONS", Version{3, 13}},
	NFTA_RULE_COMPAT:      {"NFTA_RULE_COMPAT", Version{3, 13}},
	NFTA_RULE_POSITION:    {"NFTA_RULE_POSITION", Version{3, 13}},
	NFTA_RULE_USERDATA:    {"NFTA_RULE_USERDATA", Version{3, 15}},
	NFTA_RULE_PAD:         {"NFTA_RULE_PAD", Version{4, 7}},
	NFTA_RULE_ID:          {"NFTA_RULE_ID", Version{4, 11}},
	NFTA_RULE_POSITION_ID: {"NFTA_RULE_POSITION_ID", Version{5, 1}},
	NFTA_RULE_CHAIN_ID:    {"NFTA_RULE_CHAIN_ID", Version{5, 9}},
}

// String returns the kernel's name of the attribute; "NFTA_RULE_77" for an unknown one.
func (a NFTARule) String() string { return nftaRuleTable.name("NFTA_RULE_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTARule) Since() Version { return nftaRuleTable.since(uint16(a)) }

// NFTASet is the number of an attribute of a message of a set, NFTA_SET_*.
type NFTASet uint16

const (
	NFTA_SET_UNSPEC      NFTASet = 0  // 3.13
	NFTA_SET_TABLE       NFTASet = 1  // 3.13 string
	NFTA_SET_NAME        NFTASet = 2  // 3.13 string
	NFTA_SET_FLAGS       NFTASet = 3  // 3.13 be32, NFT_SET_*
	NFTA_SET_KEY_TYPE    NFTASet = 4  // 3.13 be32
	NFTA_SET_KEY_LEN     NFTASet = 5  // 3.13 be32
	NFTA_SET_DATA_TYPE   NFTASet = 6  // 3.13 be32
	NFTA_SET_DATA_LEN    NFTASet = 7  // 3.13 be32
	NFTA_SET_POLICY      NFTASet = 8  // 3.16 be32, NFT_SET_POL_*
	NFTA_SET_DESC        NFTASet = 9  // 3.16 nested NFTA_SET_DESC_*
	NFTA_SET_ID          NFTASet = 10 // 3.16 be32
	NFTA_SET_TIMEOUT     NFTASet = 11 // 4.1 be64, milliseconds
	NFTA_SET_GC_INTERVAL NFTASet = 12 // 4.1 be32, milliseconds
	NFTA_SET_USERDATA    NFTASet = 13 // 4.6 bytes
	NFTA_SET_PAD         NFTASet = 14 // 4.7
	NFTA_SET_OBJ_TYPE    NFTASet = 15 // 4.10 be32
	NFTA_SET_HANDLE      NFTASet = 16 // 4.16 be64
	NFTA_SET_EXPR        NFTASet = 17 // 5.7 nested NFTA_EXPR_*
	NFTA_SET_EXPRESSIONS NFTASet = 18 // 5.11 nested NFTA_LIST_ELEM
)

var nftaSetTable = attributes{
	NFTA_SET_UNSPEC:      {"NFTA_SET_UNSPEC", Version{3, 13}},
	NFTA_SET_TABLE:       {"NFTA_SET_TABLE", Version{3, 13}},
	NFTA_SET_NAME:        {"NFTA_SET_NAME", Version{3, 13}},
	NFTA_SET_FLAGS:       {"NFTA_SET_FLAGS", Version{3, 13}},
	NFTA_SET_KEY_TYPE:    {"NFTA_SET_KEY_TYPE", Version{3, 13}},
	NFTA_SET_KEY_LEN:     {"NFTA_SET_KEY_LEN", Version{3, 13}},
	NFTA_SET_DATA_TYPE:   {"NFTA_SET_DATA_TYPE", Version{3, 13}},
	NFTA_SET_DATA_LEN:    {"NFTA_SET_DATA_LEN", Version{3, 13}},
	NFTA_SET_POLICY:      {"NFTA_SET_POLICY", Version{3, 16}},
	NFTA_SET_DESC:        {"NFTA_SET_DESC", Version{3, 16}},
	NFTA_SET_ID:          {"NFTA_SET_ID", Version{3, 16}},
	NFTA_SET_TIMEOUT:     {"NFTA_SET_TIMEOUT", Version{4, 1}},
	NFTA_SET_GC_INTERVAL: {"NFTA_SET_GC_INTERVAL", Version{4, 1}},
	NFTA_SET_USERDATA:    {"NFTA_SET_USERDATA", Version{4, 6}},
	NFTA_SET_PAD:         {"NFTA_SET_PAD", Version{4, 7}},
	NFTA_SET_OBJ_TYPE:    {"NFTA_SET_OBJ_TYPE", Version{4, 10}},
	NFTA_SET_HANDLE:      {"NFTA_SET_HANDLE", Version{4, 16}},
	NFTA_SET_EXPR:        {"NFTA_SET_EXPR", Version{5, 7}},
	NFTA_SET_EXPRESSIONS: {"NFTA_SET_EXPRESSIONS", Version{5, 11}},
}

// String returns the kernel's name of the attribute; "NFTA_SET_77" for an unknown one.
func (a NFTASet) String() string { return nftaSetTable.name("NFTA_SET_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTASet) Since() Version { return nftaSetTable.since(uint16(a)) }

// NFTASetDesc is the number of an attribute of the description of a set, NFTA_SET_DESC_*.
type NFTASetDesc uint16

const (
	NFTA_SET_DESC_UNSPEC NFTASetDesc = 0 // 3.16
	NFTA_SET_DESC_SIZE   NFTASetDesc = 1 // 3.16 be32, the most elements
	NFTA_SET_DESC_CONCAT NFTASetDesc = 2 // 5.6 nested NFTA_LIST_ELEM of NFTA_SET_FIELD_LEN
)

var nftaSetDescTable = attributes{
	NFTA_SET_DESC_UNSPEC: {"NFTA_SET_DESC_UNSPEC", Version{3, 16}},
	NFTA_SET_DESC_SIZE:   {"NFTA_SET_DESC_SIZE", Version{3, 16}},
	NFTA_SET_DESC_CONCAT: {"NFTA_SET_DESC_CONCAT", Version{5, 6}},
}

// String returns the kernel's name of the attribute; "NFTA_SET_DESC_77" for an unknown one.
func (a NFTASetDesc) String() string { return nftaSetDescTable.name("NFTA_SET_DESC_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTASetDesc) Since() Version { return nftaSetDescTable.since(uint16(a)) }

// NFTASetElem is the number of an attribute of an element of a set, NFTA_SET_ELEM_*.
type NFTASetElem uint16

const (
	NFTA_SET_ELEM_UNSPEC      NFTASetElem = 0  // 3.13
	NFTA_SET_ELEM_KEY         NFTASetElem = 1  // 3.13 nested NFTA_DATA_*
	NFTA_SET_ELEM_DATA        NFTASetElem = 2  // 3.13 nested NFTA_DATA_*
	NFTA_SET_ELEM_FLAGS       NFTASetElem = 3  // 3.13 be32, NFT_SET_ELEM_*
	NFTA_SET_ELEM_TIMEOUT     NFTASetElem = 4  // 4.1 be64, milliseconds
	NFTA_SET_ELEM_EXPIRATION  NFTASetElem = 5  // 4.1 be64, milliseconds
	NFTA_SET_ELEM_USERDATA    NFTASetElem = 6  // 4.1 bytes
	NFTA_SET_ELEM_EXPR        NFTASetElem = 7  // 4.1 nested NFTA_EXPR_*
	NFTA_SET_ELEM_PAD         NFTASetElem = 8  // 4.7
	NFTA_SET_ELEM_OBJREF      NFTASetElem = 9  // 4.10 string
	NFTA_SET_ELEM_KEY_END     NFTASetElem = 10 // 5.6 nested NFTA_DATA_*
	NFTA_SET_ELEM_EXPRESSIONS NFTASetElem = 11 // 5.11 nested NFTA_LIST_ELEM
)

var nftaSetElemTable = attributes{
	NFTA_SET_ELEM_UNSPEC:      {"NFTA_SET_ELEM_UNSPEC", Version{3, 13}},
	NFTA_SET_ELEM_KEY:         {"NFTA_SET_ELEM_KEY", Version{3, 13}},
	NFTA_SET_ELEM_DATA:        {"NFTA_SET_ELEM_DATA", Version{3, 13}},
	NFTA_SET_ELEM_FLAGS:       {"NFTA_SET_ELEM_FLAGS", Version{3, 13}},
	NFTA_SET_ELEM_TIMEOUT:     {"NFTA_SET_ELEM_TIMEOUT", Version{4, 1}},
	NFTA_SET_ELEM_EXPIRATION:  {"NFTA_SET_ELEM_EXPIRATION", Version{4, 1}},
	NFTA_SET_ELEM_USERDATA:    {"NFTA_SET_ELEM_USERDATA", Version{4, 1}},
	NFTA_SET_ELEM_EXPR:        {"NFTA_SET_ELEM_EXPR", Version{4, 1}},
	NFTA_SET_ELEM_PAD:         {"NFTA_SET_ELEM_PAD", Version{4, 7}},
	NFTA_SET_ELEM_OBJREF:      {"NFTA_SET_ELEM_OBJREF", Version{4, 10}},
	NFTA_SET_ELEM_KEY_END:     {"NFTA_SET_ELEM_KEY_END", Version{5, 6}},
	NFTA_SET_ELEM_EXPRESSIONS: {"NFTA_SET_ELEM_EXPRESSIONS", Version{5, 11}},
}

// String returns the kernel's name of the attribute; "NFTA_SET_ELEM_77" for an unknown one.
func (a NFTASetElem) String() string { return nftaSetElemTable.name("NFTA_SET_ELEM_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTASetElem) Since() Version { return nftaSetElemTable.since(uint16(a)) }

// NFTASetElemList is the number of an attribute of a message of elements, NFTA_SET_ELEM_LIST_*.
type NFTASetElemList uint16

const (
	NFTA_SET_ELEM_LIST_UNSPEC   NFTASetElemList = 0 // 3.13
	NFTA_SET_ELEM_LIST_TABLE    NFTASetElemList = 1 // 3.13 string
	NFTA_SET_ELEM_LIST_SET      NFTASetElemList = 2 // 3.13 string
	NFTA_SET_ELEM_LIST_ELEMENTS NFTASetElemList = 3 // 3.13 nested NFTA_LIST_ELEM
	NFTA_SET_ELEM_LIST_SET_ID   NFTASetElemList = 4 // 3.16 be32
)

var nftaSetElemListTable = attributes{
	NFTA_SET_ELEM_LIST_UNSPEC:   {"NFTA_SET_ELEM_LIST_UNSPEC", Version{3, 13}},
	NFTA_SET_ELEM_LIST_TABLE:    {"NFTA_SET_ELEM_LIST_TABLE", Version{3, 13}},
	NFTA_SET_ELEM_LIST_SET:      {"NFTA_SET_ELEM_LIST_SET", Version{3, 13}},
	NFTA_SET_ELEM_LIST_ELEMENTS: {"NFTA_SET_ELEM_LIST_ELEMENTS", Version{3, 13}},
	NFTA_SET_ELEM_LIST_SET_ID:   {"NFTA_SET_ELEM_LIST_SET_ID", Version{3, 16}},
}

// String returns the kernel's name of the attribute; "NFTA_SET_ELEM_LIST_77" for an unknown one.
func (a NFTASetElemList) String() string {
	return nftaSetElemListTable.name("NFTA_SET_ELEM_LIST_", uint16(a))
}

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTASetElemList) Since() Version { return nftaSetElemListTable.since(uint16(a)) }

// NFTAGen is the number of an attribute of a message of a generation, NFTA_GEN_*.
type NFTAGen uint16

const (
	NFTA_GEN_UNSPEC    NFTAGen = 0 // 3.18
	NFTA_GEN_ID        NFTAGen = 1 // 3.18 be32
	NFTA_GEN_PROC_PID  NFTAGen = 2 // 4.14 be32, the thread that made the change
	NFTA_GEN_PROC_NAME NFTAGen = 3 // 4.14 string
)

var nftaGenTable = attributes{
	NFTA_GEN_UNSPEC:    {"NFTA_GEN_UNSPEC", Version{3, 18}},
	NFTA_GEN_ID:        {"NFTA_GEN_ID", Version{3, 18}},
	NFTA_GEN_PROC_PID:  {"NFTA_GEN_PROC_PID", Version{4, 14}},
	NFTA_GEN_PROC_NAME: {"NFTA_GEN_PROC_NAME", Version{4, 14}},
}

// String returns the kernel's name of the attribute; "NFTA_GEN_77" for an unknown one.
func (a NFTAGen) String() string { return nftaGenTable.name("NFTA_GEN_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a NFTAGen) Since() Version { return nftaGenTable.since(uint16(a)) }
