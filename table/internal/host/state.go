package host

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A State is what an uplink depends on, as it was found. It may be used by one
// goroutine at a time.
type State struct {
	Names *Names
	Links *route.Links // nil: not read
	Addrs []Address    // in the kernel's order; nil: not read

	// onlyFamily is the family of Addrs, if others were not read. Zero: all were.
	onlyFamily route.Family

	rules  [len(form.Families)]*Rules
	routes map[rttables.ID][]route.Route
	// whole says that routes has all tables there are.
	whole bool
	// used are the tables that have a route, or had one when that was read. Nil: not read.
	used map[rttables.ID]bool
	// named are the tables that have a name. Nil: not read.
	named map[rttables.ID]bool

	onLink *subnetTable

	// known are interfaces that were read one by one, by a name of theirs. It is used
	// while Links is nil.
	known map[string]*route.Links
	// former are alternative names that interfaces had, see [State.KeepFormer].
	former map[string]uint32
	// held are names that other interfaces have for now, see [State.HoldLink].
	held map[string]uint32

	// Indexes of Addrs, nil until they are needed.
	byAddr map[netip.Addr]int
	// repeated are the addresses that are more than once among Addrs. It is made with
	// byAddr.
	repeated map[netip.Addr]bool
	byIndex  map[uint32][]Address
}

