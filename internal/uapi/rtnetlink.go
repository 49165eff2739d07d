package uapi

// RTM_*: types of messages.
const (
	RTM_NEWLINK          = 16  // 2.6
	RTM_DELLINK          = 17  // 2.6
	RTM_GETLINK          = 18  // 2.6
	RTM_SETLINK          = 19  // 2.6
	RTM_NEWADDR          = 20  // 2.6
	RTM_DELADDR          = 21  // 2.6
	RTM_GETADDR          = 22  // 2.6
	RTM_NEWROUTE         = 24  // 2.6
	RTM_DELROUTE         = 25  // 2.6
	RTM_GETROUTE         = 26  // 2.6
	RTM_NEWNEIGH         = 28  // 2.6
	RTM_DELNEIGH         = 29  // 2.6
	RTM_GETNEIGH         = 30  // 2.6
	RTM_NEWRULE          = 32  // 2.6
	RTM_DELRULE          = 33  // 2.6
	RTM_GETRULE          = 34  // 2.6
	RTM_NEWNETCONF       = 80  // 3.8
	RTM_DELNETCONF       = 81  // 4.10
	RTM_GETNETCONF       = 82  // 3.8
	RTM_NEWNEXTHOP       = 104 // 5.3
	RTM_DELNEXTHOP       = 105 // 5.3
	RTM_GETNEXTHOP       = 106 // 5.3
	RTM_NEWLINKPROP      = 108 // 5.5
	RTM_DELLINKPROP      = 109 // 5.5
	RTM_NEWNEXTHOPBUCKET = 116 // 5.13
	RTM_DELNEXTHOPBUCKET = 117 // 5.13
	RTM_GETNEXTHOPBUCKET = 118 // 5.13
)

// Size and offsets of struct rtmsg, the header of route messages.
const (
	RtMsgFamily   = 0  // 2.6 u8
	RtMsgDstLen   = 1  // 2.6 u8, bits
	RtMsgSrcLen   = 2  // 2.6 u8, bits
	RtMsgTOS      = 3  // 2.6 u8
	RtMsgTable    = 4  // 2.6 u8, overruled by RTA_TABLE
	RtMsgProtocol = 5  // 2.6 u8, RTPROT_*
	RtMsgScope    = 6  // 2.6 u8, RT_SCOPE_*
	RtMsgType     = 7  // 2.6 u8, RTN_*
	RtMsgFlags    = 8  // 2.6 u32, RTM_F_* and RTNH_F_*
	SizeofRtMsg   = 12 // 2.6
)

// RTN_*: types of routes.
const (
	RTN_UNSPEC      = 0  // 2.6
	RTN_UNICAST     = 1  // 2.6 gateway or direct
	RTN_LOCAL       = 2  // 2.6 accept locally
	RTN_BROADCAST   = 3  // 2.6 accept and send as broadcast
	RTN_ANYCAST     = 4  // 2.6 accept as broadcast, send as unicast
	RTN_MULTICAST   = 5  // 2.6
	RTN_BLACKHOLE   = 6  // 2.6 drop silently
	RTN_UNREACHABLE = 7  // 2.6 EHOSTUNREACH
	RTN_PROHIBIT    = 8  // 2.6 EACCES
	RTN_THROW       = 9  // 2.6 not in this table
	RTN_NAT         = 10 // 2.6 not implemented
	RTN_XRESOLVE    = 11 // 2.6 not implemented
)

// RTPROT_*: who made a route or a rule. From RTPROT_STATIC on the kernel only
// stores them, so it does not matter which kernel first names one.
const (
	RTPROT_UNSPEC     = 0   // 2.6
	RTPROT_REDIRECT   = 1   // 2.6 ICMP redirects
	RTPROT_KERNEL     = 2   // 2.6
	RTPROT_BOOT       = 3   // 2.6 the default of ip(8)
	RTPROT_STATIC     = 4   // 2.6 the administrator
	RTPROT_GATED      = 8   // 2.6
	RTPROT_RA         = 9   // 2.6 router advertisements
	RTPROT_MRT        = 10  // 2.6
	RTPROT_ZEBRA      = 11  // 2.6
	RTPROT_BIRD       = 12  // 2.6
	RTPROT_DNROUTED   = 13  // 2.6
	RTPROT_XORP       = 14  // 2.6
	RTPROT_NTK        = 15  // 2.6
	RTPROT_DHCP       = 16  // 2.6
	RTPROT_MROUTED    = 17  // 3.8
	RTPROT_KEEPALIVED = 18  // by 6.1
	RTPROT_BABEL      = 42  // 3.19
	RTPROT_OVN        = 84  // by 6.15
	RTPROT_OPENR      = 99  // 5.13
	RTPROT_BGP        = 186 // 4.18
	RTPROT_ISIS       = 187 // 4.18
	RTPROT_OSPF       = 188 // 4.18
	RTPROT_RIP        = 189 // 4.18
	RTPROT_EIGRP      = 192 // 4.18
)

