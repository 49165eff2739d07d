package maintain

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// A resolution is the rules and routes that an uplink should have now.
type resolution struct {
	of *maintainedUplink
	// policy is nil if the uplink is refused as a whole.
	policy  *uplink.Policy
	refused error // why the uplink, or a part of it, is refused
	// lacksShared means that only sources that also belong to another uplink are refused.
	lacksShared bool
	defaults    []route.Route // that were learned
	status      status
}

// A familyResolution is the part of a resolution for one family.
type familyResolution struct {
	uplink.FamilySources
	waits  string       // what keeps the routes from being installed; empty: nothing
	probes []netip.Addr // that probes are sent from
}

// resolve works out the rules and routes that an uplink should have now. The policy has
// rules for all sources of the uplink, including addresses that do not exist now. It has
// the routes that can be installed. In a family where none can, and in those that are
// withheld, it has the existing routes.
func (r *reading) resolve(ctx context.Context, k *maintainedUplink, withheld []route.Family) (resolution, error) {
	defaults, err := r.learnDefaults(ctx, &k.Uplink, k.memory.defaults)
	if err == nil {
		err = r.now.ReadOnLink(ctx, r.conn, k.families()...)
	}
	spec := k.specWith(defaults)
	if err == nil {
		err = spec.ReadGateways(ctx, r.conn, r.now)
	}
	if err != nil {
		return resolution{}, err
	}
	refuse := func(err error) (resolution, error) { return resolution{of: k, defaults: defaults, refused: err}, nil }
	if err := spec.CheckOwn(r.now); err != nil {
		return refuse(err)
	}
	r.keepAltNames(k, spec)
	index, ok := r.now.Link(spec.Interface)
	if ok {
		if err := r.checkOtherNames(k, index); err != nil {
			return refuse(err)
		}
	}
	p := &uplink.Policy{Spec: spec, Owner: k.owner, Index: index, SharesInterface: r.sharesInterface(k, index)}
	p.NameLinks(r.now)
	p.FindOrder(r.now)
	p.Withdrawn, p.Needed = k.withdrawal(), k.neededByProbes()
	var shared error // a source is also that of another uplink: without it, the uplink is kept
	families := make([]familyResolution, 0, len(form.Families))
	for _, f := range k.families() {
		x := familyResolution{FamilySources: r.sourcesOf(k, spec, f)}
		x.waits = r.waitsFor(k, spec, &x)
		if x.waits == "" && slices.Contains(withheld, f) {
			x.waits = "the routes of this family are refused"
		}
		overlap := r.leaveOutPrefixes(k, spec, &x.FamilySources)
		shared = cmp.Or(shared, r.rivalError(k, spec, f), overlap)
		x.probes = r.probeSources(p, &x.FamilySources)
		families = append(families, x)
		p.Sources = append(p.Sources, x.All...)
		p.AddPrefixes(r.now, &x.FamilySources)
	}
	table, err := uplink.FindTable(r.now, spec, p.Sources)
	if err != nil {
		return refuse(err)
	}
	// A table that was chosen stays the uplink's if all its sources change.
	p.Table = cmp.Or(table, k.memory.table)
	p.Installed = p.Table != 0 && p.Table == k.memory.table
	if old := k.memory.oldTable; old != 0 && old != p.Table {
		p.OldTables = []rttables.ID{old}
	}
	if err := r.addFamilies(ctx, p, families); err != nil {
		return resolution{}, err
	}
	return resolution{
		of: k, policy: p, refused: shared, lacksShared: shared != nil,
		defaults: defaults, status: summarize(spec.Interface, families),
	}, nil
}

// keepAltNames remembers the interface of an alternative name that another interface of
// the uplink has lost, until another interface gets the name. Otherwise the rules for the
// networks of that interface would be deleted, and connections would break.
func (r *reading) keepAltNames(k *maintainedUplink, spec *uplink.Spec) {
	for _, dev := range spec.OtherLinks() {
		if index, ok := r.now.Link(dev); !ok {
			if index, ok = k.memory.altNames[dev]; ok {
				r.now.KeepFormer(dev, index)
			}
		} else if r.now.LinkName(dev) != dev {
			if k.memory.altNames == nil {
				k.memory.altNames = make(map[string]uint32)
			}
			k.memory.altNames[dev] = index
		}
	}
}

// checkOtherNames refuses an uplink if an uplink before it takes all addresses of the same
// interface by another name. Two uplinks by the same name are refused earlier.
func (r *reading) checkOtherNames(k *maintainedUplink, index uint32) error {
	for _, o := range k.others {
		if o.owner >= k.owner || o.Interface == k.Interface || !o.spec().TakesAll() || !k.spec().TakesAll() ||
			!slices.ContainsFunc(o.families(), func(f route.Family) bool { return slices.Contains(k.families(), f) }) {
			continue
		}
		if other, ok := r.now.Link(o.Interface); ok && other == index {
			return k.fieldError("Sources", "also belong to uplink %s: %s and %s are the same interface", &o.Uplink, k.Interface, o.Interface)
		}
	}
	return nil
}

// sharesInterface reports whether addresses of the uplink's interface are sources of other
// uplinks.
func (r *reading) sharesInterface(k *maintainedUplink, index uint32) bool {
	return slices.ContainsFunc(r.now.AddressesOf(index), func(a host.Address) bool {
		o := k.taken[a.Addr]
		return o != nil && o != &k.Uplink
	})
}

