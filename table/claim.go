package table

import (
	"context"
	"fmt"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// table is the uplink's table.
func (s *state) table(u *SourceRoutedUplink, sources []address) (rttables.ID, error) {
	if u.Table != 0 {
		return u.Table, s.checkName(u, u.Table)
	}
	if u.Name != "" {
		if id, ok := s.names.Files.Lookup(u.Name); ok {
			if reserved(id) {
				return 0, u.field("Name", "%s is a table of the system", u.Name)
			}
			return id, nil
		}
	}
	if id, ok := s.installed(u, sources); ok {
		return id, nil
	}
	return 0, nil // claim finds one
}

// installed finds the table that the sources are looked up in by rules of ours.
func (s *state) installed(u *SourceRoutedUplink, sources []address) (rttables.ID, bool) {
	for _, r := range s.rules {
		if r.Protocol != u.protocol() || r.Action != rule.ActionLookup {
			continue
		}
		for _, a := range sources {
			if r.From == host(a.addr) && !reserved(r.Table) {
				return r.Table, true
			}
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
	for id := range s.names.Files.All() {
		used[id] = true
	}
	for _, w := range all {
		used[w.table] = true
	}
	id := rttables.ID(1)
	for used[id] || reserved(id) {
		id++
	}
	return id, nil
}
