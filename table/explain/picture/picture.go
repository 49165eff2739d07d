package picture

import (
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/explain"
)

// A Config says what to draw. The zero Config draws everything.
type Config struct {
	// Packet is the packet whose path is marked. Only its family is drawn. Nil: none.
	Packet *explain.Packet
	// Names are the names of tables. Nil: those that ip(8) knows without a file.
	Names *rttables.Names
}

// A Picture is what is to be drawn. [Make] makes it. The zero Picture is empty.
type Picture struct {
	families []family
	// sentence says what becomes of the packet. Empty: there is none.
	sentence string
}

// A family is the part of a picture that IPv4 or IPv6 packets use.
type family struct {
	family route.Family
	rules  []ruleNode
	tables []tableNode // those of the rules in their order, and then the others
}

// A ruleNode is a rule.
type ruleNode struct {
	priority string
	selector string // such as from 192.168.2.2
	owner    string // the program that made the rule; empty: none is known
	// action is what the rule does, if it does not look packets up: unreachable, goto 500.
	action   string
	refuses  bool   // the action is to refuse packets
	tables   []int  // the tables that it looks up, as places in family.tables
	suppress string // the words after the table
	mark     mark
	result   string // what came of the rule for the packet
}

// A mark is what the packet has to do with a node.
type mark uint8

const (
	unasked mark = iota // nothing
	missed              // the packet does not match the rule
	tried               // the rule matches, and does not decide
	taken               // it is on the packet's path
)

// A tableNode is a table.
type tableNode struct {
	name   string
	rows   []row
	more   int  // rows that are left out
	orphan bool // no rule looks it up
	taken  bool // the packet takes one of its routes
}

// A row is the routes of a table that lead to the same place.
type row struct {
	destinations []string
	more         int // destinations that are left out
	// end is what becomes of the packets, if they go to no interface: this host, unreachable.
	end     string
	refuses bool
	hops    []hop
	taken   bool
}

// A hop is a next hop.
type hop struct {
	gateway string // empty: the destination is on the link
	weight  string // empty: there is only one next hop, or all have the same weight
	dev     string
	state   string // down, no carrier; empty: it works
	taken   bool
}

// label returns the gateway with its weight.
func (h *hop) label() string {
	if h.weight != "" {
		return h.gateway + " weight " + h.weight
	}
	return h.gateway
}

// device returns the interface with its state.
func (h *hop) device() string {
	if h.state != "" {
		return h.dev + " (" + h.state + ")"
	}
	return h.dev
}

// title returns the name of the family.
func (f *family) title() string {
	if f.family == route.IPv6 {
		return "IPv6"
	}
	return "IPv4"
}
