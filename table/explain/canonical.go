package explain

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/snapshot"
)

// Canonical returns w in the form that [Parse] returns. Objects have their canonical forms,
// without fields that only the kernel sets, and are in the order of a [snapshot.Snapshot].
func (w World) Canonical() World {
	s := snapshot.Snapshot{
		NextHops: slices.Clone(w.NextHops), Routes: slices.Clone(w.Routes), Rules: slices.Clone(w.Rules),
	}.Canonical()
	c := World{
		Rules: s.Rules, Routes: s.Routes, NextHops: s.NextHops, Links: slices.Clone(w.Links),
		Addresses: slices.Clone(w.Addresses), Neighbours: slices.Clone(w.Neighbours), Sysctls: maps.Clone(w.Sysctls),
	}
	var dead []route.Route
	for i := range w.Routes {
		if hasDeadHop(&w.Routes[i]) {
			dead = append(dead, w.Routes[i])
		}
	}
	c.markDead(dead)
	for i := range c.Links {
		c.Links[i].Flags &= textFlags
	}
	slices.SortStableFunc(c.Links, func(a, b Link) int { return cmp.Compare(a.Index, b.Index) })
	for i := range c.Addresses {
		c.Addresses[i].Flags &= textAddressFlags
	}
	return c
}

// Equal reports whether the texts of w and o are the same.
func (w World) Equal(o World) bool { return w.String() == o.String() }

// defaultScope is the scope that ip(8) and the kernel give to an address.
func defaultScope(a netip.Addr) route.Scope {
	switch {
	case a.IsLoopback():
		return route.ScopeHost
	case a.Is6() && a.IsLinkLocalUnicast():
		return route.ScopeLink
	}
	return route.ScopeGlobal
}

// defaultRules are the rules that a network namespace begins with.
func defaultRules(f route.Family) []rule.Rule {
	var rules []rule.Rule
	for _, x := range []struct {
		priority uint32
		table    rttables.ID
	}{{0, rttables.Local}, {32766, rttables.Main}, {32767, rttables.Default}} {
		if f == route.IPv6 && x.table == rttables.Default {
			break // IPv6 has no such rule
		}
		rules = append(rules, rule.Rule{
			Family: f, Priority: rule.Priority(x.priority), Action: rule.ActionLookup, Table: x.table, Protocol: route.ProtoKernel,
		})
	}
	return rules
}
