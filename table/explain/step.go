package explain

import "github.com/policyroute/policyroute/rttables"

// A Step is what a rule did with a packet.
type Step struct {
	// Rule is the place in World.Rules, −1 if no rule was asked.
	Rule int
	// Result says what came of the rule.
	Result Result
	// Selector is the word of ip-rule(8) that the packet does not match, if Result is
	// ResultNoMatch: from, to, iif and so on. It is not for a rule that begins with not,
	// and detached for one whose interface does not exist.
	Selector string
	// Table is the table of a rule that looks a packet up, and Asked whether there is
	// such a table.
	Table rttables.ID
	Asked bool
	// Merged means that the kernel asked the tables local and main as one, and no rule.
	Merged bool
	// Route is the place in World.Routes of the route that the table has for the packet,
	// −1: none. Hop is the place of its next hop, −1: none.
	Route, Hop int
	// Passed are the routes to the destination that the kernel passed over.
	Passed []PassedRoute
}

// A PassedRoute is a route to the destination that the kernel does not use.
type PassedRoute struct {
	Route  int // place in World.Routes
	Reason Passed
}

// A Result says what came of a rule.
type Result uint8

// The results.
const (
	ResultNoMatch    Result = iota // the packet does not match
	ResultGoto                     // the rule goes on with another one
	ResultNop                      // the rule does nothing
	ResultNoTable                  // the table has no routes
	ResultNoRoute                  // the table has no route for the packet
	ResultThrow                    // the table has a route of type throw
	ResultSuppressed               // the rule does not accept the route
	ResultSource                   // the source that the kernel would choose is not that of the rule
	ResultRefused                  // the rule refuses the packet
	ResultDecided                  // the route decides
)

var results = [...]string{
	"no match", "goto", "nop", "no table", "no route", "throw", "suppressed", "other source", "refused", "decided",
}

// String returns a word or two for r.
func (r Result) String() string {
	if int(r) < len(results) {
		return results[r]
	}
	return "unknown"
}

// MarshalText returns what String does.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Passed says why the kernel does not use a route.
type Passed uint8

// The reasons.
const (
	PassedNoHop     Passed = iota // the route has no next hop
	PassedTOS                     // the route is for another TOS
	PassedSource                  // the route is for another source
	PassedBeside                  // IPv6: there are routes of the same prefix for other sources
	PassedScore                   // another route of the same prefix is better
	PassedDead                    // the interface is down
	PassedLinkDown                // the interface has no carrier
	PassedOIF                     // the packet is to leave by another interface
	PassedNeighbour               // the gateway does not answer
)

var passedWords = [...]string{
	"no next hop", "tos", "from", "beside routes for other sources", "another route is better", "interface down", "no carrier", "oif", "gateway does not answer",
}

// String returns a word or some for p.
func (p Passed) String() string {
	if int(p) < len(passedWords) {
		return passedWords[p]
	}
	return "unknown"
}

// MarshalText returns what String does.
func (p Passed) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
