package table

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// table is the uplink's table.
func (s *state) table(u *SourceRoutedUplink, sources []netip.Addr) (rttables.ID, error) {
	if u.Table != 0 {
		return u.Table, s.checkName(u, u.Table)
	}
	if u.Name != "" {
		if id, ok := s.names.get().Files.Lookup(u.Name); ok {
			if reserved(id) {
				return 0, u.field("Name", "%s is a table of the system", u.Name)
			}
			return id, nil
		}
	}
	if id, ok := s.tableOf(u, sources); ok {
		return id, nil
	}
	return 0, nil // claim finds one
}

// tableOf finds the table that the sources are looked up in by rules of ours.
func (s *state) tableOf(u *SourceRoutedUplink, sources []netip.Addr) (rttables.ID, bool) {
	for _, r := range s.rules {
		if r.Protocol == u.protocol() && isRung(r) && !reserved(r.Table) && slices.Contains(sources, r.From.Addr()) {
			return r.Table, true
		}
	}
	return 0, false
}

// reserved reports whether a table is one of the system's.
func reserved(id rttables.ID) bool {
	return id == rttables.Unspec || id >= rttables.Compat && id <= rttables.Local
}

// claim returns the lowest table that nothing uses.
func (s *state) claim(ctx context.Context, c route.Conn, all []*wanted) (rttables.ID, error) {
	used := make(map[rttables.ID]bool)
	for r, err := range route.All(ctx, c, route.Filter{}) {
		if err != nil {
			return 0, fmt.Errorf("table: %w", err)
		}
		used[r.Table] = true
	}
	for _, r := range s.rules {
		used[r.Table] = true
	}
	for id := range s.names.get().Files.All() {
		used[id] = true
	}
	for _, w := range all {
		used[w.table] = true
	}
	for _, id := range s.claimed {
		used[id] = true
	}
	id := rttables.ID(1)
	for used[id] || reserved(id) {
		id++
	}
	return id, nil
}

// claimRoute is a route that changes nothing: what finds no other in the table
// goes on with the next rule, as it would without. The kernel has one such route
// a table, and gives it to the first who asks. A claim is always of IPv4, so that
// the uplinks of both families see each other's.
func claimRoute(w *wanted) route.Route {
	return route.Route{
		Family: route.IPv4, Type: route.TypeThrow, Table: w.table, Priority: math.MaxUint32,
		Protocol: w.uplink.protocol(),
	}
}

// isClaim reports whether a route has the form of a claim.
func isClaim(r route.Route) bool {
	return r.Family == route.IPv4 && r.Type == route.TypeThrow && r.Priority == math.MaxUint32 &&
		r.Canonical().Dst.Bits() <= 0
}

// checkClaim fails with fs.ErrExist if a table that was claimed turns out to be in
// use: someone has taken it between the look at it and the claim.
func checkClaim(ctx context.Context, c route.Conn, id rttables.ID) error {
	for r, err := range route.All(ctx, c, route.Filter{Table: id}) {
		if err != nil {
			return err
		}
		if !isClaim(r) {
			return fmt.Errorf("table %d has a route meanwhile: %w", uint32(id), fs.ErrExist)
		}
	}
	for r, err := range rule.All(ctx, c, rule.Filter{Table: id}) {
		if err != nil {
			return err
		}
		return fmt.Errorf("table %d has a rule meanwhile, %s: %w", uint32(id), r, fs.ErrExist)
	}
	return nil
}
