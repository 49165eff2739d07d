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

// Resolve works out the rules and routes that u should have on a host. The policy has no table
// if u names none and is not installed; [Join] chooses one.
func Resolve(now *host.State, u *Spec, owner int) (*Policy, error) {
	if err := u.Validate(); err != nil {
		return nil, err
	}
	index, ok := now.Link(u.Interface)
	if !ok {
		return nil, u.FieldError("Interface", "the interface %q does not exist", u.Interface)
	}
	if err := u.CheckOwn(now); err != nil {
		return nil, err
	}
	families, err := u.findSources(now, index)
	if err != nil {
		return nil, err
	}
	if err := u.CheckGateways(now); err != nil {
		return nil, err
	}
	p := &Policy{Spec: u, Owner: owner, Index: index}
	p.NameLinks(now)
	p.FindOrder(now)
	for i := range families {
		p.addSources(now, &families[i])
		p.Families = append(p.Families, families[i].Family)
	}
	if p.Table, err = FindTable(now, u, p.Sources); err != nil {
		return nil, err
	}
	for i := range families {
		p.AddFamily(families[i].Family, families[i].Usable)
	}
	for _, r := range p.Also {
		if form.IsRung(&r) && slices.Contains(p.Sources, r.From.Addr()) {
			return nil, u.FieldError("Also", "from %s is not needed: the address is already a source", r.From.Addr())
		}
	}
	return p, nil
}

// FindTable returns the table of u: the table that u sets, the table with its Name, or the
// table in which rungs of ours look up its sources. Zero: it has none yet.
func FindTable(now *host.State, u *Spec, sources []netip.Addr) (rttables.ID, error) {
	if u.Table != 0 {
		return u.Table, checkName(now, u)
	}
	if u.Name != "" {
		if id, ok := now.Names.Files().Lookup(u.Name); ok {
			if form.IsSystemTable(id) {
				return 0, u.FieldError("Name", "%s is a system table", u.Name)
			}
			return id, nil
		}
	}
	for _, f := range form.Families {
		for _, r := range now.Rules(f).Of(u.Proto()).From(sources...) {
			if form.IsRung(&r) && !form.IsSystemTable(r.Table) {
				return r.Table, nil
			}
		}
	}
	if u.NoSources {
		return findAlsoTable(now, u), nil
	}
	return 0, nil
}

// findAlsoTable returns the table that our rules look up if they select what the rules of u
// select, or zero.
func findAlsoTable(now *host.State, u *Spec) rttables.ID {
	for _, f := range u.Families() {
		p := &Policy{Spec: u}
		p.NameLinks(now)
		p.AddAlso(f)
		for _, r := range p.alsoLikeIn(now, f) {
			return r.Table
		}
	}
	return 0
}

// checkName refuses a name of a table other than the one that u sets.
func checkName(now *host.State, u *Spec) error {
	if u.Name == "" {
		return nil
	}
	have, ok := now.Names.Files().Lookup(u.Name)
	if ok && have != u.Table && !now.Names.Registered(have, u.Name) { // a name of ours may move
		return u.FieldError("Name", "rt_tables gives the name %s to table %d: choose another name or that table", u.Name, uint32(have))
	}
	return nil
}

// Owned works out the [Policy] to remove for u. Neither the interface nor its addresses need
// to exist. If the policy has no table, u is not installed.
func Owned(ctx context.Context, c route.Conn, now *host.State, u *Spec, owner int) (*Policy, error) {
	if err := u.Validate(); err != nil {
		return nil, err
	}
	if err := readLinks(ctx, c, now, u.ruleLinks()); err != nil {
		return nil, err
	}
	p := &Policy{Spec: u, Owner: owner, Families: u.Families()}
	p.NameLinks(now)
	var err error
	if p.Table, err = ownedTable(now, u, nil); err != nil {
		return p, err
	}
	if p.Table != 0 && !p.hasElsewhere(now) {
		return p, now.ReadRoutes(ctx, c, p.Table)
	}
	// The sources are needed to find the table, or other tables that the uplink was in.
	sources, err := p.readSources(ctx, c, now)
	if err != nil {
		return p, err
	}
	if p.Table, err = ownedTable(now, u, sources); err != nil {
		return p, err
	}
	if p.Table == 0 && len(sources) == 0 {
		return p, p.requireIdentity(now)
	}
	if p.Table == 0 {
		return p, nil
	}
	if err := now.ReadRoutes(ctx, c, p.Table); err != nil {
		return nil, err
	}
	return p, p.findOldTables(ctx, c, now, sources, func(rule.Rule) error { return nil })
}

// ownedTable is [FindTable] for an uplink that is removed. If the uplink sets the number of
// its table, the meaning of its name in rt_tables does not matter.
func ownedTable(now *host.State, u *Spec, sources []netip.Addr) (rttables.ID, error) {
	if u.Table != 0 {
		return u.Table, nil
	}
	return FindTable(now, u, sources)
}

// hasElsewhere reports whether rules of ours lead to other tables than the uplink's.
func (p *Policy) hasElsewhere(now *host.State) bool {
	return slices.ContainsFunc(p.Families, func(f route.Family) bool {
		return now.Rules(f).Of(p.Spec.Proto()).LeadElsewhere(p.Table)
	})
}

