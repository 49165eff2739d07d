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
	lists  map[selectorKey][]int32 // places of rules, in their order
	kinds  []selectorKind
	any    []int32
	glance []glance // of any
}

// A glance is what most packets do not have of a rule, in little memory. It is for rules
// that have ranges of users or ports.
type glance struct {
	uidFirst, uidLast uint32
	iif, oif          uint32 // zero: any
	sFirst, sLast     uint16
	dFirst, dLast     uint16
}

// glanceOf returns the glance of a rule.
func (r *ruleEntry) glanceOf() glance {
	g := glance{uidLast: noUser, sLast: 1<<16 - 1, dLast: 1<<16 - 1}
	if r.not || r.l3mdev {
		return g
	}
	g.uidFirst, g.uidLast = r.uidFirst, r.uidLast
	if !r.iifIsVRF {
		g.iif = r.iif
	}
	if !r.oifIsVRF {
		g.oif = r.oif
	}
	if r.sport.mask == 0 && r.sport.first != 0 {
		g.sFirst, g.sLast = r.sport.first, r.sport.last
	}
	if r.dport.mask == 0 && r.dport.first != 0 {
		g.dFirst, g.dLast = r.dport.first, r.dport.last
	}
	return g
}

// mayMatch reports whether a packet may match a rule.
func (g *glance) mayMatch(fl *flow) bool {
	return g.uidFirst <= fl.uid && fl.uid <= g.uidLast && g.dFirst <= fl.dport && fl.dport <= g.dLast &&
		g.sFirst <= fl.sport && fl.sport <= g.sLast && (g.iif == 0 || g.iif == fl.iif) && (g.oif == 0 || g.oif == fl.oif)
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
	for _, i := range x.any {
		x.glance = append(x.glance, rules[i].glanceOf())
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
	var lists [maxKinds][]int32
	n := 0
	for i := range x.kinds {
		if list := x.lists[selectorKey{int32(i), x.kinds[i].valueOf(fl)}]; len(list) > 0 {
			lists[n] = list
			n++
		}
	}
	rest := 0        // of x.any, that may match
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
		for rest < len(x.any) && x.any[rest] < next && (x.any[rest] < from || !x.glance[rest].mayMatch(fl)) {
			rest++
		}
		if rest < len(x.any) && x.any[rest] < next {
			next, at = x.any[rest], n
			rest++
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
