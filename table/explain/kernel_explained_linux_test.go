package explain_test

import (
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/explain"
)

// explained returns why the kernel differs from the model in a way that the model cannot know,
// or nothing. The overview of package explain has these cases among its limits.
func explained(f *explain.FIB, e *explain.Explanation, a *answer, x *difference) string {
	d, p, w := &e.Decision, &e.Packet, f.World()
	switch {
	case d.Depends&explain.DependsGroup != 0:
		return "multicast that comes in, for a group that this host may be in"
	case p.IIF != "" && p.To.IsMulticast() && p.To.Is6() && errno(a.err) == int(syscall.EMSGSIZE):
		return "RTM_GETROUTE has no answer for IPv6 multicast that comes in"
	case d.Depends&explain.DependsNeighbour != 0 && slices.Contains([]string{"route", "next hop", "candidates", "source", "match", "no match"}, x.kind):
		return "several default routes, or next hops, of which the kernel takes one whose gateway answers"
	case namesVRF(w) && isOlder(6, 15):
		return "a rule with a VRF as iif or oif, which kernels before 6.15 do not match with the packets of its interfaces"
	case p.To.Is4() && x.kind == "source of a candidate" && a.route.PrefSrc == netip.Addr{} && hasVRF(w):
		return "several next hops out of a VRF that has no address"
	case p.From.IsLoopback() && len(d.Candidates) > 0 && x.kind == "not refused":
		return "a loopback source, and several next hops, not all of which allow it (route_localnet)"
	case p.To.Is6() && suppressesGroups(w, e.Steps):
		return "suppress_ifgroup for the interface of one of several next hops"
	case p.To.Is6() && a.match.NextHopID != 0 && (!a.match.Dst.Contains(p.To) || d.Route >= 0 && w.Routes[d.Route].NextHopID != 0):
		return "IPv6 routes by one nexthop object share copies, so that the kernel takes another of them"
	case p.To.Is6() && strings.HasPrefix(x.kind, "source") && d.Route >= 0 && len(w.Routes[d.Route].Multipath) > 1,
		p.To.Is6() && slices.Contains([]string{"next hop", "candidates", "route"}, x.kind) && len(a.match.Multipath) > 1:
		return "IPv6 next hops of one route, whose sources or preferences differ: a listing shows those of the first"
	case p.To.Is6() && a.matchErr == nil && !slices.ContainsFunc(w.Routes, func(r route.Route) bool { return isSame(&r, &a.match) }):
		return "an IPv6 route that no listing has, because it stands between the next hops of another"
	case p.To.Is6() && d.Route >= 0 && isAloneWithSource(w, &w.Routes[d.Route]):
		return "an IPv6 route for a source, whose destination has had a route for all sources"
	case p.To.Is4() && x.kind == "verdict" && d.Verdict == explain.Multicast && a.route.Type == route.TypeUnicast:
		return "multicast by an IPv4 route whose next hop another route has as well: they share copies"
	case p.To.Is4() && strings.HasPrefix(x.kind, "source") && a.match.NextHopID != 0:
		return "an IPv4 nexthop object that remembers its source"
	case p.To.Is4() && p.IIF != "" && len(a.reverse) > 0 && len(e.Back) == 0 && w.Sysctls["net.ipv4.fib_has_custom_rules"] == "0":
		return "whether the namespace ever had a local route of its own, so that the source of what comes in is checked"
	case p.To.Is4() && (x.kind == "refused" || x.kind == "not refused" || x.kind == "tables of the way back") && (leadsBack(w, d, p.IIF) || hashesWayBack(w, d)):
		return "several next hops, so that the hash decides whether the source is looked up, and from which interface"
	case p.To.Is4() && (x.kind == "next hop" || x.kind == "candidates") && p.From.IsValid() && p.IIF == "" && d.Route >= 0 && hasHop(&w.Routes[d.Route], &a.route):
		return "several next hops, one of which remembers that the source was its own"
	case p.To.Is4() && (x.kind == "next hop" || x.kind == "candidates") && !a.route.Gateway.IsValid() && hasHostRoute(w):
		return "a gateway that was on this host when the route was added, and is not used"
	case p.To.Is4() && slices.ContainsFunc(w.Routes, func(r route.Route) bool { return isOddHop(w, &r) }):
		return "a next hop of IPv4 by an IPv6 gateway without a carrier"
	}
	return ""
}

