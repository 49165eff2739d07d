package maintain

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// An uplink with NoSources has no address whose rule would send a probe through it. Its probes are
// sent so that one of its rules of Also selects them: from sockets that are bound to its interface,
// for the rule "oif DEV", or with the mark of a rule "fwmark MARK".

// isProbeRule reports whether a rule of Also selects the probes of an uplink without
// sources, in a family.
func (u *Uplink) isProbeRule(r *rule.Rule, f route.Family) bool {
	alone := rule.Rule{Family: r.Family, Priority: r.Priority, Action: r.Action, Table: r.Table, Protocol: r.Protocol}
	if r.Family != 0 && f != 0 && r.Family != f {
		return false
	}
	alone.OIF = u.Interface
	if *r == alone {
		return u.Health.Mark == 0
	}
	alone.OIF, alone.FwMark = "", r.FwMark
	return *r == alone && r.FwMark.Value() != 0 && (u.Health.Mark == 0 || r.FwMark.Value() == u.Health.Mark)
}

// probeRule returns the rule of Also that selects the probes of an uplink without sources
// in a family: by the interface, or else by the mark. It returns nil if there is none.
func (u *Uplink) probeRule(f route.Family) *rule.Rule {
	var found *rule.Rule
	for i := range u.Also {
		r := &u.Also[i]
		if u.isProbeRule(r, f) && (found == nil || found.OIF == "" && r.OIF != "") {
			found = r
		}
	}
	return found
}

// probedFamilies returns the families of the addresses that are probed. A probe function of the
// caller can use any family.
func (u *Uplink) probedFamilies() []route.Family {
	if u.Health.Func != nil {
		return u.families()
	}
	var families []route.Family
	add := func(a netip.Addr) {
		if f := route.FamilyOf(a); !slices.Contains(families, f) {
			families = append(families, f)
		}
	}
	for _, a := range u.Health.Echo {
		add(a)
	}
	for _, a := range u.Health.TCP {
		add(a.Addr())
	}
	return families
}

// validateUnbound refuses a Health whose probes would not take an uplink without sources, or that
// would withdraw the rule which the probes need.
func (u *Uplink) validateUnbound() error {
	if u.Health == nil || !u.NoSources {
		return nil
	}
	var first *rule.Rule
	for _, f := range u.probedFamilies() {
		r := u.probeRule(f)
		switch {
		case r == nil:
			return u.fieldError("Health", "no rule sends probes through this uplink without sources: "+
				"add a rule to Also with only the interface, oif %s, or with only a mark", u.Interface)
		case u.Health.WithdrawMarked && r.OIF == "" && u.Health.Mark == 0:
			return u.fieldError("Health", "WithdrawMarked would withdraw the rule by a mark that the probes need: "+
				"add a rule to Also with only the interface, oif %s", u.Interface)
		case first != nil && (r.OIF != first.OIF || r.FwMark.Value() != first.FwMark.Value()):
			return u.fieldError("Health", "the rules that send probes through the uplink differ between the two families: use the same interface or mark in both")
		}
		first = r
	}
	return nil
}

// probe returns the uplink's Health as it is sent.
func (u *Uplink) probe() health.Probe {
	p := *u.Health
	if !u.NoSources {
		return p
	}
	for _, f := range u.probedFamilies() {
		if r := u.probeRule(f); r != nil && r.OIF != "" {
			p.Interface = r.OIF
		} else if r != nil {
			p.Mark = r.FwMark.Value()
		}
	}
	return p
}

// neededByProbes returns the rules of Also that stay while the uplink is unhealthy, because its
// probes need them.
func (u *Uplink) neededByProbes() []rule.Rule {
	if !u.NoSources || u.Health == nil {
		return nil
	}
	var stay []rule.Rule
	for _, f := range u.probedFamilies() {
		if r := u.probeRule(f); r != nil && !slices.Contains(stay, *r) {
			stay = append(stay, *r)
		}
	}
	return stay
}

// probeSources returns the addresses that probes are sent from in a family, the best one first:
// usable sources, otherwise addresses of this host in networks that take the uplink. Without
// sources the kernel chooses.
func (r *reading) probeSources(p *uplink.Policy, x *uplink.FamilySources) []netip.Addr {
	if p.Spec.NoSources {
		if x.Family == route.IPv4 {
			return []netip.Addr{netip.IPv4Unspecified()}
		}
		return []netip.Addr{netip.IPv6Unspecified()}
	}
	all := p.Ranked(x.Family, x.Usable)
	if len(all) > 0 {
		return all
	}
	for _, a := range r.now.Addrs {
		if a.Global && !a.Tentative && slices.ContainsFunc(x.Prefixes, func(p netip.Prefix) bool { return p.Contains(a.Addr) }) {
			all = append(all, a.Addr)
		}
	}
	return all
}
