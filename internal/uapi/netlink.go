package uapi

// NETLINK_ROUTE is the netlink protocol of routes, rules, links and addresses.
const NETLINK_ROUTE = 0 // 2.6

// NLMSG_*: types of messages below NLMSG_MIN_TYPE.
const (
	NLMSG_NOOP     = 0x1  // 2.6
	NLMSG_ERROR    = 0x2  // 2.6 also an acknowledgement
	NLMSG_DONE     = 0x3  // 2.6 end of a dump
	NLMSG_OVERRUN  = 0x4  // 2.6
	NLMSG_MIN_TYPE = 0x10 // 2.6
)

// Size and offsets of struct nlmsghdr.
const (
	NlMsghdrLen    = 0  // 2.6 u32, header included
	NlMsghdrType   = 4  // 2.6 u16
	NlMsghdrFlags  = 6  // 2.6 u16, NLM_F_*
	NlMsghdrSeq    = 8  // 2.6 u32
	NlMsghdrPid    = 12 // 2.6 u32, port ID
	SizeofNlMsghdr = 16 // 2.6
	NLMSG_ALIGNTO  = 4  // 2.6
)

// SizeofNlMsgerr is the size of struct nlmsgerr: an s32 error, then the header
// of the request.
const SizeofNlMsgerr = 20 // 2.6

// Flags of every message.
const (
	NLM_F_REQUEST       = 0x1  // 2.6
	NLM_F_MULTI         = 0x2  // 2.6 one of several, NLMSG_DONE ends them
	NLM_F_ACK           = 0x4  // 2.6 answer also on success
	NLM_F_ECHO          = 0x8  // 2.6 send the notification to the requester
	NLM_F_DUMP_INTR     = 0x10 // 3.1 the dump is not consistent
	NLM_F_DUMP_FILTERED = 0x20 // 4.4 the dump was filtered as asked
)

// Flags of a get request.
const (
	NLM_F_ROOT   = 0x100                    // 2.6
	NLM_F_MATCH  = 0x200                    // 2.6
	NLM_F_ATOMIC = 0x400                    // 2.6
	NLM_F_DUMP   = NLM_F_ROOT | NLM_F_MATCH // 2.6
)

// Flags of a new request.
const (
	NLM_F_REPLACE = 0x100 // 2.6 override what is there
	NLM_F_EXCL    = 0x200 // 2.6 fail if it is there
	NLM_F_CREATE  = 0x400 // 2.6 create if it is not there
	NLM_F_APPEND  = 0x800 // 2.6 add at the end
)

// Flags of a delete request.
const (
	NLM_F_NONREC = 0x100 // 4.14
	NLM_F_BULK   = 0x200 // 5.19
)

// Flags of an acknowledgement.
const (
	NLM_F_CAPPED   = 0x100 // 4.12 the request is not repeated in full
	NLM_F_ACK_TLVS = 0x200 // 4.12 attributes follow
)

// NLMSGERR_ATTR_*: attributes of an acknowledgement, with NETLINK_EXT_ACK.
const (
	NLMSGERR_ATTR_UNUSED    = 0 // 4.12
	NLMSGERR_ATTR_MSG       = 1 // 4.12 string
	NLMSGERR_ATTR_OFFS      = 2 // 4.12 u32, from the start of the request's header
	NLMSGERR_ATTR_COOKIE    = 3 // 4.12 bytes
	NLMSGERR_ATTR_POLICY    = 4 // 5.10 nested
	NLMSGERR_ATTR_MISS_TYPE = 5 // 6.1 u32
	NLMSGERR_ATTR_MISS_NEST = 6 // 6.1 u32
)

// NETLINK_*: socket options at level SOL_NETLINK.
const (
	NETLINK_ADD_MEMBERSHIP   = 1  // 2.6
	NETLINK_DROP_MEMBERSHIP  = 2  // 2.6
	NETLINK_PKTINFO          = 3  // 2.6
	NETLINK_BROADCAST_ERROR  = 4  // 2.6.30
	NETLINK_NO_ENOBUFS       = 5  // 2.6.30
	NETLINK_LISTEN_ALL_NSID  = 8  // 4.2
	NETLINK_LIST_MEMBERSHIPS = 9  // 4.2
	NETLINK_CAP_ACK          = 10 // 4.3
	NETLINK_EXT_ACK          = 11 // 4.12
	NETLINK_GET_STRICT_CHK   = 12 // 4.20
)

// Layout and flags of struct nlattr, the header of an attribute: u16 length,
// header included, u16 type.
const (
	SizeofNlAttr        = 4      // 2.6
	NLA_HDRLEN          = 4      // 2.6
	NLA_ALIGNTO         = 4      // 2.6
	NLA_F_NESTED        = 0x8000 // 2.6
	NLA_F_NET_BYTEORDER = 0x4000 // 2.6
	NLA_TYPE_MASK       = 0x3fff // 2.6
)
