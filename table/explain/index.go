package explain

import (
	"math/bits"

	"github.com/policyroute/policyroute/rule"
)

// indexFrom is the number of rules from which they have an index.
const indexFrom = 24

// A ruleIndex finds those of many rules that may match a packet. Each rule is in the list
// of one of its selectors: a source, a destination, a mark, a user or a port that must be
// equal. A rule without one is in the list of all packets.
type ruleIndex struct {
	lists map[selectorKey][]int32 // places of rules, in their order
	kinds []selectorKind
	any   []int32
}

// A selectorKind is a kind of selectors with the same mask.
type selectorKind struct {
	field selectorField
	mask  key
}

// A selectorKey is a value of a kind of selectors.
type selectorKey struct {
	kind  int32
	value key
}

// A selectorField is what a packet is compared by.
type selectorField uint8

const (
	fieldFrom selectorField = iota
	fieldTo
	fieldMark
	fieldUID
	fieldIIF
	fieldOIF
	fieldDPort
	fieldSPort
)

// maxKinds is how many kinds of selectors an index can have. For more, the rules are in
// the list of all packets.
const maxKinds = 16

// newRuleIndex returns an index, or nil for few rules.
func newRuleIndex(rules []ruleEntry) *ruleIndex {
	if len(rules) < indexFrom {
		return nil
	}
	x := &ruleIndex{lists: make(map[selectorKey][]int32)}
	kinds := make(map[selectorKind]int32)
	for i := range rules {
		r := &rules[i]
		kind, value, ok := r.selective()
		if !ok {
			x.any = append(x.any, int32(i))
			continue
		}
		at, known := kinds[kind]
		if !known {
			if len(x.kinds) == maxKinds {
				x.any = append(x.any, int32(i))
				continue
			}
			at = int32(len(x.kinds))
			kinds[kind], x.kinds = at, append(x.kinds, kind)
		}
		k := selectorKey{at, value}
		x.lists[k] = append(x.lists[k], int32(i))
	}
	return x
}

// selective returns a selector of a rule that few packets match.
func (r *ruleEntry) selective() (kind selectorKind, value key, ok bool) {
	whole := maskOf(64)
	n := func(v uint32) key { return key{hi: uint64(v)} }
	switch {
	case r.not || r.never || r.findSource || r.l3mdev:
		return kind, value, false
	case bits.OnesCount64(r.srcMask.hi) >= 8 && r.src != key{}:
		return selectorKind{fieldFrom, r.srcMask}, r.src, true
	case bits.OnesCount64(r.dstMask.hi) >= 8:
		return selectorKind{fieldTo, r.dstMask}, r.dst, true
	case r.markMask != 0:
		return selectorKind{fieldMark, n(r.markMask)}, n(r.mark & r.markMask), true
	case r.uidFirst == r.uidLast:
		return selectorKind{fieldUID, whole}, n(r.uidFirst), true
	case r.dport.mask == 0 && r.dport.first == r.dport.last && r.dport.first != 0:
		return selectorKind{fieldDPort, whole}, n(uint32(r.dport.first)), true
	case r.sport.mask == 0 && r.sport.first == r.sport.last && r.sport.first != 0:
		return selectorKind{fieldSPort, whole}, n(uint32(r.sport.first)), true
	case r.iif != 0 && !r.iifIsVRF:
		return selectorKind{fieldIIF, whole}, n(r.iif), true
	case r.oif != 0 && !r.oifIsVRF:
		return selectorKind{fieldOIF, whole}, n(r.oif), true
	}
	return kind, value, false
}

// valueOf returns what a packet has of a kind of selectors.
func (k *selectorKind) valueOf(fl *flow) key {
	var v uint32
	switch k.field {
	case fieldFrom:
		return fl.src.and(k.mask)
	case fieldTo:
		return fl.dst.and(k.mask)
	case fieldMark:
		v = fl.mark
	case fieldUID:
		v = fl.uid
	case fieldIIF:
		v = fl.iif
	case fieldOIF:
		v = fl.oif
	case fieldDPort:
		v = uint32(fl.dport)
	case fieldSPort:
		v = uint32(fl.sport)
	}
	return key{hi: uint64(v) & k.mask.hi}
}

// lookupIndexed asks the rules that may match a packet, in their order.
func (f *FIB) lookupIndexed(h *half, fl *flow) found {
	x := h.index
	var lists [maxKinds + 1][]int32
	n := 0
	for i := range x.kinds {
		if list := x.lists[selectorKey{int32(i), x.kinds[i].valueOf(fl)}]; len(list) > 0 {
			lists[n] = list
			n++
		}
	}
	if len(x.any) > 0 {
		lists[n] = x.any
		n++
	}
	from := int32(0) // rules before this one were asked, or are jumped over
	for {
		next, at := int32(len(h.rules)), -1
		for i := 0; i < n; i++ {
			for len(lists[i]) > 0 && lists[i][0] < from {
				lists[i] = lists[i][1:]
			}
			if len(lists[i]) > 0 && lists[i][0] < next {
				next, at = lists[i][0], i
			}
		}
		if at < 0 {
			return nothing(fl)
		}
		r := &h.rules[next]
		from = next + 1
		if r.l3mdev {
			r.noteVRF(f, fl)
		}
		if !r.matches(h, fl) {
			continue
		}
		if r.action == rule.ActionGoto && r.target >= 0 {
			from = r.target
			continue
		}
		if res, decided := f.act(h, r, fl, nil); decided {
			res.rule = r.place
			res.depends |= fl.depends
			return res
		}
	}
}
