package uapi

// Size and offsets of struct inet_diag_req_v2, the request for sockets of IPv4
// or IPv6.
const (
	InetDiagReqV2Family   = 0  // 3.3 u8, AF_*
	InetDiagReqV2Protocol = 1  // 3.3 u8, IPPROTO_*
	InetDiagReqV2States   = 4  // 3.3 u32, a bit for each state
	SizeofInetDiagReqV2   = 56 // 3.3
)

// Size and offsets of struct inet_diag_msg, the reply. Ports and addresses are
// in network byte order; an address of IPv4 is the first word of four.
const (
	InetDiagMsgFamily  = 0  // 2.6 u8, AF_*
	InetDiagMsgState   = 1  // 2.6 u8
	InetDiagMsgSPort   = 4  // 2.6 be16, our port
	InetDiagMsgDPort   = 6  // 2.6 be16, the peer's; zero if it is not connected
	InetDiagMsgSrc     = 8  // 2.6 be32[4], our address
	InetDiagMsgIf      = 40 // 2.6 u32, the interface that the socket is bound to
	InetDiagMsgInode   = 68 // 2.6 u32; zero for the kernel's own
	SizeofInetDiagMsg  = 72 // 2.6
	INET_DIAG_SKV6ONLY = 11 // 3.10 u8: 1 for a socket that takes no IPv4
)
