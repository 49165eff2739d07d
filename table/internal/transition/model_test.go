package transition_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/draft"
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

// A policy is where packets of a source go, for each destination.
type policy struct {
	src       netip.Addr
	decisions [7]decision
}

func (k *kernel) policyOf(src netip.Addr) policy {
	p := policy{src: src}
	rules, selected := k.selectSource(src)
	for i, dst := range destinations[route.FamilyOf(src)] {
		p.decisions[i] = k.decideBy(rules, selected, src, dst)
	}
	return p
}

func (p policy) String() string {
	var b strings.Builder
	for i, dst := range destinations[route.FamilyOf(p.src)] {
		fmt.Fprintf(&b, "\tto %-16s %s\n", dst, p.decisions[i])
	}
	return b.String()
}

// A walk is what happens to sources while a plan is done.
type walk struct {
	before, after map[netip.Addr]policy
	last          *kernel
	faults        []fault
	// changes are how many steps change the policy of any source of a family.
	changes map[route.Family]int
	// astray says which flows are refused, or go astray, in between.
	astray []string
	// refused says which flows are refused after all, and were not before.
	refused []string
}

// A fault is a state on the way in which the policy of a source is neither the old one
// nor the new one, or is the old one again.
type fault struct {
	step   int
	policy policy
}

// walkThrough does a plan step by step. The error is the kernel's.
func walkThrough(now *host.State, p plan.Plan, sources []netip.Addr, each func(done int, k *kernel)) (*walk, error) {
	return newKernel(now).walkThrough(p, sources, each)
}

func (k *kernel) walkThrough(p plan.Plan, sources []netip.Addr, each func(done int, k *kernel)) (*walk, error) {
	w := &walk{before: make(map[netip.Addr]policy), after: make(map[netip.Addr]policy), changes: make(map[route.Family]int)}
	var seen []fault // all policies that differ from the one before
	current := make(map[netip.Addr]policy)
	for _, src := range sources {
		w.before[src] = k.policyOf(src)
		current[src] = w.before[src]
	}
	several := k.hasSeveralUplinks(p)
	ways := make(map[flow][]wayAfter)
	for _, x := range flows {
		ways[x] = append(ways[x], wayAfter{0, k.waysOf(x)})
	}
	each(0, k)
	for i := range p.Steps {
		s := &p.Steps[i]
		if err := k.do(s); err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		changed := false
		for _, src := range sources {
			if k.touches(s, src) {
				policy := k.policyOf(src)
				if policy != current[src] && replacesSourceAlone(s) {
					current[src] = policy // packets that have a source keep it
				} else if policy != current[src] {
					current[src], changed = policy, true
					seen = append(seen, fault{i + 1, policy})
				}
			}
		}
		if changed {
			w.changes[s.Family()]++
		}
		for _, x := range flows {
			if s.Family() == x.family {
				ways[x] = append(ways[x], wayAfter{i + 1, k.waysOf(x)})
			}
		}
		each(i+1, k)
	}
	w.after, w.last = current, k
	w.findAstray(ways, several)
	moved := make(map[netip.Addr]bool)
	for _, x := range seen {
		src := x.policy.src
		if x.policy.withoutSources() != w.after[src].withoutSources() || moved[src] {
			w.faults = append(w.faults, x)
		}
		moved[src] = true
	}
	return w, nil
}

// replacesSourceAlone reports whether a step changes nothing of a route but its source.
func replacesSourceAlone(s *plan.Step) bool {
	if s.Op != plan.ReplaceRoute || s.Replaced == nil {
		return false
	}
	same := s.Route
	same.PrefSrc = s.Replaced.PrefSrc
	return form.SameRoute(&same, s.Replaced)
}

// withoutSources returns the policy without the sources that routes give to packets.
func (p policy) withoutSources() policy {
	for i := range p.decisions {
		p.decisions[i].src = netip.Addr{}
	}
	return p
}

// hasSeveralUplinks reports whether there are uplinks by several interfaces, or will be.
func (k *kernel) hasSeveralUplinks(p plan.Plan) bool {
	devs := make(map[uint32]bool)
	for id, routes := range k.routes {
		for _, r := range routes {
			if !form.IsSystemTable(id) {
				devs[r.OIF] = true
			}
		}
	}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Op.IsRoute() {
			devs[s.Route.OIF] = true
		}
	}
	delete(devs, 0)
	return len(devs) > 1
}

// A wayAfter is where the packets of a flow go after a step.
type wayAfter struct {
	step int
	ways [7]decision
}

// findAstray finds out which flows are refused in between, or leave by another interface
// than before and after all. Each rule of Also takes effect by itself: where several
// uplinks ask for the same flow, they may go by another one.
func (w *walk) findAstray(all map[flow][]wayAfter, several bool) {
	for x, steps := range all {
		first, last := steps[0].ways, steps[len(steps)-1].ways
		for i := range last {
			if last[i].err != "" && first[i].err == "" {
				w.refused = append(w.refused, fmt.Sprintf("packets of the flow %+v to %s are refused", x, destinations[x.family][i]))
			}
		}
		for _, s := range steps {
			for i, way := range s.ways {
				elsewhere := !several && first[i].dev == last[i].dev && way.dev != last[i].dev
				if way != first[i] && way != last[i] && (way.err != "" || elsewhere) {
					w.astray = append(w.astray, fmt.Sprintf("after step %d, packets of the flow %+v to %s go %s; before all %s, after all %s",
						s.step, x, destinations[x.family][i], way, first[i], last[i]))
				}
			}
		}
	}
}

// touches reports whether a step can change where packets of a source go.
func (k *kernel) touches(s *plan.Step, src netip.Addr) bool {
	switch f := s.Family(); {
	case f != route.FamilyOf(src):
		return false
	case s.Op.IsRule():
		return !s.Rule.From.IsSingleIP() || s.Rule.From.Addr() == src || slices.ContainsFunc(k.rules[f], func(r rule.Rule) bool {
			return r.Goto != 0 && r.Goto == s.Rule.Priority.Or(0)
		})
	default:
		return slices.ContainsFunc(k.rules[f], func(r rule.Rule) bool { return r.Table == s.Route.Table })
	}
}

// checkRecovery holds what Recover makes of a killed transaction to the promise: the
// policy of each source stays what it is, and a second Recover does nothing.
func checkRecovery(ctx context.Context, killed *host.State, protocols []route.Protocol, sources []netip.Addr) error {
	p, err := draft.Recover(ctx, nil, killed, protocols)
	if err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	walk, err := walkThrough(killed, p, sources, func(int, *kernel) {})
	if err != nil {
		return fmt.Errorf("recovery: the kernel refuses %w", err)
	}
	for _, text := range append(walk.astray, walk.refused...) {
		return fmt.Errorf("the recovery: %s\n%s", text, p)
	}
	for f, n := range walk.changes {
		return fmt.Errorf("%d steps of the recovery change policies of %s\n%s", n, f, p)
	}
	again, err := draft.Recover(ctx, nil, walk.last.state(killed), protocols)
	if err != nil || !again.Empty() {
		return fmt.Errorf("a second recovery: %v\n%safter\n%s", err, again, p)
	}
	return nil
}
