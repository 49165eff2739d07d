package host

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A subnetTable has the on-link prefixes of interfaces: the prefixes that table main has
// a route to without a gateway. A State and the states that follow from it share one.
type subnetTable struct {
	read     map[route.Family]bool // families that are in prefixes
	stale    map[linkFamily]bool   // of read families, those that have to be read again
	prefixes map[linkFamily][]netip.Prefix
	// routes are the destinations of all routes of main by an interface without a gateway,
	// for interfaces whose routes were read.
	routes map[linkFamily][]netip.Prefix
}

// A linkFamily is the index of an interface, in one family.
type linkFamily struct {
	index  uint32
	family route.Family
}

func newSubnetTable() *subnetTable {
	return &subnetTable{
		read: make(map[route.Family]bool), stale: make(map[linkFamily]bool), prefixes: make(map[linkFamily][]netip.Prefix),
		routes: make(map[linkFamily][]netip.Prefix),
	}
}

// onLinkProtocols are the protocols of the routes that show which prefixes are on a link:
// the kernel's own routes, which follow from addresses and router advertisements, and
// those of programs that replace the kernel in this, or apply a DHCP lease.
var onLinkProtocols = map[route.Family][]route.Protocol{
	route.IPv4: {route.ProtoKernel, route.ProtoDHCP},
	route.IPv6: {route.ProtoKernel, route.ProtoRA},
}

// IsOnLink reports whether a route of main shows that a prefix is on the link of the
// route's interface. Routes of an administrator do not show that: they are meant for main
// only.
func IsOnLink(r *route.Route) bool {
	return r.Table == rttables.Main && r.Type == route.TypeUnicast && r.OIF != 0 && r.TOS == 0 &&
		!r.Gateway.IsValid() && len(r.Multipath) == 0 && r.NextHopID == 0 && r.Encap == nil && !r.Src.IsValid() &&
		slices.Contains(onLinkProtocols[r.Family], r.Protocol) && !form.IsDefault(r) &&
		!r.Dst.Addr().IsLinkLocalUnicast() && !r.Dst.Addr().IsMulticast()
}

// ReadOnLink reads which prefixes are on the links of interfaces, in some families, unless
// that is known. The kernel selects the routes: main may have a million others.
func (s *State) ReadOnLink(ctx context.Context, c route.Conn, families ...route.Family) error {
	for _, f := range families {
		if s.knowsOnLink(f) {
			if err := s.readStale(ctx, c, f); err != nil {
				return err
			}
			continue
		}
		if err := s.readOnLinkOf(ctx, c, 0, f); err != nil {
			s.onLink.forget(f)
			return err
		}
		s.onLink.read[f] = true
	}
	return nil
}

// manyStale is the number of interfaces from which all interfaces are read again, instead
// of one by one.
const manyStale = 8

// readStale reads what was forgotten of a family.
func (s *State) readStale(ctx context.Context, c route.Conn, f route.Family) error {
	n := 0
	for at := range s.onLink.stale {
		if at.family == f {
			n++
		}
	}
	if n >= manyStale {
		s.onLink.forget(f)
		s.onLink.read[f] = false
		return s.ReadOnLink(ctx, c, f)
	}
	for at := range s.onLink.stale {
		if at.family != f {
			continue
		}
		if err := s.readOnLinkOf(ctx, c, at.index, f); err != nil {
			delete(s.onLink.prefixes, at)
			return err
		}
		delete(s.onLink.stale, at)
	}
	return nil
}

// readOnLinkOf reads the prefixes of a family on the link of an interface, or with zero of
// all.
func (s *State) readOnLinkOf(ctx context.Context, c route.Conn, index uint32, f route.Family) error {
	for _, proto := range onLinkProtocols[f] {
		for r, err := range route.All(ctx, c, route.Filter{
			Family: f, Table: rttables.Main, Type: route.TypeUnicast, Protocol: proto, OIF: index,
		}) {
			if err != nil {
				return fmt.Errorf("table: %w", err)
			}
			s.onLink.add(&r, f)
		}
	}
	return nil
}

// knowsOnLink reports whether the prefixes of a family are known. They follow from the
// routes of main, if those were read.
func (s *State) knowsOnLink(f route.Family) bool {
	if s.onLink.read[f] || !s.Knows(rttables.Main) {
		return s.onLink.read[f]
	}
	for i := range s.routes[rttables.Main] {
		s.onLink.add(&s.routes[rttables.Main][i], f)
	}
	s.onLink.read[f] = true
	return true
}

// add adds the prefix of a route of a family, if the prefix is on the link.
func (t *subnetTable) add(r *route.Route, f route.Family) {
	if r.Family != f || !IsOnLink(r) {
		return
	}
	at := linkFamily{r.OIF, f}
	t.prefixes[at] = append(t.prefixes[at], r.Canonical().Dst)
}

// forget forgets the prefixes of a family that was not read to its end.
func (t *subnetTable) forget(f route.Family) {
	for at := range t.prefixes {
		if at.family == f {
			delete(t.prefixes, at)
		}
	}
	for at := range t.stale {
		if at.family == f {
			delete(t.stale, at)
		}
	}
}

// forgetLink forgets the prefixes on the link of an interface.
func (t *subnetTable) forgetLink(index uint32) {
	for _, f := range form.Families {
		at := linkFamily{index, f}
		delete(t.prefixes, at)
		delete(t.routes, at)
		if t.read[f] {
			t.stale[at] = true
		}
	}
}

// OnLink returns the prefixes of a family that are on the link of an interface. The
// widest prefixes come first. Addresses of this host, which the kernel lists like
// prefixes, and link-local prefixes are not among them. Unless the routes of main were
// read, [State.ReadOnLink] has to read the family before.
func (s *State) OnLink(index uint32, f route.Family) []netip.Prefix {
	s.knowsOnLink(f)
	var found []netip.Prefix
	for _, p := range s.onLink.prefixes[linkFamily{index, f}] {
		if !p.IsSingleIP() || !s.IsLocal(p.Addr()) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, comparePrefix)
	return slices.Compact(found) // with other metrics the kernel has a route twice
}

// HasElsewhere reports whether another interface has addresses of a prefix on its link.
func (s *State) HasElsewhere(index uint32, p netip.Prefix) bool {
	for at, prefixes := range s.onLink.prefixes {
		if at.index != index && slices.ContainsFunc(prefixes, p.Overlaps) {
			return true
		}
	}
	return slices.ContainsFunc(s.Addrs, func(a Address) bool {
		return a.Index != index && a.Subnet.IsValid() && a.Subnet.Masked().Overlaps(p)
	})
}

// comparePrefix orders prefixes of one family: wide ones first.
func comparePrefix(a, b netip.Prefix) int {
	if a.Bits() != b.Bits() {
		return a.Bits() - b.Bits()
	}
	return a.Addr().Compare(b.Addr())
}
