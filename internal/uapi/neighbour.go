package uapi

// NUD_*: states of a neighbour.
const (
	NUD_NONE       = 0x00 // 2.6
	NUD_INCOMPLETE = 0x01 // 2.6 asked for, not answered yet
	NUD_REACHABLE  = 0x02 // 2.6
	NUD_STALE      = 0x04 // 2.6
	NUD_DELAY      = 0x08 // 2.6
	NUD_PROBE      = 0x10 // 2.6
	NUD_FAILED     = 0x20 // 2.6 asked for, and nobody answered
	NUD_NOARP      = 0x40 // 2.6
	NUD_PERMANENT  = 0x80 // 2.6
)

// Size and offsets of struct ndmsg, the header of neighbour messages.
const (
	NdMsgFamily = 0  // 2.6 u8
	NdMsgIndex  = 4  // 2.6 s32
	NdMsgState  = 8  // 2.6 u16, NUD_*
	NdMsgFlags  = 10 // 2.6 u8
	NdMsgType   = 11 // 2.6 u8
	SizeofNdMsg = 12 // 2.6
)

// NDA_*: neighbour attributes.
const (
	NDA_UNSPEC = 0 // 2.6
	NDA_DST    = 1 // 2.6 address
	NDA_LLADDR = 2 // 2.6 bytes
)
