package uapi

// IFLA_*: the link attributes that a list of links needs.
const (
	IFLA_UNSPEC       = 0  // 2.6
	IFLA_ADDRESS      = 1  // 2.6 bytes
	IFLA_BROADCAST    = 2  // 2.6 bytes
	IFLA_IFNAME       = 3  // 2.6 string
	IFLA_MTU          = 4  // 2.6 u32
	IFLA_LINK         = 5  // 2.6 u32
	IFLA_MASTER       = 10 // 2.6 u32
	IFLA_WIRELESS     = 11 // 2.6 an event of a wireless interface, without most attributes
	IFLA_OPERSTATE    = 16 // 2.6.17 u8, IF_OPER_*
	IFLA_LINKINFO     = 18 // 2.6 nested IFLA_INFO_*
	IFLA_NET_NS_PID   = 19 // 2.6 u32
	IFLA_GROUP        = 27 // 2.6 u32
	IFLA_AF_SPEC      = 26 // 2.6.38 nested by family: AF_INET, AF_INET6
	IFLA_NET_NS_FD    = 28 // 3.0 u32
	IFLA_EXT_MASK     = 29 // 3.4 u32, RTEXT_FILTER_*
	IFLA_CARRIER      = 33 // 3.9 u8
	IFLA_LINK_NETNSID = 37 // 4.0 s32
	IFLA_PROP_LIST    = 52 // 5.5 nested IFLA_ALT_IFNAME
	IFLA_ALT_IFNAME   = 53 // 5.5 string
)

// IFLA_INFO_*: attributes of IFLA_LINKINFO.
const (
	IFLA_INFO_UNSPEC = 0 // 2.6
	IFLA_INFO_KIND   = 1 // 2.6 string
	IFLA_INFO_DATA   = 2 // 2.6 nested, by kind
)

// IFLA_VRF_TABLE is the attribute of IFLA_INFO_DATA with the table of a device
// of kind "vrf".
const IFLA_VRF_TABLE = 1 // 4.3 u32

// IFLA_INET_*, IFLA_INET6_*: attributes of IFLA_AF_SPEC.
const (
	IFLA_INET_CONF  = 1 // 2.6.38 nested IPV4_DEVCONF_*
	IFLA_INET6_CONF = 2 // 2.6 an array
)
