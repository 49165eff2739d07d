package uapi

// IPV4_DEVCONF_*: numbers of settings of an interface, the types of the attributes of
// IFLA_INET_CONF; linux/ip.h. The values are u32.
const (
	IPV4_DEVCONF_SEND_REDIRECTS = 6  // 2.6
	IPV4_DEVCONF_SRC_VMARK      = 24 // 2.6.32
	IPV4_DEVCONF_ACCEPT_LOCAL   = 23 // 2.6.33
	IPV4_DEVCONF_ROUTE_LOCALNET = 26 // 3.6
)

// DEVCONF_*: numbers of settings of an interface, the places in the array of
// IFLA_INET6_CONF; linux/ipv6.h. The values are s32.
const (
	DEVCONF_USE_TEMPADDR       = 10 // 2.6
	DEVCONF_DISABLE_IPV6       = 26 // 2.6.27
	DEVCONF_USE_OPTIMISTIC     = 34 // 4.0
	DEVCONF_USE_OIF_ADDRS_ONLY = 37 // 4.3
)
