package uapi

// AF_*: address families. The kernel has them in linux/socket.h, the C library
// in sys/socket.h. AF_INET6 and the others beyond AF_INET have other numbers on
// other operating systems.
const (
	AF_UNSPEC  = 0  // 2.6
	AF_UNIX    = 1  // 2.6
	AF_INET    = 2  // 2.6
	AF_BRIDGE  = 7  // 2.6
	AF_INET6   = 10 // 2.6
	AF_NETLINK = 16 // 2.6
	AF_PACKET  = 17 // 2.6
	AF_MPLS    = 28 // 4.1
)

// SOL_NETLINK is the level of the NETLINK_* socket options.
const SOL_NETLINK = 270 // 2.6
