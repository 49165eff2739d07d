package discover

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// uplinkOf returns the uplink of a way. It returns false if no packet would take the way.
func (x *search) uplinkOf(w *way) (Uplink, bool) {
	u := Uplink{way: w}
	u.Name, u.Table, u.Interface = w.name, w.table, x.now.Links.Name(w.index)
	x.setGateway(w, &u)
	if w.gateway.IsValid() && route.FamilyOf(w.gateway) != w.family && u.Learn == 0 {
		return u, false
	}
	if !x.setSources(w, &u) {
		return u, false
	}
	if w.table != 0 {
		x.setRungs(w, &u)
		x.setRoutes(w, &u)
	}
	for _, r := range w.also {
		u.Also = append(u.Also, x.alsoOf(w, r))
		u.reason("rule %s", x.text(r))
	}
	return u, true
}

func (u *Uplink) reason(format string, args ...any) {
	u.Reasons = append(u.Reasons, fmt.Sprintf(format, args...))
}

// text returns a rule with the names of tables.
func (x *search) text(r rule.Rule) string {
	return fmt.Sprintf("%d: %s", r.Priority.Or(0), withoutPriority(r).Args(x.now.Names.All()))
}

func withoutPriority(r rule.Rule) rule.Rule {
	r.Priority = route.Opt[uint32]{}
	return r
}

// setGateway sets the gateway, or learns it.
func (x *search) setGateway(w *way, u *Uplink) {
	where := "main"
	if w.table != 0 {
		where = x.now.Names.Table(w.table)
	}
	to := "a default route without a gateway"
	if w.gateway.IsValid() {
		to = "a default route via " + w.gateway.String()
	}
	how := ""
	if x.isLearned(w) {
		u.Learn = w.family
		if w.table != 0 {
			where += " and table main have"
		} else {
			where += " has"
		}
		switch {
		case w.main.Protocol == route.ProtoRA:
			how = ", from router advertisements"
		case w.main.Protocol == route.ProtoDHCP:
			how = ", from a DHCP client"
		case w.gateway.IsValid():
			how = fmt.Sprintf(", and %s has an address with a lifetime, as from DHCP", u.Interface)
		}
	} else {
		where += " has"
		u.Gateway = w.gateway
		u.OnLink = w.gateway.IsValid() && w.out.Flags&route.FlagOnLink != 0 && !x.isInSubnet(w)
	}
	u.reason("table %s %s by %s%s", where, to, u.Interface, how)
	if w.main != nil && len(w.main.Multipath) > 0 {
		u.reason("the default route of table main has several next hops: with the word weight, \"uplinks run\" installs such a route")
	}
	if u.Learn == 0 && w.table != 0 && saysMore(w) {
		u.reason("adopt refuses this default route, because a line cannot have all of its properties: %s", w.out.Text(x.now.Names.All()))
	}
}

// saysMore reports whether a way's default route has properties that an uplink's routes
// cannot have.
func saysMore(w *way) bool {
	plain := route.Route{
		Family: w.out.Family, Type: w.out.Type, Table: w.out.Table, Protocol: w.out.Protocol, Scope: w.out.Scope, Flags: w.out.Flags,
		Gateway: w.out.Gateway, PrefSrc: w.out.PrefSrc, OIF: w.out.OIF, Priority: w.out.Priority, NextHopID: w.out.NextHopID,
		Preference: w.out.Preference,
	}
	return !plain.Canonical().Equal(w.out.Canonical())
}

// isLearned reports whether a program maintains the way in table main, and main has no
// other default route by the same interface.
func (x *search) isLearned(w *way) bool {
	if w.main == nil || len(w.main.Multipath) > 0 || slices.ContainsFunc(x.ways, func(o *way) bool {
		return o != w && o.family == w.family && o.index == w.index && o.main != nil && o.gateway != w.gateway
	}) {
		return false
	}
	switch w.main.Protocol {
	case route.ProtoDHCP, route.ProtoRA:
		return true
	}
	// dhclient and udhcpc mark their routes as ip(8) does. Their addresses have a lifetime.
	return !w.gateway.IsValid() || w.family == route.IPv4 && slices.ContainsFunc(x.now.AddressesOf(w.index), func(a host.Address) bool {
		return a.Dynamic && route.FamilyOf(a.Addr) == w.family && a.Global
	})
}

// isInSubnet reports whether a subnet of the interface has the gateway.
func (x *search) isInSubnet(w *way) bool {
	return w.gateway.IsLinkLocalUnicast() || slices.ContainsFunc(x.now.AddressesOf(w.index), func(a host.Address) bool {
		return a.Subnet.IsValid() && a.Subnet.Masked().Contains(w.gateway)
	})
}

// setSources sets the sources of the uplink. It reports whether there are any.
func (x *search) setSources(w *way, u *Uplink) bool {
	all := x.global(w.index, w.family)
	sources := w.sources()
	if w.table == 0 {
		sources = x.newSources(w)
		if len(sources) == 0 {
			return false
		}
		u.MainFirst = true
		u.reason("no rule is from %s so far: because of main-first, other routes of main are still used", list(sources))
		if first := x.defaultIn(w.family, rttables.Main); !slices.ContainsFunc(nextHops(first), func(h route.NextHop) bool { return h.OIF == w.index }) {
			u.reason("so far, its packets leave by %s", x.now.Links.Name(nextHops(first)[0].OIF))
		}
	}
	switch isOnly := len(sources) == len(all) && !slices.ContainsFunc(sources, func(a netip.Addr) bool { return !slices.Contains(all, a) }); {
	case len(sources) == 0 && len(w.also) == 0:
		return false
	case len(sources) == 0 && len(all) > 0 && w.coverAll(all):
	case len(sources) == 0:
		u.NoSources = true
		u.reason("no rule is from an address of %s", u.Interface)
	case !isOnly || !w.gateway.IsValid() && u.Learn == 0:
		u.Sources = sources
	}
	return true
}

