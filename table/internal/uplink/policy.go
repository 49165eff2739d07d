package uplink

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// A Policy is the rules and routes that an uplink should have, except for the priorities of its
// rules.
type Policy struct {
	Spec  *Spec
	Owner int    // the index of the uplink among those of the call
	Index uint32 // of the interface
	// SharesInterface means that addresses of the interface are sources of other uplinks. The
	// kernel might choose one of these addresses for packets of this uplink.
	SharesInterface bool
	Table           rttables.ID
	// New means that Table is not used so far: it has to be claimed.
	New bool
	// Installed means that the table already belonged to the uplink, although it may have no rule
	// or route any more that shows that.
	Installed bool
	// OldTables are the tables that the uplink is moved from.
	OldTables []rttables.ID
	// Families are the families in which the uplink has rules or routes.
	Families []route.Family
	Sources  []netip.Addr
	// Prefixes are networks behind this host whose packets take the uplink.
	Prefixes []netip.Prefix
	// OnLink are prefixes that table main has on the link of the interface.
	OnLink []netip.Prefix
	// Ambiguous are prefixes on the link of the interface of an uplink without sources that are
	// also on the link of other interfaces.
	Ambiguous []netip.Prefix
	Routes    []route.Route // in the order in which they are added
	Also      []rule.Rule   // each in its group, see package form
	// Withdrawn is the part of Also that is withdrawn for now, except for the rules of Needed.
	Withdrawn Withdrawal
	Needed    []rule.Rule
	// Kept are families whose Routes are the existing ones, whatever routes other programs have.
	Kept []route.Family
	// KeptRules are families whose rules are the existing ones, because those of the uplink
	// were refused.
	KeptRules []route.Family

	// localFirst are the families in which the rules come before the one for table local.
	localFirst []route.Family

	keys map[form.RouteKey]bool // of Routes
	// linkNames are the names of interfaces by the alternative names that the Spec has.
	linkNames map[string]string
}

// NameLinks finds the names of interfaces for which the Spec has alternative names. A rule by an
// interface needs the name: with an alternative name, the kernel looks up the interface when the
// rule is added, but not when the interface comes back or is renamed.
func (p *Policy) NameLinks(now *host.State) {
	p.linkNames = nil
	for _, dev := range append(p.Spec.ruleLinks(), p.Spec.Interface) {
		if name := now.LinkName(dev); name != dev {
			if p.linkNames == nil {
				p.linkNames = make(map[string]string)
			}
			p.linkNames[dev] = name
		}
	}
}

// linkName returns the name of an interface that the Spec has a name of.
func (p *Policy) linkName(dev string) string {
	if name, ok := p.linkNames[dev]; ok {
		return name
	}
	return dev
}

// FindOrder finds the families in which the rules have to come before the one for table
// local, see [host.Rules].
func (p *Policy) FindOrder(now *host.State) {
	p.localFirst = nil
	for _, f := range form.Families {
		if now.Rules(f).LocalFirst {
			p.localFirst = append(p.localFirst, f)
		}
	}
}

// isLocalFirst reports whether the rules of a family come before the one for table local.
func (p *Policy) isLocalFirst(f route.Family) bool { return slices.Contains(p.localFirst, f) }

// Height returns how many priorities the rungs of a family take.
func (p *Policy) Height(f route.Family) uint32 {
	if p.isLocalFirst(f) {
		return p.Spec.Height() + 1
	}
	return p.Spec.Height()
}

// A Withdrawal says which rules of Also are withdrawn for now.
type Withdrawal uint8

// The withdrawals.
const (
	WithdrawNothing  Withdrawal = iota
	WithdrawUnmarked            // all that select by anything but a firewall mark
	WithdrawAll
)

// isWithdrawn reports whether a rule of Also is withdrawn for now. Networks behind this host stay
// with the uplink.
func (p *Policy) isWithdrawn(r rule.Rule) bool {
	if r == (rule.Rule{Family: r.Family, From: r.From}) &&
		(slices.Contains(p.Prefixes, r.From) || slices.Contains(p.Spec.SourcePrefixes, r.From)) {
		return false
	}
	isMarked := r.FwMark.Value()&r.FwMark.Mask() != 0 && !r.Not
	if p.Withdrawn == WithdrawNothing || p.Withdrawn == WithdrawUnmarked && isMarked {
		return false
	}
	return !slices.ContainsFunc(p.Needed, func(n rule.Rule) bool {
		n.Family = r.Family
		return n == r
	})
}

// InFamily reports whether the uplink has something in a family.
func (p *Policy) InFamily(f route.Family) bool { return slices.Contains(p.Families, f) }

