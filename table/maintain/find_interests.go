package maintain

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// findInterests returns which events concern which groups now. It returns nil if the state
// of the host is not known; every event then concerns all groups.
func (m *maintainer) findInterests() *interests {
	r := m.earlier
	if r == nil {
		return nil
	}
	i := &interests{
		protocols: make(map[route.Protocol]bool),
		tables:    make(map[rttables.ID][]int), addrs: make(map[netip.Addr][]int), links: make(map[uint32][]int),
		names: make(map[string][]int), selectors: make(map[rule.Rule][]int), learners: make(map[rttables.ID][]int),
		lookedUp: make(map[rttables.ID][]int),
	}
	for _, p := range m.protocols {
		i.protocols[p] = true
	}
	if d := m.shared.wanted; d != nil {
		i.shared, i.protocols[d.Protocol] = d.Table, true
	}
	for n, g := range m.groups {
		i.addGroup(r, n, g)
	}
	return i
}

// addGroup adds the interests of a group with an index.
func (i *interests) addGroup(r *reading, n int, g *group) {
	for _, id := range g.tables {
		put(i.tables, id, n)
	}
	for _, k := range g.uplinks {
		i.addUplink(r, n, k)
	}
	for x := range g.resolutions {
		p := g.resolutions[x].policy
		if p == nil {
			continue
		}
		for _, r := range p.Also {
			put(i.selectors, form.Selector(r), n)
		}
		for _, network := range p.Prefixes {
			i.networks = append(i.networks, networkInterest{network, n})
		}
		if p.Spec.NoSources { // which interfaces have its networks as well
			for _, network := range append(p.OnLink, p.Spec.Subnets...) {
				i.networks = append(i.networks, networkInterest{network.Masked(), n})
			}
			for _, a := range r.now.AddressesOf(p.Index) {
				if a.Subnet.IsValid() {
					i.networks = append(i.networks, networkInterest{a.Subnet.Masked(), n})
				}
			}
		}
	}
	for s := range g.suspicions {
		for id := range g.suspicions[s].tables() {
			put(i.lookedUp, id, n)
		}
	}
}

// addUplink adds the interests of an uplink of the group with an index.
func (i *interests) addUplink(r *reading, n int, k *maintainedUplink) {
	spec := k.currentSpec()
	for _, id := range []rttables.ID{k.table(), k.Table, k.memory.oldTable} {
		if id != 0 {
			put(i.tables, id, n)
		}
	}
	if k.Learn != 0 {
		i.addLearner(r, n, k)
	}
	if k.obstructed || k.lacksShared {
		i.waiting = append(i.waiting, n)
	}
	if k.memory.index != 0 { // also if it was renamed
		put(i.links, k.memory.index, n)
	}
	devs := append([]string{k.Interface}, k.SourceInterfaces...)
	for _, x := range k.Also {
		devs = append(devs, x.IIF, x.OIF)
	}
	for d, dev := range devs {
		if dev == "" {
			continue
		}
		put(i.names, dev, n)
		index, ok := r.now.Link(dev)
		if !ok {
			continue
		}
		put(i.links, index, n)
		if d == 0 {
			for _, a := range r.now.AddressesOf(index) {
				put(i.addrs, a.Addr, n)
			}
		}
	}
	for _, some := range [][]netip.Addr{k.Sources, k.memory.sources, spec.Gateways()} {
		for _, a := range some {
			put(i.addrs, a, n)
		}
	}
	i.addSources(r, n, k)
}

// addLearner adds the interests of an uplink that learns its default routes. A gateway that
// is this host itself does not count.
func (i *interests) addLearner(r *reading, n int, k *maintainedUplink) {
	put(i.learners, k.learnTable(), n)
	index, _ := r.now.Link(k.Interface)
	for _, d := range r.defaults[interfaceTable{index, k.Learn, k.learnTable()}] {
		for _, h := range form.NextHops(&d) {
			put(i.addrs, h.Gateway, n)
		}
	}
}

// addSources adds the sources of an uplink whose packets rules of other programs can take.
func (i *interests) addSources(r *reading, n int, k *maintainedUplink) {
	if !k.isComplete() {
		return
	}
	for _, a := range k.status.usable {
		x := &i.before[familyIndex(route.FamilyOf(a))]
		if prio, ok := r.firstRung(k, a); ok {
			x.last = max(x.last, prio)
			x.sources = append(x.sources, sourceInterest{a, n})
		}
	}
}

// put adds a group to those at a key, unless it was the last one.
func put[K comparable](m map[K][]int, key K, n int) {
	if all := m[key]; len(all) == 0 || all[len(all)-1] != n {
		m[key] = append(all, n)
	}
}
