package explain

import (
	"slices"

	"github.com/policyroute/policyroute/route"
)

// A next hop of several can be dead although its interface is up: the kernel does not
// revive it before the interface has an address. So a World keeps [route.FlagDead] of
// these next hops, beside what the interfaces say.

// hasDeadHop reports whether one of several next hops is dead.
func hasDeadHop(r *route.Route) bool {
	return slices.ContainsFunc(r.Multipath, func(n route.NextHop) bool { return n.Flags&route.FlagDead != 0 })
}

// markDead sets the flags of routes that are in dead with their flags.
func (w *World) markDead(dead []route.Route) {
	for i := range dead {
		d := &dead[i]
		canonical := d.Canonical()
		for j := range w.Routes {
			if r := &w.Routes[j]; len(r.Multipath) == len(d.Multipath) && !hasDeadHop(r) && r.Canonical().Equal(canonical) {
				r.Multipath = slices.Clone(r.Multipath)
				for k := range r.Multipath {
					if n := &d.Multipath[k]; n.Flags&route.FlagDead != 0 && !w.saysDead(n, d.Family) {
						r.Multipath[k].Flags |= route.FlagDead
					}
				}
				break
			}
		}
	}
}

// saysDead reports whether the interface of a next hop says already that it is dead: it
// is down, or has no carrier and its routes are then ignored.
func (w *World) saysDead(n *route.NextHop, family route.Family) bool {
	at := slices.IndexFunc(w.Links, func(l Link) bool { return l.Index == n.OIF })
	if at < 0 || w.Links[at].Flags&FlagUp == 0 {
		return true
	}
	name := "ipv4"
	if family == route.IPv6 {
		name = "ipv6"
	}
	own, _ := w.Sysctls.int(confName(name, w.Links[at].Name, "ignore_routes_with_linkdown"), 0)
	all, _ := w.Sysctls.int("net.ipv4.conf.all.ignore_routes_with_linkdown", 0)
	ignores := own != 0 || family == route.IPv4 && all != 0
	return w.Links[at].Flags&FlagCarrier == 0 && ignores
}
