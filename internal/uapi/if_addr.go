package uapi

// Size and offsets of struct ifaddrmsg, the header of address messages.
const (
	IfAddrmsgFamily    = 0 // 2.6 u8
	IfAddrmsgPrefixlen = 1 // 2.6 u8, bits
	IfAddrmsgFlags     = 2 // 2.6 u8, overruled by IFA_FLAGS
	IfAddrmsgScope     = 3 // 2.6 u8, RT_SCOPE_*
	IfAddrmsgIndex     = 4 // 2.6 u32
	SizeofIfAddrmsg    = 8 // 2.6
)

// IFA_*: address attributes.
const (
	IFA_UNSPEC         = 0  // 2.6
	IFA_ADDRESS        = 1  // 2.6 the peer's on a point-to-point link
	IFA_LOCAL          = 2  // 2.6 our own
	IFA_LABEL          = 3  // 2.6 string
	IFA_BROADCAST      = 4  // 2.6
	IFA_ANYCAST        = 5  // 2.6
	IFA_CACHEINFO      = 6  // 2.6
	IFA_MULTICAST      = 7  // 2.6
	IFA_FLAGS          = 8  // 3.14 u32, IFA_F_*
	IFA_RT_PRIORITY    = 9  // 4.18 u32, metric of the prefix route
	IFA_TARGET_NETNSID = 10 // 4.20 s32
	IFA_PROTO          = 11 // 5.18 u8, IFAPROT_*
)

// IFA_F_*: flags of an address.
const (
	IFA_F_SECONDARY      = 0x1   // 2.6
	IFA_F_TEMPORARY      = 0x1   // 2.6 the same for IPv6
	IFA_F_NODAD          = 0x2   // 2.6.19
	IFA_F_OPTIMISTIC     = 0x4   // 2.6.22
	IFA_F_DADFAILED      = 0x8   // 2.6.32
	IFA_F_HOMEADDRESS    = 0x10  // 2.6.19
	IFA_F_DEPRECATED     = 0x20  // 2.6
	IFA_F_TENTATIVE      = 0x40  // 2.6 duplicate address detection is not over
	IFA_F_PERMANENT      = 0x80  // 2.6
	IFA_F_MANAGETEMPADDR = 0x100 // 3.14
	IFA_F_NOPREFIXROUTE  = 0x200 // 3.14
	IFA_F_MCAUTOJOIN     = 0x400 // 4.1
	IFA_F_STABLE_PRIVACY = 0x800 // 4.1
)

// IFAPROT_*: who made an address.
const (
	IFAPROT_UNSPEC    = 0 // 5.18
	IFAPROT_KERNEL_LO = 1 // 5.18 loopback
	IFAPROT_KERNEL_RA = 2 // 5.18 router advertisement
	IFAPROT_KERNEL_LL = 3 // 5.18 link-local
)