// hasHostRoute reports whether a route leads to this host that is not the kernel's own.
func hasHostRoute(w *explain.World) bool {
	return slices.ContainsFunc(w.Routes, func(r route.Route) bool {
		return r.Family == route.IPv4 && r.Protocol != route.ProtoKernel && (r.Type == route.TypeLocal || r.Scope == route.ScopeHost)
	})
}

func hasVRF(w *explain.World) bool {
	return slices.ContainsFunc(w.Links, func(l explain.Link) bool { return l.Table != 0 })
}

// namesVRF reports whether a rule has a VRF as iif or oif.
func namesVRF(w *explain.World) bool {
	return slices.ContainsFunc(w.Links, func(l explain.Link) bool {
		return l.Table != 0 && slices.ContainsFunc(w.Rules, func(r rule.Rule) bool { return r.IIF == l.Name || r.OIF == l.Name })
	})
}

// isOlder reports whether the kernel is older than a version.
func isOlder(major, minor uint8) bool {
	v, ok := uapi.Running()
	return ok && v.Less(uapi.Version{Major: major, Minor: minor})
}

// hashesWayBack reports whether the way back to a source hangs on the next hop: if there are
// several, and rules with iif.
func hashesWayBack(w *explain.World, d *explain.Decision) bool {
	return d.Route >= 0 && hasSeveral(&w.Routes[d.Route]) && slices.ContainsFunc(w.Rules, func(r rule.Rule) bool { return r.IIF != "" })
}

// isAloneWithSource reports whether a route is for a source, and no route to its destination is
// for all. If there was one, the kernel looks for the other ones by the prefix of a longer one.
func isAloneWithSource(w *explain.World, r *route.Route) bool {
	return r.Src.Bits() > 0 && !slices.ContainsFunc(w.Routes, func(o route.Route) bool {
		return o.Dst == r.Dst && o.Table == r.Table && o.Src.Bits() <= 0
	})
}

// leadsBack reports whether one of several next hops may leave by the interface that the packet
// came in by.
func leadsBack(w *explain.World, d *explain.Decision, iif string) bool {
	if iif == "" || d.Route < 0 || !hasSeveral(&w.Routes[d.Route]) {
		return false
	}
	r := &w.Routes[d.Route]
	return r.NextHopID != 0 || slices.ContainsFunc(r.Multipath, func(n route.NextHop) bool {
		return slices.ContainsFunc(w.Links, func(l explain.Link) bool { return l.Name == iif && l.Index == n.OIF })
	})
}

// suppressesGroups reports whether a rule with suppress_ifgroup was asked and has found several
// next hops.
func suppressesGroups(w *explain.World, steps []explain.Step) bool {
	return slices.ContainsFunc(steps, func(s explain.Step) bool {
		return s.Rule >= 0 && w.Rules[s.Rule].SuppressIfGroup.IsSet() && s.Route >= 0 && hasSeveral(&w.Routes[s.Route])
	})
}

// hasHop reports whether the next hop that the kernel takes is one of several of a route. Those
// of a nexthop object are not looked at.
func hasHop(r, kernel *route.Route) bool {
	return r.NextHopID != 0 || slices.ContainsFunc(r.Multipath, func(n route.NextHop) bool {
		return n.OIF == kernel.OIF && n.Gateway == kernel.Gateway
	})
}

func hasSeveral(r *route.Route) bool { return len(r.Multipath) > 1 || r.NextHopID != 0 }

// isOddHop reports whether a route of IPv4 has an IPv6 gateway by an interface without a
// carrier. If it had none when the route was added, the kernel does not notice.
func isOddHop(w *explain.World, r *route.Route) bool {
	odd := func(index uint32) bool {
		return slices.ContainsFunc(w.Links, func(l explain.Link) bool { return l.Index == index && l.Flags&explain.FlagCarrier == 0 })
	}
	return r.Family == route.IPv4 && (r.Gateway.Is6() && odd(r.OIF) ||
		slices.ContainsFunc(r.Multipath, func(n route.NextHop) bool { return n.Gateway.Is6() && odd(n.OIF) }) ||
		slices.ContainsFunc(w.NextHops, func(o nexthop.Object) bool { return r.NextHopID != 0 && o.Gateway.Is6() && odd(o.OIF) }))
}
