package explain

// lookupTable6 is fib6_table_lookup of net/ipv6/route.c. A host that does not forward
// prefers routers that answer.
func (f *FIB) lookupTable6(tb *table, fl *flow, t *trace) found {
	if !f.conf.forwards6 {
		if res := f.search6(tb, fl, true, t); res.entry != nil {
			return res
		}
		t.forget()
	}
	return f.search6(tb, fl, false, t)
}

// search6 looks at the prefixes that contain the destination, the longest first, with the
// routes that are restricted to a source before the others: fib6_node_lookup and
// fib6_backtrack. The kernel begins with the longest prefix that has a route for the
// source, and so passes over routes without a source beside those for other sources.
func (f *FIB) search6(tb *table, fl *flow, reachable bool, t *trace) found {
	begun := false
	for at := tb.prefixes.find(fl.dst); at >= 0; at = tb.prefixes.nodes[at].parent {
		entries := tb.at(at)
		for len(entries) > 0 {
			n := sameSource(entries)
			group := entries[:n]
			entries = entries[n:]
			restricted := group[0].srcBits > 0
			if restricted && fl.src.and(maskOf(int(group[0].srcBits))) != group[0].src {
				t.passAll(group, PassedSource)
				continue
			}
			if !restricted && !begun && n < len(tb.at(at)) && tb.prefixes.nodes[at].bits > 0 {
				t.passAll(group, PassedBeside)
				continue
			}
			begun = true
			if res := f.selectRoute6(group, fl, reachable, t); res.entry != nil {
				return res
			}
		}
	}
	return found{rule: -1, hop: -1}
}

// sameSource returns how many routes at the beginning are restricted to the same source.
func sameSource(entries []entry) int {
	n := 1
	for n < len(entries) && entries[n].srcBits == entries[0].srcBits && entries[n].src == entries[0].src {
		n++
	}
	return n
}

// The scores of a next hop that is not taken: enum rt6_nud_state of
// include/net/ip6_route.h.
const (
	failHard  = -3
	failProbe = -2
)

// score6 is rt6_score_route of net/ipv6/route.c.
func (n *hop) score6(e *entry, fl *flow, reachable bool) int32 {
	m := int32(0)
	if fl.dev == 0 || n.oif == fl.dev {
		m = 2
	} else if fl.strict {
		return failHard
	}
	m |= e.pref << 2
	if reachable && n.fails() {
		return failProbe
	}
	return m
}

// selectRoute6 is rt6_select of net/ipv6/route.c: of the routes of the lowest metric the
// one with the highest score; if there is none, the one with the highest score of all
// other metrics.
func (f *FIB) selectRoute6(entries []entry, fl *flow, reachable bool, t *trace) found {
	best, res := int32(-1), found{rule: -1, hop: -1}
	metric, all := entries[0].metric, false
	for i := range entries {
		e := &entries[i]
		if e.metric != metric && !all {
			if res.entry != nil {
				break
			}
			all = true
		}
		if e.blackhole {
			return f.blackhole6(e)
		}
		taken := false
		for j := range e.hops {
			n := &e.hops[j]
			if n.reject || n.dead || n.ignored && !fl.ignoreDown {
				continue
			}
			if m := n.score6(e, fl, reachable); m > best {
				best, taken = m, true
				res = found{entry: e, hop: int32(j), rule: -1, table: e.table, errno: e.errno}
				if e.object {
					break
				}
			}
		}
		if !taken {
			t.pass(e, e.passed6(fl, reachable))
		}
	}
	if res.entry != nil && res.errno == 0 {
		f.selectPath6(fl, &res)
	}
	return res
}

// blackhole6 is the result for a route by a nexthop object that drops packets.
func (f *FIB) blackhole6(e *entry) found {
	return found{entry: e, hop: -1, rule: -1, table: e.table, errno: EINVAL}
}

// passed6 says why a route is not taken.
func (e *entry) passed6(fl *flow, reachable bool) Passed {
	for i := range e.hops {
		n := &e.hops[i]
		if n.dead || n.ignored {
			continue
		}
		switch m := n.score6(e, fl, reachable); m {
		case failProbe:
			return PassedNeighbour
		case failHard:
			return PassedOIF
		}
		return PassedScore
	}
	return e.passed(fl)
}

// selectPath6 is fib6_select_path of net/ipv6/route.c.
func (f *FIB) selectPath6(fl *flow, res *found) {
	e := res.entry
	if len(e.hops) < 2 {
		return
	}
	c := &e.all
	if fl.strict && fl.dev != 0 && !e.object {
		if c = e.ofDevice(fl.dev); c == nil {
			return
		}
	}
	res.choose(c)
	e.dependOnNeighbours(f, res)
}