// RT_SCOPE_*: distance to the destination. Numbers between are the user's.
const (
	RT_SCOPE_UNIVERSE = 0   // 2.6
	RT_SCOPE_SITE     = 200 // 2.6
	RT_SCOPE_LINK     = 253 // 2.6
	RT_SCOPE_HOST     = 254 // 2.6
	RT_SCOPE_NOWHERE  = 255 // 2.6
)

// RT_TABLE_*: table numbers with a meaning.
const (
	RT_TABLE_UNSPEC  = 0          // 2.6
	RT_TABLE_COMPAT  = 252        // 2.6.26 in a header: the number is in the attribute
	RT_TABLE_DEFAULT = 253        // 2.6
	RT_TABLE_MAIN    = 254        // 2.6
	RT_TABLE_LOCAL   = 255        // 2.6
	RT_TABLE_MAX     = 0xffffffff // 2.6.19
)

// RTM_F_*: flags of a route message, in the same field as RTNH_F_*.
const (
	RTM_F_NOTIFY         = 0x100      // 2.6 tell the user of a change
	RTM_F_CLONED         = 0x200      // 2.6 a cache entry
	RTM_F_EQUALIZE       = 0x400      // 2.6 not implemented
	RTM_F_PREFIX         = 0x800      // 2.6
	RTM_F_LOOKUP_TABLE   = 0x1000     // 4.4 on a get: report the table found
	RTM_F_FIB_MATCH      = 0x2000     // 4.13 on a get: report the route itself
	RTM_F_OFFLOAD        = 0x4000     // 5.6
	RTM_F_TRAP           = 0x8000     // 5.6
	RTM_F_OFFLOAD_FAILED = 0x20000000 // 5.12
)

// Size and offsets of struct rtnexthop, an entry of RTA_MULTIPATH.
const (
	RtNexthopLen     = 0 // 2.6 u16
	RtNexthopFlags   = 2 // 2.6 u8, RTNH_F_*
	RtNexthopHops    = 3 // 2.6 u8, weight - 1
	RtNexthopIfindex = 4 // 2.6 s32
	SizeofRtNexthop  = 8 // 2.6
)

// RTNH_F_*: flags of a nexthop. Only RTNH_F_PERVASIVE and RTNH_F_ONLINK are set by
// user space.
const (
	RTNH_F_DEAD       = 1  // 2.6
	RTNH_F_PERVASIVE  = 2  // 2.6
	RTNH_F_ONLINK     = 4  // 2.6 the gateway need not be in a connected subnet
	RTNH_F_OFFLOAD    = 8  // 4.1
	RTNH_F_LINKDOWN   = 16 // 4.2 no carrier
	RTNH_F_UNRESOLVED = 32 // by 6.1 a multicast route
	RTNH_F_TRAP       = 64 // 5.11

	// RTNH_COMPARE_MASK has the flags that the kernel ignores when it compares
	// nexthops.
	RTNH_COMPARE_MASK = RTNH_F_DEAD | RTNH_F_LINKDOWN | RTNH_F_OFFLOAD | RTNH_F_TRAP // 2.6
)

// RTA is the number of a route attribute, RTA_*.
type RTA uint16

