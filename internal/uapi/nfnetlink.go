package uapi

// NETLINK_NETFILTER is the netlink protocol of nfnetlink.
const (
	NETLINK_NETFILTER = 12 // 2.6
)

// NFNL_SUBSYS_*: subsystems, the high byte of the type of a message.
const (
	NFNL_SUBSYS_CTNETLINK = 1  // 2.6
	NFNL_SUBSYS_NFTABLES  = 10 // 3.13
)

// Messages around a transaction.
const (
	NFNL_MSG_BATCH_BEGIN = 0x10 // 3.13
	NFNL_MSG_BATCH_END   = 0x11 // 3.13
)

// NFNL_BATCH_GENID is an attribute of NFNL_MSG_BATCH_BEGIN.
const (
	NFNL_BATCH_GENID = 1 // 4.12 be32, the generation that the transaction is based on
)

// NFNLGRP_*: multicast groups.
const (
	NFNLGRP_CONNTRACK_NEW     = 1 // 2.6
	NFNLGRP_CONNTRACK_DESTROY = 3 // 2.6
	NFNLGRP_NFTABLES          = 7 // 3.14
)

// Size and offsets of struct nfgenmsg.
const (
	NfgenmsgFamily  = 0 // 2.6 u8, NFPROTO_*
	NfgenmsgVersion = 1 // 2.6 u8, NFNETLINK_V0
	NfgenmsgResID   = 2 // 2.6 be16
	SizeofNfgenmsg  = 4 // 2.6
)
