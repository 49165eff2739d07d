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

// A resolution is what there should be of an uplink at the moment.
type resolution struct {
	of *maintainedUplink
	// policy is nil if the uplink is refused.
	policy  *uplink.Policy
	refused error
	gateway netip.Addr
	status  status
}

// A familyResolution is what there should be of an uplink in one family.
type familyResolution struct {
	family  route.Family
	sources []netip.Addr   // all that have rules, also if the address is not there
	usable  []host.Address // those that packets can have
	waits   string         // what keeps the routes from being installed; empty: nothing
}

// resolve works out what there should be of an uplink. The policy has rules for all
// sources of the uplink, also for addresses that are not there. It has the routes that
// can be installed; in a family where none can, and in those that are withheld, it has
// the routes that there are.
func (r *reading) resolve(ctx context.Context, k *maintainedUplink, withheld []route.Family) (resolution, error) {
	gateway, err := r.learnGateway(ctx, &k.Uplink, k.memory.gateway)
	if err != nil {
		return resolution{}, err
	}
	refuse := func(err error) (resolution, error) { return resolution{of: k, gateway: gateway, refused: err}, nil }
	spec := k.specWith(gateway)
	if spec.Gateway.IsValid() && r.now.IsLocal(spec.Gateway) {
		return refuse(spec.FieldError("Gateway", "%s is an address of this host", spec.Gateway))
	}
	index, _ := r.now.Link(spec.Interface)
	p := &uplink.Policy{Spec: spec, Owner: k.owner, Index: index}
	families := make([]familyResolution, 0, len(form.Families))
	for _, f := range k.families() {
		x := r.sourcesOf(k, f)
		x.waits = r.waitsFor(k, spec, &x)
		if x.waits == "" && slices.Contains(withheld, f) {
			x.waits = "the kernel refuses its routes"
		}
		families = append(families, x)
		p.Sources = append(p.Sources, x.sources...)
	}
	table, err := uplink.FindTable(r.now, spec, p.Sources)
	if err != nil {
		return refuse(err)
	}
	// A table that was chosen stays the uplink's if all its sources change.
	p.Table = cmp.Or(table, k.memory.table)
	if old := k.memory.oldTable; old != 0 && old != p.Table {
		p.OldTables = []rttables.ID{old}
	}
	if err := r.addFamilies(ctx, p, families); err != nil {
		return resolution{}, err
	}
	return resolution{of: k, policy: p, gateway: gateway, status: summarize(spec.Interface, families)}, nil
}

