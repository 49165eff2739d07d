package uplink

import "net/netip"

// A prefixSet is a set of prefixes. The time to find a prefix that contains another one
// does not grow with the set.
type prefixSet map[netip.Prefix]bool

func makePrefixSet(prefixes []netip.Prefix) prefixSet {
	s := make(prefixSet, len(prefixes))
	for _, p := range prefixes {
		s[p] = true
	}
	return s
}

// covering returns the widest prefix of the set that contains p and is not longer than
// bits.
func (s prefixSet) covering(p netip.Prefix, bits int) (netip.Prefix, bool) {
	if len(s) == 0 {
		return netip.Prefix{}, false
	}
	for n := range bits + 1 {
		if wide, err := p.Addr().Prefix(n); err == nil && s[wide] {
			return wide, true
		}
	}
	return netip.Prefix{}, false
}

// withoutCovered returns prefixes, each once, without those that another one contains.
func withoutCovered(all []netip.Prefix) []netip.Prefix {
	set := makePrefixSet(all)
	kept := make([]netip.Prefix, 0, len(all))
	seen := make(prefixSet, len(all))
	for _, p := range all {
		if _, covered := set.covering(p, p.Bits()-1); !covered && !seen[p] {
			seen[p] = true
			kept = append(kept, p)
		}
	}
	return kept
}

// overlap returns a prefix of a and one of b that have addresses in common: one of them
// contains the other.
func overlap(a, b []netip.Prefix) (mine, theirs netip.Prefix, ok bool) {
	ours, others := makePrefixSet(a), makePrefixSet(b)
	for _, mine = range a {
		if theirs, ok = others.covering(mine, mine.Bits()); ok {
			return mine, theirs, true
		}
	}
	for _, theirs = range b {
		if mine, ok = ours.covering(theirs, theirs.Bits()); ok {
			return mine, theirs, true
		}
	}
	return mine, theirs, false
}
