package uapi

// NF_IP_PRI_*: priorities of chains of the kernel. They are from linux/netfilter_ipv4.h.
const (
	NF_IP_PRI_CONNTRACK_DEFRAG = -400 // 2.6
	NF_IP_PRI_RAW              = -300 // 2.6
	NF_IP_PRI_CONNTRACK        = -200 // 2.6
	NF_IP_PRI_MANGLE           = -150 // 2.6
	NF_IP_PRI_NAT_DST          = -100 // 2.6
	NF_IP_PRI_FILTER           = 0    // 2.6
	NF_IP_PRI_SECURITY         = 50   // 2.6
	NF_IP_PRI_NAT_SRC          = 100  // 2.6
)
