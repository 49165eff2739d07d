package explain

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rttables"
)

// A table is a routing table of one family that is prepared for lookups.
type table struct {
	id       rttables.ID
	prefixes prefixSet
	first    []int32 // for each prefix, where its entries begin; one more at the end
	entries  []entry // by prefix, and then in the kernel's order
}

// at returns the entries of a prefix.
func (t *table) at(prefix int32) []entry { return t.entries[t.first[prefix]:t.first[prefix+1]] }

// An entry is a route in a table.
type entry struct {
	place   int32 // in World.Routes
	table   rttables.ID
	v4      bool
	typ     route.Type
	errno   Errno // of the type; eAgain for throw
	bits    uint8
	tos     uint8
	scope   route.Scope
	metric  uint32
	src     key // IPv6: from
	srcBits uint8
	pref    int32 // IPv6: RFC 4191, 1 to 3
	prefSrc key

	hasPrefSrc bool
	advertised bool // by a router
	object     bool // the next hops are those of a nexthop object
	group      bool // which is a group
	resilient  bool // with buckets
	blackhole  bool // which drops packets
	hops       []hop
	all        choice // among the next hops that work
	bySource   []sourceChoice
	byDevice   []deviceChoice
}

// A hop is a next hop.
type hop struct {
	oif      uint32
	gw       key
	hasGW    bool
	gw4      bool
	via      netip.Addr // gw
	weight   uint32
	dead     bool           // the interface is down or does not exist
	linkDown bool           // the interface has no carrier
	ignored  bool           // and its routes are then ignored
	reject   bool           // a member of a group that drops packets
	state    NeighbourState // of the gateway
	known    bool           // there is an entry for the gateway
	source   key            // IPv4: the address that the kernel gives to packets by this hop
}

// usable reports whether packets can leave by a next hop.
func (n *hop) usable() bool { return !n.dead && !n.ignored }

// A slot is a route with its prefix.
type slot struct {
	node  prefixNode
	entry entry
}

func (h *half) compileTables(f *FIB, family route.Family) {
	c := compiler{f: f, h: h, objects: make(map[uint32]*nexthop.Object), neighbours: make(map[neighbourKey]NeighbourState)}
	for i := range f.world.NextHops {
		c.objects[f.world.NextHops[i].ID] = &f.world.NextHops[i]
	}
	for _, n := range f.world.Neighbours {
		c.neighbours[neighbourKey{n.Index, n.Addr}] = n.State
	}
	slots := make(map[rttables.ID][]slot)
	var ids []rttables.ID
	for i := range f.world.Routes {
		r := &f.world.Routes[i]
		if familyOf(r) != family {
			continue
		}
		h.checksSources = h.checksSources || r.Type == route.TypeLocal && r.Protocol != route.ProtoKernel || hasRealms(r)
		id := cmp.Or(r.Table, rttables.Main)
		if slots[id] == nil {
			ids = append(ids, id)
		}
		slots[id] = append(slots[id], slot{nodeOf(r), c.entry(r, int32(i))})
	}
	for _, id := range ids {
		h.addTable(f, id, slots[id])
	}
}

// hasRealms reports whether a route or one of its next hops has realms.
func hasRealms(r *route.Route) bool {
	return r.Realms != route.Realms{} ||
		slices.ContainsFunc(r.Multipath, func(n route.NextHop) bool { return n.Realms != route.Realms{} })
}

// nodeOf returns the destination of a route.
func nodeOf(r *route.Route) prefixNode {
	if r.Dst.Bits() <= 0 {
		return prefixNode{}
	}
	return prefixNode{addr: keyOf(r.Dst.Addr()).and(maskOf(r.Dst.Bits())), bits: uint8(r.Dst.Bits())}
}

