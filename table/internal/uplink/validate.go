package uplink

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// Validate reports what is wrong with u on any host: the first field that is missing
// or does not fit the others, as a [*plan.FieldError].
func (u *Spec) Validate() error {
	if u.Interface == "" {
		return u.FieldError("Interface", "is not set")
	}
	if u.Table != 0 && form.IsSystemTable(u.Table) {
		return u.FieldError("Table", "%s is a table of the system", u.Table)
	}
	if u.Gateway.Zone() != "" {
		return u.FieldError("Gateway", "%s has a zone: Interface says it", u.Gateway)
	}
	if u.OnLink && !u.Gateway.IsValid() {
		return u.FieldError("OnLink", "needs a Gateway")
	}
	f := route.FamilyOf(u.Gateway)
	for _, a := range u.Sources {
		switch {
		case !a.IsValid():
			return u.FieldError("Sources", "an address is not set")
		case a.Zone() != "":
			return u.FieldError("Sources", "%s has a zone", a)
		case f != 0 && route.FamilyOf(a) != f:
			return u.FieldError("Sources", "%s and the gateway %s are of different families", a, u.Gateway)
		}
	}
	for _, x := range []struct {
		field    string
		prefixes []netip.Prefix
	}{{"Routes", u.Routes}, {"Subnets", u.Subnets}, {"SourcePrefixes", u.SourcePrefixes}} {
		if err := u.validatePrefixes(x.field, x.prefixes); err != nil {
			return err
		}
	}
	if err := u.validateSelectors(); err != nil {
		return err
	}
	for i := range u.Also {
		if err := u.validateAlso(u.Also[i]); err != nil {
			return err
		}
	}
	return nil
}

// validatePrefixes refuses prefixes that a field cannot have.
func (u *Spec) validatePrefixes(field string, prefixes []netip.Prefix) error {
	f := route.FamilyOf(u.Gateway)
	for _, p := range prefixes {
		switch {
		case !p.IsValid():
			return u.FieldError(field, "a prefix is not set")
		case p != p.Masked():
			return u.FieldError(field, "%s has bits beyond its length: %s?", p, p.Masked())
		case f != 0 && route.FamilyOf(p.Addr()) != f:
			return u.FieldError(field, "%s and the gateway %s are of different families", p, u.Gateway)
		case field == "Routes":
		case p.Bits() == 0:
			return u.FieldError(field, "%s is every address", p)
		case p.Addr().Is4In6():
			return u.FieldError(field, "%s has IPv4 addresses in IPv6", p)
		case p.Addr().IsMulticast() || p.Addr().IsLinkLocalUnicast() || p.Addr().IsLoopback():
			return u.FieldError(field, "%s is no network that packets are sent from or to by an uplink", p)
		}
	}
	return nil
}

// validateSelectors refuses fields that say whose packets take the uplink, and contradict
// one another.
func (u *Spec) validateSelectors() error {
	for _, dev := range u.SourceInterfaces {
		switch dev {
		case "":
			return u.FieldError("SourceInterfaces", "a name is not set")
		case u.Interface:
			return u.FieldError("SourceInterfaces", "%s is the uplink's own interface: networks behind this host are on others", dev)
		}
	}
	switch {
	case !u.NoSources:
		return nil
	case len(u.Sources) > 0:
		return u.FieldError("NoSources", "says that no address is a source, but %s is one", u.Sources[0])
	case len(u.Also)+len(u.SourcePrefixes)+len(u.SourceInterfaces) == 0:
		return u.FieldError("NoSources", "nothing would take the uplink: it needs Also")
	case u.Table == 0 && u.Name == "":
		return u.FieldError("NoSources", "needs Table or Name: there is no other way to know the uplink's table again")
	}
	return nil
}

// validateAlso refuses a rule that would not be found again, or takes everything.
func (u *Spec) validateAlso(r rule.Rule) error {
	selectsAll := rule.Rule{
		Family: r.Family, Priority: r.Priority, Action: r.Action, Table: r.Table, Protocol: r.Protocol,
	}
	text := r
	if text.Action == 0 && text.Goto == 0 {
		text.Action = rule.ActionLookup
		if text.Table == 0 {
			text.Table = u.Table
		}
	}
	fail := func(reason string) error {
		return u.FieldError("Also", "%q %s", strings.TrimSuffix(text.Args(nil), " lookup 0"), reason)
	}
	f := form.AddressFamily(&r)
	switch {
	case r == selectsAll:
		return fail("selects every packet")
	case r.Table != 0 && r.Table != u.Table:
		return fail("has a table of its own")
	case r.Protocol != 0 && r.Protocol != u.Proto():
		return fail("has a protocol of its own")
	case r.Goto != 0 || r.Action != 0 && r.Action != rule.ActionLookup:
		return fail("has an action of its own")
	case f != 0 && r.Family != 0 && f != r.Family:
		return fail("has addresses of another family than its own")
	case !canBePorts(r.SPort) || !canBePorts(r.DPort):
		return fail("has a range of ports that cannot be: from 1 to 65534, the lower one first")
	case r.UIDRange.Last() < r.UIDRange.First() || r.UIDRange.Last() == math.MaxUint32:
		return fail("has a range of users that cannot be: from 0 to 4294967294, the lower one first")
	case !slices.Contains(u.Families(), cmp.Or(f, r.Family, u.Families()[0])):
		return fail("is not of the uplink's family")
	}
	return nil
}

// canBePorts reports whether the kernel takes the ports of a selector.
func canBePorts(p rule.Ports) bool {
	return !p.IsSet() || p.First() > 0 && p.First() <= p.Last() && p.Last() < math.MaxUint16
}
