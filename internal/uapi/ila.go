package uapi

// ILA_ATTR_*: attributes of LWTUNNEL_ENCAP_ILA.
const (
	ILA_ATTR_LOCATOR    = 1 // 4.3 be64
	ILA_ATTR_CSUM_MODE  = 7 // 4.8 u8
	ILA_ATTR_IDENT_TYPE = 8 // 4.15 u8
	ILA_ATTR_HOOK_TYPE  = 9 // 4.15 u8
)

// ILA_CSUM_*: values of ILA_ATTR_CSUM_MODE.
const (
	ILA_CSUM_ADJUST_TRANSPORT = 0 // 4.8
	ILA_CSUM_NEUTRAL_MAP      = 1 // 4.8
	ILA_CSUM_NO_ACTION        = 2 // 4.8
	ILA_CSUM_NEUTRAL_MAP_AUTO = 3 // 4.15
)

// ILA_ATYPE_*: values of ILA_ATTR_IDENT_TYPE.
const (
	ILA_ATYPE_IID           = 0  // 4.15
	ILA_ATYPE_LUID          = 1  // 4.15
	ILA_ATYPE_VIRT_V4       = 2  // 4.15
	ILA_ATYPE_VIRT_UNI_V6   = 3  // 4.15
	ILA_ATYPE_VIRT_MULTI_V6 = 4  // 4.15
	ILA_ATYPE_NONLOCAL_ADDR = 5  // 4.15
	ILA_ATYPE_USE_FORMAT    = 32 // 4.15 the type is in the identifier
)

// ILA_HOOK_*: values of ILA_ATTR_HOOK_TYPE.
const (
	ILA_HOOK_ROUTE_OUTPUT = 0 // 4.15
	ILA_HOOK_ROUTE_INPUT  = 1 // 4.15
)
