package uapi

// NFPROTO_*: families of tables and of connections.
const (
	NFPROTO_UNSPEC = 0  // 2.6
	NFPROTO_INET   = 1  // 3.14 both IPv4 and IPv6
	NFPROTO_IPV4   = 2  // 2.6
	NFPROTO_ARP    = 3  // 2.6
	NFPROTO_NETDEV = 5  // 4.2
	NFPROTO_BRIDGE = 7  // 2.6
	NFPROTO_IPV6   = 10 // 2.6
)

// NF_*: verdicts.
const (
	NF_DROP   = 0 // 2.6
	NF_ACCEPT = 1 // 2.6
)

// NF_INET_*: hooks.
const (
	NF_INET_PRE_ROUTING  = 0 // 2.6
	NF_INET_LOCAL_IN     = 1 // 2.6
	NF_INET_FORWARD      = 2 // 2.6
	NF_INET_LOCAL_OUT    = 3 // 2.6
	NF_INET_POST_ROUTING = 4 // 2.6
)
