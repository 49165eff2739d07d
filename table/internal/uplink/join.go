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

// Options tell [Join] about facts that are not in the policies.
type Options struct {
	// Taken are tables that no uplink can get, although they appear to be unused.
	Taken map[rttables.ID]bool
	// Prune means that uplinks without a policy are to be removed, so that one of the
	// policies may take over their sources.
	Prune bool
	// GivesUp reports whether the uplink in a table is about to give up sources that its
	// interface no longer has. Until then, its rules from them stay beside those of the new
	// uplink. Nil: no uplink is.
	GivesUp func(rttables.ID) bool
}

// Join completes the policies of one call. It chooses tables for those without one, and
// finds the tables that uplinks are moved from. It refuses policies that contradict one
// another, and tables that other programs use.
func Join(ctx context.Context, c route.Conn, now *host.State, all []*Policy, o Options) error {
	if err := chooseTables(ctx, c, now, all, o); err != nil {
		return err
	}
	if err := checkDistinct(all); err != nil {
		return err
	}
	owner := make(map[rttables.ID]*Policy, len(all))
	for _, p := range all {
		if err := now.ReadRoutes(ctx, c, p.Table); err != nil {
			return err
		}
		if err := p.checkForeign(now); err != nil {
			return err
		}
		owner[p.Table] = p
	}
	for _, p := range all {
		if err := p.findOldTables(ctx, c, now, p.Sources, func(r rule.Rule) error {
			if o.Prune && owner[r.Table] == nil {
				p.OldTables = append(p.OldTables, r.Table)
				return nil
			}
			if o.GivesUp != nil && o.GivesUp(r.Table) {
				return nil
			}
			return p.Spec.Conflict(r, "the source belongs to an uplink through another interface: remove that uplink first")
		}); err != nil {
			return err
		}
		for _, id := range p.OldTables {
			if other := owner[id]; other != nil {
				return p.Spec.FieldError("Table", "the uplink is installed in table %d, which uplink %s would get",
					uint32(id), other.Spec)
			}
		}
	}
	return nil
}

// chooseTables gives a table to each uplink that has none. Uplinks with the same name
// share one.
func chooseTables(ctx context.Context, c route.Conn, now *host.State, all []*Policy, o Options) error {
	taken := make(map[rttables.ID]bool, len(o.Taken)+len(all))
	for id := range o.Taken {
		taken[id] = true
	}
	named := make(map[string]rttables.ID)
	for _, p := range all {
		if taken[p.Table] = true; p.Spec.Name != "" && p.Table != 0 && named[p.Spec.Name] == 0 {
			named[p.Spec.Name] = p.Table
		}
	}
	for _, p := range all {
		id := p.Table
		if id == 0 {
			id = named[p.Spec.Name]
		}
		if id == 0 {
			var err error
			if id, err = now.FreeTable(ctx, c, taken); err != nil {
				return err
			}
			p.New, taken[id] = true, true
		}
		if p.Spec.Name != "" {
			named[p.Spec.Name] = id
		}
		p.SetTable(id)
	}
	return nil
}

// checkDistinct refuses an uplink that conflicts with another one of the same call.
func checkDistinct(all []*Policy) error {
	named := make(map[string]*Policy)
	tables := make(map[rttables.ID][]*Policy)
	sources := make(map[netip.Addr]*Policy)
	for i, p := range all {
		if first := all[0]; p.Spec.Etc != first.Spec.Etc {
			return p.Spec.FieldError("Etc", "differs from that of uplink %s", first.Spec)
		}
		if name := p.Spec.Name; name != "" {
			if o := named[name]; o != nil && o.Table != p.Table {
				return p.Spec.FieldError("Name", "is given to the tables %d and %d", uint32(o.Table), uint32(p.Table))
			}
			named[name] = p
		}
		for _, o := range tables[p.Table] {
			if o.Spec.Name != p.Spec.Name {
				return p.Spec.FieldError("Table", "%d is also the table of uplink %s", uint32(p.Table), o.Spec)
			}
			for _, f := range p.Families {
				if o.InFamily(f) {
					return p.Spec.FieldError("Table", "%d already has an uplink of %s", uint32(p.Table), form.FamilyName(f))
				}
			}
		}
		tables[p.Table] = append(tables[p.Table], p)
		for _, a := range p.Sources {
			if o := sources[a]; o != nil && o.Table != p.Table {
				return p.Spec.FieldError("Sources", "%s is also a source of uplink %s", a, o.Spec)
			}
			sources[a] = p
		}
		for _, o := range all[:i] {
			if len(p.Prefixes) == 0 {
				break
			}
			if err := p.Spec.CheckPrefixes(p.Prefixes, o.Spec, o.Prefixes); err != nil && p.Table != o.Table {
				return err
			}
		}
	}
	return nil
}

