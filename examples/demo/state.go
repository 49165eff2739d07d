package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A state is the state of policy routing: the rules and the routes of all tables in both
// families, and the file with the names of tables.
type state struct {
	rules, routes []string
	names         []byte
}

// state reads the state of the server.
func (n *network) state(ctx context.Context) (*state, error) {
	var s state
	for _, plan := range n.plans {
		for r, err := range rule.All(ctx, n.conn, rule.Filter{Family: plan.family}) {
			if err != nil {
				return nil, err
			}
			// The order of rules matters, so they are not sorted.
			s.rules = append(s.rules, strings.TrimSpace(r.Text(nil)+" "+r.Flags.String()))
		}
		for r, err := range route.All(ctx, n.conn, route.Filter{Family: plan.family}) {
			if err != nil {
				return nil, err
			}
			r.CacheInfo = route.CacheInfo{} // times and counters change
			s.routes = append(s.routes, r.Text(&route.Names{Links: n.links}))
		}
	}
	slices.Sort(s.routes)
	var err error
	s.names, err = os.ReadFile(filepath.Join(n.etc, "rt_tables"))
	return &s, err
}

// A change is the difference of two states.
type change struct {
	addedRules, addedRoutes []string
	removed                 []string // rules and routes
}

// changesSince returns the change since an earlier state.
func (s *state) changesSince(earlier *state) change {
	return change{
		addedRules:  subtract(s.rules, earlier.rules),
		addedRoutes: subtract(s.routes, earlier.routes),
		removed:     append(subtract(earlier.rules, s.rules), subtract(earlier.routes, s.routes)...),
	}
}

// subtract returns the lines without those of others. A line that lines has more often than
// others stays in the result as often as it has it more.
func subtract(lines, others []string) []string {
	left := make(map[string]int)
	for _, l := range others {
		left[l]++
	}
	var out []string
	for _, l := range lines {
		if left[l] > 0 {
			left[l]--
			continue
		}
		out = append(out, l)
	}
	return out
}

// isOnlyOurs reports whether all that was added has the protocol of package table, and
// nothing was removed.
func (c change) isOnlyOurs() bool {
	mark := fmt.Sprintf(" proto %s ", table.Protocol)
	for _, l := range slices.Concat(c.addedRules, c.addedRoutes) {
		if !strings.Contains(l+" ", mark) {
			return false
		}
	}
	return len(c.removed) == 0
}

// tableNames reads the names of tables from rt_tables.
func (n *network) tableNames() *rttables.Names {
	names, err := rttables.Load(os.DirFS(n.etc), ".")
	if err != nil {
		return nil // numbers are printed instead
	}
	return names
}

// settle waits until the kernel has added the IPv6 link-local address and its three routes
// to each interface. The kernel does that some time after an interface gets a carrier. If it
// did so during the story, the states before and after would differ.
func (n *network) settle(ctx context.Context, patience time.Duration) error {
	if len(n.plans) == 1 {
		return nil
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		found := make(map[uint32]int)
		for r, err := range route.All(ctx, n.conn, route.Filter{Family: route.IPv6}) {
			if err != nil {
				return err
			}
			if a := r.Dst.Addr(); a.IsLinkLocalUnicast() || a.IsMulticast() {
				found[r.OIF]++
			}
		}
		ready := 0
		for _, routes := range found {
			if routes >= 3 {
				ready++
			}
		}
		switch {
		case ready >= len(n.routers):
			return nil
		case time.Now().After(end):
			return fmt.Errorf("no IPv6 link-local address on the server after %v", patience)
		}
	}
}
