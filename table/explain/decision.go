package explain

import (
	"net/netip"

	"github.com/policyroute/policyroute/rttables"
)

// A Decision is where a packet goes. Rules and routes are named by their places in
// the World of the FIB.
type Decision struct {
	Verdict Verdict
	// Rule is the place in World.Rules of the rule that decided, −1 if the kernel
	// asked no rule or no rule decided.
	Rule int
	// Table is the table that has the route, or that of the rule. Zero: none.
	Table rttables.ID
	// Route is the place in World.Routes of the route that the packet takes, −1 if it
	// takes none.
	Route int
	// OIF is the index of the interface that the packet leaves by, lo for one of this
	// host's own addresses. Zero: none. If there are Candidates, it is zero.
	OIF uint32
	// Via is the next router. Zero: the destination is on the link.
	Via netip.Addr
	// Candidates are the next hops of a route with several. The kernel chooses one of
	// them by a hash. They are shared by all decisions: do not change them.
	Candidates []Candidate
	// Source is the address that the packet has, or, if it was not bound to one, gets.
	Source netip.Addr
	// Error is the error that the program which sends the packet gets. Zero: none.
	Error Errno
	// Depends is the state that cannot be read and on which the decision hangs.
	Depends Depends
}

// A Candidate is one of several next hops.
type Candidate struct {
	OIF    uint32
	Via    netip.Addr
	Weight uint16 // its share of the flows
}

// A Verdict is what becomes of a packet.
type Verdict uint8

// The verdicts. They are the types of routes, and None.
const (
	None        Verdict = iota // no route: the packet is refused
	Unicast                    // it goes to the gateway or the link
	Local                      // it is for this host
	Broadcast                  // it goes to all hosts of a link
	Multicast                  // it goes to a group
	Unreachable                // a rule or a route refuses it
	Prohibit                   // a rule or a route refuses it, administratively
	Blackhole                  // a rule or a route drops it silently
)

var verdicts = [...]string{"none", "unicast", "local", "broadcast", "multicast", "unreachable", "prohibit", "blackhole"}

// String returns the word for v, such as unicast.
func (v Verdict) String() string {
	if int(v) < len(verdicts) {
		return verdicts[v]
	}
	return "unknown"
}

// MarshalText returns what String does.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Depends is a set of things that decide about a packet and cannot be read from a host.
type Depends uint8

// The elements of Depends.
const (
	// DependsHash is the hash that chooses one of several next hops.
	DependsHash Depends = 1 << iota
	// DependsMerge is whether the namespace ever had a rule other than the default
	// ones. Until then the kernel looks IPv4 packets up in the tables local and main
	// at once.
	DependsMerge
	// DependsNeighbour is whether the router answers.
	DependsNeighbour
	// DependsSetting is a setting that could not be read.
	DependsSetting
)

// An Errno is an error number of Linux. It is the same number on every system.
type Errno uint8

// The error numbers of Linux that refused packets have.
const (
	EACCES       Errno = 13
	ENODEV       Errno = 19
	EINVAL       Errno = 22
	ENETUNREACH  Errno = 101
	EHOSTUNREACH Errno = 113
)

// String returns the name of the number, such as ENETUNREACH.
func (e Errno) String() string {
	switch e {
	case 0:
		return ""
	case EACCES:
		return "EACCES"
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