const (
	RTA_UNSPEC        RTA = 0  // 2.6
	RTA_DST           RTA = 1  // 2.6 address
	RTA_SRC           RTA = 2  // 2.6 address
	RTA_IIF           RTA = 3  // 2.6 u32
	RTA_OIF           RTA = 4  // 2.6 u32
	RTA_GATEWAY       RTA = 5  // 2.6 address
	RTA_PRIORITY      RTA = 6  // 2.6 u32
	RTA_PREFSRC       RTA = 7  // 2.6 address
	RTA_METRICS       RTA = 8  // 2.6 nested RTAX_*
	RTA_MULTIPATH     RTA = 9  // 2.6 struct rtnexthop, several
	RTA_PROTOINFO     RTA = 10 // 2.6 no longer used
	RTA_FLOW          RTA = 11 // 2.6 u32, source realm in the upper half
	RTA_CACHEINFO     RTA = 12 // 2.6 struct rta_cacheinfo
	RTA_SESSION       RTA = 13 // 2.6 no longer used
	RTA_MP_ALGO       RTA = 14 // 2.6 no longer used
	RTA_TABLE         RTA = 15 // 2.6.19 u32
	RTA_MARK          RTA = 16 // 2.6 u32
	RTA_MFC_STATS     RTA = 17 // 3.8 struct rta_mfc_stats
	RTA_VIA           RTA = 18 // 4.1 u16 family, address; of an IPv4 route 5.2, ignored before
	RTA_NEWDST        RTA = 19 // 4.1 MPLS labels
	RTA_PREF          RTA = 20 // 4.1 u8, ICMPV6_ROUTER_PREF_*
	RTA_ENCAP_TYPE    RTA = 21 // 4.3 u16, LWTUNNEL_ENCAP_*
	RTA_ENCAP         RTA = 22 // 4.3 nested, by RTA_ENCAP_TYPE
	RTA_EXPIRES       RTA = 23 // 4.5 u32, seconds, written only; ignored but for IPv6 routes that forward
	RTA_PAD           RTA = 24 // 4.7
	RTA_UID           RTA = 25 // 4.10 u32
	RTA_TTL_PROPAGATE RTA = 26 // 4.12 u8
	RTA_IP_PROTO      RTA = 27 // 4.18 u8
	RTA_SPORT         RTA = 28 // 4.18 be16
	RTA_DPORT         RTA = 29 // 4.18 be16
	RTA_NH_ID         RTA = 30 // 5.3 u32
	RTA_FLOWLABEL     RTA = 31 // 6.14 be32; before, EINVAL with strict checking, else ignored
)

var rtaTable = attributes{
	RTA_UNSPEC:        {name: "RTA_UNSPEC"},
	RTA_DST:           {name: "RTA_DST"},
	RTA_SRC:           {name: "RTA_SRC"},
	RTA_IIF:           {name: "RTA_IIF"},
	RTA_OIF:           {name: "RTA_OIF"},
	RTA_GATEWAY:       {name: "RTA_GATEWAY"},
	RTA_PRIORITY:      {name: "RTA_PRIORITY"},
	RTA_PREFSRC:       {name: "RTA_PREFSRC"},
	RTA_METRICS:       {name: "RTA_METRICS"},
	RTA_MULTIPATH:     {name: "RTA_MULTIPATH"},
	RTA_PROTOINFO:     {name: "RTA_PROTOINFO"},
	RTA_FLOW:          {name: "RTA_FLOW"},
	RTA_CACHEINFO:     {name: "RTA_CACHEINFO"},
	RTA_SESSION:       {name: "RTA_SESSION"},
	RTA_MP_ALGO:       {name: "RTA_MP_ALGO"},
	RTA_TABLE:         {name: "RTA_TABLE"},
	RTA_MARK:          {name: "RTA_MARK"},
	RTA_MFC_STATS:     {"RTA_MFC_STATS", Version{3, 8}},
	RTA_VIA:           {"RTA_VIA", Version{4, 1}},
	RTA_NEWDST:        {"RTA_NEWDST", Version{4, 1}},
	RTA_PREF:          {"RTA_PREF", Version{4, 1}},
	RTA_ENCAP_TYPE:    {"RTA_ENCAP_TYPE", Version{4, 3}},
	RTA_ENCAP:         {"RTA_ENCAP", Version{4, 3}},
	RTA_EXPIRES:       {"RTA_EXPIRES", Version{4, 5}},
	RTA_PAD:           {"RTA_PAD", Version{4, 7}},
	RTA_UID:           {"RTA_UID", Version{4, 10}},
	RTA_TTL_PROPAGATE: {"RTA_TTL_PROPAGATE", Version{4, 12}},
	RTA_IP_PROTO:      {"RTA_IP_PROTO", Version{4, 18}},
	RTA_SPORT:         {"RTA_SPORT", Version{4, 18}},
	RTA_DPORT:         {"RTA_DPORT", Version{4, 18}},
	RTA_NH_ID:         {"RTA_NH_ID", Version{5, 3}},
	RTA_FLOWLABEL:     {"RTA_FLOWLABEL", Version{6, 14}},
}

