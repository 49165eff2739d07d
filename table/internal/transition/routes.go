package transition

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// routes adds the steps for the routes of an uplink in its tables.
func (t *transaction) routes(m *move, f route.Family) {
	adds, deletes := routeSteps(t.now, m, f)
	switch {
	case !t.now.Rules(f).LeadTo(m.Table):
		t.route = append(append(t.route, deletes...), adds...)
	case hasWayOut(t.now, m, f):
		t.change(adds...)
		t.change(deletes...)
	default:
		// The table has lost its routes with the link: no packet goes by it.
		t.route = append(t.route, adds...)
		t.drop = append(t.drop, deletes...)
	}
	for _, id := range m.OldTables {
		if m.isTemporary && id == m.OldTables[0] && t.now.Rules(f).LeadOthersTo(id, m.Spec.Proto()) {
			continue // packets of others go by them: the second transaction changes them in place
		}
		t.drop = append(t.drop, deleteRoutes(t.now, m, f, id, nil)...)
	}
}

// routeSteps returns the differences between the existing and the wanted routes of the
// uplink's table.
func routeSteps(now *host.State, m *move, f route.Family) (adds, deletes []plan.Step) {
	present := make(map[form.RouteKey]*route.Route)
	have := now.Routes(m.Table)
	for i := range slices.Backward(have) {
		if have[i].Protocol == m.Spec.Proto() { // others are not in the way, or were refused
			present[form.KeyOf(&have[i])] = &have[i]
		}
	}
	keep := make(map[form.RouteKey]bool)
	for i := range m.Routes {
		want := m.Routes[i]
		if want.Family != f {
			continue
		}
		key := form.KeyOf(&want)
		keep[key] = true
		switch have := present[key]; {
		case have == nil:
			adds = append(adds, m.step(plan.Step{Op: plan.AddRoute, Route: want}))
		case !form.SameRoute(have, &want):
			replaced := *have
			adds = append(adds, m.step(plan.Step{Op: plan.ReplaceRoute, Route: want, Replaced: &replaced}))
		}
	}
	return adds, deleteRoutes(now, m, f, m.Table, keep)
}

// deleteRoutes returns the steps that delete an uplink's routes of a table except for
// some. Routes with a gateway go first: to put them back the kernel needs those on the
// link.
func deleteRoutes(now *host.State, m *move, f route.Family, id rttables.ID, keep map[form.RouteKey]bool) []plan.Step {
	var steps []plan.Step
	routes := now.Routes(id)
	for _, gateway := range []bool{true, false} {
		for i := range slices.Backward(routes) {
			r := &routes[i]
			if r.Family == f && r.Protocol == m.Spec.Proto() && form.HasGateway(r) == gateway &&
				!form.IsClaim(r) && !keep[form.KeyOf(r)] {
				steps = append(steps, m.step(plan.Step{Op: plan.DeleteRoute, Route: *r}))
			}
		}
	}
	return steps
}

// hasWayOut reports whether the uplink's table has a default route. A table that has
// lost its routes with the link does not.
func hasWayOut(now *host.State, m *move, f route.Family) bool {
	return slices.ContainsFunc(now.Routes(m.Table), func(r route.Route) bool {
		return r.Family == f && r.Type == route.TypeUnicast && form.IsDefault(&r)
	})
}

// claims adds the steps that reserve a table and remove the reservation again, even if
// an earlier transaction has left the reservation.
func (t *transaction) claims(m *move) {
	if m.claims {
		claim := form.Claim(m.Table, m.Spec.Proto())
		t.claim = append(t.claim, m.step(plan.Step{Op: plan.AddRoute, Route: claim}))
		t.drop = append(t.drop, m.step(plan.Step{Op: plan.DeleteRoute, Route: claim}))
	}
	tables := m.Tables()
	if m.isTemporary {
		tables = tables[:1] // the others are its owner's
	}
	for _, id := range tables {
		if t.unclaimed[id] {
			continue // by the uplink of the other family
		}
		t.unclaimed[id] = true
		for _, r := range t.now.Routes(id) {
			if form.IsClaim(&r) && r.Protocol == m.Spec.Proto() {
				t.drop = append(t.drop, m.step(plan.Step{Op: plan.DeleteRoute, Route: r}))
			}
		}
	}
}
