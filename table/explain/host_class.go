package explain

// A hostClass is what the kernel itself tells apart among addresses, before it asks rules
// and behind them.
type hostClass uint8

const (
	classOther hostClass = iota
	classZero
	classLoopback
	classMulticast
	classLocalMulticast // 224.0.0.0/24
	classAllHosts       // 224.0.0.1
	classBroadcast
	classLinkLocal
	classOwn // an address of this host
	classes
)

// classOf returns the class of an address.
func (c *cover) classOf(k key, source bool) hostClass {
	switch {
	case k.isZero():
		return classZero
	case !c.space.v4:
		switch {
		case isLoopback6(k):
			return classLoopback
		case isMulticast6(k):
			return classMulticast
		case isLinkLocal6(k):
			return classLinkLocal
		}
		return classOther
	case isLoopback4(k):
		if _, own := c.fib.isLocal4(k); source && !own {
			return classLinkLocal // a loopback address that this host does not have
		}
		return classLoopback
	case k == key{hi: 0xe0000001 << 32}:
		return classAllHosts
	case isLocalMulticast(k):
		return classLocalMulticast
	case isMulticast4(k):
		return classMulticast
	case isBroadcast4(k):
		return classBroadcast
	}
	if _, own := c.fib.isLocal4(k); source && own {
		return classOwn
	}
	return classOther
}

// classify divides the sources and destinations by their class.
func (c *cover) classify() {
	for i, x := range [...]axis{axisFrom, axisTo} {
		c.host[i] = make(map[hostClass]set)
		for atom, k := range c.space.axes[x].keys {
			class := c.classOf(k, x == axisFrom)
			c.host[i][class] = c.host[i][class].add(span{int32(atom), int32(atom) + 1})
		}
	}
}

// narrowHost narrows a region to packets that are the same to the kernel itself.
func (c *cover) narrowHost(r *region, at *[axisCount]int32, p *Packet) {
	for i, x := range [...]axis{axisFrom, axisTo} {
		k := c.space.axes[x].keys[at[x]]
		r[x] = r[x].and(c.host[i][c.classOf(k, x == axisFrom)])
	}
	if c.space.v4 && p.IIF == "" && (isMulticast4(keyOf(p.To)) || isBroadcast4(keyOf(p.To))) {
		r[axisFrom] = one(at[axisFrom]) // its interface is that of the source
	}
	if p.IIF != "" && p.From.IsValid() {
		if _, own := c.half.local[keyOf(p.From)]; own {
			r[axisFrom] = one(at[axisFrom])
		}
	}
	if c.space.v4 && p.OIF != "" {
		r[axisProto] = c.narrowIGMP(r[axisProto], at[axisProto])
	}
}

// narrowIGMP narrows a set to protocols that are IGMP like that of the packet, or not.
func (c *cover) narrowIGMP(s set, atom int32) set {
	igmp := one(c.space.axes[axisProto].ofNumber(protoIGMP))
	if igmp.has(atom) {
		return s.and(igmp)
	}
	return s.without(igmp)
}