// String returns the kernel's name of the attribute, "RTA_DST"; "RTA_77" for an
// unknown one.
func (a RTA) String() string { return rtaTable.name("RTA_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// attribute of Linux 2.6 and for an unknown one.
func (a RTA) Since() Version { return rtaTable.since(uint16(a)) }

// RTAX is the number of a metric in RTA_METRICS, RTAX_*.
type RTAX uint16

const (
	RTAX_UNSPEC             RTAX = 0  // 2.6
	RTAX_LOCK               RTAX = 1  // 2.6 u32, bit n locks metric n
	RTAX_MTU                RTAX = 2  // 2.6 u32, bytes
	RTAX_WINDOW             RTAX = 3  // 2.6 u32, bytes
	RTAX_RTT                RTAX = 4  // 2.6 u32, 1/8 ms
	RTAX_RTTVAR             RTAX = 5  // 2.6 u32, 1/4 ms
	RTAX_SSTHRESH           RTAX = 6  // 2.6 u32, segments
	RTAX_CWND               RTAX = 7  // 2.6 u32, segments; locked and zero, EINVAL in 6.12.117
	RTAX_ADVMSS             RTAX = 8  // 2.6 u32, bytes
	RTAX_REORDERING         RTAX = 9  // 2.6 u32, segments
	RTAX_HOPLIMIT           RTAX = 10 // 2.6 u32
	RTAX_INITCWND           RTAX = 11 // 2.6 u32, segments
	RTAX_FEATURES           RTAX = 12 // 2.6 u32, RTAX_FEATURE_*
	RTAX_RTO_MIN            RTAX = 13 // 2.6 u32, ms
	RTAX_INITRWND           RTAX = 14 // 2.6 u32, segments
	RTAX_QUICKACK           RTAX = 15 // 3.11 u32, 0 or 1
	RTAX_CC_ALGO            RTAX = 16 // 4.0 string
	RTAX_FASTOPEN_NO_COOKIE RTAX = 17 // 4.15 u32, 0 or 1
)

var rtaxTable = attributes{
	RTAX_UNSPEC:             {name: "RTAX_UNSPEC"},
	RTAX_LOCK:               {name: "RTAX_LOCK"},
	RTAX_MTU:                {name: "RTAX_MTU"},
	RTAX_WINDOW:             {name: "RTAX_WINDOW"},
	RTAX_RTT:                {name: "RTAX_RTT"},
	RTAX_RTTVAR:             {name: "RTAX_RTTVAR"},
	RTAX_SSTHRESH:           {name: "RTAX_SSTHRESH"},
	RTAX_CWND:               {name: "RTAX_CWND"},
	RTAX_ADVMSS:             {name: "RTAX_ADVMSS"},
	RTAX_REORDERING:         {name: "RTAX_REORDERING"},
	RTAX_HOPLIMIT:           {name: "RTAX_HOPLIMIT"},
	RTAX_INITCWND:           {name: "RTAX_INITCWND"},
	RTAX_FEATURES:           {name: "RTAX_FEATURES"},
	RTAX_RTO_MIN:            {name: "RTAX_RTO_MIN"},
	RTAX_INITRWND:           {name: "RTAX_INITRWND"},
	RTAX_QUICKACK:           {"RTAX_QUICKACK", Version{3, 11}},
	RTAX_CC_ALGO:            {"RTAX_CC_ALGO", Version{4, 0}},
	RTAX_FASTOPEN_NO_COOKIE: {"RTAX_FASTOPEN_NO_COOKIE", Version{4, 15}},
}

// String returns the kernel's name of the metric, "RTAX_MTU"; "RTAX_77" for an
// unknown one.
func (a RTAX) String() string { return rtaxTable.name("RTAX_", uint16(a)) }

// Since returns the first kernel that has the metric. It returns zero for a metric
// of Linux 2.6 and for an unknown one.
func (a RTAX) Since() Version { return rtaxTable.since(uint16(a)) }

// RTAX_FEATURE_*: bits of RTAX_FEATURES.
const (
	RTAX_FEATURE_ECN         = 1  // 2.6
	RTAX_FEATURE_SACK        = 2  // 2.6 no effect
	RTAX_FEATURE_TIMESTAMP   = 4  // 2.6 no effect
	RTAX_FEATURE_ALLFRAG     = 8  // 2.6 no effect
	RTAX_FEATURE_TCP_USEC_TS = 16 // 6.7 EINVAL before
)

// Size and offsets of struct rta_cacheinfo, the value of RTA_CACHEINFO.
const (
	RtaCacheinfoClntref = 0  // 2.6 u32
	RtaCacheinfoLastuse = 4  // 2.6 u32, USER_HZ
	RtaCacheinfoExpires = 8  // 2.6 s32, USER_HZ
	RtaCacheinfoError   = 12 // 2.6 u32
	RtaCacheinfoUsed    = 16 // 2.6 u32
	RtaCacheinfoID      = 20 // 2.6 u32
	RtaCacheinfoTS      = 24 // 2.6 u32
	RtaCacheinfoTSAge   = 28 // 2.6 u32
	SizeofRtaCacheinfo  = 32 // 2.6
)

// Size and offsets of struct ifinfomsg, the header of link messages.
const (
	IfInfomsgFamily = 0  // 2.6 u8
	IfInfomsgType   = 2  // 2.6 u16, ARPHRD_*
	IfInfomsgIndex  = 4  // 2.6 s32
	IfInfomsgFlags  = 8  // 2.6 u32, IFF_*
	IfInfomsgChange = 12 // 2.6 u32, mask of flags to change
	SizeofIfInfomsg = 16 // 2.6
)

// RTEXT_FILTER_SKIP_STATS in IFLA_EXT_MASK leaves the counters out of a dump.
const RTEXT_FILTER_SKIP_STATS = 0x8 // 4.4

// RTNL_FAMILY_*: families of rtnetlink that are not address families.
const (
	RTNL_FAMILY_IPMR  = 128 // 2.6.35 IPv4 multicast routing
	RTNL_FAMILY_IP6MR = 129 // 2.6.35 IPv6 multicast routing
)

// RTNLGRP_*: multicast groups, for NETLINK_ADD_MEMBERSHIP.
const (
	RTNLGRP_NONE          = 0  // 2.6
	RTNLGRP_LINK          = 1  // 2.6
	RTNLGRP_NOTIFY        = 2  // 2.6
	RTNLGRP_NEIGH         = 3  // 2.6
	RTNLGRP_TC            = 4  // 2.6
	RTNLGRP_IPV4_IFADDR   = 5  // 2.6
	RTNLGRP_IPV4_MROUTE   = 6  // 2.6
	RTNLGRP_IPV4_ROUTE    = 7  // 2.6
	RTNLGRP_IPV4_RULE     = 8  // 2.6
	RTNLGRP_IPV6_IFADDR   = 9  // 2.6
	RTNLGRP_IPV6_MROUTE   = 10 // 2.6
	RTNLGRP_IPV6_ROUTE    = 11 // 2.6
	RTNLGRP_IPV6_IFINFO   = 12 // 2.6
	RTNLGRP_IPV6_PREFIX   = 18 // 2.6
	RTNLGRP_IPV6_RULE     = 19 // 2.6
	RTNLGRP_IPV4_NETCONF  = 24 // 3.8
	RTNLGRP_IPV6_NETCONF  = 25 // 3.8
	RTNLGRP_MPLS_ROUTE    = 27 // 4.1
	RTNLGRP_IPV4_MROUTE_R = 30 // 4.13
	RTNLGRP_IPV6_MROUTE_R = 31 // 4.13
	RTNLGRP_NEXTHOP       = 32 // 5.3
)

// RTMGRP_*: the same groups as bits of sockaddr_nl.nl_groups, for bind(2).
const (
	RTMGRP_LINK        = 0x1   // 2.6
	RTMGRP_NOTIFY      = 0x2   // 2.6
	RTMGRP_NEIGH       = 0x4   // 2.6
	RTMGRP_IPV4_IFADDR = 0x10  // 2.6
	RTMGRP_IPV4_ROUTE  = 0x40  // 2.6
	RTMGRP_IPV4_RULE   = 0x80  // 2.6
	RTMGRP_IPV6_IFADDR = 0x100 // 2.6
	RTMGRP_IPV6_ROUTE  = 0x400 // 2.6
)
