package uapi

const (
	NETLINK_SOCK_DIAG   = 4  // 2.6 a protocol of netlink sockets
	SOCK_DIAG_BY_FAMILY = 20 // 3.3 the type of requests and replies
)