// addFamilies adds rules and routes to a policy whose tables are known.
func (r *reading) addFamilies(ctx context.Context, p *uplink.Policy, families []familyResolution) error {
	for _, id := range p.OldTables {
		if err := r.now.ReadRoutes(ctx, r.conn, id); err != nil {
			return err
		}
	}
	for i := range families {
		// Without a source there is nothing to do, except for rules from addresses that
		// another interface has got.
		x := &families[i]
		if len(x.All) > 0 || x.Unbound || r.hasRungs(p, x.Family) {
			p.Families = append(p.Families, x.Family)
		}
	}
	for i := range families {
		x := &families[i]
		if x.waits == "" {
			p.AddFamily(x.Family, x.Usable)
		} else if err := r.addPresent(ctx, p, x.Family); err != nil {
			return err
		} else {
			p.Kept = append(p.Kept, x.Family)
		}
	}
	return nil
}

// hasRungs reports whether rungs look up one of the uplink's tables.
func (r *reading) hasRungs(p *uplink.Policy, f route.Family) bool {
	return slices.ContainsFunc(r.now.Rules(f).Of(p.Spec.Proto()).To(p.Tables()...), func(have rule.Rule) bool {
		return form.IsRung(&have)
	})
}

// addPresent adds the rules of Also of a family whose routes cannot be installed, and the
// existing routes by the interface. Routes by another one, which had its name before, are not
// added: the packets of the present interface would leave by them.
func (r *reading) addPresent(ctx context.Context, p *uplink.Policy, f route.Family) error {
	if !p.InFamily(f) {
		return nil
	}
	p.AddAlso(f)
	if p.Table == 0 {
		return nil
	}
	if err := r.now.ReadRoutes(ctx, r.conn, p.Table); err != nil {
		return err
	}
	for _, have := range r.now.Routes(p.Table) {
		isOther := p.Index != 0 && !form.LeavesBy(&have, p.Index)
		if have.Family == f && p.Owns(f, have.Table, have.Protocol) && !form.IsClaim(&have) && !isOther {
			p.AddRoute(have)
		}
	}
	return nil
}

// sourcesOf returns the sources of an uplink in a family. The last ones are kept while the
// interface has no others, and while it is down, when the kernel removes its addresses one
// by one.
func (r *reading) sourcesOf(k *maintainedUplink, spec *uplink.Spec, f route.Family) uplink.FamilySources {
	index, _ := r.now.Link(k.Interface)
	// The families do not depend on which rules of Also are withdrawn.
	whole := *spec
	whole.Also = k.Also
	spec = &whole
	x := spec.AddressesOf(r.now, index, f)
	if spec.TakesAll() {
		isOthers := func(a netip.Addr) bool { return k.taken[a] != nil || r.rival(k, a) != nil }
		x.All = slices.DeleteFunc(x.All, isOthers)
		x.Usable = slices.DeleteFunc(x.Usable, func(a host.Address) bool { return isOthers(a.Addr) })
		r.addHeld(k, &x)
	}
	spec.AddPrefixes(r.now, index, &x)
	return x
}

// addHeld adds the sources that an uplink keeps although the interface may not have them.
// Addresses that another interface has got in the meantime are not added.
func (r *reading) addHeld(k *maintainedUplink, x *uplink.FamilySources) {
	index, _ := r.now.Link(k.Interface)
	if len(x.All) > 0 && r.isUp(index) {
		return
	}
	have := make(map[netip.Addr]bool, len(x.All))
	for _, a := range x.All {
		have[a] = true
	}
	for _, a := range k.memory.sources {
		if route.FamilyOf(a) == x.Family && !have[a] && k.taken[a] == nil && !r.isElsewhere(k, a) {
			have[a] = true
			x.All = append(x.All, a)
		}
	}
}

// waitsFor returns what the routes of a family wait for, or "".
func (r *reading) waitsFor(k *maintainedUplink, spec *uplink.Spec, x *familyResolution) string {
	index, ok := r.now.Link(k.Interface)
	switch {
	case !ok:
		return fmt.Sprintf("the interface %s does not exist", k.Interface)
	case !r.isUp(index):
		return fmt.Sprintf("the interface %s is down", k.Interface)
	case len(x.Usable) == 0 && len(k.Sources) > 0:
		return spec.MissingSource(r.now, x.Family)
	case len(x.Usable) == 0 && !x.Unbound:
		return noAddress(k.Interface, x.Family)
	case k.learnsNothing(spec):
		return k.noDefault()
	}
	return spec.GatewayReason(r.now)
}

func noAddress(dev string, f route.Family) string {
	return fmt.Sprintf("the interface %s has no global %s address that can be used", dev, form.FamilyName(f))
}

// summarize returns what was found about an uplink in all its families. If families are
// not complete, the uplink waits for what the first of them waits for. If another family
// is complete, the uplink does not wait for a family that the interface has never had.
func summarize(dev string, families []familyResolution) status {
	var all status
	complete := false
	var first *familyResolution // that waits
	for i := range families {
		x := &families[i]
		switch {
		case x.waits == "":
			complete = true
			all.families = append(all.families, x.Family)
			all.usable = append(all.usable, x.probes...)
		case first == nil:
			first = x
		}
	}
	if first != nil && !(complete && len(first.All) == 0 && first.waits == noAddress(dev, first.Family)) {
		all.waits = first.waits
	}
	return all
}
