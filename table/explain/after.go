package explain

import (
	"maps"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/plan"
)

// After returns the World that results if the kernel does the steps of a plan in w. Steps
// that concern neither rules nor routes are ignored. After does not change w.
func (w World) After(steps []plan.Step) World {
	routes, rules := changeOfRoutes{list: slices.Clone(w.Routes)}, slices.Clone(w.Rules)
	for i := range steps {
		switch s := &steps[i]; {
		case s.Op.IsRoute():
			routes.do(s)
		case s.Op == plan.AddRule:
			rules = addRule(rules, s.Rule)
		case s.Op == plan.DeleteRule:
			rules = deleteRule(rules, s.Rule)
		}
		if s := &steps[i]; s.Op.IsRule() && s.Rule.Family == route.IPv4 {
			w.Sysctls = maps.Clone(w.Sysctls)
			w.Sysctls.Set(customRules, "1")
		}
	}
	w.Routes, w.Rules = routes.result(), rules
	return w
}

// addRule adds a rule behind those of its family with the same priority or a lower one.
func addRule(rules []rule.Rule, r rule.Rule) []rule.Rule {
	at := len(rules)
	for i := range slices.Backward(rules) {
		if rules[i].Family != r.Family {
			continue
		}
		if rules[i].Priority.Or(0) <= r.Priority.Or(0) {
			break
		}
		at = i
	}
	return slices.Insert(rules, at, r)
}

// deleteRule deletes the first rule that is like r.
func deleteRule(rules []rule.Rule, r rule.Rule) []rule.Rule {
	bare := form.Bare(r)
	i := slices.IndexFunc(rules, func(o rule.Rule) bool { return form.Bare(o) == bare })
	if i < 0 {
		return rules
	}
	return slices.Delete(rules, i, i+1)
}

// A changeOfRoutes is a list of routes that steps change.
type changeOfRoutes struct {
	list  []route.Route
	place map[form.RouteKey]int
	gone  map[int]bool
}

func (c *changeOfRoutes) do(s *plan.Step) {
	if c.place == nil {
		c.place, c.gone = make(map[form.RouteKey]int), make(map[int]bool)
		for i := range slices.Backward(c.list) {
			c.place[form.KeyOf(&c.list[i])] = i
		}
	}
	k := form.KeyOf(&s.Route)
	i, ok := c.place[k]
	switch {
	case s.Op == plan.DeleteRoute && ok:
		c.gone[i] = true
		delete(c.place, k)
	case s.Op == plan.DeleteRoute:
	case s.Op == plan.ReplaceRoute && ok:
		c.list[i] = s.Route
	default:
		c.place[k] = len(c.list)
		c.list = append(c.list, s.Route)
	}
}

func (c *changeOfRoutes) result() []route.Route {
	left := c.list[:0]
	for i := range c.list {
		if !c.gone[i] {
			left = append(left, c.list[i])
		}
	}
	return left
}
