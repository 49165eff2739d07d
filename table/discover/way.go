package discover

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// A way is a default route by one interface and gateway, in a table of a script or in
// main.
type way struct {
	family  route.Family
	index   uint32
	gateway netip.Addr // the zero Addr: the destinations are on the link
	table   rttables.ID
	out     route.Route  // the default route
	main    *route.Route // the default route in main by the same gateway; nil: there is none

	rungs []rule.Rule // from addresses of the interface
	also  []rule.Rule // that look up the table for other packets
	name  string
}

// A search has the facts about a host while its uplinks are looked for.
type search struct {
	now  *host.State
	ways []*way
	// taken are rules that an uplink replaces.
	taken form.Set
	// mainFirst are main-first rules, by the rule of a script that each belongs to.
	mainFirst map[rule.Rule]rule.Rule
}

func newSearch(now *host.State) *search {
	return &search{now: now, taken: form.MakeSet(), mainFirst: make(map[rule.Rule]rule.Rule)}
}

// host finds everything.
func (x *search) host() *Host {
	found := &Host{}
	for _, f := range form.Families {
		x.findTables(f)
		x.findMain(f)
	}
	x.sort()
	x.nameAll()
	for _, w := range x.ways {
		if u, ok := x.uplinkOf(w); ok {
			found.Uplinks = append(found.Uplinks, u)
		}
	}
	x.keepOrder(found)
	found.Others = x.others()
	for _, f := range form.Families {
		for _, r := range x.now.Rules(f).All {
			if !x.taken.Has(r) && r.Protocol != route.ProtoKernel && !isSystemRule(&r) {
				found.Rules = append(found.Rules, r)
			}
		}
	}
	return found
}

// isSystemRule reports whether every host has a rule.
func isSystemRule(r *rule.Rule) bool {
	return form.LooksUpForAll(r, rttables.Local) || form.LooksUpForAll(r, rttables.Main) || form.LooksUpForAll(r, rttables.Default)
}

// sort orders ways as an administrator would: by interface, IPv4 first.
func (x *search) sort() {
	slices.SortStableFunc(x.ways, func(a, b *way) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.family, b.family), cmp.Compare(a.table, b.table))
	})
}

// nextHops returns the interfaces and gateways that packets on a route leave by.
func nextHops(r *route.Route) []route.NextHop {
	if len(r.Multipath) > 0 {
		return r.Multipath
	}
	return []route.NextHop{{OIF: r.OIF, Gateway: r.Gateway, Flags: r.Flags}}
}

// findTables finds the ways in tables that rules of scripts look up.
func (x *search) findTables(f route.Family) {
	byTable := make(map[rttables.ID]*way)
	seen := make(map[rttables.ID]bool)
	for _, r := range x.now.Rules(f).All {
		if r.Action != rule.ActionLookup || form.IsSystemTable(r.Table) || !selectsSome(&r) || !form.IsScriptProtocol(r.Protocol) {
			continue
		}
		if !seen[r.Table] {
			seen[r.Table] = true
			if w := x.wayIn(f, r.Table); w != nil {
				byTable[r.Table] = w
				x.ways = append(x.ways, w)
			}
		}
		if w := byTable[r.Table]; w != nil {
			x.addRule(w, r)
		}
	}
	for _, w := range byTable {
		x.addLadder(w)
	}
}

// selectsSome reports whether a rule selects some packets, but not all, such as those that
// a VPN leaves to other routes.
func selectsSome(r *rule.Rule) bool {
	all := rule.Rule{
		Family: r.Family, Priority: r.Priority, Action: r.Action, Table: r.Table, Protocol: r.Protocol,
		SuppressPrefixLength: r.SuppressPrefixLength, Flags: r.Flags,
	}
	return !r.Not && *r != all && !r.L3MDev
}

// wayIn returns the way of a table, or nil if its first default route is not by one
// interface.
func (x *search) wayIn(f route.Family, id rttables.ID) *way {
	out := x.defaultIn(f, id)
	if out == nil || out.OIF == 0 || len(out.Multipath) > 0 {
		return nil
	}
	return &way{family: f, index: out.OIF, gateway: out.Gateway, table: id, out: *out}
}

// defaultIn returns the default route of a table that packets take.
func (x *search) defaultIn(f route.Family, id rttables.ID) *route.Route {
	var found *route.Route
	routes := x.now.Routes(id)
	for i := range routes {
		r := &routes[i]
		if r.Family == f && r.Type == route.TypeUnicast && form.IsDefault(r) && r.TOS == 0 && !r.Src.IsValid() &&
			(found == nil || r.Canonical().Priority < found.Canonical().Priority) {
			found = r
		}
	}
	return found
}

