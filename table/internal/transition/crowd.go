package transition

// A crowd is a list of groups that cannot share one END. They choose the priorities of their
// gates one after the other. Each group leaves room for the groups after it, if it can.
type crowd struct {
	p      *priorities
	groups []gateGroup
	// at are the priorities that each group would get if it chose next and fits. They stay
	// the same until another group takes one of them.
	at   []gatePlaces
	fits []bool
	// gates and ends are the groups by these places. A group may be there with places that
	// it had before.
	gates, ends map[uint32][]int
}

func newCrowd(p *priorities, groups []gateGroup) *crowd {
	c := &crowd{
		p: p, groups: groups, at: make([]gatePlaces, len(groups)), fits: make([]bool, len(groups)),
		gates: make(map[uint32][]int), ends: make(map[uint32][]int),
	}
	if len(groups) > 1 {
		for i := range groups {
			c.find(i)
		}
	}
	return c
}

// find finds the places that a group would get.
func (c *crowd) find(i int) {
	if c.at[i], _, c.fits[i] = c.p.placeGates(&c.groups[i]); c.fits[i] {
		c.gates[c.at[i].gate] = append(c.gates[c.at[i].gate], i)
		c.ends[c.at[i].end] = append(c.ends[c.at[i].end], i)
	}
}

// place finds priorities for the gates of a group and for its END. If possible, they leave
// room for the gates of the groups after it.
func (c *crowd) place(i int) (gatePlaces, bool) {
	g := &c.groups[i]
	first, _, ok := c.p.placeGates(g)
	for at, fits := first, ok; fits; at, _, fits = c.p.placeGatesFrom(g, at.end+1) {
		if !c.takesRoom(i, at) {
			return at, true
		}
	}
	return first, ok
}

// take notes the places of the gates of a group.
func (c *crowd) take(i int, at gatePlaces) {
	c.p.takeGates(at)
	for _, k := range c.having(at) {
		if k > i && c.fits[k] && !c.p.areFree(c.at[k]) {
			c.find(k)
		}
	}
}

// having returns the groups that had one of two places.
func (c *crowd) having(at gatePlaces) []int {
	var all []int
	for _, prio := range []uint32{at.gate, at.end} {
		all = append(append(all, c.gates[prio]...), c.ends[prio]...)
	}
	return all
}

// takesRoom reports whether a group after the i-th that has room for its gates would have
// none beside those at some places.
func (c *crowd) takesRoom(i int, at gatePlaces) bool {
	for _, k := range c.having(at) {
		without := c.at[k]
		if k <= i || !c.fits[k] || at.end != without.gate && at.end != without.end && at.gate != without.end {
			continue
		}
		undo := c.p.tryGates(at)
		_, _, ok := c.p.placeGates(&c.groups[k])
		if undo(); !ok {
			return true
		}
	}
	return false
}

// areFree reports whether priorities that were free for a group earlier are still free.
func (p *priorities) areFree(at gatePlaces) bool {
	return (!p.taken[at.gate] || p.gates[at.gate]) && (!p.taken[at.end] || p.ends[at.end])
}

// tryGates is takeGates that can be undone.
func (p *priorities) tryGates(at gatePlaces) (undo func()) {
	type place struct {
		taken, gate, end bool
		planned          int
	}
	before := make(map[uint32]place, 2)
	for _, prio := range []uint32{at.gate, at.end} {
		before[prio] = place{p.taken[prio], p.gates[prio], p.ends[prio], p.planned[prio]}
	}
	p.takeGates(at)
	return func() {
		for prio, b := range before {
			p.taken[prio], p.gates[prio], p.ends[prio], p.planned[prio] = b.taken, b.gate, b.end, b.planned
		}
	}
}
