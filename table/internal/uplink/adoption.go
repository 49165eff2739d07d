package uplink

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// An Adoption is the rules and routes that scripts have made for an uplink, and that the
// uplink's own replace.
type Adoption struct {
	*Policy
	// Rungs are rules from one of the uplink's sources that have the form of rungs.
	Rungs []rule.Rule
	// Also are rules that select what one of the uplink's rules of Also selects.
	Also []rule.Rule
	// Needless are rules that decide about no packet: those for destinations that are
	// addresses of this host, behind the rule for the table local.
	Needless []rule.Rule
	Routes   []AdoptedRoute

	// tables are the uplink's table and others in which rules of scripts look up its
	// sources, and that lead out by the same gateway.
	tables []rttables.ID
	// sources are those of the policy.
	sources map[netip.Addr]bool
}

// hasSource reports whether the uplink has a source.
func (a *Adoption) hasSource(addr netip.Addr) bool {
	if a.sources == nil {
		a.sources = make(map[netip.Addr]bool, len(a.Sources))
		for _, have := range a.Sources {
			a.sources[have] = true
		}
	}
	return a.sources[addr]
}

// An AdoptedRoute is a route of a script.
type AdoptedRoute struct {
	Route route.Route
	// By is the route that replaces Route: the uplink's own if it leads the same way,
	// otherwise the script's route with the uplink's protocol. Both may have different
	// metrics.
	By route.Route
}

// FindAdoptions finds what scripts have made for uplinks. An uplink without a table gets
// the table that a script's rule looks up for one of its sources, or the table of another
// uplink with its name. If a rule or route is in the way, or if a running program would
// install it again, the error is a [*plan.ConflictError].
func FindAdoptions(ctx context.Context, c route.Conn, now *host.State, all []*Policy) ([]*Adoption, error) {
	found := make([]*Adoption, len(all))
	named := make(map[string]rttables.ID)
	for _, again := range []bool{false, true} {
		for i, p := range all {
			if again && (p.Table != 0 || named[p.Spec.Name] == 0) {
				continue
			}
			if again {
				p.SetTable(named[p.Spec.Name])
			}
			a, err := findAdoption(ctx, c, now, p)
			if err != nil {
				return nil, err
			}
			if found[i] = a; p.Spec.Name != "" && p.Table != 0 {
				named[p.Spec.Name] = p.Table
			}
		}
	}
	return found, nil
}

func findAdoption(ctx context.Context, c route.Conn, now *host.State, p *Policy) (*Adoption, error) {
	a := &Adoption{Policy: p}
	if err := a.findTables(ctx, c, now); err != nil {
		return nil, err
	}
	for _, id := range a.tables {
		if err := a.findRoutes(now, id); err != nil {
			return nil, err
		}
	}
	for _, f := range p.Families {
		if err := a.findRules(now, f); err != nil {
			return nil, err
		}
		// The table may have other routes, which stay. An uplink that is in another table,
		// after an adoption that was killed, has left nothing of its own in this one.
		p.Installed = p.Installed || a.isSet() || slices.ContainsFunc(now.Rules(f).Of(p.Spec.Proto()).From(p.Sources...),
			func(r rule.Rule) bool { return form.IsRung(&r) })
	}
	return a, nil
}

// isSet reports whether there is anything to adopt.
func (a *Adoption) isSet() bool { return len(a.Rungs)+len(a.Also)+len(a.Routes) > 0 }

// isForeign reports whether a rule or route with a protocol is not the uplink's.
func (a *Adoption) isForeign(proto route.Protocol) bool { return proto != a.Spec.Proto() }