// readSources returns Sources of the Spec, or the addresses of the interface, if it exists.
func (p *Policy) readSources(ctx context.Context, c route.Conn, now *host.State) ([]netip.Addr, error) {
	if err := now.ReadLink(ctx, c, p.Spec.Interface); err != nil {
		return nil, err
	}
	if err := now.ReadAddresses(ctx, c); err != nil {
		return nil, err
	}
	sources := slices.Clone(p.Spec.Sources)
	index, ok := now.Link(p.Spec.Interface)
	if p.Index = index; ok && p.Spec.TakesAll() {
		for _, a := range now.AddressesOf(index) {
			if p.InFamily(route.FamilyOf(a.Addr)) {
				sources = append(sources, a.Addr)
			}
		}
	}
	return sources, nil
}

// requireIdentity returns an error if there may be an installed uplink that no name, number or
// address identifies.
func (p *Policy) requireIdentity(now *host.State) error {
	for _, f := range p.Families {
		for _, r := range now.Rules(f).Of(p.Spec.Proto()).All() {
			if !form.IsSystemTable(r.Table) {
				return p.Spec.FieldError("Table", "is not set, and the uplink has no address by which its table could be found; is it %s?",
					now.Names.Table(r.Table))
			}
		}
	}
	return nil
}

// findOldTables finds other tables in which rungs of ours look up the sources, and which have
// routes by the same interface: the uplink is installed there so far. If the interface is
// another one, the rung belongs to another uplink, and other is called with it.
func (p *Policy) findOldTables(
	ctx context.Context, c route.Conn, now *host.State, sources []netip.Addr, other func(rule.Rule) error,
) error {
	foreign := make(map[rttables.ID]bool) // by another interface
	for _, f := range form.Families {
		if !p.InFamily(f) {
			continue
		}
		found := now.Rules(f).Of(p.Spec.Proto()).From(sources...)
		found = slices.DeleteFunc(found, func(r rule.Rule) bool { return !form.IsRung(&r) || form.IsSystemTable(r.Table) })
		if p.Spec.NoSources {
			// Only the rules of Also show where the uplink is installed so far. Another uplink
			// may have the same rules.
			found, other = p.alsoLikeIn(now, f), func(rule.Rule) error { return nil }
		}
		for _, r := range found {
			if p.Uses(r.Table) {
				continue
			}
			if _, known := foreign[r.Table]; !known {
				if err := now.ReadRoutes(ctx, c, r.Table); err != nil {
					return err
				}
				foreign[r.Table] = slices.ContainsFunc(now.Routes(r.Table), func(have route.Route) bool {
					return have.Protocol == r.Protocol && have.Type == route.TypeUnicast && !form.LeavesBy(&have, p.Index)
				})
			}
			if !foreign[r.Table] {
				p.OldTables = append(p.OldTables, r.Table)
			} else if err := other(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Others returns the installed uplinks with a protocol, without some of them. It knows them
// only by their routes and rules.
func Others(
	ctx context.Context, c route.Conn, now *host.State, proto route.Protocol, some []*Policy,
) ([]*Policy, error) {
	byTable := make(map[rttables.ID][]*Policy)
	for _, p := range some {
		byTable[p.Table] = append(byTable[p.Table], p)
	}
	var others []*Policy
	known := make(map[rttables.ID]*Policy)
	add := func(f route.Family, id rttables.ID) {
		if form.IsSystemTable(id) || slices.ContainsFunc(byTable[id], func(p *Policy) bool { return p.Owns(f, id, proto) }) {
			return
		}
		p := known[id]
		if p == nil {
			u := &Spec{Protocol: proto, Etc: now.Names.Etc(), Table: id}
			if name := now.Names.Table(id); now.Names.Registered(id, name) {
				u.Name = name
			}
			p = &Policy{Spec: u, Owner: plan.NoOwner, Table: id}
			known[id], others = p, append(others, p)
		}
		if !p.InFamily(f) {
			p.Families = append(p.Families, f)
		}
	}
	for _, f := range form.Families {
		for _, r := range now.Rules(f).Of(proto).All() {
			add(f, r.Table)
		}
	}
	own, err := now.OwnRoutes(ctx, c, proto)
	if err != nil {
		return nil, err
	}
	for _, r := range own {
		if len(now.Routes(r.Table)) > 0 { // else they are planned to be gone
			add(r.Family, r.Table)
		}
	}
	for _, p := range others {
		if err := now.ReadRoutes(ctx, c, p.Table); err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		if err := now.ReadLinks(ctx, c); err != nil {
			return nil, err
		}
		p.describe(now)
	}
	return others, nil
}

// describe gives the label of an interface and a gateway to an uplink that is known only by
// its routes.
func (p *Policy) describe(now *host.State) {
	for _, r := range now.Routes(p.Table) {
		hop := firstHop(&r)
		if r.Protocol != p.Spec.Proto() || hop.OIF == 0 {
			continue
		}
		p.Spec.Interface = now.Links.Name(hop.OIF)
		if hop.Gateway.IsValid() {
			p.Spec.Gateway = hop.Gateway
		}
	}
}
