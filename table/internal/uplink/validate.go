package uplink

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// Validate reports what is wrong with u on any host. The error is a [*plan.FieldError]
// about the first field that is missing or contradicts the others.
func (u *Spec) Validate() error {
	switch {
	case u.Interface == "":
		return u.FieldError("Interface", "is not set")
	case u.Table != 0 && form.IsSystemTable(u.Table):
		return u.FieldError("Table", "%s is a system table", u.Table)
	case u.Family != 0 && !slices.Contains(form.Families[:], u.Family):
		return u.FieldError("Family", "%s is not a family of uplinks: want inet or inet6", u.Family)
	case u.Protocol == form.ReplyProtocol:
		return u.FieldError("Protocol", "%d is that of package reply: choose another", uint8(u.Protocol))
	case u.OnLink && !u.Gateway.IsValid():
		return u.FieldError("OnLink", "needs a Gateway")
	}
	for _, validate := range []func() error{
		u.validateName, u.validateSources, u.validatePrefixes, u.validateGateway, u.validateDefaults, u.validateSelectors,
	} {
		if err := validate(); err != nil {
			return err
		}
	}
	for i := range u.Also {
		if err := u.validateAlso(u.Also[i]); err != nil {
			return err
		}
	}
	return nil
}

// validateName refuses a name that rt_tables cannot hold for any table.
func (u *Spec) validateName() error {
	if u.Name == "" {
		return nil
	}
	err := new(rttables.File).Set(1, u.Name, "")
	var entry *rttables.EntryError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rttables.ErrReserved):
		if _, ok := new(rttables.Names).Lookup(u.Name); ok {
			return u.FieldError("Name", "%s is a system table", u.Name)
		}
		return u.FieldError("Name", "%s is a word of ip(8): choose another", u.Name)
	case errors.As(err, &entry):
		err = entry.Err
	}
	return u.FieldError("Name", "%q cannot be in rt_tables: %v", u.Name, err)
}

// mappedReason returns what is wrong with an IPv4 address that is written as an IPv6
// address, and "" for all other addresses. The kernel would take the address as IPv6, and
// no IPv6 packet has it.
func mappedReason(a netip.Addr) string {
	if !a.Is4In6() {
		return ""
	}
	return a.String() + " is an IPv4 address written as an IPv6 address: write " + a.Unmap().String()
}

// mappedPrefixReason is mappedReason for a prefix.
func mappedPrefixReason(p netip.Prefix) string {
	const mappedBits = 96 // before the IPv4 address
	if p.IsSingleIP() || p.Bits() < mappedBits {
		return mappedReason(p.Addr())
	}
	if !p.Addr().Is4In6() {
		return ""
	}
	return fmt.Sprintf("%s has IPv4 addresses written as IPv6 addresses: write %s",
		p, netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits))
}

// validateGateway refuses a Gateway that is not possible for any uplink.
func (u *Spec) validateGateway() error {
	if !u.Gateway.IsValid() {
		return nil
	}
	if len(u.Defaults) > 0 {
		return u.FieldError("Gateway", "excludes Defaults: set the gateway in one of them")
	}
	return u.validateRouter("Gateway", u.Gateway)
}

// validateRouter refuses an address that cannot be a gateway's.
func (u *Spec) validateRouter(field string, a netip.Addr) error {
	noGateway := "leave out the gateway for a tunnel or another link without a router"
	switch {
	case a.Zone() != "":
		return u.FieldError(field, "%s has a zone: leave out the zone, which Interface gives", a)
	case mappedReason(a) != "":
		return u.FieldError(field, "%s", mappedReason(a))
	case a.IsUnspecified():
		return u.FieldError(field, "%s is not the address of a router; %s", a, noGateway)
	case a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return u.FieldError(field, "%s is the address of many hosts, not of one router", a)
	case a.IsLoopback():
		return u.FieldError(field, "%s is an address of this host itself: set the address of the router", a)
	case a.Is4() && !u.InFamily(route.IPv4):
		return u.FieldError(field, "%s is IPv4, but the gateway of an IPv6 route has to be IPv6", a)
	}
	return nil
}

// validateDefaults refuses default routes that are not possible for any uplink.
func (u *Spec) validateDefaults() error {
	seen := make(map[form.RouteKey]bool)
	for i := range u.Defaults {
		d := &u.Defaults[i]
		text := *d
		text.Protocol = route.ProtoBoot // leaves the protocol out of the text
		fail := func(reason string) error { return u.FieldError("Defaults", "%q %s", text.Text(nil), reason) }
		inFamily := func(f route.Family) bool { return canBeIn(d, f) }
		switch {
		case !form.IsDefault(d):
			return fail("is not a default route: put other destinations into Routes")
		case d.Type != 0 && d.Type != route.TypeUnicast:
			return fail("has a type that does not forward packets: want unicast")
		case d.NextHopID != 0:
			return fail("has a nexthop object: set the gateways of the object instead")
		case d.Gateway.IsValid() && len(d.Multipath) > 0:
			return fail("has both a gateway and next hops")
		case !slices.ContainsFunc(u.Families(), inFamily):
			return fail("is not of the uplink's family")
		}
		for _, h := range form.NextHops(d) {
			if !h.Gateway.IsValid() {
				continue
			}
			if err := u.validateRouter("Defaults", h.Gateway); err != nil {
				return err
			}
		}
		for _, f := range u.Families() {
			k := form.RouteKey{Family: f, Src: d.Src, TOS: d.TOS, Priority: cmp.Or(d.Priority, u.Metric)}
			if canBeIn(d, f) && seen[k] {
				return fail("has the same metric as another default route")
			}
			seen[k] = seen[k] || canBeIn(d, f)
		}
	}
	return nil
}