// findTables finds the tables in which rules of other programs look up the sources.
func (a *Adoption) findTables(ctx context.Context, c route.Conn, now *host.State) error {
	if a.Table != 0 {
		if err := now.ReadRoutes(ctx, c, a.Table); err != nil {
			return err
		}
		a.tables = []rttables.ID{a.Table}
	}
	seen := make(map[rttables.ID]bool)
	for _, f := range a.Families {
		for _, r := range now.Rules(f).All {
			if !a.isForeign(r.Protocol) || !form.IsRung(&r) || form.IsSystemTable(r.Table) || seen[r.Table] ||
				!a.hasSource(r.From.Addr()) {
				continue
			}
			seen[r.Table] = true
			if err := now.ReadRoutes(ctx, c, r.Table); err != nil {
				return err
			}
			if slices.Contains(a.tables, r.Table) || !a.leadsOut(now, f, r.Table) {
				continue
			}
			if a.Table == 0 {
				a.SetTable(r.Table)
			}
			a.tables = append(a.tables, r.Table)
		}
	}
	return nil
}

// leadsOut reports whether a table has a default route by the uplink's interface and
// gateway.
func (a *Adoption) leadsOut(now *host.State, f route.Family, id rttables.ID) bool {
	return slices.ContainsFunc(now.Routes(id), func(r route.Route) bool {
		return r.Family == f && form.IsDefault(&r) && a.leadsByLink(&r) && slices.ContainsFunc(a.Policy.Routes, func(w route.Route) bool {
			return w.Family == f && form.IsDefault(&w) && w.Gateway == r.Gateway
		})
	})
}

// leadsByLink reports whether packets on a route leave by the uplink's interface, and by
// no other.
func (a *Adoption) leadsByLink(r *route.Route) bool {
	return r.Type == route.TypeUnicast && len(r.Multipath) == 0 && r.OIF == a.Index
}

// findRoutes finds the routes of a table that the uplink's routes replace.
func (a *Adoption) findRoutes(now *host.State, id rttables.ID) error {
	for _, r := range now.Routes(id) {
		if !a.InFamily(r.Family) || !a.isForeign(r.Protocol) {
			continue
		}
		want, replaced := a.wantedFor(&r)
		switch {
		case !replaced && id == a.Table: // it stays, beside ours
		case !replaced:
			return a.routeConflict(now, &r, "table %s of the script has a route that table %s would not have: give the uplink the table %d",
				now.Names.Table(id), now.Names.Table(a.Table), uint32(id))
		case !a.leadsByLink(&r) && id == a.Table && r.Canonical().Priority > want.Canonical().Priority: // a way that is behind ours
		case !a.leadsByLink(&r):
			return a.routeConflict(now, &r, "the table %s has a route to a destination of the uplink that does not leave only through %s: delete or change the route",
				now.Names.Table(id), a.Spec.Interface)
		case !form.IsScriptProtocol(r.Protocol):
			return a.routeConflict(now, &r, "%s would install its route in table %s again: configure it not to install the route",
				r.Protocol, now.Names.Table(id))
		default:
			by := r
			by.Protocol = a.Spec.Proto()
			if !saysNoMore(&r, &want) {
				return a.routeConflict(now, &r, "the table %s has a route with properties that routes of an uplink cannot have: delete or change it",
					now.Names.Table(id))
			}
			if id == a.Table && leadsSameWay(&r, &want) {
				by = want
			}
			a.Routes = append(a.Routes, AdoptedRoute{r, by})
		}
	}
	return nil
}

// wantedFor returns the uplink's route to the destination of a route: of several, the one
// with the same key, or one that leads the same way.
func (a *Adoption) wantedFor(r *route.Route) (route.Route, bool) {
	key := form.KeyOf(r)
	var found *route.Route
	for i := range a.Policy.Routes {
		w := &a.Policy.Routes[i]
		k := form.KeyOf(w)
		if k.Family != key.Family || k.Dst != key.Dst || k.TOS != key.TOS || w.Src != r.Src {
			continue
		}
		if k.Priority == key.Priority {
			return *w, true
		}
		if found == nil || !leadsSameWay(r, found) && leadsSameWay(r, w) {
			found = w
		}
	}
	if found == nil {
		return route.Route{}, false
	}
	return *found, true
}

func (a *Adoption) routeConflict(now *host.State, r *route.Route, format string, args ...any) error {
	return &plan.ConflictError{
		Uplink: a.Spec.String(), Object: r.Text(now.Names.All()), Owner: r.Protocol, Reason: fmt.Sprintf(format, args...),
	}
}

