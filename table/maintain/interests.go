package maintain

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/reply"
)

// Interests say which events concern which groups of uplinks. They are not changed. On a busy
// host most events concern none, and the time to find that out does not grow with the number
// of uplinks.
type interests struct {
	protocols map[route.Protocol]bool
	tables    map[rttables.ID][]int // of uplinks
	addrs     map[netip.Addr][]int  // sources, gateways, and addresses of their interfaces
	links     map[uint32][]int
	names     map[string][]int    // of interfaces
	selectors map[rule.Rule][]int // of rules of Also, by [form.Selector]
	networks  []networkInterest
	learners  map[rttables.ID][]int // by the table that they learn from
	// waiting are groups for which something of another program is in the way, or that lack a
	// source or network that another group has.
	waiting []int
	shared  rttables.ID // of the default. Zero: there is none
	// before are the sources whose packets rules of other programs can take.
	before [len(form.Families)]sourceInterests
	// lookedUp are the tables that rules of other programs before those of groups look up.
	lookedUp map[rttables.ID][]int
}

// A networkInterest is a network, with addresses of which something changes for a group.
type networkInterest struct {
	network netip.Prefix
	group   int
}

// A sourceInterests is the sources of complete uplinks in one family.
type sourceInterests struct {
	last    uint32 // the highest priority of a first rung
	sources []sourceInterest
}

// A sourceInterest is a source of a complete uplink.
type sourceInterest struct {
	source netip.Addr
	group  int
}

// ofLink returns the concern of an event about an interface.
func (i *interests) ofLink(index uint32, names []string) concern {
	var groups []int
	groups = append(groups, i.links[index]...)
	for _, name := range names {
		groups = append(groups, i.names[name]...)
	}
	if len(groups) > 0 {
		groups = append(groups, i.waiting...)
	}
	return concern{cause: causeLink, groups: groups, link: index}
}

// ofAddress returns the concern of an event about an address.
func (i *interests) ofAddress(a host.Address) concern {
	var groups []int
	groups = append(groups, i.links[a.Index]...)
	groups = append(groups, i.addrs[a.Addr]...)
	if a.Subnet.IsValid() {
		groups = append(groups, i.overlapping(a.Subnet.Masked())...)
	}
	groups = append(groups, i.overlapping(form.HostPrefix(a.Addr))...)
	if len(groups) > 0 {
		groups = append(groups, i.waiting...)
	}
	return concern{cause: causeAddress, groups: groups, link: a.Index}
}

// overlapping returns the groups with a network that has addresses of a prefix.
func (i *interests) overlapping(p netip.Prefix) []int {
	var groups []int
	for k := range i.networks {
		if i.networks[k].network.Overlaps(p) {
			groups = append(groups, i.networks[k].group)
		}
	}
	return groups
}

// ofRoute returns the concern of an event about a route.
func (i *interests) ofRoute(r *route.Route) concern {
	c := concern{cause: causeRoute, ours: i.protocols[r.Protocol]}
	isMain, isDefault := r.Table == rttables.Main, form.IsDefault(r)
	if !isMain && r.Table != rttables.Local {
		c.table, c.groups = r.Table, slices.Clone(i.tables[r.Table])
	}
	if isMain && host.IsLinkRoute(r) {
		c.groups = append(c.groups, i.links[r.OIF]...)
		c.groups = append(c.groups, i.overlapping(r.Canonical().Dst)...)
		c.link = r.OIF
	}
	if isDefault && i.learners[r.Table] != nil {
		c.addLearners(i, r)
	}
	c.shared = r.Table == i.shared && (isDefault || !isMain)
	if groups := i.lookedUp[r.Table]; groups != nil && isDefaultOrPart(r) {
		c.overrules = groups
	}
	// The route may belong to a table that has just become an uplink's.
	c.all = c.ours && len(c.groups)+len(c.overrules) == 0 && !c.shared
	return c
}

// addLearners adds the groups that may learn a default route.
func (c *concern) addLearners(i *interests, r *route.Route) {
	for _, h := range form.NextHops(r) {
		if h.OIF == 0 { // that of a nexthop object
			c.groups, c.anyLink = append(c.groups, i.learners[r.Table]...), true
			continue
		}
		for _, g := range i.learners[r.Table] {
			if slices.Contains(i.links[h.OIF], g) {
				c.groups, c.link = append(c.groups, g), h.OIF
			}
		}
	}
}

// ofRule returns the concern of an event about a rule.
func (i *interests) ofRule(r *rule.Rule) concern {
	c := concern{cause: causeRule, ours: i.protocols[r.Protocol]}
	switch {
	case r.Protocol == reply.Protocol:
		c.ours, c.replies = true, true
	case c.ours:
		c.groups = i.ownersOf(r)
		c.all = c.groups == nil
	case movesBounds(r):
		c.all = true
	default:
		c.groups = append(slices.Clone(i.tables[r.Table]), i.waiting...)
		c.overrules = i.before[familyIndex(r.Family)].takenBy(r)
	}
	return c
}

// ownersOf returns the groups that a rule of ours may belong to. Nil: any.
func (i *interests) ownersOf(r *rule.Rule) []int {
	if groups := i.tables[r.Table]; groups != nil {
		return groups
	}
	if groups := i.selectors[form.Selector(*r)]; groups != nil {
		return groups
	}
	if r.From.IsSingleIP() {
		return i.addrs[r.From.Addr()]
	}
	return nil
}

// movesBounds reports whether a rule changes, or may change, the range of priorities of our
// rules, or the path of packets from one rule to the next.
func movesBounds(r *rule.Rule) bool {
	return r.L3MDev || form.LooksUpForAll(r, rttables.Local) || form.LooksUpForAll(r, rttables.Main)
}

// takenBy returns the groups whose packets a rule of another program may take.
func (s *sourceInterests) takenBy(r *rule.Rule) []int {
	if len(s.sources) == 0 || r.Priority.Or(0) >= s.last || !maySelectPlain(r) {
		return nil
	}
	var groups []int
	for _, x := range s.sources {
		if r.Not || !r.From.IsValid() || r.From.Masked().Contains(x.source) {
			groups = append(groups, x.group)
		}
	}
	return groups
}

// maySelectPlain reports whether a rule can select packets without a mark from some address,
// or lead to a rule that does.
func maySelectPlain(r *rule.Rule) bool {
	if r.Not || r.Action == rule.ActionGoto || r.Action == rule.ActionNop {
		return true
	}
	any := *r
	any.From = netip.Prefix{}
	return slices.ContainsFunc(elsewhere[r.Family], func(a netip.Addr) bool { return selectsPlain(&any, a, a) })
}

// familyIndex returns the index of a family in [form.Families].
func familyIndex(f route.Family) int {
	if f == route.IPv6 {
		return 1
	}
	return 0
}
