package explain

// A choice is some next hops of a route, of which the kernel takes one by a hash. It is
// made beforehand, so that a decision allocates nothing.
type choice struct {
	hops       []int32     // places in entry.hops
	candidates []Candidate // of these
	onLink     []Candidate // without the gateways
	sameSource bool        // all have the same source
}

// A sourceChoice is the choice among next hops that have a source.
type sourceChoice struct {
	source key
	choice choice
}

// A deviceChoice is the choice among next hops by an interface.
type deviceChoice struct {
	oif    uint32
	choice choice
}

// choiceOf returns the choice among the next hops for which keep returns true.
func (e *entry) choiceOf(keep func(*hop) bool) choice {
	c := choice{sameSource: true}
	for i := range e.hops {
		n := &e.hops[i]
		if !keep(n) {
			continue
		}
		if len(c.hops) > 0 && n.source != e.hops[c.hops[0]].source && !e.hasPrefSrc {
			c.sameSource = false
		}
		x := e.candidate(n)
		c.hops, c.candidates = append(c.hops, int32(i)), append(c.candidates, x)
		x.Via = Candidate{}.Via
		c.onLink = append(c.onLink, x)
	}
	return c
}

// candidate returns a next hop as a Candidate.
func (e *entry) candidate(n *hop) Candidate {
	c := Candidate{OIF: n.oif, Weight: uint16(min(n.weight, 1<<16-1))}
	if n.hasGW {
		c.Via = n.gw.addr(n.gw4)
	}
	switch {
	case e.hasPrefSrc:
		c.Source = e.prefSrc.addr(e.v4)
	case e.v4 && !n.source.isZero():
		c.Source = n.source.addr(true)
	}
	return c
}

// setChoices prepares the choices among the next hops of a route.
func (f *FIB) setChoices(e *entry) {
	for i := range e.hops {
		e.hops[i].via = e.candidate(&e.hops[i]).Via
	}
	if len(e.hops) < 2 {
		return
	}
	e.all = e.choiceOf(func(n *hop) bool { return f.isChosen(e, n) })
	if len(e.all.hops) == 0 { // no gateway answers: the kernel tries them nevertheless
		e.all = e.choiceOf((*hop).usable)
	}
	for _, i := range e.all.hops {
		n := &e.hops[i]
		chosen := func(o *hop) bool { return f.isChosen(e, o) }
		if e.v4 && !e.object && !n.source.isZero() && e.ofSource(n.source) == nil {
			e.bySource = append(e.bySource, sourceChoice{n.source, e.choiceOf(func(o *hop) bool { return chosen(o) && o.source == n.source })})
		}
		if !e.v4 && !e.object && e.ofDevice(n.oif) == nil {
			e.byDevice = append(e.byDevice, deviceChoice{n.oif, e.choiceOf(func(o *hop) bool { return chosen(o) && o.oif == n.oif })})
		}
	}
}

// isChosen reports whether the kernel takes a next hop if the hash says so.
func (f *FIB) isChosen(e *entry, n *hop) bool {
	switch {
	case e.resilient:
		return true // the buckets decide
	case e.object:
		return n.isValid()
	case !n.usable():
		return false
	case e.v4:
		return !f.conf.useNeighbours4 || n.isValid()
	}
	return f.conf.forwards6 || !n.fails()
}

// ofSource returns the choice among next hops that have a source, or nil.
func (e *entry) ofSource(source key) *choice {
	for i := range e.bySource {
		if e.bySource[i].source == source {
			return &e.bySource[i].choice
		}
	}
	return nil
}

// ofDevice returns the choice among next hops by an interface, or nil.
func (e *entry) ofDevice(oif uint32) *choice {
	for i := range e.byDevice {
		if e.byDevice[i].oif == oif {
			return &e.byDevice[i].choice
		}
	}
	return nil
}

// choose sets what the kernel chooses from.
func (r *found) choose(c *choice) {
	switch len(c.hops) {
	case 0:
	case 1:
		r.hop = c.hops[0]
	default:
		r.hop, r.choice = c.hops[0], c
	}
}
