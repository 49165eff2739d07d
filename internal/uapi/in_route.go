package uapi

// RTCF_*: flags of an IPv4 route that was looked up, in rtm_flags.
const (
	RTCF_NOTIFY     = 0x00010000 // 2.6
	RTCF_DIRECTDST  = 0x00020000 // 2.6 unused
	RTCF_REDIRECTED = 0x00040000 // 2.6
	RTCF_TPROXY     = 0x00080000 // 2.6 unused
	RTCF_FAST       = 0x00200000 // 2.6 unused
	RTCF_MASQ       = 0x00400000 // 2.6 unused
	RTCF_SNAT       = 0x00800000 // 2.6 unused
	RTCF_DOREDIRECT = 0x01000000 // 2.6
	RTCF_DIRECTSRC  = 0x04000000 // 2.6
	RTCF_DNAT       = 0x08000000 // 2.6
	RTCF_BROADCAST  = 0x10000000 // 2.6
	RTCF_MULTICAST  = 0x20000000 // 2.6
	RTCF_REJECT     = 0x40000000 // 2.6 unused
	RTCF_LOCAL      = 0x80000000 // 2.6
)
