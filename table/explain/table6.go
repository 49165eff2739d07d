package explain

// lookupTable6 is fib6_table_lookup of net/ipv6/ip6_fib.c.
func (f *FIB) lookupTable6(t *table, fl *flow, tr *trace) (res found, ok bool) {
	for at := t.prefixes.find(fl.dst); at >= 0; at = t.prefixes.nodes[at].parent {
		entries := t.entries[t.first[at]:t.first[at+1]]
		for i := range entries {
			e := &entries[i]
			if e.srcBits > 0 && (!fl.hasSrc || fl.src.and(maskOf(int(e.srcBits))) != e.src) {
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
