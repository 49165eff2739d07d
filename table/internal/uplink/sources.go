package uplink

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// FamilySources are the sources of an uplink in one family.
type FamilySources struct {
	Family route.Family
	// All are the addresses that have rules, also if they are not on this host.
	All []netip.Addr
	// Usable are those of All that packets can have now.
	Usable []host.Address
	// Prefixes are networks behind this host.
	Prefixes []netip.Prefix
	// Unbound means that the family needs no address, because prefixes or the rules of
	// Also select the uplink.
	Unbound bool
}

// SourcesOf returns the sources of an uplink in one family, on the host as it is now.
func (u *Spec) SourcesOf(now *host.State, index uint32, f route.Family) FamilySources {
	x := u.AddressesOf(now, index, f)
	u.AddPrefixes(now, index, &x)
	return x
}

// AddressesOf is SourcesOf for addresses alone.
func (u *Spec) AddressesOf(now *host.State, index uint32, f route.Family) FamilySources {
	x := FamilySources{Family: f}
	seen := make(map[netip.Addr]bool)
	add := func(a netip.Addr, have host.Address, ok bool) {
		if route.FamilyOf(a) != f || seen[a] {
			return
		}
		seen[a] = true
		x.All = append(x.All, a)
		if ok && !have.Tentative {
			x.Usable = append(x.Usable, have)
		}
	}
	if u.TakesAll() {
		for _, a := range now.AddressesOf(index) {
			if a.Global {
				add(a.Addr, a, true)
			}
		}
	}
	for _, a := range u.Sources {
		have, ok := now.Address(a)
		add(a, have, ok)
	}
	return x
}

// AddPrefixes adds the networks behind this host, and finds out whether the family needs
// an address.
func (u *Spec) AddPrefixes(now *host.State, index uint32, x *FamilySources) {
	known := make(prefixSet)
	for _, p := range u.SourcePrefixes {
		if route.FamilyOf(p.Addr()) == x.Family && !known[p] {
			known[p] = true
			x.Prefixes = append(x.Prefixes, p)
			x.Unbound = u.TakesAll()
		}
	}
	followed := u.followed(now, x.Family)
	switch {
	case u.NoSources:
		x.Unbound = slices.Contains(u.unboundFamilies(now, index), x.Family)
	case u.TakesAll() && u.OnlyFamily() == x.Family && len(followed) > 0:
		x.Unbound = true
	}
	if !x.Unbound && len(x.All) == 0 {
		return // the networks of other interfaces may belong to other uplinks in this family
	}
	for _, p := range followed {
		if !known[p] {
			x.Prefixes = append(x.Prefixes, p)
		}
	}
}

// followed returns the networks of a family that SourceInterfaces have now, and the
// networks that the default routes are for, such as a prefix that the provider has
// delegated.
func (u *Spec) followed(now *host.State, f route.Family) []netip.Prefix {
	var all []netip.Prefix
	for _, dev := range u.SourceInterfaces {
		index, ok := now.LinkOrFormer(dev)
		if !ok {
			continue
		}
		for _, a := range now.AddressesOf(index) {
			if a.Global && a.Subnet.IsValid() && route.FamilyOf(a.Addr) == f {
				all = append(all, a.Subnet.Masked())
			}
		}
		all = append(all, now.OnLink(index, f)...)
	}
	for i := range u.Defaults {
		// A single source is for one of this host's addresses.
		if src := u.Defaults[i].Src; route.FamilyOf(src.Addr()) == f && !src.IsSingleIP() {
			all = append(all, src.Masked())
		}
	}
	return withoutCovered(all)
}

// unboundFamilies returns the families of an uplink without sources: those of its gateway
// and its selectors, and those in which the interface has an address. If there is none it
// has both, because a tunnel needs no address, but not IPv6 if IPv6 is disabled.
func (u *Spec) unboundFamilies(now *host.State, index uint32) []route.Family {
	if f := u.OnlyFamily(); f != 0 {
		return []route.Family{f}
	}
	families, all := u.selectedFamilies()
	if all {
		return families
	}
	enabled := []route.Family{route.IPv4}
	for _, a := range now.AddressesOf(index) {
		f := route.FamilyOf(a.Addr)
		if a.Global {
			families = append(families, f)
		}
		enabled = append(enabled, f)
	}
	if len(families) == 0 {
		return enabled
	}
	return families
}

// MissingSource returns why no packet of a family can have one of Sources. It returns ""
// if one of them can be used, or there are none of the family.
func (u *Spec) MissingSource(now *host.State, f route.Family) string {
	var missing string
	for _, a := range u.Sources {
		if route.FamilyOf(a) != f {
			continue
		}
		have, ok := now.Address(a)
		reason := absent(a)
		if ok && have.Tentative {
			reason = tentative(a)
		} else if ok {
			return ""
		}
		if missing == "" {
			missing = reason
		}
	}
	return missing
}

func absent(a netip.Addr) string { return fmt.Sprintf("%s is not an address of this host", a) }

func tentative(a netip.Addr) string {
	return fmt.Sprintf("%s is tentative: duplicate address detection has not succeeded", a)
}

// findSources returns the sources of the uplink, in each family that it has now. It
// returns an error if there is no source, or if the addresses of a family cannot be used.
func (u *Spec) findSources(now *host.State, index uint32) ([]FamilySources, error) {
	var found []FamilySources
	for _, f := range u.Families() {
		x := u.SourcesOf(now, index, f)
		if reason := u.MissingSource(now, f); reason != "" {
			return nil, u.FieldError("Sources", "%s", reason)
		}
		if len(x.All) > 0 && len(x.Usable) == 0 && !x.Unbound {
			return nil, u.FieldError("Sources", "%s", tentative(x.All[0]))
		}
		if len(x.Usable) > 0 || x.Unbound {
			found = append(found, x)
		}
	}
	if len(found) == 0 {
		what := "global address"
		if f := u.OnlyFamily(); f != 0 {
			what = "global " + form.FamilyName(f) + " address"
		}
		return nil, u.FieldError("Interface", "%s has no %s", u.Interface, what)
	}
	return found, nil
}
