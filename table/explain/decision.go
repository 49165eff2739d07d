package explain

import (
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A Decision says where a packet goes. Rules and routes are indexes into the slices of the
// FIB's World.
type Decision struct {
	Verdict Verdict
	// Rule is the index in World.Rules of the rule that decided. It is −1 if the kernel
	// asked no rule or no rule decided.
	Rule int
	// Table is the table that has the route or, if there is no route, the table of the rule.
	// Zero means none.
	Table rttables.ID
	// Route is the index in World.Routes of the route that the packet takes. It is −1 if the
	// packet takes no route.
	Route int
	// OIF is the index of the interface that the packet leaves through. If the destination
	// is an address of this host, it is the index of lo. It is zero if the packet leaves
	// through no interface, or if there are Candidates.
	OIF uint32
	// Via is the next router. Zero means that the destination is on the link.
	Via netip.Addr
	// Candidates has the next hops, if the route has several. The kernel chooses one of them
	// by a hash. Decisions share this slice: do not change it.
	Candidates []Candidate
	// Source is the source address of the packet. If the packet had no source, it is the
	// address that the kernel chooses. Zero means that the packet gets no source, or that
	// the source depends on the candidate.
	Source netip.Addr
	// Refusal says why a packet is refused, if neither a rule nor a route refuses it.
	Refusal Refusal
	// Error is the error that the program that sends the packet gets. Zero means none.
	Error Errno
	// Depends has the kinds of state on which the decision depends and which cannot be read.
	Depends Depends
}

// unruled returns a decision that no rule took.
func unruled() Decision { return Decision{Rule: -1, Route: -1} }

// refuse returns the decision about a packet that is refused, whatever the rules say.
func refuse(r Refusal, e Errno) Decision {
	d := unruled()
	d.Refusal, d.Error = r, e
	return d
}

// decision returns the decision of the rules, without a next hop.
func (f *FIB) decision(res *found) Decision {
	d := unruled()
	d.Rule, d.Table, d.Depends = int(res.rule), res.table, res.depends
	if res.entry == nil {
		return d
	}
	d.Route = int(res.entry.place)
	switch res.entry.typ {
	case route.TypeLocal, route.TypeAnycast:
		d.Verdict = Local
	case route.TypeBroadcast:
		d.Verdict = Broadcast
	case route.TypeMulticast:
		d.Verdict = Multicast
	default:
		d.Verdict = Unicast
	}
	return d
}

// refusal returns the decision about a packet that a rule or a route refuses, or that no
// rule has a route for.
func (f *FIB) refusal(res *found) Decision {
	d := f.decision(res)
	d.Verdict, d.Error = None, res.errno
	if d.Rule < 0 {
		d.Table = 0
		return d
	}
	switch res.errno {
	case ENETUNREACH, EHOSTUNREACH:
		d.Verdict = Unreachable
	case EACCES:
		d.Verdict = Prohibit
	default:
		d.Verdict = Blackhole
	}
	return d
}

// setHop sets the next hop of a decision, or the candidates.
func (f *FIB) setHop(d *Decision, res *found) {
	if res.entry != nil && res.hop >= 0 {
		d.Route = int(res.entry.place)
	}
	switch {
	case res.choice != nil:
		d.Candidates = res.choice.candidates
		d.Depends |= DependsHash
		d.OIF, d.Via = 0, netip.Addr{}
	case res.hop >= 0:
		d.OIF, d.Via = res.entry.hops[res.hop].oif, res.entry.hops[res.hop].via
	}
	d.Depends |= res.depends
}

// A Candidate is one of several next hops.
type Candidate struct {
	OIF    uint32
	Via    netip.Addr
	Weight uint16 // its share of the flows
	// Source is the source that the kernel gives to a packet without a source. [FIB.Decide]
	// sets it for IPv4 only, and [FIB.Explain] for both families.
	Source netip.Addr
}

// A Verdict is what the kernel does with a packet.
type Verdict uint8

// The verdicts are None and types of routes.
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

// MarshalText returns the same text as String.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Depends is a set of kinds of state that affect decisions and cannot be read from a host.
type Depends uint8

// The elements of Depends.
const (
	// DependsHash means that a decision depends on the hash that chooses one of several next
	// hops.
	DependsHash Depends = 1 << iota
	// DependsMerge means that a decision depends on whether the namespace ever had an IPv4
	// rule other than the default ones. See [Sysctls].
	DependsMerge
	// DependsNeighbour means that a decision depends on whether the router answers.
	DependsNeighbour
	// DependsSetting means that a decision depends on a setting that could not be read.
	DependsSetting
	// DependsGroup means that a decision depends on whether this host is in a multicast
	// group.
	DependsGroup
)

// dependsWords are the elements of Depends in words.
var dependsWords = [...]string{
	"the hash of the packet", "whether there ever was another rule", "whether the gateway answers",
	"a setting that could not be read", "whether this host is in the group",
}

// String returns the elements in words, with commas between them. It is empty for none.
func (d Depends) String() string {
	var words []string
	for i, w := range dependsWords {
		if d&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, ", ")
}

// MarshalText returns the same text as String.
func (d Depends) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
