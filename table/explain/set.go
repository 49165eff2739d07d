package explain

import "slices"

// A set is a set of the atoms of an axis, as spans that are in order and do not touch
// each other.
type set []span

// A span is the atoms from first to end, without end.
type span struct{ first, end int32 }

// all is the set of n atoms.
func all(n int32) set {
	if n == 0 {
		return nil
	}
	return set{{0, n}}
}

// one is the set of an atom.
func one(atom int32) set { return set{{atom, atom + 1}} }

func (s set) isEmpty() bool { return len(s) == 0 }

func (s set) equal(o set) bool { return slices.Equal(s, o) }

// has reports whether an atom is in s.
func (s set) has(atom int32) bool {
	i, ok := slices.BinarySearchFunc(s, atom, func(p span, atom int32) int { return int(p.first - atom) })
	return ok || i > 0 && atom < s[i-1].end
}

// add adds a span behind those of s.
func (s set) add(p span) set {
	if n := len(s) - 1; n >= 0 && s[n].end >= p.first {
		s[n].end = max(s[n].end, p.end)
		return s
	}
	return append(s, p)
}

// and returns the atoms that are in both sets.
func (s set) and(o set) set {
	if len(s) == 1 && len(o) == 1 { // usually
		if p := (span{max(s[0].first, o[0].first), min(s[0].end, o[0].end)}); p.first < p.end {
			return set{p}
		}
		return nil
	}
	var both set
	for i, j := 0, 0; i < len(s) && j < len(o); {
		if p := (span{max(s[i].first, o[j].first), min(s[i].end, o[j].end)}); p.first < p.end {
			both = append(both, p)
		}
		if s[i].end < o[j].end {
			i++
		} else {
			j++
		}
	}
	return both
}

// without returns the atoms of s that are not in o.
func (s set) without(o set) set {
	var rest set
	j := 0
	for _, p := range s {
		for j < len(o) && o[j].end <= p.first {
			j++
		}
		for k := j; k < len(o) && o[k].first < p.end; k++ {
			if p.first < o[k].first {
				rest = append(rest, span{p.first, o[k].first})
			}
			p.first = max(p.first, o[k].end)
		}
		if p.first < p.end {
			rest = append(rest, p)
		}
	}
	return rest
}

// or returns the atoms that are in one of the sets.
func (s set) or(o set) set {
	spans := slices.Concat(s, o)
	return join(spans)
}

// join returns the set of spans, which it sorts.
func join(spans []span) set {
	slices.SortFunc(spans, func(a, b span) int { return int(a.first - b.first) })
	var s set
	for _, p := range spans {
		s = s.add(p)
	}
	return s
}

// len returns the number of atoms.
func (s set) len() int32 {
	n := int32(0)
	for _, p := range s {
		n += p.end - p.first
	}
	return n
}
