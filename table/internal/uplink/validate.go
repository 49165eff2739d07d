package uplink

import (
	"cmp"
	"math"
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
	for _, p := range u.Routes {
		switch {
		case !p.IsValid():
			return u.FieldError("Routes", "a prefix is not set")
		case p != p.Masked():
			return u.FieldError("Routes", "%s has bits beyond its length: %s?", p, p.Masked())
		case f != 0 && route.FamilyOf(p.Addr()) != f:
			return u.FieldError("Routes", "%s and the gateway %s are of different families", p, u.Gateway)
		}
	}
	for i := range u.Also {
		if err := u.validateAlso(u.Also[i]); err != nil {
			return err
		}
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
