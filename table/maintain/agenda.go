package maintain

import (
	"github.com/policyroute/policyroute/rttables"
)

// A concern is what an event is about.
type concern struct {
	cause cause
	// ours means that the event is about a rule or a route with the protocol of an uplink.
	ours bool
	// all means that the event concerns all uplinks, and anew that no earlier knowledge is
	// valid.
	all, anew bool
	groups    []int // of uplinks that it concerns
	overrules []int // groups whose packets other rules may take now
	shared    bool  // the event concerns the shared default
	replies   bool  // the event concerns the policy for answers
	// table is a table whose routes have changed, and link an interface by which routes of
	// main may have changed. Zero: none.
	table rttables.ID
	link  uint32
	// anyLink means that routes of main by any interface may have changed.
	anyLink bool
}

// everything returns the concern of an event after which no earlier knowledge is valid.
func everything(c cause) concern { return concern{cause: c, all: true, anew: true} }

// An agenda is what the next look has to check.
type agenda struct {
	causes cause
	// anew means that everything is checked, and the host is read again. All means that
	// everything is checked.
	anew, all bool
	groups    map[int]cause // why each of them is checked
	overrules map[int]bool
	shared    bool
	replies   bool
	// ours means that there was an event about a rule or a route with the protocol of an uplink,
	// and others that there is any other reason to look.
	ours, others bool
}

// isEmpty reports whether there is nothing to check.
func (a *agenda) isEmpty() bool { return a.causes == 0 }

// add adds the concern of an event.
func (a *agenda) add(c *concern) {
	if !c.all && !c.shared && !c.replies && len(c.groups)+len(c.overrules) == 0 {
		return
	}
	a.causes |= c.cause
	a.ours, a.others = a.ours || c.ours, a.others || !c.ours
	a.all, a.anew, a.shared, a.replies = a.all || c.all, a.anew || c.anew, a.shared || c.shared, a.replies || c.replies
	for _, g := range c.groups {
		a.addGroup(g, c.cause)
	}
	for _, g := range c.overrules {
		if a.overrules == nil {
			a.overrules = make(map[int]bool)
		}
		a.overrules[g] = true
	}
}

// addGroup adds a group of uplinks.
func (a *agenda) addGroup(g int, c cause) {
	if a.groups == nil {
		a.groups = make(map[int]cause)
	}
	a.causes |= c
	a.groups[g] |= c
}

// merge adds another agenda.
func (a *agenda) merge(o *agenda) {
	a.causes |= o.causes
	a.ours, a.others = a.ours || o.ours, a.others || o.others
	a.all, a.anew, a.shared, a.replies = a.all || o.all, a.anew || o.anew, a.shared || o.shared, a.replies || o.replies
	for g, c := range o.groups {
		a.addGroup(g, c)
	}
	for g := range o.overrules {
		if a.overrules == nil {
			a.overrules = make(map[int]bool)
		}
		a.overrules[g] = true
	}
}

// of returns why a group is checked, or zero if it is not.
func (a *agenda) of(g int) cause {
	if a.all || a.anew {
		return a.causes
	}
	return a.groups[g]
}

// looksAtOverrules reports whether the rules before those of a group are checked.
func (a *agenda) looksAtOverrules(g int) bool { return a.of(g) != 0 || a.overrules[g] }

// A stale is the part of the known routes that is no longer valid.
type stale struct {
	all     bool
	tables  map[rttables.ID]bool
	links   map[uint32]bool
	anyLink bool // the routes of main by all interfaces
	rules   bool // of others
}

// manyLinks is how many interfaces are told apart at most.
const manyLinks = 64

// add adds what an event makes invalid.
func (s *stale) add(c *concern) {
	s.all, s.anyLink = s.all || c.anew, s.anyLink || c.anyLink
	s.rules = s.rules || c.cause == causeRule && !c.ours
	if c.table != 0 {
		if s.tables == nil {
			s.tables = make(map[rttables.ID]bool)
		}
		s.tables[c.table] = true
	}
	if c.link != 0 && !s.anyLink {
		if s.links == nil {
			s.links = make(map[uint32]bool)
		}
		s.links[c.link] = true
		s.anyLink = len(s.links) > manyLinks
	}
}