// CheckPrefixes refuses networks behind this host that overlap with those of another
// uplink.
func (u *Spec) CheckPrefixes(mine []netip.Prefix, o *Spec, theirs []netip.Prefix) error {
	if a, b, ok := overlap(mine, theirs); ok {
		return u.overlapError(a, b, o)
	}
	return nil
}

// overlapError says that a network behind this host also belongs to another uplink.
func (u *Spec) overlapError(mine, theirs netip.Prefix, o *Spec) error {
	if mine == theirs {
		return u.FieldError("SourcePrefixes", "%s also belongs to uplink %s", mine, o)
	}
	return u.FieldError("SourcePrefixes", "%s and %s of uplink %s overlap", mine, theirs, o)
}

// CheckOverlap refuses an uplink that declares the same network behind this host as
// another one.
func (u *Spec) CheckOverlap(o *Spec) error {
	if err := u.CheckPrefixes(u.SourcePrefixes, o, o.SourcePrefixes); err != nil {
		return err
	}
	for _, dev := range u.SourceInterfaces {
		if slices.Contains(o.SourceInterfaces, dev) && slices.ContainsFunc(u.Families(), func(f route.Family) bool {
			return slices.Contains(o.Families(), f)
		}) {
			return u.FieldError("SourceInterfaces", "%s also belongs to uplink %s", dev, o)
		}
	}
	return nil
}

// A RouteConflictError is a [plan.ConflictError] about a route of another program in the
// table of an uplink.
type RouteConflictError struct {
	Owner  int // of the uplink
	Family route.Family
	New    bool // the table is not the uplink's so far
	Err    *plan.ConflictError
}

// Error returns the message of the ConflictError.
func (e *RouteConflictError) Error() string { return e.Err.Error() }

// Unwrap returns the ConflictError.
func (e *RouteConflictError) Unwrap() error { return e.Err }

// A RuleConflictError is a [plan.ConflictError] about a rule of another program that has the
// priority of a rule of an uplink.
type RuleConflictError struct {
	Owner  int // of the uplink
	Family route.Family
	Err    error
}

// Error returns the message of the ConflictError.
func (e *RuleConflictError) Error() string { return e.Err.Error() }

// Unwrap returns the ConflictError.
func (e *RuleConflictError) Unwrap() error { return e.Err }

// checkForeign refuses a new table that other programs use. In a table that already
// belongs to the uplink, it refuses only a route that keeps a route of the uplink from
// being installed, or from having an effect.
func (p *Policy) checkForeign(now *host.State) error {
	isOurs := p.Installed || p.isInstalled(now)
	routes := now.Routes(p.Table)
	for i := range routes {
		have := &routes[i]
		if !p.InFamily(have.Family) || p.Owns(have.Family, have.Table, have.Protocol) {
			continue
		}
		reason := fmt.Sprintf("table %s has a route of another program", now.Names.Table(p.Table))
		if isOurs {
			reason = p.obstructs(have)
		}
		if reason == "" {
			continue
		}
		return &RouteConflictError{p.Owner, have.Family, !isOurs, &plan.ConflictError{
			Uplink: p.Spec.String(), Object: have.Text(now.Names.All()), Owner: have.Protocol, Reason: reason,
		}}
	}
	return nil
}

// isInstalled reports whether the uplink's table has a route, or a rule, with the
// uplink's protocol.
func (p *Policy) isInstalled(now *host.State) bool {
	proto := p.Spec.Proto()
	return slices.ContainsFunc(form.Families[:], func(f route.Family) bool {
		return len(now.Rules(f).Of(proto).To(p.Table)) > 0
	}) || slices.ContainsFunc(now.Routes(p.Table), func(r route.Route) bool { return r.Protocol == proto })
}

// obstructs returns why a route of another program in the uplink's table is in the way of
// one of the uplink's. It returns "" if the route is not in the way.
func (p *Policy) obstructs(have *route.Route) string {
	at := form.KeyOf(have)
	for i := range p.Routes {
		want := form.KeyOf(&p.Routes[i])
		metric := want.Priority
		want.Priority = at.Priority
		switch {
		case want != at || p.isKept(at.Family):
		case at.Priority == metric:
			return "another program's route has the same destination and metric as one of the uplink's; delete it, or set another Metric"
		case at.Priority < metric:
			return "another program's route to the same destination comes before the uplink's, because its metric is lower; delete it, or set a lower Metric"
		}
	}
	return ""
}

// isKept reports whether the routes of a family stay as they are.
func (p *Policy) isKept(f route.Family) bool { return slices.Contains(p.Kept, f) }

// KeepsRules reports whether the rules of a family stay as they are.
func (p *Policy) KeepsRules(f route.Family) bool { return slices.Contains(p.KeptRules, f) }