// Read reads rules, addresses and links of the network namespace that c is in, each
// once. Links come last: if an address is missing because its link went down, the link is
// seen to be down. Names of tables are those of files in the directory etc; an empty etc stands
// for /etc/iproute2.
func Read(ctx context.Context, c route.Conn, etc string) (*State, error) {
	s, err := ReadRules(ctx, c, etc)
	if err == nil {
		err = s.ReadAddresses(ctx, c)
	}
	if err == nil {
		err = s.ReadLinks(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	s.Names = NewNames(etc, s.Links)
	return s, nil
}

// ReadRules is Read for who may not need links and addresses. These are read by
// [State.ReadLinks], [State.ReadLink] and [State.ReadAddresses], or, for text, when a
// name is first needed.
func ReadRules(ctx context.Context, c route.Conn, etc string) (*State, error) {
	s := &State{routes: make(map[rttables.ID][]route.Route), onLink: newSubnetTable()}
	s.Names = LazyNames(etc, func() *route.Links {
		// A text is needed also after ctx has ended, and if nothing can be read any more.
		if s.ReadLinks(context.WithoutCancel(ctx), c) != nil {
			return s.knownLinks()
		}
		return s.Links
	})
	rules, err := listRules(ctx, c)
	if err != nil {
		return nil, err
	}
	for i := range rules {
		s.rules[i] = newRules(rules[i])
	}
	return s, nil
}

// listRules reads the rules of each family.
func listRules(ctx context.Context, c route.Conn) (by [len(form.Families)][]rule.Rule, err error) {
	rules, err := rule.List(ctx, c, rule.Filter{})
	if err != nil {
		return by, fmt.Errorf("table: %w", err)
	}
	// The kernel lists one family after the other.
	for i, f := range form.Families {
		from := slices.IndexFunc(rules, func(r rule.Rule) bool { return r.Family == f })
		to := from
		for to >= 0 && to < len(rules) && rules[to].Family == f {
			to++
		}
		by[i] = slices.Clip(rules[max(from, 0):max(to, 0)])
	}
	return by, nil
}

// ReadAddresses reads the addresses of some families, unless they are known. No
// families stands for both.
func (s *State) ReadAddresses(ctx context.Context, c route.Conn, families ...route.Family) error {
	f := route.Family(0)
	if len(families) == 1 {
		f = families[0]
	}
	if s.Addrs != nil && (s.onlyFamily == 0 || s.onlyFamily == f) {
		return nil
	}
	addrs, err := ListAddresses(ctx, c, f)
	s.Addrs, s.onlyFamily, s.byAddr, s.byIndex = addrs, f, nil, nil
	return err
}

// Make returns the state of a host of which everything is known: rules in their
// order, and the routes of all tables.
func Make(names *Names, links *route.Links, addrs []Address, rules []rule.Rule, routes []route.Route) *State {
	s := &State{
		Names: names, Links: links, Addrs: addrs, routes: make(map[rttables.ID][]route.Route), whole: true,
		onLink: newSubnetTable(),
	}
	s.setRules(rules)
	for _, r := range routes {
		if isFamily(r.Family) {
			s.routes[r.Table] = append(s.routes[r.Table], r)
		}
	}
	return s
}

func isFamily(f route.Family) bool { return slices.Contains(form.Families[:], f) }

// setRules sorts rules by family.
func (s *State) setRules(all []rule.Rule) {
	for i, f := range form.Families {
		n := 0
		for k := range all {
			if all[k].Family == f {
				n++
			}
		}
		some := make([]rule.Rule, 0, n)
		for k := range all {
			if all[k].Family == f {
				some = append(some, all[k])
			}
		}
		s.rules[i] = newRules(some)
	}
}

// Rules returns the rules of a family.
func (s *State) Rules(f route.Family) *Rules {
	if i := slices.Index(form.Families[:], f); i >= 0 {
		return s.rules[i]
	}
	return newRules(nil)
}

// Address returns the address of this host that is a.
func (s *State) Address(a netip.Addr) (Address, bool) {
	if s.byAddr == nil {
		s.byAddr, s.repeated = make(map[netip.Addr]int, len(s.Addrs)), nil
		for i, have := range slices.Backward(s.Addrs) {
			if _, known := s.byAddr[have.Addr]; known {
				if s.repeated == nil {
					s.repeated = make(map[netip.Addr]bool)
				}
				s.repeated[have.Addr] = true
			}
			s.byAddr[have.Addr] = i
		}
	}
	i, ok := s.byAddr[a]
	if !ok {
		return Address{}, false
	}
	return s.Addrs[i], true
}

// indexAddresses makes the indexes of addresses, which other states are to share.
func (s *State) indexAddresses() {
	s.Address(netip.Addr{})
	s.AddressesOf(0)
}

// IsRepeated reports whether more than one interface of this host has an address.
func (s *State) IsRepeated(a netip.Addr) bool {
	_, ok := s.Address(a)
	return ok && s.repeated[a]
}

// AddressesOf returns the addresses of the interface with an index.
func (s *State) AddressesOf(index uint32) []Address {
	if s.byIndex == nil {
		s.byIndex = make(map[uint32][]Address)
		for _, a := range s.Addrs {
			s.byIndex[a.Index] = append(s.byIndex[a.Index], a)
		}
	}
	return s.byIndex[index]
}

// IsLocal reports whether a is one of this host's addresses.
func (s *State) IsLocal(a netip.Addr) bool {
	_, ok := s.Address(a)
	return ok
}

// ReadRoutes reads the routes of a table, both families, unless they are known.
func (s *State) ReadRoutes(ctx context.Context, c route.Conn, id rttables.ID) error {
	if _, ok := s.routes[id]; ok || s.whole {
		return nil
	}
	routes, err := route.List(ctx, c, route.Filter{Table: id})
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	s.routes[id] = routes
	return nil
}

// KeepRoutes takes over what another State has read of routes, except for tables that are
// stale. These may be used.
func (s *State) KeepRoutes(o *State, stale map[rttables.ID]bool) {
	for id, routes := range o.routes {
		if !stale[id] {
			s.routes[id] = routes
		}
	}
	if s.used = o.used; s.used != nil && len(stale) > 0 {
		s.used = maps.Clone(o.used)
		maps.Copy(s.used, stale)
	}
	s.onLink = o.onLink
}

// ForgetTable forgets the routes of a table. They are read again when they are needed.
func (s *State) ForgetTable(id rttables.ID) { delete(s.routes, id) }

// Routes returns the routes of a table that was read.
func (s *State) Routes(id rttables.ID) []route.Route { return s.routes[id] }

// Tables returns the tables that were read, in ascending order.
func (s *State) Tables() []rttables.ID { return slices.Sorted(maps.Keys(s.routes)) }

// Knows reports whether the routes of a table were read.
func (s *State) Knows(id rttables.ID) bool {
	_, ok := s.routes[id]
	return ok || s.whole
}

// OwnRoutes returns the routes with one of some protocols, of all tables but the
// system's, and reads the rest of their tables.
func (s *State) OwnRoutes(ctx context.Context, c route.Conn, protocols ...route.Protocol) ([]route.Route, error) {
	var own []route.Route
	if s.whole {
		for _, id := range s.Tables() {
			for _, r := range s.routes[id] {
				if slices.Contains(protocols, r.Protocol) && !form.IsSystemTable(r.Table) {
					own = append(own, r)
				}
			}
		}
		return own, nil
	}
	for _, proto := range protocols {
		for r, err := range route.All(ctx, c, route.Filter{Protocol: proto}) {
			if err != nil {
				return nil, fmt.Errorf("table: %w", err)
			}
			if isFamily(r.Family) && !form.IsSystemTable(r.Table) {
				own = append(own, r)
			}
		}
	}
	for _, r := range own {
		if err := s.ReadRoutes(ctx, c, r.Table); err != nil {
			return nil, err
		}
	}
	return own, nil
}

// With returns the state with other rules of some families, and other routes in
// some tables.
func (s *State) With(rules map[route.Family][]rule.Rule, routes map[rttables.ID][]route.Route) *State {
	next := *s
	for i, f := range form.Families {
		if all, ok := rules[f]; ok {
			next.rules[i] = newRules(all)
		}
	}
	if len(routes) > 0 {
		next.routes = maps.Clone(s.routes)
		maps.Copy(next.routes, routes)
	}
	return &next
}

// WithNames returns the state with other names.
func (s *State) WithNames(names *Names) *State {
	next := *s
	next.Names, next.named = names, nil
	return &next
}

// ComparePriority orders rules of one family by their priorities.
func ComparePriority(a, b rule.Rule) int { return cmp.Compare(a.Priority.Or(0), b.Priority.Or(0)) }
