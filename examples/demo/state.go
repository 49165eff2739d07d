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

// A state is all that policy routing is made of: the rules and the routes of
// all tables, in both families, and the file with the tables' names.
type state struct {
	rules, routes []string
	names         []byte
}

// state reads the server's.
func (n *network) state(ctx context.Context) (*state, error) {
	var s state
	for _, plan := range n.plans {
		for r, err := range rule.All(ctx, n.conn, rule.Filter{Family: plan.family}) {
			if err != nil {
				return nil, err
			}
			// In the kernel's order, which matters for rules.
			s.rules = append(s.rules, strings.TrimSpace(r.Text(nil)+" "+r.Flags.String()))
		}
		for r, err := range route.All(ctx, n.conn, route.Filter{Family: plan.family}) {
			if err != nil {
				return nil, err
			}
			r.CacheInfo = route.CacheInfo{} // ages and counters of use
			s.routes = append(s.routes, r.Text(&route.Names{Links: n.links}))
		}
	}
	slices.Sort(s.routes)
	var err error
	s.names, err = os.ReadFile(filepath.Join(n.etc, "rt_tables"))
	return &s, err
}

// A change is what two states differ in.
type change struct {
	rules, routes []string // that came
	gone          []string // rules and routes that went
}

// since returns what has changed since an earlier state.
func (s *state) since(earlier *state) change {
	return change{
		rules:  without(s.rules, earlier.rules),
		routes: without(s.routes, earlier.routes),
		gone:   append(without(earlier.rules, s.rules), without(earlier.routes, s.routes)...),
	}
}

// without returns the lines that are not among others. Of a line that both have
// several times, it returns those that others has not.
func without(lines, others []string) []string {
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

// ours reports whether everything that came bears the owner's mark of package
// table, and nothing went.
func (c change) ours() bool {
	mark := fmt.Sprintf(" proto %s ", table.Protocol)
	for _, l := range slices.Concat(c.rules, c.routes) {
		if !strings.Contains(l+" ", mark) {
			return false
		}
	}
	return len(c.gone) == 0
}

// tableNames reads the names of tables that are registered now.
func (n *network) tableNames() *rttables.Names {
	names, err := rttables.Load(os.DirFS(n.etc), ".")
	if err != nil {
		return nil // numbers will do
	}
	return names
}

// settle waits until the kernel has done what it does when an interface gets a
// carrier, some time later: for IPv6 it adds an address and three routes. The
// state before and after can only be the same if it does not do so in between.
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