// Uses reports whether a table is the uplink's, or one that it is moved from.
func (p *Policy) Uses(t rttables.ID) bool {
	return t != 0 && (t == p.Table || slices.Contains(p.OldTables, t))
}

// Tables returns the uplink's table and those that it is moved from.
func (p *Policy) Tables() []rttables.ID {
	if p.Table == 0 {
		return p.OldTables
	}
	return append([]rttables.ID{p.Table}, p.OldTables...)
}

// Owns reports whether an object of a family with a protocol, in a table, is the
// uplink's.
func (p *Policy) Owns(f route.Family, t rttables.ID, proto route.Protocol) bool {
	return p.Uses(t) && proto == p.Spec.Proto() && p.InFamily(f)
}

// AddRoute adds a route, unless there is one with the same key.
func (p *Policy) AddRoute(r route.Route) {
	if p.keys == nil {
		p.keys = make(map[form.RouteKey]bool)
		for i := range p.Routes {
			p.keys[form.KeyOf(&p.Routes[i])] = true
		}
	}
	if key := form.KeyOf(&r); !p.keys[key] {
		p.keys[key] = true
		p.Routes = append(p.Routes, r)
	}
}

// SetTable sets the table of the policy, its routes and its rules.
func (p *Policy) SetTable(id rttables.ID) {
	p.Table = id
	for i := range p.Routes {
		p.Routes[i].Table = id
	}
	for i := range p.Also {
		if !form.IsCompanion(&p.Also[i]) {
			p.Also[i].Table = id
		}
	}
}

// AddFamily adds the routes and the rules of Also of one family, for the sources that
// packets can come from.
func (p *Policy) AddFamily(f route.Family, sources []host.Address) {
	u := p.Spec
	base := route.Route{
		Family: f, Type: route.TypeUnicast, Table: p.Table, Protocol: u.Proto(), OIF: p.Index, Priority: u.Metric,
	}
	known := make(prefixSet) // most of thousands of addresses have one subnet
	for _, a := range sources {
		if route.FamilyOf(a.Addr) == f && a.Index == p.Index && a.Subnet.IsValid() && !known[a.Subnet] {
			known[a.Subnet] = true
			r := base
			r.Dst = a.Subnet
			r.PrefSrc = p.subnetSource(a.Subnet, sources)
			p.AddRoute(form.OnLink(r))
		}
	}
	p.addSubnets(base, sources)
	p.addDefaults(f, sources)
	p.AddAlso(f)
}

// alsoRules returns the group of a rule of Also, with what the rule leaves unset filled
// in.
func (p *Policy) alsoRules(r rule.Rule) []rule.Rule {
	alone, hasPlace := form.StandsAlone(&r), form.HasPlace(&r)
	r.Action = rule.ActionLookup
	if r.Table == 0 {
		r.Table = p.Table
	}
	r.Protocol = p.Spec.Proto()
	var group []rule.Rule
	if p.isLocalFirst(r.Family) && !hasPlace {
		group = append(group, form.Companion(r, form.LocalFirst))
	}
	if !alone {
		group = append(group, form.Companion(r, form.MainFirst))
	}
	group = append(group, r)
	if p.Spec.Unreachable && !hasPlace {
		group = append(group, form.Companion(r, form.Closing))
	}
	return group
}

// rung returns the k-th rule of one source, without a priority. These are, from the first
// to the last:
//
//	from A lookup local                           if ours come before the rule for local
//	from A lookup T    suppress_prefixlength 1    MainFirst: the uplink's own subnet and Routes
//	from A lookup main suppress_prefixlength 1    MainFirst: all that main has but the default route
//	from A lookup T
//	from A unreachable                            Unreachable
//
// The last rung is a rule and not a route of T. A route would also stop what the
// first rung lets pass while the link is down.
func (p *Policy) rung(a netip.Addr, k uint32) rule.Rule {
	r := rule.Rule{
		Family: route.FamilyOf(a), From: form.HostPrefix(a), Action: rule.ActionLookup, Table: p.Table,
		Protocol: p.Spec.Proto(),
	}
	if p.isLocalFirst(r.Family) {
		if k == 0 {
			r.Table = rttables.Local
			return r
		}
		k--
	}
	if !p.Spec.MainFirst {
		k += 2
	}
	switch k {
	case 0:
		r.SuppressPrefixLength = form.NoDefault(r.Family)
	case 1:
		r.Table, r.SuppressPrefixLength = rttables.Main, form.NoDefault(r.Family)
	case 3:
		r.Action, r.Table = rule.ActionUnreachable, rttables.Unspec
	}
	return r
}

