package explain

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// The states of a neighbour, in the words of ip-neighbour(8).
const (
	NeighbourNone       NeighbourState = uapi.NUD_NONE
	NeighbourIncomplete NeighbourState = uapi.NUD_INCOMPLETE // asked, and has not answered yet
	NeighbourReachable  NeighbourState = uapi.NUD_REACHABLE  // it has answered recently
	NeighbourStale      NeighbourState = uapi.NUD_STALE      // it answered some time ago
	NeighbourDelay      NeighbourState = uapi.NUD_DELAY      // it will be asked soon
	NeighbourProbe      NeighbourState = uapi.NUD_PROBE      // it is being asked
	NeighbourFailed     NeighbourState = uapi.NUD_FAILED     // it does not answer
	NeighbourNoARP      NeighbourState = uapi.NUD_NOARP      // it is never asked
	NeighbourPermanent  NeighbourState = uapi.NUD_PERMANENT  // the administrator has set it
)

var neighbourStates = iptext.Bits{
	{Bit: uapi.NUD_INCOMPLETE, Name: "incomplete"}, {Bit: uapi.NUD_REACHABLE, Name: "reachable"},
	{Bit: uapi.NUD_STALE, Name: "stale"}, {Bit: uapi.NUD_DELAY, Name: "delay"}, {Bit: uapi.NUD_PROBE, Name: "probe"},
	{Bit: uapi.NUD_FAILED, Name: "failed"}, {Bit: uapi.NUD_NOARP, Name: "noarp"}, {Bit: uapi.NUD_PERMANENT, Name: "permanent"},
}

// String returns the word of ip-neighbour(8) for s, such as reachable.
func (s NeighbourState) String() string {
	if s == NeighbourNone {
		return "none"
	}
	return neighbourStates.Text(uint32(s), ",")
}

// MarshalText returns the same text as String.
func (s NeighbourState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text that String returns.
func (s *NeighbourState) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*s = NeighbourNone
		return nil
	}
	return iptext.UnmarshalBits(neighbourStates, 16, "explain", "a state of a neighbour", text, ",", s)
}
