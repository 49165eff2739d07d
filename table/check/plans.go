package check

import (
	"context"
	"errors"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// plan works out what Install would do with the uplinks, which of their objects are
// installed, and what a transaction has left. The state of the host is complete, so only
// the names of tables are read for it.
func (f *facts) plan(ctx context.Context, c route.Conn) error {
	protocols := f.protocols
	if len(protocols) == 0 {
		protocols = []route.Protocol{uplink.DefaultProtocol}
	}
	var err error
	if f.unfinished, err = planUnfinished(ctx, c, f.now, protocols); err != nil {
		return err
	}
	begun, err := draft.Begin(ctx, c, f.now, protocols)
	if err != nil {
		return err
	}
	p := &planner{finished: begun.State(), named: make(map[string]*host.State), uplinks: f.uplinks}
	if err := p.findInstalled(ctx, c); err != nil {
		return err
	}
	if err := p.planInstall(ctx, c); err != nil {
		return err
	}
	return p.findAdoptable(ctx, c)
}

// planUnfinished returns the steps that clean up after a transaction that has left a
// gate. Other steps of a recovery only tidy up, so without a gate there is nothing to
// report.
func planUnfinished(
	ctx context.Context, c route.Conn, now *host.State, protocols []route.Protocol,
) (plan.Plan, error) {
	p, err := draft.Recover(ctx, c, now, protocols)
	isGate := func(s plan.Step) bool {
		return s.Op == plan.DeleteRule && (form.IsGate(&s.Rule) || form.IsEnd(&s.Rule))
	}
	if err != nil || !slices.ContainsFunc(p.Steps, isGate) {
		return plan.Plan{}, err
	}
	return p, nil
}

// A planner plans on one state of the host.
type planner struct {
	// finished is the state after interrupted transactions are cleaned up, with which
	// Install and Remove begin.
	finished *host.State
	named    map[string]*host.State // finished, with the names of each directory Etc
	uplinks  []uplinkFacts
}

// state returns the state of the host with the names of an uplink's Etc.
func (p *planner) state(u *uplink.Spec) *host.State {
	s := p.named[u.Etc]
	if s == nil {
		s = p.finished.WithNames(host.NewNames(u.Etc, p.finished.Links))
		p.named[u.Etc] = s
	}
	return s
}

// An installation is the installed objects of an uplink.
type installation struct {
	rules []rule.Rule // in the order in which Remove deletes them, the last one first
	any   bool        // there is a rule, a route, or the name of the table
	names *host.Names
}

// installedPlaces returns the places of an uplink's installed rules among all rules of a
// family, in ascending order.
func (f *facts) installedPlaces(u *uplinkFacts, family route.Family) []int {
	if f.places[family] == nil {
		places := make(map[rule.Rule][]int)
		for i, r := range f.now.Rules(family).All {
			if slices.Contains(f.protocols, r.Protocol) {
				places[r] = append(places[r], i)
			}
		}
		if f.places == nil {
			f.places = make(map[route.Family]map[rule.Rule][]int)
		}
		f.places[family] = places
	}
	var found []int
	for _, r := range u.installed.rules {
		found = append(found, f.places[family][r]...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// findInstalled finds the installed objects of each uplink.
func (p *planner) findInstalled(ctx context.Context, c route.Conn) error {
	for i := range p.uplinks {
		u := &p.uplinks[i]
		now := p.state(u.spec)
		policy, err := uplink.Owned(ctx, c, now, u.spec, i)
		switch {
		case err == nil && policy.Table != 0:
			u.installed = findInstallation(now, policy)
		case err != nil && refusedUplink(err) == "":
			return err
		}
	}
	return nil
}

// findInstallation returns what Remove would delete of an uplink.
func findInstallation(now *host.State, p *uplink.Policy) installation {
	found := installation{names: now.Names}
	for _, f := range p.Families {
		rungs := p.InstalledRungs(now, f)
		for _, r := range slices.Backward(p.InstalledAlso(now, f, rungs)) {
			found.rules = append(found.rules, r)
		}
		bySource, sources := form.BySource(rungs)
		for _, a := range slices.Backward(sources) {
			for _, r := range slices.Backward(bySource[a]) {
				found.rules = append(found.rules, r)
			}
		}
	}
	found.any = len(found.rules) > 0 || hasRoute(now, p) || hasOnlyName(now, p)
	return found
}

// hasRoute reports whether one of an uplink's tables has a route of the uplink.
func hasRoute(now *host.State, p *uplink.Policy) bool {
	for _, id := range p.Tables() {
		if slices.ContainsFunc(now.Routes(id), func(r route.Route) bool { return p.Owns(r.Family, id, r.Protocol) }) {
			return true
		}
	}
	return false
}

// hasOnlyName reports whether rt_tables has the name of an uplink's table, and the table
// has no rule or route of ours that the name could belong to.
func hasOnlyName(now *host.State, p *uplink.Policy) bool {
	id, ok := now.Names.Files().Lookup(p.Spec.Name)
	if p.Spec.Name == "" || !ok || id != p.Table || !now.Names.Registered(id, p.Spec.Name) {
		return false
	}
	proto := p.Spec.Proto()
	for _, f := range form.Families {
		if len(now.Rules(f).Of(proto).To(id)) > 0 {
			return false
		}
	}
	return !slices.ContainsFunc(now.Routes(id), func(r route.Route) bool { return r.Protocol == proto })
}

// A part is the steps of a plan that belong to one uplink.
type part struct {
	plan  plan.Plan // has the names for the text of steps
	steps []*plan.Step
}

// planInstall plans to install the uplinks together, because each choice of a priority
// or table depends on the ones before. An uplink that is refused is left out of the plan
// for the others.
func (p *planner) planInstall(ctx context.Context, c route.Conn) error {
	rest := p.resolve()
	for len(rest) > 0 {
		together, err := p.install(ctx, c, rest)
		if err == nil {
			p.assign(together, rest)
			return nil
		}
		k := p.findRefused(ctx, c, rest, err)
		if k < 0 {
			return err
		}
		u := &p.uplinks[rest[k]]
		alone, aloneErr := p.install(ctx, c, rest[k:k+1])
		switch {
		case aloneErr == nil: // it can be installed, but not beside the others
			u.refused = err
			p.assign(alone, rest[k:k+1])
		case refusedUplink(aloneErr) != "":
			u.refused = aloneErr
		default:
			return aloneErr
		}
		rest = slices.Delete(rest, k, k+1)
	}
	return nil
}

// resolve returns the indexes of the uplinks that are not refused because of their own
// values or the interfaces and addresses of the host.
func (p *planner) resolve() []int {
	var rest []int
	for i := range p.uplinks {
		u := &p.uplinks[i]
		if u.pending != "" {
			continue
		}
		if _, u.refused = uplink.Resolve(p.state(u.spec), u.spec, i); u.refused == nil {
			rest = append(rest, i)
		}
	}
	return rest
}

// install plans to install some uplinks.
func (p *planner) install(ctx context.Context, c route.Conn, some []int) (plan.Plan, error) {
	if len(some) == 0 {
		return plan.Plan{}, nil
	}
	specs := make([]uplink.Spec, len(some))
	for k, i := range some {
		specs[k] = *p.uplinks[i].spec
	}
	return draft.Install(ctx, c, p.state(&specs[0]), specs, uplink.Options{})
}

// assign gives each uplink its steps of a plan for some uplinks, without the steps that
// make the change atomic. The name of a table belongs to all uplinks that have it, such
// as those of both families of an interface.
func (p *planner) assign(all plan.Plan, some []int) {
	net := all.Net()
	named := make(map[string][]int)
	for _, i := range some {
		u := &p.uplinks[i]
		u.todo = part{plan: net}
		named[u.spec.Name] = append(named[u.spec.Name], i)
	}
	for k := range net.Steps {
		s := &net.Steps[k]
		var owners []int
		switch {
		case s.Op == plan.AddName:
			owners = named[s.Name]
		case s.Owner != plan.NoOwner:
			owners = []int{some[s.Owner]}
		}
		for _, i := range owners {
			p.uplinks[i].todo.steps = append(p.uplinks[i].todo.steps, s)
		}
	}
}

// findRefused returns the place, among some uplinks, of the uplink that an error is
// about. The error has the uplink's label. If several uplinks have that label, it is the
// last one without which the others are not refused for the same reason. The place is −1
// if the error is not a refusal.
func (p *planner) findRefused(ctx context.Context, c route.Conn, some []int, err error) int {
	label := refusedUplink(err)
	var places []int
	for k, i := range some {
		if label != "" && p.uplinks[i].spec.String() == label {
			places = append(places, k)
		}
	}
	switch len(places) {
	case 0:
		return -1
	case 1:
		return places[0]
	}
	for _, k := range slices.Backward(places) {
		_, without := p.install(ctx, c, slices.Concat(some[:k], some[k+1:]))
		if without == nil || without.Error() != err.Error() {
			return k
		}
	}
	return places[len(places)-1]
}

// refusedUplink returns the label of the uplink that an error says cannot be installed,
// or "".
func refusedUplink(err error) string {
	var field *plan.FieldError
	var conflict *plan.ConflictError
	switch {
	case errors.As(err, &field):
		return field.Uplink
	case errors.As(err, &conflict):
		return conflict.Uplink
	}
	return ""
}