// addTable adds a table with some routes, which it sorts as the kernel does: by prefix,
// in IPv6 by the source, then by TOS and metric, and then in the order in which they
// were added. In IPv4 a table can hold routes of local and main.
func (h *half) addTable(f *FIB, id rttables.ID, slots []slot) int32 {
	slices.SortStableFunc(slots, func(a, b slot) int {
		return cmp.Or(
			a.node.compare(b.node), -cmp.Compare(a.entry.srcBits, b.entry.srcBits), a.entry.src.compare(b.entry.src),
			-cmp.Compare(a.entry.table, b.entry.table),
			-cmp.Compare(a.entry.tos, b.entry.tos), cmp.Compare(a.entry.metric, b.entry.metric),
		)
	})
	if !h.v4 {
		slots = f.joinSiblings(slots)
	}
	t := table{id: id}
	var nodes []prefixNode
	for i := range slots {
		if i == 0 || slots[i].node != slots[i-1].node {
			nodes = append(nodes, slots[i].node)
			t.first = append(t.first, int32(i))
		}
		t.entries = append(t.entries, slots[i].entry)
	}
	t.first = append(t.first, int32(len(slots)))
	t.prefixes = newPrefixSet(nodes)
	at := int32(len(h.tables))
	if _, ok := h.byID[id]; !ok {
		h.byID[id] = at
	}
	h.tables = append(h.tables, t)
	return at
}

// mergeLocal adds the table that local and main are in a namespace which never had rules
// of its own. uncertain means that this one may have had some.
func (h *half) mergeLocal(f *FIB, uncertain bool) {
	var slots []slot
	var mains []prefixNode
	for _, id := range []rttables.ID{rttables.Local, rttables.Main} {
		t := h.findTable(id)
		if t == nil {
			continue
		}
		for i := range t.prefixes.nodes {
			node := t.prefixes.nodes[i]
			node.parent = 0
			for _, e := range t.at(int32(i)) {
				slots = append(slots, slot{node, e})
			}
			if id == rttables.Main {
				mains = append(mains, node)
			}
		}
	}
	if local := h.findTable(rttables.Local); local != nil && uncertain {
		h.mergeMatters = slices.ContainsFunc(mains, func(n prefixNode) bool { return local.prefixes.find(n.addr) >= 0 })
	}
	h.merged = h.addTable(f, mergedID, slots)
}

// mergedID is the key of the merged table, which no rule can name.
const mergedID = 0

// joinSiblings joins IPv6 routes that the kernel makes next hops of one route: those by
// a gateway with the same place and metric.
func (f *FIB) joinSiblings(slots []slot) []slot {
	joined := slots[:0]
	for _, s := range slots {
		if n := len(joined) - 1; n >= 0 {
			last := &joined[n]
			if last.node == s.node && last.entry.joins(&s.entry) {
				e := &last.entry
				e.hops = append(slices.Clip(e.hops), s.entry.hops...)
				e.all, e.byDevice = choice{}, nil
				f.setChoices(e)
				continue
			}
		}
		joined = append(joined, s)
	}
	return joined
}

// joins reports whether the next hops of o become those of e: rt6_qualify_for_ecmp of
// net/ip6_fib.h. Those of router advertisements do not.
func (e *entry) joins(o *entry) bool {
	gateways := func(e *entry) bool {
		return !e.object && !e.advertised && e.errno == 0 && len(e.hops) > 0 && !slices.ContainsFunc(e.hops, func(n hop) bool { return !n.hasGW })
	}
	return e.metric == o.metric && e.src == o.src && e.srcBits == o.srcBits && gateways(e) && gateways(o)
}

// familyOf returns the family of a route, as the verbs find it.
func familyOf(r *route.Route) route.Family {
	if r.Family != 0 {
		return r.Family
	}
	return r.Canonical().Family
}

// A neighbourKey is the place of a neighbour in its table.
type neighbourKey struct {
	index uint32
	addr  netip.Addr
}

// A compiler makes the entries of a family.
type compiler struct {
	f          *FIB
	h          *half
	objects    map[uint32]*nexthop.Object
	neighbours map[neighbourKey]NeighbourState
}