// addFamilies adds rules and routes to a policy whose tables are known.
func (r *reading) addFamilies(ctx context.Context, p *uplink.Policy, families []familyResolution) error {
	for _, id := range p.OldTables {
		if err := r.now.ReadRoutes(ctx, r.conn, id); err != nil {
			return err
		}
	}
	for i := range families {
		// Without a source there is nothing to be done, except for rules from addresses
		// that another interface has got.
		if f := families[i].family; len(families[i].sources) > 0 || r.hasRungs(p, f) {
			p.Families = append(p.Families, f)
		}
	}
	for i := range families {
		x := &families[i]
		if x.waits == "" {
			p.AddFamily(x.family, x.usable)
		} else if err := r.addPresent(ctx, p, x.family); err != nil {
			return err
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

// addPresent adds the rules of Also of a family whose routes cannot be installed, and
// the routes that there are.
func (r *reading) addPresent(ctx context.Context, p *uplink.Policy, f route.Family) error {
	if !p.InFamily(f) {
		return nil
	}
	rules := &uplink.Policy{Spec: p.Spec, Table: p.Table}
	rules.AddFamily(f, nil)
	p.Also = append(p.Also, rules.Also...)
	if p.Table == 0 {
		return nil
	}
	if err := r.now.ReadRoutes(ctx, r.conn, p.Table); err != nil {
		return err
	}
	for _, have := range r.now.Routes(p.Table) {
		if have.Family == f && p.Owns(f, have.Table, have.Protocol) && !form.IsClaim(&have) {
			p.AddRoute(have)
		}
	}
	return nil
}

// sourcesOf returns the sources of an uplink in a family. The last ones stay while the
// interface has no others, and while it is down, when the kernel is taking its addresses
// away one by one.
func (r *reading) sourcesOf(k *maintainedUplink, f route.Family) familyResolution {
	x := familyResolution{family: f}
	seen := make(map[netip.Addr]bool)
	for _, a := range r.addressesFor(k) {
		if route.FamilyOf(a.Addr) != f || seen[a.Addr] {
			continue
		}
		seen[a.Addr] = true
		x.sources = append(x.sources, a.Addr)
		if !a.Tentative {
			x.usable = append(x.usable, a)
		}
	}
	for _, a := range r.heldSources(k, len(x.sources) > 0) {
		if route.FamilyOf(a) == f && !seen[a] {
			seen[a] = true
			x.sources = append(x.sources, a)
		}
	}
	return x
}

// addressesFor returns the addresses of this host that are sources of an uplink.
func (r *reading) addressesFor(k *maintainedUplink) []host.Address {
	var all []host.Address
	for _, a := range k.Sources {
		if have, ok := r.now.Address(a); ok {
			all = append(all, have)
		}
	}
	if len(k.Sources) > 0 {
		return all
	}
	index, ok := r.now.Link(k.Interface)
	if !ok {
		return nil
	}
	for _, a := range r.now.AddressesOf(index) {
		if a.Global && k.taken[a.Addr] == nil {
			all = append(all, a)
		}
	}
	return all
}

// heldSources returns the sources that an uplink keeps although the interface may not
// have them. Addresses that another interface has got in the meantime are not among them.
func (r *reading) heldSources(k *maintainedUplink, hasOthers bool) []netip.Addr {
	index, _ := r.now.Link(k.Interface)
	switch {
	case len(k.Sources) > 0:
		return k.Sources
	case hasOthers && r.isUp(index):
		return nil
	}
	return slices.DeleteFunc(slices.Clone(k.memory.sources), func(a netip.Addr) bool {
		return k.taken[a] != nil || r.isElsewhere(a, k.Interface)
	})
}

// waitsFor returns what keeps the routes of a family from being installed, or an empty
// string.
func (r *reading) waitsFor(k *maintainedUplink, spec *uplink.Spec, x *familyResolution) string {
	index, ok := r.now.Link(k.Interface)
	switch {
	case !ok:
		return fmt.Sprintf("there is no interface %s", k.Interface)
	case !r.isUp(index):
		return fmt.Sprintf("the interface %s is down", k.Interface)
	case len(x.usable) == 0 && len(k.Sources) > 0:
		return fmt.Sprintf("%s cannot be used as a source: it is not there, or its duplicate address detection "+
			"has not succeeded", x.sources[0])
	case len(x.usable) == 0:
		return noAddress(k.Interface, x.family)
	case spec.Gateway.IsUnspecified():
		return k.noGateway()
	}
	return ""
}

func noAddress(dev string, f route.Family) string {
	return fmt.Sprintf("the interface %s has no global %s address that can be used", dev, form.FamilyName(f))
}

// summarize returns what was found about an uplink in all its families. An uplink waits
// for what its first family waits for that is not complete. If another one is complete,
// it does not wait for a family that the interface has never had.
func summarize(dev string, families []familyResolution) status {
	var all status
	complete := false
	var first *familyResolution // that waits
	for i := range families {
		x := &families[i]
		switch {
		case x.waits == "":
			complete = true
			for _, a := range x.usable {
				all.usable = append(all.usable, a.Addr)
			}
		case first == nil:
			first = x
		}
	}
	if first != nil && !(complete && len(first.sources) == 0 && first.waits == noAddress(dev, first.family)) {
		all.waits = first.waits
	}
	return all
}
