package uapi

// Lengths of interface names, the closing NUL included.
const (
	IFNAMSIZ    = 16  // 2.6
	ALTIFNAMSIZ = 128 // 5.5 alternative names
)

// IFF_*: flags of an interface.
const (
	IFF_UP          = 0x1     // 2.6 administratively up
	IFF_BROADCAST   = 0x2     // 2.6
	IFF_DEBUG       = 0x4     // 2.6
	IFF_LOOPBACK    = 0x8     // 2.6
	IFF_POINTOPOINT = 0x10    // 2.6
	IFF_NOTRAILERS  = 0x20    // 2.6
	IFF_RUNNING     = 0x40    // 2.6 operationally up
	IFF_NOARP       = 0x80    // 2.6
	IFF_PROMISC     = 0x100   // 2.6
	IFF_ALLMULTI    = 0x200   // 2.6
	IFF_MASTER      = 0x400   // 2.6
	IFF_SLAVE       = 0x800   // 2.6
	IFF_MULTICAST   = 0x1000  // 2.6
	IFF_PORTSEL     = 0x2000  // 2.6
	IFF_AUTOMEDIA   = 0x4000  // 2.6
	IFF_DYNAMIC     = 0x8000  // 2.6
	IFF_LOWER_UP    = 0x10000 // 2.6.17 carrier
	IFF_DORMANT     = 0x20000 // 2.6.17
	IFF_ECHO        = 0x40000 // 2.6.25
)

// IF_OPER_*: values of IFLA_OPERSTATE, RFC 2863. In 6.1 a veth that has just got
// its carrier is IF_OPER_UNKNOWN, with IFF_RUNNING, for some milliseconds; in 6.12
// it is not seen so. Interfaces of other kinds may be unknown for ever.
const (
	IF_OPER_UNKNOWN        = 0 // 2.6.17
	IF_OPER_NOTPRESENT     = 1 // 2.6.17
	IF_OPER_DOWN           = 2 // 2.6.17
	IF_OPER_LOWERLAYERDOWN = 3 // 2.6.17
	IF_OPER_TESTING        = 4 // 2.6.17
	IF_OPER_DORMANT        = 5 // 2.6.17
	IF_OPER_UP             = 6 // 2.6.17
)