// Ladder returns the rungs of the sources of a family: the first of each source at
// the priority prio, the second at prio+1, and so on.
func (p *Policy) Ladder(f route.Family, prio uint32) []rule.Rule {
	n := 0
	for _, a := range p.Sources {
		if route.FamilyOf(a) == f {
			n++
		}
	}
	height := p.Height(f)
	rungs := make([]rule.Rule, 0, n*int(height))
	for k := range height {
		for _, a := range p.Sources {
			if route.FamilyOf(a) == f {
				r := p.rung(a, k)
				r.Priority = rule.Priority(prio + k)
				rungs = append(rungs, r)
			}
		}
	}
	return rungs
}

// InstalledRungs returns the installed rungs of the uplink in a family. Rules that look up one of
// the uplink's tables are its rungs. Other rungs belong to the uplink if they have the source of
// one of those, or one of Sources.
func (p *Policy) InstalledRungs(now *host.State, f route.Family) []rule.Rule {
	own := now.Rules(f).Of(p.Spec.Proto())
	if own.Len() == 0 || !p.InFamily(f) {
		return nil
	}
	also := p.alsoLike()
	tables, sources := p.Tables(), slices.Clone(p.Sources)
	for _, r := range own.To(tables...) {
		if form.IsRung(&r) && !also[likeAlso(r)] {
			sources = append(sources, r.From.Addr())
		}
	}
	return slices.DeleteFunc(own.ToOrFrom(tables, sources), func(r rule.Rule) bool {
		shared := r.Table == rttables.Main || r.Table == rttables.Local || r.Table == rttables.Unspec
		return !form.IsRung(&r) || !shared && !p.Uses(r.Table) || also[likeAlso(r)]
	})
}

// alsoLike returns the rules by which rules of Also differ from rungs, whose form they can have.
func (p *Policy) alsoLike() map[rule.Rule]bool {
	like := make(map[rule.Rule]bool, len(p.Also))
	for _, r := range p.Also {
		like[likeAlso(r)] = true
	}
	if p.Withdrawn == WithdrawNothing {
		return like
	}
	for _, f := range p.Families {
		for _, selector := range p.selectors(f) {
			for _, r := range p.alsoRules(selector) {
				like[likeAlso(r)] = true
			}
		}
	}
	return like
}

func likeAlso(r rule.Rule) rule.Rule {
	r = form.Like(form.Current(r))
	r.Table = 0
	return r
}

// InstalledAlso returns the installed rules of Also in a family: rules that look up one of the
// uplink's tables and are not rungs, and their companions. A companion that belongs to no rule is
// the uplink's if Also of the Spec may need it.
func (p *Policy) InstalledAlso(now *host.State, f route.Family, rungs []rule.Rule) []rule.Rule {
	own := now.Rules(f).Of(p.Spec.Proto())
	if own.Len() == len(rungs) || !p.InFamily(f) {
		return nil
	}
	return own.Also(p.Tables(), form.MakeSet(rungs...), p.companions(f))
}

// companions returns the companions that Also of the Spec may need in a family.
func (p *Policy) companions(f route.Family) []rule.Rule {
	var all []rule.Rule
	for _, r := range p.selectors(f) {
		if form.HasPlace(&r) {
			continue
		}
		r.Action, r.Protocol = rule.ActionLookup, p.Spec.Proto()
		all = append(all, form.Companion(r, form.LocalFirst), form.Companion(r, form.MainFirst), form.Companion(r, form.Closing))
	}
	return all
}

// OwnsAlso reports whether a rule that is not a rung is one of the uplink's rules of
// Also, as [Policy.InstalledAlso] finds them.
func (p *Policy) OwnsAlso(now *host.State, f route.Family, r rule.Rule) bool {
	if r.Family != f || r.Protocol != p.Spec.Proto() || !p.InFamily(f) {
		return false
	}
	if !form.IsCompanion(&r) {
		return p.Uses(r.Table)
	}
	owner, ok := now.Rules(f).Of(r.Protocol).OwnerOf(r)
	if ok {
		return p.Uses(owner.Table)
	}
	return slices.ContainsFunc(p.companions(f), func(c rule.Rule) bool {
		return form.RoleOf(&c) == form.RoleOf(&r) && form.Selector(c) == form.Selector(r)
	})
}

// Moved returns the policy of the same uplink in another table, to which the uplink moves from its
// present tables.
func (p *Policy) Moved(id rttables.ID, spec *Spec) *Policy {
	m := *p
	m.Spec, m.OldTables = spec, append([]rttables.ID{p.Table}, p.OldTables...)
	m.Routes, m.Also, m.keys = slices.Clone(p.Routes), slices.Clone(p.Also), nil
	m.SetTable(id)
	return &m
}
