package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/owner"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// defaultQueries returns lookups of packets without a source, which use the shared
// default route.
func (f *facts) defaultQueries(family route.Family) []route.Query {
	var all []route.Query
	if d := f.config.Default; d != nil && cmp.Or(d.Table, rttables.Main) == rttables.Main {
		for _, a := range farAddrs[family] {
			all = append(all, route.Query{Dst: a, FibMatch: true})
		}
	}
	return all
}

// checkDefault finds out whether the shared default route is installed, and has an
// effect.
func (e *examiner) checkDefault() []Finding {
	d := e.config.Default
	if d == nil {
		return nil
	}
	id, proto := cmp.Or(d.Table, rttables.Main), cmp.Or(d.Protocol, uplink.DefaultProtocol)
	isOurs := func(r *route.Route) bool { return r.Table == id && r.Protocol == proto && form.IsDefault(r) }
	there := make(map[route.Family]bool)
	routes := e.now.Routes(id)
	for i := range routes {
		// Our routes with higher metrics are spares, in case this one goes.
		if isOurs(&routes[i]) && routes[i].Priority == cmp.Or(d.Metric, form.SharedMetric) {
			there[routes[i].Family] = true
		}
	}
	if len(there) == 0 {
		return []Finding{{
			Code: CodeDefaultAbsent, Severity: Warning, Object: "default",
			Text: "the default route that the uplinks share is not installed", Cure: "uplinks run, which installs the route and keeps it installed",
		}}
	}
	var found []Finding
	for _, f := range form.Families {
		for _, q := range e.defaultQueries(f) {
			o := outcome{}
			o.route, o.found = e.answers[q]
			if !there[f] || o.found && isOurs(&o.route) {
				continue
			}
			if x, ok := e.shadowOf(q, &o); ok {
				found = append(found, x)
				break
			}
		}
	}
	return found
}

// shadowOf reports the route or rule that takes a packet instead of the shared default
// route.
func (e *examiner) shadowOf(q route.Query, o *outcome) (Finding, bool) {
	f := route.FamilyOf(q.Dst)
	names := installation{names: host.NewNames("", e.now.Links)}
	x := Finding{Code: CodeDefaultIdle, Severity: Warning}
	const text = "the %s default route that the uplinks share has no effect: %s comes first (%s)"
	if o.found && o.route.Table == rttables.Main {
		r := &o.route
		x.Object = names.routeText(r)
		what := fmt.Sprintf("%s, with the metric %d,", x.Object, r.Priority)
		if !form.IsDefault(r) {
			what = x.Object + ", which is more specific,"
		}
		x.Text = fmt.Sprintf(text, form.FamilyName(f), what, owner.OfProtocol(r.Protocol))
		x.Cure = names.deleteRoute(r)
		if form.IsDefault(r) {
			x.Cure = "give this route a metric above that of the line default: metric 200 in /etc/network/interfaces, or in the network " +
				"manager; or " + x.Cure
		}
		return x, true
	}
	all := e.now.Rules(f).All
	r := e.findTaker(&packet{q, ownInterface}, o, all, len(all))
	if r == nil || r.Protocol == route.ProtoKernel || isForAll(r) {
		return Finding{}, false
	}
	if slices.Contains(e.protocols, r.Protocol) {
		return Finding{}, false // the file says so
	}
	x.Object = names.text(*r)
	x.Text = fmt.Sprintf(text, form.FamilyName(f), fmt.Sprintf("the rule at %d, %s,", r.Priority.Or(0), names.words(r)), owner.Whose(r))
	x.Cure = names.deleteRule(r)
	if o := owner.Of(r); o != nil && o.Cure != "" {
		x.Cure = o.Cure
	}
	return x, true
}
