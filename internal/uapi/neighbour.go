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

// SizeofNdMsg is that of struct ndmsg, the header of neighbour messages.
const SizeofNdMsg = 12 // 2.6