// validateSources refuses Sources that are not possible for any uplink, or not with its
// gateway.
func (u *Spec) validateSources() error {
	for _, a := range u.Sources {
		f := route.FamilyOf(a)
		switch {
		case !a.IsValid():
			return u.FieldError("Sources", "an address is not set")
		case a.Zone() != "":
			return u.FieldError("Sources", "%s has a zone", a)
		case mappedReason(a) != "":
			return u.FieldError("Sources", "%s", mappedReason(a))
		case f == route.IPv6 && u.Gateway.Is4():
			return u.FieldError("Sources", "%s and the gateway %s are of different families", a, u.Gateway)
		case !u.InFamily(f):
			return u.FieldError("Sources", "%s is not of the uplink's family, %s", a, form.FamilyName(u.Family))
		}
	}
	return nil
}

// validatePrefixes refuses Routes, Subnets and SourcePrefixes that are not possible for
// any uplink, or not with its gateway.
func (u *Spec) validatePrefixes() error {
	for _, x := range []struct {
		field    string
		prefixes []netip.Prefix
	}{{"Routes", u.Routes}, {"Subnets", u.Subnets}, {"SourcePrefixes", u.SourcePrefixes}} {
		for _, p := range x.prefixes {
			if reason := u.prefixReason(p, x.field == "Routes"); reason != "" {
				return u.FieldError(x.field, "%s", reason)
			}
		}
	}
	return nil
}

// prefixReason returns what is wrong with a prefix, or an empty string. A destination of
// Routes can be anywhere.
func (u *Spec) prefixReason(p netip.Prefix, anywhere bool) string {
	f := route.FamilyOf(p.Addr())
	switch {
	case !p.IsValid():
		return "a prefix is not set"
	case p.Addr().Is4In6():
		return mappedPrefixReason(p)
	case p != p.Masked():
		return fmt.Sprintf("%s has bits beyond its length: did you mean %s?", p, p.Masked())
	case !u.InFamily(f) && u.Gateway.IsValid() && f != route.FamilyOf(u.Gateway):
		return fmt.Sprintf("%s and the gateway %s are of different families", p, u.Gateway)
	case !u.InFamily(f):
		return fmt.Sprintf("%s is not of the uplink's family", p)
	case anywhere:
	case p.Bits() == 0:
		return fmt.Sprintf("%s contains every address", p)
	case p.Addr().IsMulticast() || p.Addr().IsLinkLocalUnicast() || p.Addr().IsLoopback():
		return fmt.Sprintf("%s is not a network that an uplink can send packets to or from", p)
	}
	return ""
}

// validateSelectors refuses fields that select the uplink's packets and contradict one
// another.
func (u *Spec) validateSelectors() error {
	for _, dev := range u.SourceInterfaces {
		switch dev {
		case "":
			return u.FieldError("SourceInterfaces", "a name is not set")
		case u.Interface:
			return u.FieldError("SourceInterfaces", "%s is the uplink's own interface: networks behind this host are on other interfaces", dev)
		}
	}
	switch {
	case !u.NoSources:
		return nil
	case len(u.Sources) > 0:
		return u.FieldError("NoSources", "excludes Sources, which has %s", u.Sources[0])
	case len(u.Also)+len(u.SourcePrefixes)+len(u.SourceInterfaces) == 0:
		return u.FieldError("NoSources", "needs Also: otherwise no packet takes the uplink")
	case u.Table == 0 && u.Name == "":
		return u.FieldError("NoSources", "needs Table or Name: otherwise the uplink's table cannot be found again")
	}
	return nil
}

// validateAlso refuses a rule that would not be found again, or that selects every
// packet.
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
	mapped := cmp.Or(mappedPrefixReason(r.From), mappedPrefixReason(r.To))
	switch {
	case r == selectsAll:
		return fail("selects every packet")
	case mapped != "":
		return u.FieldError("Also", "%s", mapped)
	case r.Table != 0 && r.Table != u.Table:
		return fail("sets Table: leave it out, because the rule looks up the uplink's table")
	case r.Protocol != 0 && r.Protocol != u.Proto():
		return fail("sets Protocol: leave it out, because the rule gets the uplink's protocol")
	case r.Goto != 0 || r.Action != 0 && r.Action != rule.ActionLookup:
		return fail("sets Action: leave it out, because the rule looks up the uplink's table")
	case f != 0 && r.Family != 0 && f != r.Family:
		return fail("has addresses that are not of its family")
	case !canBePorts(r.SPort) || !canBePorts(r.DPort):
		return fail("has an invalid range of ports: want 1 to 65534, the lower one first")
	case r.UIDRange.Last() < r.UIDRange.First() || r.UIDRange.Last() == math.MaxUint32:
		return fail("has an invalid range of users: want 0 to 4294967294, the lower one first")
	case !u.InFamily(cmp.Or(f, r.Family, u.Families()[0])):
		return fail("is not of the uplink's family")
	}
	return nil
}

// canBePorts reports whether the kernel accepts the ports of a selector.
func canBePorts(p rule.Ports) bool {
	return !p.IsSet() || p.First() > 0 && p.First() <= p.Last() && p.Last() < math.MaxUint16
}