// newSources returns the addresses of the way's interface without a rule from them.
func (x *search) newSources(w *way) []netip.Addr {
	return slices.DeleteFunc(x.global(w.index, w.family), x.hasRung)
}

// hasRung reports whether a rule of a script selects packets from an address, and has no
// other selector.
func (x *search) hasRung(a netip.Addr) bool {
	return slices.ContainsFunc(x.now.Rules(route.FamilyOf(a)).All, func(r rule.Rule) bool {
		return form.IsRung(&r) && r.From.Addr() == a && !form.IsSystemTable(r.Table)
	})
}

// coverAll reports whether a rule from a network looks up the way's table for all of some
// addresses.
func (w *way) coverAll(all []netip.Addr) bool {
	return slices.ContainsFunc(w.also, func(r rule.Rule) bool {
		plain := rule.Rule{
			Family: r.Family, Priority: r.Priority, From: r.From, Action: r.Action, Table: r.Table, Protocol: r.Protocol, Flags: r.Flags,
		}
		return r == plain && r.From.IsValid() && !slices.ContainsFunc(all, func(a netip.Addr) bool { return !r.From.Masked().Contains(a) })
	})
}

// setRungs sets the fields that follow from the rules from the way's sources.
func (x *search) setRungs(w *way, u *Uplink) {
	sources := w.sources()
	for i, r := range w.rungs {
		if !slices.ContainsFunc(w.rungs[:i], func(o rule.Rule) bool { return form.Like(o) == form.Like(r) }) {
			u.reason("rule %s", x.text(r))
		}
	}
	has := func(a netip.Addr, is func(*rule.Rule) bool) bool {
		return slices.ContainsFunc(x.now.Rules(w.family).All, func(r rule.Rule) bool {
			return form.IsRung(&r) && r.From.Addr() == a && is(&r)
		})
	}
	hasAll := func(is func(*rule.Rule) bool) bool {
		return len(sources) > 0 && !slices.ContainsFunc(sources, func(a netip.Addr) bool { return !has(a, is) })
	}
	if hasAll(form.IsMainFirst) {
		u.MainFirst = true
		u.reason("rules from %s look up main first", list(sources))
	}
	if hasAll(func(r *rule.Rule) bool { return r.Action == rule.ActionUnreachable }) {
		u.Unreachable = true
		u.reason("rules from %s have the action unreachable", list(sources))
	}
}

// setRoutes sets the fields that follow from the other routes of the way's table.
func (x *search) setRoutes(w *way, u *Uplink) {
	metric, same := w.out.Canonical().Priority, true
	for _, r := range x.now.Routes(w.table) {
		if r.Family != w.family || r.Type != route.TypeUnicast || r.OIF != w.index || len(r.Multipath) > 0 || form.IsDefault(&r) ||
			r.TOS != 0 || r.Src.IsValid() || r.Dst.Addr().IsLinkLocalUnicast() || r.Dst.Addr().IsMulticast() {
			continue
		}
		same = same && r.Canonical().Priority == metric
		dst := r.Dst.Masked()
		switch {
		case r.Gateway.IsValid() && r.Gateway == w.gateway:
			u.Routes = append(u.Routes, dst)
		case r.Gateway.IsValid():
			continue
		case !x.isSubnet(w, dst):
			u.Subnets = append(u.Subnets, dst)
		default:
			continue
		}
		u.reason("table %s has %s", x.now.Names.Table(w.table), r.Text(x.now.Names.All()))
	}
	if usual := (route.Route{Family: w.family}).Canonical().Priority; same && metric != usual {
		u.Metric = metric
	}
}

// isSubnet reports whether a prefix is a subnet of the interface.
func (x *search) isSubnet(w *way, p netip.Prefix) bool {
	return slices.ContainsFunc(x.now.AddressesOf(w.index), func(a host.Address) bool {
		return a.Subnet.IsValid() && a.Subnet.Masked() == p
	})
}

// alsoOf returns the rule of Also for a script's rule. With its table it has no main-first
// rule before it, unless the script has one for it.
func (x *search) alsoOf(w *way, r rule.Rule) rule.Rule {
	also := withoutPriority(r)
	also.Protocol, also.Flags = 0, 0
	if w.gateway.IsValid() || x.isLearned(w) {
		also.Family = 0
	}
	for _, first := range x.now.Rules(w.family).All {
		same := first
		same.Protocol = r.Protocol
		if form.IsMainFirst(&first) && form.RoleOf(&r) == form.ToUplink && form.Selector(same) == form.Selector(r) &&
			host.ComparePriority(first, r) < 0 && form.IsScriptProtocol(first.Protocol) {
			x.taken[form.Bare(first)], x.mainFirst[form.Bare(r)] = struct{}{}, first
			also.Table, also.Action = rttables.Unspec, 0
		}
	}
	return also
}
