package explain

import "github.com/policyroute/policyroute/rttables"

// A Step is what a rule did with a packet.
type Step struct {
	// Rule is the index of the rule in World.Rules. It is −1 if no rule was asked.
	Rule int
	// Result is the result of the rule.
	Result Result
	// Selector is the word of ip-rule(8) that the packet does not match, if Result is
	// ResultNoMatch: from, to, iif and so on. It is "not" for a rule that begins with not,
	// and "detached" for a rule whose interface does not exist.
	Selector string
	// Table is the table that the rule looks up. Asked reports whether the kernel has this
	// table.
	Table rttables.ID
	Asked bool
	// Merged means that the kernel looked up the tables local and main as one table, without
	// asking a rule.
	Merged bool
	// Route is the index in World.Routes of the route that the table has for the packet. Hop
	// is the index of the next hop in that route. −1 means none.
	Route, Hop int
	// Passed has the routes to the destination that the kernel did not use.
	Passed []PassedRoute
}

// A PassedRoute is a route to the destination that the kernel does not use.
type PassedRoute struct {
	Route  int // index in World.Routes
	Reason Passed
}

// A Result is the result of a rule for a packet.
type Result uint8

// The results.
const (
	ResultNoMatch    Result = iota // the packet does not match
	ResultGoto                     // the kernel continues with another rule
	ResultNop                      // the rule does nothing
	ResultNoTable                  // the table has no routes
	ResultNoRoute                  // the table has no route for the packet
	ResultThrow                    // the table has a route of type throw
	ResultSuppressed               // the rule does not accept the route
	ResultSource                   // the kernel would choose a source that the rule does not match
	ResultRefused                  // the rule refuses the packet
	ResultDecided                  // the route decides
)

var results = [...]string{
	"no match", "goto", "nop", "no table", "no route", "throw", "suppressed", "other source", "refused", "decided",
}

// String returns the result in one or two words.
func (r Result) String() string {
	if int(r) < len(results) {
		return results[r]
	}
	return "unknown"
}

// MarshalText returns the same text as String.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Passed says why the kernel does not use a route.
type Passed uint8

// The reasons why the kernel does not use a route.
const (
	PassedNoHop     Passed = iota // the route has no next hop
	PassedTOS                     // the route is for another TOS
	PassedSource                  // the route is for another source
	PassedBeside                  // IPv6: there are routes of the same prefix for other sources
	PassedScore                   // another route of the same prefix is better
	PassedDead                    // the interface is down
	PassedLinkDown                // the interface has no carrier
	PassedOIF                     // the packet must leave through another interface
	PassedNeighbour               // the gateway does not answer
)

var passedWords = [...]string{
	"no next hop", "tos", "from", "beside routes for other sources", "another route is better", "interface down", "no carrier", "oif", "gateway does not answer",
}

// String returns the reason in words.
func (p Passed) String() string {
	if int(p) < len(passedWords) {
		return passedWords[p]
	}
	return "unknown"
}

// MarshalText returns the same text as String.
func (p Passed) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
