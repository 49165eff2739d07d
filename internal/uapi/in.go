package uapi

// IPPROTO_*: IP protocols, for FRA_IP_PROTO and RTA_IP_PROTO. The routing code
// of the kernel knows only TCP, UDP, ICMP and ICMPv6 in RTA_IP_PROTO.
const (
	IPPROTO_IP       = 0   // 2.6
	IPPROTO_ICMP     = 1   // 2.6
	IPPROTO_IGMP     = 2   // 2.6
	IPPROTO_IPIP     = 4   // 2.6
	IPPROTO_TCP      = 6   // 2.6
	IPPROTO_EGP      = 8   // 2.6
	IPPROTO_PUP      = 12  // 2.6
	IPPROTO_UDP      = 17  // 2.6
	IPPROTO_IDP      = 22  // 2.6
	IPPROTO_TP       = 29  // 2.6
	IPPROTO_DCCP     = 33  // 2.6
	IPPROTO_IPV6     = 41  // 2.6
	IPPROTO_RSVP     = 46  // 2.6
	IPPROTO_GRE      = 47  // 2.6
	IPPROTO_ESP      = 50  // 2.6
	IPPROTO_AH       = 51  // 2.6
	IPPROTO_ICMPV6   = 58  // 2.6 from linux/in6.h
	IPPROTO_MTP      = 92  // 2.6
	IPPROTO_BEETPH   = 94  // 2.6
	IPPROTO_ENCAP    = 98  // 2.6
	IPPROTO_PIM      = 103 // 2.6
	IPPROTO_COMP     = 108 // 2.6
	IPPROTO_L2TP     = 115 // 2.6 from linux/l2tp.h, in linux/in.h since 6.1
	IPPROTO_SCTP     = 132 // 2.6
	IPPROTO_UDPLITE  = 136 // 2.6.20
	IPPROTO_MPLS     = 137 // 4.2
	IPPROTO_ETHERNET = 143 // 5.6
	IPPROTO_RAW      = 255 // 2.6
)