// saysNoMore reports whether two routes differ only in the way that packets take, the
// source that sockets get, and the protocol.
func saysNoMore(r, want *route.Route) bool {
	w := want.Canonical()
	have := r.Canonical()
	w.Table, w.Priority, w.Protocol, w.PrefSrc = have.Table, have.Priority, have.Protocol, have.PrefSrc
	w.Gateway, w.OIF, w.Flags, w.Scope = have.Gateway, have.OIF, have.Flags, have.Scope
	w.NextHopID, w.Preference = have.NextHopID, have.Preference
	return w.Equal(have)
}

// leadsSameWay reports whether packets take the same way by two routes to one destination.
func leadsSameWay(r, want *route.Route) bool { return r.OIF == want.OIF && r.Gateway == want.Gateway }

// findRules finds the rules of a family that the uplink's rules replace.
func (a *Adoption) findRules(now *host.State, f route.Family) error {
	also := make(map[rule.Rule]bool)
	for _, r := range a.Policy.Also {
		also[form.Like(form.Current(r))] = true
	}
	rules := now.Rules(f)
	for _, r := range rules.All {
		if !a.isForeign(r.Protocol) {
			continue
		}
		own := r
		own.Protocol = a.Spec.Proto()
		isOurs := slices.Contains(a.tables, r.Table)
		if isOurs {
			own.Table = a.Table
		}
		needless := isOurs && a.isToSource(&r) && r.Priority.Or(0) > rules.Local
		var to *[]rule.Rule
		switch {
		case form.IsRung(&r) && (isOurs || r.Table == rttables.Main || r.Table == rttables.Local || r.Table == rttables.Unspec) &&
			a.hasSource(r.From.Addr()):
			to = &a.Rungs
		case also[form.Like(form.Current(own))]:
			to = &a.Also
		case needless && form.IsScriptProtocol(r.Protocol):
			to = &a.Needless
		case isOurs && r.Table != a.Table:
			return a.Spec.Conflict(r, fmt.Sprintf("a rule that is not replaced looks up table %s: give the uplink the table %d",
				now.Names.Table(r.Table), uint32(r.Table)))
		default:
			continue
		}
		if !form.IsScriptProtocol(r.Protocol) {
			return a.Spec.Conflict(r, fmt.Sprintf("%s would install its rule again: configure it not to install the rule", r.Protocol))
		}
		*to = append(*to, r)
	}
	return nil
}

// isToSource reports whether a rule selects packets to a source of the uplink, and has no
// other selector.
func (a *Adoption) isToSource(r *rule.Rule) bool {
	return r.Action == rule.ActionLookup && r.To.IsSingleIP() && a.hasSource(r.To.Addr()) && *r == rule.Rule{
		Family: r.Family, Priority: r.Priority, To: r.To, Action: r.Action, Table: r.Table,
		Protocol: r.Protocol, Flags: r.Flags,
	}
}

// RungOf returns which of the rungs of its source, counted from zero, a script's rule is.
// It may be none of them, for example if the file does not have main-first, or has another
// table.
func (a *Adoption) RungOf(r rule.Rule) (k uint32, found bool) {
	own := form.Like(a.OwnRule(r))
	for k := range a.Height(r.Family) {
		if form.Like(a.rung(r.From.Addr(), k)) == own {
			return k, true
		}
	}
	return 0, false
}

// OwnRule returns the rule of the uplink that replaces a script's rule in the same table.
func (a *Adoption) OwnRule(r rule.Rule) rule.Rule {
	r.Protocol, r.Flags = a.Spec.Proto(), 0
	return r
}

// HasPlace reports whether the file gives a priority to the rule of Also that selects what
// a script's rule selects.
func (a *Adoption) HasPlace(r rule.Rule) bool {
	own := form.Like(form.Current(a.OwnRule(r)))
	return slices.ContainsFunc(a.Policy.Also, func(want rule.Rule) bool {
		want.Table = own.Table
		return want.Priority.IsSet() && form.Like(want) == own
	})
}
