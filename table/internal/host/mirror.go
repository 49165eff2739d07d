package host

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A Mirror has the rules, addresses and links of a host as they are now. They are read
// once, and then follow the kernel's events. A Mirror does not have routes, because the
// kernel also deletes routes without an event.
//
// The kernel reports a change before it answers the process that made the change. So a
// Mirror that has taken all events which have arrived is as new as a reading.
type Mirror struct {
	rules [len(form.Families)]ruleList
	links *route.Links
	// shared means that a State has links, which must not change from then on.
	shared bool
	addrs  map[uint32][]Address // by interface, in the kernel's order
	// unordered are interfaces whose addresses have changed: an event does not have the
	// address's place in the order.
	unordered map[uint32]bool
	// overlaps and disturbed are the state of [Mirror.Overlap].
	overlaps, disturbed bool
	// last is the State that was returned last. Nil: addresses have changed since.
	last *State
}

// Read reads everything. The caller already listens to events. Events that arrive during
// the reading may report what it has already found: then the reading was not exact.
func (m *Mirror) Read(ctx context.Context, c route.Conn) error {
	rules, err := listRules(ctx, c)
	if err != nil {
		return err
	}
	addrs, err := ListAddresses(ctx, c, 0)
	if err != nil {
		return err
	}
	// Links come last: if an address is missing because its link went down, the link is
	// seen to be down.
	links, err := route.ListLinks(ctx, c)
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	for i := range rules {
		m.rules[i] = ruleList{now: newRules(rules[i])}
	}
	m.links, m.shared, m.last = links, false, nil
	m.addrs, m.unordered = make(map[uint32][]Address), make(map[uint32]bool)
	for _, a := range addrs {
		m.addrs[a.Index] = append(m.addrs[a.Index], a)
	}
	return nil
}

// Known reports whether everything was read.
func (m *Mirror) Known() bool { return m.links != nil }

// Forget forgets everything, because events were lost.
func (m *Mirror) Forget() { *m = Mirror{} }

// Overlap sets whether events arrived during the reading, so that their changes may be
// known already. It returns whether there was no event about a rule since the last call.
func (m *Mirror) Overlap(overlaps bool) (exact bool) {
	exact = !m.disturbed
	m.overlaps, m.disturbed = overlaps, false
	return exact
}

// Rule takes an event about a rule.
func (m *Mirror) Rule(msg netlink.Message) (r rule.Rule, err error) {
	if err := r.UnmarshalBinary(msg.Data); err != nil {
		return r, fmt.Errorf("table: %w", err)
	}
	action := r.Action
	r = r.Canonical()
	r.Action = action
	if !r.Priority.IsSet() {
		r.Priority = rule.Priority(0)
	}
	if i := slices.Index(form.Families[:], r.Family); i >= 0 {
		deleted := msg.Header.Type == uapi.RTM_DELRULE
		m.disturbed = true
		if !m.overlaps || deleted || !m.rules[i].has(r) {
			m.rules[i].see(r, deleted)
		}
	}
	return r, nil
}

// Link takes an event about an interface. It returns the index of the interface, or zero if
// the event is about something else, and the names that the interface had and has.
func (m *Mirror) Link(msg netlink.Message) (index uint32, names []string, err error) {
	if m.shared {
		m.links, m.shared = m.links.Clone(), false
	}
	if len(msg.Data) >= uapi.SizeofIfInfomsg {
		names = m.links.Names(binary.NativeEndian.Uint32(msg.Data[uapi.IfInfomsgIndex:]))
	}
	if index, err = m.links.Update(msg); err != nil {
		return 0, nil, fmt.Errorf("table: %w", err)
	}
	for _, name := range m.links.Names(index) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return index, names, nil
}

// Address takes an event about an address. It returns the address, and whether anything
// relevant has changed.
func (m *Mirror) Address(msg netlink.Message) (a Address, changed bool, err error) {
	if a, err = decodeAddress(msg.Data); err != nil {
		return a, false, fmt.Errorf("table: %w", err)
	}
	all := m.addrs[a.Index]
	i := slices.IndexFunc(all, func(have Address) bool { return have.Addr == a.Addr && have.Subnet == a.Subnet })
	switch deleted := msg.Header.Type == uapi.RTM_DELADDR; {
	case !a.Addr.IsValid(), deleted && i < 0, !deleted && i >= 0 && all[i] == a:
		return a, false, nil
	case deleted:
		if m.addrs[a.Index] = slices.Delete(slices.Clone(all), i, i+1); len(all) == 1 {
			delete(m.addrs, a.Index)
		}
	case i >= 0:
		m.addrs[a.Index] = slices.Clone(all)
		m.addrs[a.Index][i] = a
	default:
		m.addrs[a.Index] = append(slices.Clip(all), a)
	}
	m.unordered[a.Index] = true
	m.last = nil
	return a, true, nil
}

// AddressesOf returns the addresses of the interface with an index.
func (m *Mirror) AddressesOf(index uint32) []Address { return m.addrs[index] }

// Order reads the addresses of interfaces whose addresses have changed, and that match, in
// the kernel's order.
func (m *Mirror) Order(ctx context.Context, c route.Conn, match func(index uint32) bool) error {
	for index := range m.unordered {
		if !match(index) || len(m.addrs[index]) < 2 {
			continue
		}
		addrs, err := listAddressesOf(ctx, c, 0, index)
		if err != nil {
			return fmt.Errorf("table: list addresses: %w", err)
		}
		m.addrs[index], m.last = addrs, nil
	}
	clear(m.unordered)
	return nil
}

// State returns the state of the host. Names of tables are those of files in the directory
// etc. The routes are not known.
func (m *Mirror) State(etc string) *State {
	s := &State{Names: NewNames(etc, m.links), Links: m.links, routes: make(map[rttables.ID][]route.Route), onLink: newSubnetTable()}
	m.shared = true
	for i := range m.rules {
		s.rules[i] = m.rules[i].rules()
	}
	if m.last != nil {
		s.Addrs, s.byAddr, s.repeated, s.byIndex = m.last.Addrs, m.last.byAddr, m.last.repeated, m.last.byIndex
	} else {
		s.Addrs = m.addresses()
		s.indexAddresses()
	}
	m.last = s
	return s
}

// addresses returns all addresses, those of IPv4 first.
func (m *Mirror) addresses() []Address {
	all := make([]Address, 0, len(m.addrs))
	indexes := slices.Sorted(maps.Keys(m.addrs))
	for _, isFirst := range []bool{true, false} {
		for _, index := range indexes {
			for _, a := range m.addrs[index] {
				if a.Addr.Is4() == isFirst {
					all = append(all, a)
				}
			}
		}
	}
	return all
}
