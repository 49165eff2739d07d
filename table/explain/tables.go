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

// An entry is a route in a table.
type entry struct {
	place      int // in World.Routes
	typ        route.Type
	bits       uint8
	tos        uint8
	metric     uint32
	scope      route.Scope
	prefSrc    key
	hasPrefSrc bool
	src        key
	srcBits    uint8
	pref       route.Preference
	object     bool // the next hops are those of a nexthop object
	blackhole  bool // of the nexthop object
	hops       []hop
	candidates []Candidate
}

// A hop is a next hop.
type hop struct {
	oif      uint32
	gw       key
	hasGW    bool
	gw4      bool
	weight   uint16
	dead     bool // the interface is down or not there
	linkDown bool // it has no carrier
	ignored  bool // it has no carrier, and the interface's routes are then ignored
	onLink   bool
}

func (h *half) compileTables(f *FIB, family route.Family) {
	objects := make(map[uint32]*nexthop.Object)
	for i := range f.world.NextHops {
		objects[f.world.NextHops[i].ID] = &f.world.NextHops[i]
	}
	type item struct {
		node  prefixNode
		entry entry
	}
	items := make(map[rttables.ID][]item)
	var ids []rttables.ID
	for i := range f.world.Routes {
		r := &f.world.Routes[i]
		if familyOf(r) != family {
			continue
		}
		id := cmp.Or(r.Table, rttables.Main)
		if items[id] == nil {
			ids = append(ids, id)
		}
		node := prefixNode{}
		if r.Dst.Bits() > 0 {
			node = prefixNode{addr: keyOf(r.Dst.Addr()).and(maskOf(r.Dst.Bits())), bits: uint8(r.Dst.Bits())}
		}
		items[id] = append(items[id], item{node, h.compileEntry(f, r, i, objects)})
	}
	for _, id := range ids {
		all := items[id]
		slices.SortStableFunc(all, func(a, b item) int {
			return cmp.Or(
				a.node.addr.compare(b.node.addr), cmp.Compare(a.node.bits, b.node.bits),
				-cmp.Compare(a.entry.srcBits, b.entry.srcBits),
				-cmp.Compare(a.entry.tos, b.entry.tos), cmp.Compare(a.entry.metric, b.entry.metric),
			)
		})
		t := table{id: id}
		var nodes []prefixNode
		for i := range all {
			if i == 0 || all[i].node != all[i-1].node {
				nodes = append(nodes, all[i].node)
				t.first = append(t.first, int32(i))
			}
			t.entries = append(t.entries, all[i].entry)
		}
		t.first = append(t.first, int32(len(all)))
		t.prefixes = newPrefixSet(nodes)
		h.byID[id] = int32(len(h.tables))
		h.tables = append(h.tables, t)
	}
}

// familyOf returns the family of a route, as route.Add finds it.
func familyOf(r *route.Route) route.Family {
	if r.Family != 0 {
		return r.Family
	}
	return r.Canonical().Family
}

func (h *half) compileEntry(f *FIB, r *route.Route, place int, objects map[uint32]*nexthop.Object) entry {
	e := entry{
		place: place, typ: cmp.Or(r.Type, route.TypeUnicast), tos: r.TOS, metric: r.Priority, scope: r.Scope,
		pref: r.Preference.Or(route.PrefMedium),
	}
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
		h.addObject(f, &e, r.NextHopID, 1, objects)
	case len(r.Multipath) > 0:
		for _, n := range r.Multipath {
			e.hops = append(e.hops, h.compileHop(f, n.OIF, n.Gateway, max(n.Weight, 1), n.Flags))
		}
	case r.OIF != 0 || r.Gateway.IsValid():
		e.hops = append(e.hops, h.compileHop(f, r.OIF, r.Gateway, 1, r.Flags))
	}
	for _, n := range e.hops {
		c := Candidate{OIF: n.oif, Weight: n.weight}
		if n.hasGW {
			c.Via = n.gw.addr(n.gw4)
		}
		e.candidates = append(e.candidates, c)
	}
	return e
}

// addObject adds the next hops of a nexthop object to an entry.
func (h *half) addObject(f *FIB, e *entry, id uint32, weight uint16, objects map[uint32]*nexthop.Object) {
	o := objects[id]
	switch {
	case o == nil:
	case o.Blackhole:
		e.blackhole = true
	case len(o.Group) > 0:
		for _, m := range o.Group {
			if member := objects[m.ID]; member != nil && len(member.Group) == 0 {
				h.addObject(f, e, m.ID, max(m.Weight, 1), objects)
			}
		}
	default:
		e.hops = append(e.hops, h.compileHop(f, o.OIF, o.Gateway, weight, o.Flags))
	}
}

func (h *half) compileHop(f *FIB, oif uint32, gw netip.Addr, weight uint16, flags route.Flags) hop {
	n := hop{oif: oif, weight: weight, onLink: flags&route.FlagOnLink != 0}
	if gw.IsValid() {
		n.gw, n.hasGW, n.gw4 = keyOf(gw), true, gw.Is4()
	}
	d := f.device(oif)
	n.dead = !d.up()
	n.linkDown = d != nil && d.Flags&FlagCarrier == 0
	family := 0
	if !h.v4 {
		family = 1
	}
	n.ignored = n.linkDown && d.ignoreLinkDown[family]
	return n
}
