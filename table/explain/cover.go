package explain

import (
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A cover finds, for a packet, a region of packets that the kernel treats alike: each
// rule and table that was asked, and each check before and after them, has the same answer
// for all of them.
type cover struct {
	fib   *FIB
	half  *half
	space *space
	rules map[int32]*ruleEntry      // by their place in World.Rules
	known map[predicate]set         // atoms that have a property
	chose map[uint32]map[key]set    // by interface and source, the destinations that it is chosen for
	host  [2]map[hostClass]set      // of sources and destinations
	fine  map[rttables.ID]tableAxes // what a table looks at beside the destination
}

// A predicate is a selector of a rule, as it looks at an axis.
type predicate struct {
	rule int32
	sel  axis // the selector
	of   axis // the axis whose value it is compared with
}

// tableAxes are axes that the routes of a table look at.
type tableAxes struct {
	tos  map[uint8]bool // the values that routes have
	from bool
}

func newCover(s *space, f *FIB) *cover {
	c := &cover{
		fib: f, half: &f.v6, space: s, rules: make(map[int32]*ruleEntry), known: make(map[predicate]set),
		chose: make(map[uint32]map[key]set),
		fine:  make(map[rttables.ID]tableAxes),
	}
	if s.v4 {
		c.half = &f.v4
	}
	for i := range c.half.rules {
		c.rules[c.half.rules[i].place] = &c.half.rules[i]
	}
	for i := range c.half.tables {
		a := tableAxes{tos: make(map[uint8]bool)}
		for j := range c.half.tables[i].entries {
			e := &c.half.tables[i].entries[j]
			a.from = a.from || e.srcBits > 0
			if e.tos != 0 {
				a.tos[e.tos] = true
			}
		}
		c.fine[c.half.tables[i].id] = a
	}
	c.classify()
	return c
}

// A lap is one walk through the rules: to the destination, or back to the source. It
// says which axis of the packet the rules see in the place of another one; noAxis means
// that the value is the same for all packets.
type lap struct {
	*cover
	r    *region
	at   *[axisCount]int32
	sees [axisCount]axis
}

const noAxis = axisCount

// of returns the region of packets that are treated like p, whose atoms are at.
func (c *cover) of(p *Packet, at *[axisCount]int32, e *Explanation) region {
	var r region
	for x := range r {
		r[x] = all(c.space.axes[x].len())
	}
	exactly := func(x axis) { r[x] = one(at[x]) }
	exactly(axisIIF)
	exactly(axisOIF)
	c.narrowHost(&r, at, p)
	l := lap{cover: c, r: &r, at: at}
	for x := range l.sees {
		l.sees[x] = axis(x)
	}
	l.sees[axisIIF], l.sees[axisOIF] = noAxis, noAxis // they are exact
	if p.IIF != "" {
		l.sees[axisUID] = noAxis
		if !c.half.dissects {
			l.sees[axisSPort], l.sees[axisDPort] = noAxis, noAxis
			if c.space.v4 {
				l.sees[axisProto] = noAxis
			}
		}
	}
	switch {
	case c.space.v4:
		l.sees[axisLabel] = noAxis
		if p.IIF == "" && p.From.IsValid() && c.hasSeveralHops(e) {
			exactly(axisFrom) // of several next hops, the one with the source is preferred
		}
		if p.OIF != "" && !p.From.IsValid() {
			exactly(axisFrom)
			l.sees[axisFrom] = noAxis // the rules may see a source of the interface
		}
	case c.findsSource(e):
		exactly(axisTo) // a rule chooses the source by the destination
	case p.IIF == "" && !p.From.IsValid():
		c.narrowSource(&r, at, e)
	}
	l.walk(e.Steps)
	if len(e.Back) > 0 {
		l.back(p, e)
	}
	return r
}

// back narrows the region to packets for which the check of the reverse path is the same.
func (l *lap) back(p *Packet, e *Explanation) {
	back := lap{cover: l.cover, r: l.r, at: l.at}
	for x := range back.sees {
		back.sees[x] = noAxis
	}
	back.sees[axisTo], back.sees[axisTOS] = axisFrom, axisTOS
	if len(e.Steps) > 0 && e.Decision.Verdict != Broadcast {
		back.sees[axisFrom] = axisTo
	}
	back.sees[axisProto] = l.sees[axisProto]
	back.sees[axisSPort], back.sees[axisDPort] = l.sees[axisDPort], l.sees[axisSPort]
	if d := l.fib.named(p.IIF); d != nil && d.srcValidMark {
		back.sees[axisMark] = axisMark
	}
	if back.sees[axisFrom] == noAxis && isRefused(e) {
		l.r[axisTo] = one(l.at[axisTo]) // it may have been a broadcast before
	}
	back.walk(e.Back)
}

func isRefused(e *Explanation) bool { return e.Decision.Verdict == None }

// walk narrows the region to packets for which each step is the same.
func (l *lap) walk(steps []Step) {
	for i := range steps {
		s := &steps[i]
		if s.Rule >= 0 && !s.Merged {
			l.rule(l.rules[int32(s.Rule)], s)
		}
		switch {
		case s.Merged:
			l.table(l.half.merged)
		case s.Asked:
			l.table(l.half.byID[s.Table])
		}
	}
}

// rule narrows the region to packets that match a rule as the packet does.
func (l *lap) rule(r *ruleEntry, s *Step) {
	if r == nil || r.never {
		return
	}
	if matched := s.Result != ResultNoMatch; matched != r.not {
		for x := range axisCount {
			l.selector(r, x, true)
		}
		return
	}
	// One selector that does not match is enough. Those of interfaces cost nothing.
	switch s.Selector {
	case "iif", "oif", "l3mdev":
		return
	}
	for x := range axisCount {
		if l.selector(r, x, false) {
			return
		}
	}
}

// selector narrows the region by a selector of a rule, if the packet matches it or not, as
// has says. It reports whether that is so.
func (l *lap) selector(r *ruleEntry, sel axis, has bool) bool {
	of := l.sees[sel]
	if of == noAxis || !r.looksAt(sel) {
		return false
	}
	s := l.matching(r, sel, of)
	if s.has(l.at[of]) != has {
		return false
	}
	if !has {
		l.r[of] = l.r[of].without(s)
	} else {
		l.r[of] = l.r[of].and(s)
	}
	return true
}

// matching returns the atoms of an axis that match a selector.
func (c *cover) matching(r *ruleEntry, sel, of axis) set {
	p := predicate{r.place, sel, of}
	if s, ok := c.known[p]; ok {
		return s
	}
	s := c.match(r, sel, &c.space.axes[of])
	c.known[p] = s
	return s
}

func (c *cover) match(r *ruleEntry, sel axis, a *atoms) set {
	switch sel {
	case axisFrom:
		s := a.prefix(r.src, r.srcMask)
		switch { // the first atom is the packets without a source
		case c.space.v4:
			return s
		case r.findSource:
			return s.or(one(0))
		}
		return s.without(one(0))
	case axisTo:
		return a.prefix(r.dst, r.dstMask)
	case axisProto:
		return a.where(func(n uint64) bool {
			if n == 0 && c.space.v4 {
				n = uint64(route.UDP)
			}
			return n == uint64(r.proto)
		})
	}
	return a.where(func(n uint64) bool {
		switch sel {
		case axisMark:
			return (r.mark^uint32(n))&r.markMask == 0
		case axisLabel:
			return (r.label^uint32(n))&r.labelMask == 0
		case axisTOS:
			return (r.tos^uint8(n))&r.tosMask == 0
		case axisUID:
			return uint32(n) >= r.uidFirst && uint32(n) <= r.uidLast
		case axisSPort:
			return r.sport.has(uint16(n))
		case axisDPort:
			return r.dport.has(uint16(n))
		}
		return n == r.tunID
	})
}

// looksAt reports whether a rule has a selector.
func (r *ruleEntry) looksAt(sel axis) bool {
	switch sel {
	case axisFrom:
		return r.hasSource
	case axisTo:
		return !r.dstMask.isZero()
	case axisMark:
		return r.markMask != 0
	case axisTOS:
		return r.tosMask != 0
	case axisUID:
		return r.uidFirst != 0 || r.uidLast != noUser
	case axisProto:
		return r.proto != 0
	case axisSPort:
		return r.sport != portRange{}
	case axisDPort:
		return r.dport != portRange{}
	case axisLabel:
		return r.labelMask != 0
	case axisTunID:
		return r.tunID != 0
	}
	return false
}

// table narrows the region to packets for which a table looks at the same routes.
func (l *lap) table(at int32) {
	t := &l.half.tables[at]
	if of := l.sees[axisTo]; of != noAxis {
		l.r[of] = l.r[of].and(t.prefixes.around(&l.space.axes[of], l.at[of]))
	}
	fine := l.fine[t.id]
	if of := l.sees[axisTOS]; len(fine.tos) > 0 && of != noAxis {
		a := &l.space.axes[of]
		route := func(n uint64) uint8 { // the value of routes for a packet, zero for that of none
			if tos := uint8(n) & legacyTOS; fine.tos[tos] {
				return tos
			}
			return 0
		}
		own := route(a.numbers[l.at[of]])
		l.r[of] = l.r[of].and(a.where(func(n uint64) bool { return route(n) == own }))
	}
	if of := l.sees[axisFrom]; fine.from && of != noAxis {
		l.r[of] = one(l.at[of])
	}
}

// around returns the atoms of the range that has an atom, in which the same prefixes
// contain each address.
func (s *prefixSet) around(a *atoms, atom int32) set {
	i := atomOf(s.starts, a.keys[atom], key.compare)
	first, end := a.ofKey(s.starts[i]), a.len()
	if int(i)+1 < len(s.starts) {
		end = a.ofKey(s.starts[i+1])
	}
	return set{{first, end}}
}

// decider returns the route that decided, or nil.
func (c *cover) decider(e *Explanation) *entry {
	if e.Decision.Route < 0 {
		return nil
	}
	for i := range c.half.tables {
		for j := range c.half.tables[i].entries {
			if en := &c.half.tables[i].entries[j]; int(en.place) == e.Decision.Route {
				return en
			}
		}
	}
	return nil
}

// hasSeveralHops reports whether the route that decided has several next hops.
func (c *cover) hasSeveralHops(e *Explanation) bool {
	en := c.decider(e)
	return en != nil && len(en.hops) > 1
}

// narrowSource narrows a region to destinations for which the kernel chooses the same
// source as for the packet.
func (c *cover) narrowSource(r *region, at *[axisCount]int32, e *Explanation) {
	en := c.decider(e)
	if en == nil || en.hasPrefSrc {
		return
	}
	for i := range en.hops {
		k, _ := c.fib.source6(c.fib.device(en.hops[i].oif), c.space.axes[axisTo].keys[at[axisTo]])
		r[axisTo] = r[axisTo].and(c.chosenFor(en.hops[i].oif)[k])
	}
}

// chosenFor returns, for packets that leave by an interface, the destinations for which
// the kernel chooses each source.
func (c *cover) chosenFor(oif uint32) map[key]set {
	if c.chose[oif] == nil {
		m := make(map[key]set)
		for i, dst := range c.space.axes[axisTo].keys {
			k, _ := c.fib.source6(c.fib.device(oif), dst)
			m[k] = m[k].add(span{int32(i), int32(i) + 1})
		}
		c.chose[oif] = m
	}
	return c.chose[oif]
}

// findsSource reports whether a rule that was asked chooses the source first.
func (c *cover) findsSource(e *Explanation) bool {
	for i := range e.Steps {
		if r := c.rules[int32(e.Steps[i].Rule)]; r != nil && r.findSource {
			return true
		}
	}
	return false
}
