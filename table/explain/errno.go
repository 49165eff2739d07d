package explain

// An Errno is an error number of Linux. It is the same number on every system.
type Errno uint8

// The error numbers that programs get for refused packets.
const (
	eAgain       Errno = 11 // a route of type throw
	EACCES       Errno = 13
	EXDEV        Errno = 18 // the reverse path filter
	ENODEV       Errno = 19
	EINVAL       Errno = 22
	ENETUNREACH  Errno = 101
	EHOSTUNREACH Errno = 113
)

// String returns the name of the number, such as ENETUNREACH. It is empty for zero.
func (e Errno) String() string {
	switch e {
	case 0:
		return ""
	case eAgain:
		return "EAGAIN"
	case EACCES:
		return "EACCES"
	case EXDEV:
		return "EXDEV"
	case ENODEV:
		return "ENODEV"
	case EINVAL:
		return "EINVAL"
	case ENETUNREACH:
		return "ENETUNREACH"
	case EHOSTUNREACH:
		return "EHOSTUNREACH"
	}
	return "unknown"
}

// MarshalText returns the same text as String.
func (e Errno) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// A Refusal says why the kernel refuses a packet, if neither a rule nor a route does.
type Refusal uint8

// The reasons for a refusal. The zero Refusal means none.
const (
	NoInterface        Refusal = iota + 1 // there is no interface with that name
	InterfaceDown                         // the interface is down
	SourceInvalid                         // no packet can have this source
	SourceNotLocal                        // the source is not an address of this host
	SourceLocal                           // the source is an address of this host
	SourceLoopback                        // the source is an address of lo, and the interface is another one
	SourceUnreachable                     // this host has no route to the source
	SourcePath                            // reverse path filter: the route to the source leads through another interface
	DestinationInvalid                    // no packet can have this destination
	ForwardingOff                         // forwarding is off for the interface
	NotForHost                            // the destination is a multicast group that this host is not in
)

var refusals = [...]string{
	"", "there is no such interface", "the interface is down", "no packet can have this source",
	"the source is not an address of this host", "the source is an address of this host",
	"a loopback source needs the interface lo, or route_localnet", "the source has no route, and the reverse path filter wants one",
	"the source has its route by another interface, and the reverse path filter is strict",
	"no packet can have this destination", "forwarding is off on the interface",
	"this host may not be in the group",
}

// String returns the reason in words.
func (r Refusal) String() string {
	if int(r) < len(refusals) {
		return refusals[r]
	}
	return "unknown"
}

// MarshalText returns the same text as String.
func (r Refusal) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
