package table

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// do does a step to the state, as the kernel will: so that what comes after it
// can be planned.
func (s *state) do(step Step) {
	table := step.Route.Table
	same := func(r route.Route) bool { return keyOf(r) == keyOf(step.Route) }
	switch step.Op {
	case AddRoute:
		s.routes[table] = append(slices.Clone(s.routes[table]), step.Route)
	case ReplaceRoute:
		s.routes[table] = slices.Clone(s.routes[table])
		if i := slices.IndexFunc(s.routes[table], same); i >= 0 {
			s.routes[table][i] = step.Route
		}
	case DeleteRoute:
		s.routes[table] = slices.DeleteFunc(slices.Clone(s.routes[table]), same)
	case AddRule:
		s.addRule(step.Rule)
	case DeleteRule:
		if i := slices.IndexFunc(s.rules, func(r rule.Rule) bool { return bare(r) == bare(step.Rule) }); i >= 0 {
			s.rules = slices.Delete(slices.Clone(s.rules), i, i+1)
		}
	}
}

// addRule puts a rule behind those of its family with the same priority.
func (s *state) addRule(r rule.Rule) {
	i := len(s.rules)
	for j, have := range s.rules {
		if have.Family == r.Family && have.Priority.Or(0) > r.Priority.Or(0) {
			i = j
			break
		}
	}
	s.rules = slices.Insert(slices.Clone(s.rules), i, r)
}

// route is the route that there is with a key.
func (s *state) route(k routeKey) (route.Route, bool) {
	for _, r := range s.routes[k.table] {
		if keyOf(r) == k {
			return r, true
		}
	}
	return route.Route{}, false
}

// contains reports whether a rule is among others.
func contains(rules []rule.Rule, r rule.Rule) bool {
	return slices.ContainsFunc(rules, func(o rule.Rule) bool { return bare(o) == bare(r) })
}
