package host

import (
	"context"
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
)

// FreeTable returns the lowest table that nothing uses: no route, no rule, no name,
// and none of those that are taken. It reads which tables have routes, unless that
// is known. A table that has lost its routes since then counts as used.
func (s *State) FreeTable(ctx context.Context, c route.Conn, taken map[rttables.ID]bool) (rttables.ID, error) {
	if s.used == nil {
		used := make(map[rttables.ID]bool)
		if !s.whole {
			for r, err := range route.All(ctx, c, route.Filter{}) {
				if err != nil {
					return 0, fmt.Errorf("table: %w", err)
				}
				used[r.Table] = true
			}
		}
		s.used = used
	}
	if s.named == nil {
		s.named = make(map[rttables.ID]bool)
		for id := range s.Names.Files().All() {
			s.named[id] = true
		}
	}
	id := rttables.ID(1)
	for s.used[id] || s.named[id] || taken[id] || form.IsSystemTable(id) || len(s.routes[id]) > 0 ||
		slices.ContainsFunc(s.rules[:], func(rs *Rules) bool { return rs.LeadTo(id) }) {
		id++
	}
	return id, nil
}
