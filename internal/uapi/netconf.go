package uapi

// struct netconfmsg of linux/netconf.h: offset of its field, and its size with padding.
const (
	NetconfmsgFamily = 0 // 3.8 u8
	SizeofNetconfmsg = 4 // 3.8
)

// NETCONFA_*: attributes of RTM_NEWNETCONF. The values are s32.
const (
	NETCONFA_IFINDEX                     = 1 // 3.8
	NETCONFA_FORWARDING                  = 2 // 3.8
	NETCONFA_RP_FILTER                   = 3 // 3.8
	NETCONFA_MC_FORWARDING               = 4 // 3.8
	NETCONFA_PROXY_NEIGH                 = 5 // 3.14
	NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN = 6 // 4.3
	NETCONFA_INPUT                       = 7 // 4.12
	NETCONFA_BC_FORWARDING               = 8 // 4.19
)

// NETCONFA_IFINDEX_ALL stands for all interfaces. The kernel has -1.
const NETCONFA_IFINDEX_ALL = 0xffffffff // 3.8
