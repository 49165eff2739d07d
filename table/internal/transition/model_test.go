package transition_test

import (
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// The model is how the kernel routes a packet of this host that has a source and no
// ports, marks or users: fib_rules_lookup in net/core/fib_rules.c, with the longest
// prefix of each table. It knows what rules and routes of uplinks are made of, and
// refuses to guess about the rest.

// A decision is where a packet goes: next hop, interface and source of the route, or the
// error that the sender gets.
type decision struct {
	err      string
	local    bool // to this host
	via, src netip.Addr
	dev      uint32
}

func (d decision) String() string {
	switch {
	case d.err != "":
		return d.err
	case d.local:
		return "to this host"
	}
	return fmt.Sprintf("via %s dev %d src %s", d.via, d.dev, d.src)
}

// A kernel is the rules and routes that there are, and does the steps of a plan.
type kernel struct {
	rules  map[route.Family][]rule.Rule
	routes map[rttables.ID][]route.Route
	local  map[netip.Addr]bool // addresses of this host
	// waysOnly says that decisions do not have the sources of routes: these mean nothing to
	// packets that have a source already.
	waysOnly bool
}

// newKernel returns a kernel in the state of a host.
func newKernel(s *host.State) *kernel {
	k := &kernel{
		rules: make(map[route.Family][]rule.Rule), routes: make(map[rttables.ID][]route.Route), local: make(map[netip.Addr]bool),
	}
	for _, a := range s.Addrs {
		k.local[a.Addr] = true
	}
	for _, f := range form.Families {
		k.rules[f] = slices.Clone(s.Rules(f).All)
	}
	for _, id := range s.Tables() {
		k.routes[id] = slices.Clone(s.Routes(id))
	}
	return k
}

// state returns the state as the planner gets it. The rest of it is like that of s.
func (k *kernel) state(s *host.State) *host.State {
	rules, routes := make(map[route.Family][]rule.Rule), make(map[rttables.ID][]route.Route)
	for f, all := range k.rules {
		rules[f] = slices.Clone(all)
	}
	for id, all := range k.routes {
		routes[id] = slices.Clone(all)
	}
	return s.With(rules, routes)
}

// do does a step, or says why the kernel would refuse it.
func (k *kernel) do(s *plan.Step) error {
	switch s.Op {
	case plan.AddRule:
		all := k.rules[s.Rule.Family]
		if slices.Contains(all, s.Rule) {
			return fs.ErrExist
		}
		i := slices.IndexFunc(all, func(r rule.Rule) bool { return host.ComparePriority(r, s.Rule) > 0 })
		if i < 0 {
			i = len(all)
		}
		k.rules[s.Rule.Family] = slices.Insert(all, i, s.Rule)
	case plan.DeleteRule:
		all := k.rules[s.Rule.Family]
		i := slices.Index(all, s.Rule)
		if i < 0 {
			return fs.ErrNotExist
		}
		k.rules[s.Rule.Family] = slices.Delete(all, i, i+1)
	case plan.AddRoute, plan.ReplaceRoute, plan.DeleteRoute:
		all := k.routes[s.Route.Table]
		i := slices.IndexFunc(all, func(r route.Route) bool { return form.KeyOf(&r) == form.KeyOf(&s.Route) })
		switch {
		case s.Op == plan.AddRoute && i >= 0:
			return fs.ErrExist
		case s.Op == plan.AddRoute:
			k.routes[s.Route.Table] = append(all, s.Route)
		case i < 0:
			return fs.ErrNotExist
		case s.Op == plan.ReplaceRoute:
			all[i] = s.Route
		default:
			k.routes[s.Route.Table] = slices.Delete(all, i, i+1)
		}
	}
	return nil
}

// decide returns where a packet goes.
func (k *kernel) decide(src, dst netip.Addr) decision {
	rules, selected := k.selectSource(src)
	return k.decideBy(rules, selected, src, dst)
}

// selectSource returns the indexes of the rules that select packets with a source, if
// their destination is right.
func (k *kernel) selectSource(src netip.Addr) (rules []rule.Rule, selected []int) {
	rules = k.rules[route.FamilyOf(src)]
	selected = make([]int, 0, 16)
	for i := range rules {
		if r := &rules[i]; r.Not || holds(r.From, src) && !hasOtherSelector(r) {
			selected = append(selected, i)
		}
	}
	return rules, selected
}

// decideBy returns where a packet goes by the rules that select its source.
func (k *kernel) decideBy(rules []rule.Rule, selected []int, src, dst netip.Addr) decision {
	skipTo := uint32(0) // a goto leads to the first rule with that priority
	for _, i := range selected {
		r := &rules[i]
		if r.Priority.Or(0) < skipTo || !selects(r, src, dst) {
			continue
		}
		switch r.Action {
		case rule.ActionNop:
		case rule.ActionGoto:
			// Where no rule has the priority, the walk goes on with the next rule.
			if hasPriority(rules[i+1:], r.Goto) {
				skipTo = r.Goto
			}
		case rule.ActionLookup:
			if r.Table == rttables.Local && k.local[dst] {
				return decision{local: true}
			}
			if found := lookUp(k.routes[r.Table], dst); found != nil {
				if found.Type == route.TypeUnreachable {
					return decision{err: "unreachable"} // whatever is suppressed
				}
				if limit, ok := r.SuppressPrefixLength.Get(); ok && uint32(max(found.Dst.Bits(), 0)) <= limit {
					continue
				}
				if k.waysOnly {
					return decision{via: found.Gateway, dev: found.OIF}
				}
				return decision{via: found.Gateway, dev: found.OIF, src: found.PrefSrc}
			}
		case rule.ActionUnreachable:
			return decision{err: "unreachable"}
		default:
			panic(fmt.Sprintf("the model does not know the action of %s", r))
		}
	}
	return decision{err: "no route"}
}

// hasPriority reports whether one of some rules has a priority.
func hasPriority(rules []rule.Rule, prio uint32) bool {
	return slices.ContainsFunc(rules, func(r rule.Rule) bool { return r.Priority.Or(0) == prio })
}

// selects reports whether a rule selects such a packet, which has no more selectors
// than its addresses.
func selects(r *rule.Rule, src, dst netip.Addr) bool {
	return (holds(r.From, src) && holds(r.To, dst) && !hasOtherSelector(r)) != r.Not
}

// A flow is packets that rules of Also select: without a source, or from a network behind
// this host.
type flow struct {
	family route.Family
	src    netip.Addr
	mark   uint32
	port   uint16 // of TCP, at the other end
}

// flows are those that rules of Also of the cases and the random worlds select.
var flows = []flow{
	{route.IPv4, netip.Addr{}, 7, 0}, {route.IPv4, netip.Addr{}, 0, 25}, {route.IPv4, netip.Addr{}, 0, 26},
	{route.IPv4, netip.MustParseAddr("172.16.5.7"), 0, 0},
	{route.IPv6, netip.Addr{}, 7, 0}, {route.IPv6, netip.Addr{}, 0, 25}, {route.IPv6, netip.Addr{}, 0, 26},
}

// isSelectedBy reports whether a rule selects the flow, if its destination is right.
func (x flow) isSelectedBy(r *rule.Rule) bool {
	rest := *r
	rest.FwMark, rest.IPProto, rest.DPort = rule.Mark{}, 0, rule.Ports{}
	selected := (!r.From.IsValid() || x.src.IsValid() && r.From.Contains(x.src)) &&
		(r.FwMark.Value()^x.mark)&r.FwMark.Mask() == 0 &&
		(r.IPProto == 0 || r.IPProto == route.TCP && x.port != 0) &&
		(r.DPort == rule.Ports{} || r.DPort == rule.Port(x.port)) && !hasOtherSelector(&rest)
	return selected != r.Not
}

// waysOf returns where the packets of a flow go, for each destination.
func (k *kernel) waysOf(x flow) (ways [7]decision) {
	var rules []rule.Rule
	for _, r := range k.rules[x.family] {
		if x.isSelectedBy(&r) {
			r.From, r.FwMark, r.IPProto, r.DPort, r.Not = netip.Prefix{}, rule.Mark{}, 0, rule.Ports{}, false
			rules = append(rules, r)
		}
	}
	selected := make([]int, len(rules))
	for i := range selected {
		selected[i] = i
	}
	for i, dst := range destinations[x.family] {
		ways[i] = k.decideBy(rules, selected, netip.Addr{}, dst)
	}
	return ways
}

// hasOtherSelector reports whether a rule selects packets by more than addresses.
func hasOtherSelector(r *rule.Rule) bool {
	return *r != rule.Rule{
		Family: r.Family, Priority: r.Priority, Not: r.Not, From: r.From, To: r.To, Action: r.Action, Table: r.Table,
		Goto: r.Goto, SuppressPrefixLength: r.SuppressPrefixLength, Protocol: r.Protocol, Flags: r.Flags,
	}
}

// holds reports whether a prefix is unset or has an address in it.
func holds(p netip.Prefix, a netip.Addr) bool { return !p.IsValid() || p.Contains(a) }

// lookUp returns the route of a table with the longest prefix that holds dst, unless
// that says to go on with the next rule.
func lookUp(routes []route.Route, dst netip.Addr) *route.Route {
	var found *route.Route
	for i := range routes {
		r := &routes[i]
		if r.Family != route.FamilyOf(dst) || r.Dst.IsValid() && !r.Dst.Contains(dst) {
			continue
		}
		if found == nil || r.Dst.Bits() > found.Dst.Bits() ||
			r.Dst.Bits() == found.Dst.Bits() && r.Priority < found.Priority {
			found = r
		}
	}
	if found != nil && found.Type == route.TypeThrow {
		return nil
	}
	return found
}

// destinations are one for each thing that a policy can tell apart: the Internet, the
// subnets of both uplinks, the LAN, this host, a network behind the LAN, a network behind
// an uplink.
var destinations = map[route.Family][]netip.Addr{
	route.IPv4: addrs("198.51.100.10", "10.1.0.77", "10.2.0.77", "172.16.5.77", "172.16.5.1", "203.0.113.5", "192.0.2.9"),
	route.IPv6: addrs("2001:db8:99::10", "2001:db8:1::77", "2001:db8:2::77", "fd00:5::77", "fd00:5::1", "2001:db8:77::9"),
}

func addrs(all ...string) []netip.Addr {
	var list []netip.Addr
	for _, s := range all {
		list = append(list, netip.MustParseAddr(s))
	}
	return list
}

func (p policy) String() string {
	var b strings.Builder
	for i, dst := range destinations[route.FamilyOf(p.src)] {
		fmt.Fprintf(&b, "\tto %-16s %s\n", dst, p.decisions[i])
	}
	return b.String()
}
