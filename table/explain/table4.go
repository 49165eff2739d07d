package explain

import "github.com/policyroute/policyroute/route"

// lookupTable4 is fib_table_lookup of net/ipv4/fib_trie.c.
func (f *FIB) lookupTable4(tb *table, fl *flow, t *trace) found {
	at := tb.prefixes.find(fl.dst)
	for at >= 0 {
		node := &tb.prefixes.nodes[at]
		entries := tb.at(at)
		at = node.parent
		for i := range entries {
			e := &entries[i]
			if e.tos != 0 && e.tos != fl.tos&legacyTOS {
				t.pass(e, PassedTOS)
				continue
			}
			if e.errno != 0 || e.blackhole {
				return rejected(e)
			}
			if n := f.firstHop4(e, fl); n >= 0 {
				return found{entry: e, hop: n, rule: -1, table: e.table, all: entries}
			}
			t.pass(e, e.passed(fl))
			if e.object {
				// The kernel goes on with another leaf of its trie. The routes of shorter
				// prefixes with the same first address are in this one.
				for at >= 0 && tb.prefixes.nodes[at].addr == node.addr {
					at = tb.prefixes.nodes[at].parent
				}
				break
			}
		}
	}
	return found{rule: -1, hop: -1}
}

// rejected is the result for a route that refuses packets.
func rejected(e *entry) found {
	res := found{entry: e, hop: -1, rule: -1, errno: e.errno, table: e.table}
	if e.blackhole {
		res.errno = EINVAL
	}
	return res
}

// firstHop4 returns the place of the first next hop that a packet can take:
// fib_lookup_good_nhc, and for objects nexthop_get_nhc_lookup of net/nexthop.h.
func (f *FIB) firstHop4(e *entry, fl *flow) int32 {
	if len(e.hops) == 0 && !e.object {
		return -1
	}
	for i := range e.hops {
		n := &e.hops[i]
		if !n.reject && n.takes(fl) {
			return int32(i)
		}
	}
	return -1
}

// takes reports whether a packet can take a next hop.
func (n *hop) takes(fl *flow) bool {
	return !n.dead && (!n.ignored || fl.ignoreDown) && (fl.oif == 0 || fl.oif == n.oif)
}

// passed says why no next hop of a route is taken.
func (e *entry) passed(fl *flow) Passed {
	reason := PassedNoHop
	for i := range e.hops {
		switch n := &e.hops[i]; {
		case n.dead:
			reason = max(reason, PassedDead)
		case n.ignored && !fl.ignoreDown:
			reason = max(reason, PassedLinkDown)
		default:
			reason = max(reason, PassedOIF)
		}
	}
	return reason
}

// selectPath4 chooses the next hop of the route that the rules have found:
// fib_select_path of net/ipv4/fib_semantics.c. The packets of a socket that is bound to an
// interface take the first one. Packets that this host sends prefer a next hop that has
// their source: fib_select_multipath.
func (f *FIB) selectPath4(fl *flow, res *found, output bool) {
	e := res.entry
	if fl.oif != 0 || res.hop < 0 {
		return
	}
	switch {
	case len(e.hops) > 1:
		c := &e.all
		if own := e.ofSource(fl.src); output && !fl.src.isZero() && own != nil {
			c = own
		}
		res.choose(c)
		e.dependOnNeighbours(f, res)
	case e.bits == 0 && e.typ == route.TypeUnicast:
		f.selectDefault(fl, res)
	}
}

// dependOnNeighbours notes that a gateway which does not answer now may answer later.
func (e *entry) dependOnNeighbours(f *FIB, res *found) {
	asks := e.object && !e.resilient || e.v4 && f.conf.useNeighbours4
	for i := range e.hops {
		if n := &e.hops[i]; asks && n.hasGW && !n.isValid() {
			res.depends |= DependsNeighbour
		}
	}
}

// valid are the states of a neighbour that may answer: NUD_VALID of net/neighbour.h.
const valid = NeighbourPermanent | NeighbourNoARP | NeighbourReachable | NeighbourProbe | NeighbourStale | NeighbourDelay

// isValid reports whether the gateway of a next hop may answer.
func (n *hop) isValid() bool { return !n.known || n.state&valid != 0 }

// fails reports whether the gateway of a next hop was asked for and does not answer.
func (n *hop) fails() bool {
	return n.hasGW && n.known && n.state&valid == 0 && n.state&NeighbourFailed != 0
}

// selectDefault is fib_select_default: of several default routes with the same metric,
// the kernel prefers one whose gateway answers.
func (f *FIB) selectDefault(fl *flow, res *found) {
	var c defaultChoice
	metric, tos := res.entry.metric, uint8(0)
	for i := range res.all {
		e := &res.all[i]
		if e.table != res.table || e.tos != 0 && e.tos != fl.tos&legacyTOS {
			continue
		}
		if e.metric > metric && e.tos == tos {
			if tos != 0 {
				continue
			}
			break
		}
		if len(e.hops) == 0 || e.hops[0].dead {
			continue
		}
		metric, tos = e.metric, e.tos
		if e.scope != res.entry.scope || e.typ != route.TypeUnicast || !e.hops[0].hasGW {
			continue
		}
		if c.last == nil && e != res.entry {
			break
		}
		if c.last != nil && c.isAlive() {
			c.take(res)
			return
		}
		c.last = e
		c.order++
	}
	if c.order > 1 {
		if !c.isAlive() {
			c.last = c.resort
		}
		c.take(res)
	}
}

// A defaultChoice is a choice among default routes.
type defaultChoice struct {
	last    *entry // the one that is looked at
	order   int    // how many were looked at
	resort  *entry // what is taken if no gateway answers
	unclear bool
}

// isAlive reports whether the gateway of the last route may answer: fib_detect_death.
func (c *defaultChoice) isAlive() bool {
	n := &c.last.hops[0]
	if !n.known || n.state == NeighbourReachable {
		return true
	}
	c.unclear = true
	if n.state&valid != 0 {
		return true
	}
	if c.resort == nil && n.state != NeighbourIncomplete {
		c.resort = c.last
	}
	return false
}

// take sets the route of a result.
func (c *defaultChoice) take(res *found) {
	if c.last != nil && c.last != res.entry {
		res.entry, res.hop = c.last, 0
	}
	if c.unclear {
		res.depends |= DependsNeighbour
	}
}
