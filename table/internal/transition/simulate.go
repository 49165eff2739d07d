package transition

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// After returns the state of the host after some steps. It does not know what else the kernel
// changes, and nothing of nf_tables.
func After(now *host.State, steps []plan.Step) *host.State {
	rules := make(map[route.Family]*ruleChange)
	routes := make(map[rttables.ID]*routeChange)
	for i := range steps {
		switch s := &steps[i]; {
		case s.Op.IsRule():
			c := rules[s.Rule.Family]
			if c == nil {
				c = newRuleChange(now.Rules(s.Rule.Family))
				rules[s.Rule.Family] = c
			}
			c.do(s)
		case s.Op.IsRoute():
			c := routes[s.Route.Table]
			if c == nil {
				c = newRouteChange(now.Routes(s.Route.Table))
				routes[s.Route.Table] = c
			}
			c.do(s)
		}
	}
	if len(rules)+len(routes) == 0 {
		return now
	}
	allRules := make(map[route.Family][]rule.Rule)
	for f, c := range rules {
		allRules[f] = c.result()
	}
	allRoutes := make(map[rttables.ID][]route.Route)
	for id, c := range routes {
		allRoutes[id] = c.result()
	}
	return now.With(allRules, allRoutes)
}

// A ruleChange has the rules of one family while steps change them.
type ruleChange struct {
	before []rule.Rule
	// place are the indexes, of each rule that can be deleted, into before, and behind
	// those into added.
	place map[rule.Rule][]int
	gone  map[int]bool
	added []rule.Rule
}

func newRuleChange(rules *host.Rules) *ruleChange {
	return &ruleChange{before: rules.All, gone: make(map[int]bool)}
}

func (c *ruleChange) do(s *plan.Step) {
	if s.Op == plan.AddRule {
		if c.place != nil {
			c.index(s.Rule, len(c.before)+len(c.added))
		}
		c.added = append(c.added, s.Rule)
		return
	}
	if c.place == nil {
		// To index the rules takes time, and is for several deletions.
		c.place = make(map[rule.Rule][]int, len(c.before))
		for i, r := range c.before {
			c.index(r, i)
		}
		for i, r := range c.added {
			c.index(r, len(c.before)+i)
		}
	}
	bare := form.Bare(s.Rule)
	if at := c.place[bare]; len(at) > 0 {
		c.gone[at[0]] = true
		c.place[bare] = at[1:]
	}
}

func (c *ruleChange) index(r rule.Rule, i int) {
	bare := form.Bare(r)
	c.place[bare] = append(c.place[bare], i)
}

// result returns the rules in their order. A new rule is behind those with the same
// priority.
func (c *ruleChange) result() []rule.Rule {
	added := make([]rule.Rule, 0, len(c.added))
	for i, r := range c.added {
		if !c.gone[len(c.before)+i] {
			added = append(added, r)
		}
	}
	slices.SortStableFunc(added, host.ComparePriority)
	all := make([]rule.Rule, 0, len(c.before)+len(added)-min(len(c.gone), len(c.before)))
	for i := range c.before {
		for len(added) > 0 && host.ComparePriority(added[0], c.before[i]) < 0 {
			all, added = append(all, added[0]), added[1:]
		}
		if !c.gone[i] {
			all = append(all, c.before[i])
		}
	}
	return append(all, added...)
}

// A routeChange has the routes of one table while steps change them.
type routeChange struct {
	routes []route.Route
	place  map[form.RouteKey]int
	gone   map[int]bool
}

func newRouteChange(routes []route.Route) *routeChange {
	c := &routeChange{routes: slices.Clone(routes), place: make(map[form.RouteKey]int), gone: make(map[int]bool)}
	for i := range slices.Backward(routes) {
		c.place[form.KeyOf(&routes[i])] = i
	}
	return c
}

func (c *routeChange) do(s *plan.Step) {
	key := form.KeyOf(&s.Route)
	i, ok := c.place[key]
	switch {
	case s.Op == plan.AddRoute:
		c.place[key] = len(c.routes)
		c.routes = append(c.routes, s.Route)
	case !ok:
	case s.Op == plan.ReplaceRoute:
		c.routes[i] = s.Route
	case s.Op == plan.DeleteRoute:
		c.gone[i] = true
		delete(c.place, key)
	}
}

func (c *routeChange) result() []route.Route {
	left := make([]route.Route, 0, len(c.routes))
	for i, r := range c.routes {
		if !c.gone[i] {
			left = append(left, r)
		}
	}
	return left
}
