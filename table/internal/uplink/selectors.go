package uplink

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// addSources sets the sources of the uplink in one family, and the prefixes on its link.
func (p *Policy) addSources(now *host.State, x *FamilySources) {
	p.Sources = append(p.Sources, x.All...)
	p.AddPrefixes(now, x)
}

// AddPrefixes sets the networks behind this host of one family, and the prefixes on the
// link of the interface.
func (p *Policy) AddPrefixes(now *host.State, x *FamilySources) {
	p.Prefixes = append(p.Prefixes, x.Prefixes...)
	p.OnLink = append(p.OnLink, now.OnLink(p.Index, x.Family)...)
	if p.Spec.NoSources {
		p.addAmbiguous(now, x.Family)
	}
}

// addAmbiguous sets the prefixes on the link of the interface that are also on the link of
// other interfaces. Table main has a route by only one of the interfaces.
func (p *Policy) addAmbiguous(now *host.State, f route.Family) {
	own := slices.Concat(p.OnLink, p.Spec.Subnets)
	for _, a := range now.AddressesOf(p.Index) {
		if a.Subnet.IsValid() {
			own = append(own, a.Subnet.Masked())
		}
	}
	for _, subnet := range withoutCovered(own) {
		if route.FamilyOf(subnet.Addr()) == f && !subnet.Addr().IsLinkLocalUnicast() && now.HasElsewhere(p.Index, subnet) {
			p.Ambiguous = append(p.Ambiguous, subnet)
		}
	}
}

// addSubnets adds the routes to prefixes on the link that do not follow from an address of
// the uplink: those that are declared, and those that table main has. It leaves out
// prefixes that another one contains.
func (p *Policy) addSubnets(base route.Route, sources []host.Address) {
	known := make(prefixSet)
	for i := range p.Routes {
		if p.Routes[i].Family == base.Family {
			known[p.Routes[i].Dst] = true
		}
	}
	add := func(subnet netip.Prefix) {
		known[subnet] = true
		r := base
		r.Dst = subnet
		r.PrefSrc = p.subnetSource(subnet, sources)
		p.AddRoute(form.OnLink(r))
	}
	for _, subnet := range p.Spec.Subnets {
		if route.FamilyOf(subnet.Addr()) == base.Family && !known[subnet] {
			add(subnet)
		}
	}
	for _, subnet := range p.OnLink {
		if route.FamilyOf(subnet.Addr()) != base.Family {
			continue
		}
		if _, covered := known.covering(subnet, subnet.Bits()); !covered {
			add(subnet)
		}
	}
}

// selectors returns the rules of Also of a family as their owner would write them: for
// each network behind this host, and those of the Spec.
func (p *Policy) selectors(f route.Family) []rule.Rule {
	var all []rule.Rule
	seen := make(map[rule.Rule]bool)
	add := func(r rule.Rule) {
		if !seen[r] {
			seen[r] = true
			all = append(all, r)
		}
	}
	for _, from := range slices.Concat(p.Prefixes, p.Spec.SourcePrefixes) {
		if route.FamilyOf(from.Addr()) == f {
			add(rule.Rule{Family: f, From: from})
		}
	}
	for _, r := range p.Spec.Also {
		r.IIF, r.OIF = p.linkName(r.IIF), p.linkName(r.OIF)
		own := form.AddressFamily(&r)
		if r.Family == f || r.Family == 0 && (own == f || own == 0) {
			r.Family = f
			for _, x := range append(p.toAmbiguous(r), r) {
				add(x)
			}
		}
	}
	return all
}

// toAmbiguous returns the rules that come before a rule of Also of an uplink without
// sources. They lead to the uplink's own subnets in cases where main would lead to those
// of another interface.
func (p *Policy) toAmbiguous(r rule.Rule) []rule.Rule {
	if form.StandsAlone(&r) || r.OIF == p.linkName(p.Spec.Interface) {
		return nil
	}
	var all []rule.Rule
	for _, subnet := range p.Ambiguous {
		if route.FamilyOf(subnet.Addr()) == r.Family {
			r.To = subnet
			all = append(all, r)
		}
	}
	return all
}

// AddAlso adds the rules of Also of one family that are not withdrawn.
func (p *Policy) AddAlso(f route.Family) {
	for _, r := range p.selectors(f) {
		if p.isWithdrawn(r) {
			continue
		}
		p.Also = append(p.Also, p.alsoRules(r)...)
	}
}

// alsoLikeIn returns our rules that look up a table and select what a rule of Also
// selects.
func (p *Policy) alsoLikeIn(now *host.State, f route.Family) []rule.Rule {
	like := p.alsoLike()
	return slices.DeleteFunc(now.Rules(f).Of(p.Spec.Proto()).All(), func(r rule.Rule) bool {
		return r.Action != rule.ActionLookup || form.IsSystemTable(r.Table) || !like[likeAlso(r)]
	})
}