func (c *compiler) entry(r *route.Route, place int32) entry {
	e := entry{
		place: place, table: cmp.Or(r.Table, rttables.Main), v4: c.h.v4, typ: cmp.Or(r.Type, route.TypeUnicast),
		tos: r.TOS, metric: r.Priority, scope: r.Scope, pref: rank(r.Preference.Or(route.PrefMedium)),
	}
	e.errno, e.advertised = errnoOf(e.typ), r.Protocol == route.ProtoRA
	if r.Dst.IsValid() {
		e.bits = uint8(r.Dst.Bits())
	}
	if r.Src.Bits() > 0 {
		e.srcBits = uint8(r.Src.Bits())
		e.src = keyOf(r.Src.Addr()).and(maskOf(r.Src.Bits()))
	}
	if r.PrefSrc.IsValid() {
		e.prefSrc, e.hasPrefSrc = keyOf(r.PrefSrc), true
	}
	switch {
	case r.NextHopID != 0:
		e.object = true
		c.addObject(&e, r, r.NextHopID, 1)
	case len(r.Multipath) > 0:
		for _, n := range r.Multipath {
			c.addHop(&e, r, n.OIF, n.Gateway, max(uint32(n.Weight), 1), n.Flags)
		}
	case r.OIF != 0 || r.Gateway.IsValid():
		c.addHop(&e, r, r.OIF, r.Gateway, 1, 0)
	case e.errno != 0 && !c.h.v4:
		c.addHop(&e, r, lo, netip.Addr{}, 1, 0) // IPv6 routes that refuse packets are of lo
	}
	if len(e.hops) == 1 && e.hops[0].reject {
		// A group of this object alone. Others cannot have it.
		e.hops, e.blackhole = nil, true
		if !c.h.v4 {
			c.addHop(&e, r, lo, netip.Addr{}, 1, 0)
		}
	}
	c.f.setChoices(&e)
	return e
}

// rank returns the rank of a preference: IPV6_DECODE_PREF of net/ip6_route.h.
func rank(p route.Preference) int32 {
	switch p {
	case route.PrefHigh:
		return 3
	case route.PrefLow:
		return 1
	}
	return 2
}

// errnoOf returns the error of a type of routes: fib_props of net/ipv4/fib_semantics.c.
func errnoOf(t route.Type) Errno {
	switch t {
	case route.TypeBlackhole, route.TypeNAT, route.TypeXResolve:
		return EINVAL
	case route.TypeUnreachable:
		return EHOSTUNREACH
	case route.TypeProhibit:
		return EACCES
	case route.TypeThrow:
		return eAgain
	}
	return 0
}

// addObject adds the next hops of a nexthop object to an entry.
func (c *compiler) addObject(e *entry, r *route.Route, id uint32, weight uint32) {
	o := c.objects[id]
	switch {
	case o == nil:
	case len(o.Group) > 0 && !e.group:
		e.group, e.resilient = true, o.GroupType == nexthop.GroupResilient
		for _, m := range o.Group {
			c.addObject(e, r, m.ID, max(uint32(m.Weight), 1))
		}
	case len(o.Group) > 0: // a group has no groups
	case o.Blackhole && e.group:
		e.hops = append(e.hops, hop{weight: weight, reject: true})
	case o.Blackhole:
		e.blackhole = true
		if !c.h.v4 {
			c.addHop(e, r, lo, netip.Addr{}, 1, 0)
		}
	default:
		c.addHop(e, r, o.OIF, o.Gateway, weight, 0)
	}
}

// isKept reports whether a route works while its interface is down, or has no carrier.
func (c *compiler) isKept(r *route.Route) bool {
	if c.h.v4 {
		return r.Scope == route.ScopeHost
	}
	return r.Type == route.TypeLocal || isKernelAnycast(r)
}

// isKernelAnycast reports whether a route is one that the kernel makes for an IPv6 subnet
// of a router.
func isKernelAnycast(r *route.Route) bool {
	return r.Type == route.TypeAnycast && r.Protocol == route.ProtoKernel
}

func (c *compiler) addHop(e *entry, r *route.Route, oif uint32, gw netip.Addr, weight uint32, flags route.Flags) {
	n := hop{oif: oif, weight: weight}
	if gw.IsValid() {
		n.gw, n.hasGW, n.gw4 = keyOf(gw), true, gw.Is4()
		n.state, n.known = c.neighbours[neighbourKey{oif, gw}]
	}
	d := c.f.device(oif)
	kept := d != nil && c.isKept(r)
	n.dead = !kept && !d.isUp() || flags&route.FlagDead != 0
	n.linkDown = d != nil && d.Flags&FlagCarrier == 0 && !kept
	n.ignored = n.linkDown && d.ignoreLinkDown[c.h.family()]
	if c.h.v4 {
		n.source = c.f.selectAddr(d, n.gw, n.hasGW && n.gw4, r.Scope)
	}
	e.hops = append(e.hops, n)
}
