package explain

import (
	"cmp"
	"slices"
)

// A prefixSet finds the longest of many prefixes that contains an address. It divides
// the addresses into ranges in which the answer is the same, and searches these.
type prefixSet struct {
	nodes  []prefixNode
	starts []key   // where ranges begin, in order; the first is zero
	owner  []int32 // for each range, the longest prefix that contains it, or −1
}

// A prefixNode is a prefix with the next shorter one that contains it, or −1.
type prefixNode struct {
	addr   key
	bits   uint8
	parent int32
}

func (n prefixNode) compare(o prefixNode) int {
	return cmp.Or(n.addr.compare(o.addr), cmp.Compare(n.bits, o.bits))
}

// newPrefixSet returns a set of prefixes, without duplicates, and the place of each
// in the set's nodes.
func newPrefixSet(prefixes []prefixNode) prefixSet {
	nodes := slices.Clone(prefixes)
	slices.SortFunc(nodes, prefixNode.compare)
	nodes = slices.CompactFunc(nodes, func(a, b prefixNode) bool { return a.compare(b) == 0 })
	s := prefixSet{nodes: nodes, starts: []key{{}}, owner: []int32{-1}}
	var open []int32 // prefixes that contain the present address, the longest last
	closeBefore := func(limit *key) {
		for len(open) > 0 {
			n := nodes[open[len(open)-1]]
			end, more := n.addr.or(maskOf(int(n.bits)).not()).next()
			if limit != nil && (!more || limit.less(end)) {
				return
			}
			open = open[:len(open)-1]
			if more {
				s.begin(end, last(open))
			}
		}
	}
	for i := range nodes {
		closeBefore(&nodes[i].addr)
		nodes[i].parent = last(open)
		open = append(open, int32(i))
		s.begin(nodes[i].addr, int32(i))
	}
	closeBefore(nil)
	return s
}

// last returns the last element, or −1.
func last(s []int32) int32 {
	if len(s) == 0 {
		return -1
	}
	return s[len(s)-1]
}

// begin begins a range, which replaces one that begins at the same address.
func (s *prefixSet) begin(at key, owner int32) {
	if n := len(s.starts) - 1; s.starts[n] == at {
		s.owner[n] = owner
		return
	}
	s.starts, s.owner = append(s.starts, at), append(s.owner, owner)
}

// find returns the longest prefix that contains an address, or −1.
func (s *prefixSet) find(k key) int32 {
	lo, hi := 0, len(s.starts)
	for hi-lo > 1 {
		mid := int(uint(lo+hi) >> 1)
		if k.less(s.starts[mid]) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return s.owner[lo]
}
