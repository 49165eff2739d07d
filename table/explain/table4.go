package explain

import "github.com/policyroute/policyroute/route"

// lookupTable finds the route of a table for a flow. ok is false if the table has none,
// or one of type throw.
func (f *FIB) lookupTable(h *half, t *table, fl *flow, tr *trace) (res found, ok bool) {
	if h.v4 {
		return f.lookupTable4(t, fl, tr)
	}
	return f.lookupTable6(t, fl, tr)
}

// errorOf returns the error of a type of route, and whether it has one. The error of
// throw is none of its own: the next rule is asked.
func errorOf(t route.Type) (e Errno, refuses bool) {
	switch t {
	case route.TypeBlackhole, route.TypeNAT, route.TypeXResolve:
		return EINVAL, true
	case route.TypeUnreachable:
		return EHOSTUNREACH, true
	case route.TypeProhibit:
		return EACCES, true
	case route.TypeThrow:
		return 0, true
	}
	return 0, false
}

// lookupTable4 is fib_table_lookup of net/ipv4/fib_trie.c.
func (f *FIB) lookupTable4(t *table, fl *flow, tr *trace) (res found, ok bool) {
	for at := t.prefixes.find(fl.dst); at >= 0; at = t.prefixes.nodes[at].parent {
		entries := t.entries[t.first[at]:t.first[at+1]]
		for i := range entries {
			e := &entries[i]
			if e.tos != 0 && e.tos != fl.tos {
				continue
			}
			if errno, refuses := errorOf(e.typ); refuses {
				return found{entry: e, hop: -1, errno: errno, bits: int32(e.bits)}, errno != 0
			}
			if e.blackhole {
				return found{entry: e, hop: -1, errno: EINVAL, bits: int32(e.bits)}, true
			}
			for j := range e.hops {
				n := &e.hops[j]
				if n.dead || n.ignored || fl.oif != 0 && fl.oif != n.oif {
					continue
				}
				return found{entry: e, hop: int32(j), bits: int32(e.bits)}, true
			}
		}
	}
	return found{hop: -1}, false
}