// addRule gives a way a rule that looks up its table.
func (x *search) addRule(w *way, r rule.Rule) {
	x.taken[form.Bare(r)] = struct{}{}
	switch a, ok := x.now.Address(r.From.Addr()); {
	case form.IsRung(&r) && ok && (a.Index == w.index || a.Global):
		if !r.SuppressPrefixLength.IsSet() {
			w.rungs = append(w.rungs, r)
		}
	case isToAddress(&r) && x.now.IsLocal(r.To.Addr()): // it decides about no packet
	case !slices.ContainsFunc(w.also, func(o rule.Rule) bool { return form.Like(o) == form.Like(r) }):
		w.also = append(w.also, r)
	}
}

// isToAddress reports whether a rule selects packets to an address, and has no other
// selector.
func isToAddress(r *rule.Rule) bool {
	return r.To.IsSingleIP() && *r == rule.Rule{
		Family: r.Family, Priority: r.Priority, To: r.To, Action: r.Action, Table: r.Table, Protocol: r.Protocol, Flags: r.Flags,
	}
}

// addLadder takes the rules from a way's sources that do not look up its table.
func (x *search) addLadder(w *way) {
	for _, r := range x.now.Rules(w.family).All {
		if form.IsRung(&r) && form.IsSystemTable(r.Table) && form.IsScriptProtocol(r.Protocol) && slices.Contains(w.sources(), r.From.Addr()) {
			x.taken[form.Bare(r)] = struct{}{}
		}
	}
}

// sources returns the addresses that rules look up the way's table for.
func (w *way) sources() []netip.Addr {
	_, sources := form.BySource(w.rungs)
	return sources
}

// findMain finds the ways in table main that no table of a script has.
func (x *search) findMain(f route.Family) {
	for _, r := range x.now.Routes(rttables.Main) {
		if r.Family != f || r.Type != route.TypeUnicast || !form.IsDefault(&r) || r.TOS != 0 || r.Src.IsValid() {
			continue
		}
		for _, hop := range nextHops(&r) {
			if hop.OIF == 0 {
				continue
			}
			known := false
			for _, w := range x.ways {
				if w.family == f && w.index == hop.OIF && w.gateway == hop.Gateway {
					known = true
					if w.main == nil {
						w.main = &r
					}
				}
			}
			if !known {
				out := r
				out.OIF, out.Gateway, out.Flags, out.Multipath = hop.OIF, hop.Gateway, hop.Flags, nil
				x.ways = append(x.ways, &way{family: f, index: hop.OIF, gateway: hop.Gateway, out: out, main: &r})
			}
		}
	}
}

// global returns the global addresses of an interface in a family.
func (x *search) global(index uint32, f route.Family) []netip.Addr {
	var all []netip.Addr
	for _, a := range x.now.AddressesOf(index) {
		if a.Global && route.FamilyOf(a.Addr) == f {
			all = append(all, a.Addr)
		}
	}
	return all
}

// others returns the interfaces with addresses and without a way.
func (x *search) others() []Interface {
	var all []Interface
	for _, a := range x.now.Addrs {
		if !a.Global || a.Addr.IsLoopback() || slices.ContainsFunc(x.ways, func(w *way) bool { return w.index == a.Index }) {
			continue
		}
		name := x.now.Links.Name(a.Index)
		i := slices.IndexFunc(all, func(o Interface) bool { return o.Name == name })
		if i < 0 {
			i, all = len(all), append(all, Interface{Name: name})
		}
		all[i].Addresses = append(all[i].Addresses, a.Addr)
	}
	return all
}

// nameAll names the ways: by the name of their table, by the name of the other family's
// way by the same interface, or by the interface.
func (x *search) nameAll() {
	used := make(map[string]rttables.ID)
	for id, name := range x.now.Names.Files().All() {
		used[name] = id
	}
	for _, w := range x.ways {
		if name := x.now.Names.Table(w.table); w.table != 0 && used[name] == w.table {
			w.name = name
		}
	}
	for _, w := range x.ways {
		if w.name == "" {
			w.name = x.nameFor(w, used)
		}
	}
}

func (x *search) nameFor(w *way, used map[string]rttables.ID) string {
	for _, o := range x.ways {
		sameTable := o.table == w.table && w.table != 0
		if o.name != "" && o.family != w.family && (sameTable || o.index == w.index && w.table == 0 && !x.isShared(o.name, w.family)) {
			return o.name
		}
	}
	base := x.now.Links.Name(w.index)
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		if id, ok := used[name]; (!ok || id == w.table && id != 0) && !slices.ContainsFunc(x.ways, func(o *way) bool { return o.name == name }) {
			return name
		}
	}
}

// isShared reports whether a way of a family has a name.
func (x *search) isShared(name string, f route.Family) bool {
	return slices.ContainsFunc(x.ways, func(o *way) bool { return o.name == name && o.family == f })
}

// list joins texts.
func list[T fmt.Stringer](all []T) string {
	var words []string
	for _, v := range all {
		words = append(words, v.String())
	}
	return strings.Join(words, ", ")
}
