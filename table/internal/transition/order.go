package transition

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// An order has the limits for the priorities of new rules: on the whole host, rules from
// sources come before rules of Also, see [form.TakesSource]. Rules of Also with a given
// priority do not belong to the order.
type order struct {
	// source is the last rule from a source: one of an uplink that the transaction leaves
	// alone, or a wanted one. Its zero value says that there is none.
	source rule.Rule
	// also is the first rule of Also of an uplink that the transaction does not change.
	also rule.Rule
	// present is the first existing rule of Also, even if the transaction deletes it: new
	// rules from sources must not come behind it even for a moment.
	present rule.Rule
	// network is the first rule for a network behind this host, where these usually are.
	network rule.Rule
	// networks are the rules from networks of uplinks that the transaction leaves alone.
	networks []rule.Rule
	// wanted are the rules for networks, and the last rung of each source, that the
	// transaction wants.
	wanted []rule.Rule
	// owners are the protocols of uplinks, and stays reports whether the transaction leaves a
	// rule of one alone.
	owners []route.Protocol
	stays  func(i int) bool
	// isOther reports whether a rule is of an uplink that the transaction does not change. It
	// may be about to be removed, but not yet.
	isOther func(i int) bool
	// hasOther means that there is, or will be, a rule that is not a rung.
	hasOther bool
}

func isNone(r *rule.Rule) bool { return r.Action == 0 }

// raise notes a rule from a source.
func (o *order) raise(r rule.Rule) {
	if isNone(&o.source) || r.Priority.Or(0) > o.source.Priority.Or(0) {
		o.source = r
	}
}

// lower sets to to r, if r comes before it.
func lower(to *rule.Rule, r rule.Rule) {
	if isNone(to) || r.Priority.Or(0) < to.Priority.Or(0) {
		*to = r
	}
}

// findOrder finds the limits that existing rules set for the rules of some uplinks. The
// rules of all other uplinks stay, or will be deleted as well.
func (p *priorities) findOrder(moves []*move, prune bool) {
	p.order = order{}
	known := []route.Protocol{uplink.DefaultProtocol}
	own := form.MakeSet()
	leaves := make(map[route.Protocol]bool)
	for _, m := range moves {
		known = append(known, m.Spec.Proto())
		leaves[m.Spec.Proto()] = prune
		if !m.InFamily(p.family) {
			continue
		}
		for _, r := range m.rungsIn(p) {
			own[form.Bare(r)] = struct{}{}
		}
		for _, r := range m.alsoIn(p) {
			own[form.Bare(r)] = struct{}{}
		}
		for i := range m.Also {
			r := &m.Also[i]
			p.order.hasOther = p.order.hasOther || r.Family == p.family && !r.Priority.IsSet()
		}
	}
	p.order.owners = p.rules.OurProtocols(known...)
	p.order.isOther = func(i int) bool {
		return !own.Has(p.rules.All[i]) && !p.rules.IsBehindMain(i) // there it decides about nothing
	}
	p.order.stays = func(i int) bool { return !leaves[p.rules.All[i].Protocol] && p.order.isOther(i) }
	for _, proto := range p.order.owners {
		p.findSources(p.rules.Of(proto))
		p.findAlso(p.rules.Of(proto))
	}
}

// findSources finds the limits that the rules from sources of one owner set.
func (p *priorities) findSources(of *host.OwnerRules) {
	for _, i := range slices.Backward(of.FromSources()) {
		if p.order.stays(i) {
			p.order.raise(p.rules.All[i])
			break // those before it do not matter
		}
	}
	begin := p.start(networksBelowMain)
	for _, i := range of.FromNetworks() {
		r := p.rules.All[i]
		if r.Priority.Or(0) >= begin {
			lower(&p.order.network, r)
		}
		if p.order.stays(i) {
			p.order.networks, p.order.hasOther = append(p.order.networks, r), true
		}
	}
}

// findAlso finds the limits that the rules of Also of one owner set.
func (p *priorities) findAlso(of *host.OwnerRules) {
	begin := p.start(networksBelowMain)
	isPresent := false
	for _, i := range of.FromAny() {
		r := &p.rules.All[i]
		if !p.isBetween(r.Priority.Or(0)) || of.IsGiven(i, begin) {
			continue
		}
		stays := p.order.stays(i)
		if stays || r.Priority.Or(0) >= begin {
			lower(&p.order.present, *r)
			isPresent = true
		}
		if stays {
			lower(&p.order.also, *r)
			p.order.hasOther = true
		}
		if isPresent && stays {
			break // those behind it do not matter
		}
	}
}

// between returns the limits for the rules of a network: they come after the rules from
// sources within the network, and before the rules of networks that contain it.
func (p *priorities) between(network netip.Prefix, before uint32) (after, end uint32) {
	after, end = p.rules.After, before
	note := func(r *rule.Rule) {
		prio := r.Priority.Or(0)
		switch {
		case r.From.Bits() > network.Bits() && network.Contains(r.From.Addr()):
			after = max(after, prio)
		case r.From.Bits() < network.Bits() && r.From.Contains(network.Addr()):
			end = min(end, prio)
		}
	}
	for i := range p.order.wanted {
		note(&p.order.wanted[i])
	}
	for _, proto := range p.order.owners {
		for _, i := range p.rules.Of(proto).FromSources() {
			r := &p.rules.All[i]
			if r.From.Overlaps(network) && p.order.isOther(i) {
				note(r)
			}
		}
	}
	return after, end
}

// rungsIn returns the rungs that the uplink has in the family of p.
func (m *move) rungsIn(p *priorities) []rule.Rule {
	if have, ok := m.rungs[p.family]; ok && m.of == p.now {
		return have
	}
	m.find(p)
	return m.rungs[p.family]
}

// alsoIn returns the rules of Also that the uplink has in the family of p.
func (m *move) alsoIn(p *priorities) []rule.Rule {
	m.rungsIn(p)
	return m.also[p.family]
}

func (m *move) find(p *priorities) {
	if m.of != p.now {
		m.of, m.rungs, m.also = p.now, make(map[route.Family][]rule.Rule), make(map[route.Family][]rule.Rule)
	}
	have := m.InstalledRungs(p.now, p.family)
	m.rungs[p.family], m.also[p.family] = have, m.InstalledAlso(p.now, p.family, have)
}

// limit returns the priority that new rungs of any uplink have to be before.
func (o *order) limit(before uint32) uint32 {
	before = o.networkLimit(before)
	if !isNone(&o.network) {
		before = min(before, o.network.Priority.Or(0))
	}
	return before
}

// networkLimit returns the priority that new rules for networks have to be before.
func (o *order) networkLimit(before uint32) uint32 {
	for _, r := range []*rule.Rule{&o.also, &o.present} {
		if !isNone(r) {
			before = min(before, r.Priority.Or(0))
		}
	}
	return before
}

// together is the advice in an error about missing room: to install all uplinks in one call,
// because they then need less room. It is empty if there are no other uplinks.
func (p *priorities) together() string {
	for _, proto := range p.order.owners {
		of := p.rules.Of(proto)
		for _, all := range [][]int{of.FromSources(), of.FromNetworks(), of.FromAny()} {
			if slices.ContainsFunc(all, p.order.stays) {
				return "install all uplinks together, or "
			}
		}
	}
	return ""
}

// limitOf returns the priority that new rungs of an uplink have to be before.
func (p *priorities) limitOf(m *move, before uint32) uint32 {
	before = p.order.limit(before)
	for i := range p.order.networks {
		r := &p.order.networks[i]
		if r.Priority.Or(0) < before && slices.ContainsFunc(m.Sources, r.From.Contains) {
			before = r.Priority.Or(0)
		}
	}
	return before
}

// checkOrder refuses rungs that come behind a rule of Also which stays, or behind one from a
// network that has one of their sources.
func (p *priorities) checkOrder(m *move, rungs []rule.Rule) error {
	if len(rungs) == 0 {
		return nil
	}
	first, last := form.Span(rungs)
	if r := &p.order.also; !isNone(r) && last >= r.Priority.Or(0) {
		return m.Spec.OrderError("Priority", "the rules from its sources would be at %d to %d, behind the rule %q of another uplink, which would take their packets: give a priority up to %d",
			first, last, r, r.Priority.Or(0)-1-(last-first))
	}
	for i := range p.order.networks {
		r := &p.order.networks[i]
		for k := range rungs {
			if last >= r.Priority.Or(0) && r.From.Contains(rungs[k].From.Addr()) {
				return m.Spec.OrderError("Priority", "the rules from %s would be at %d to %d, behind the rule %q of another uplink, which would take its packets: give a priority up to %d",
					rungs[k].From.Addr(), first, last, r, r.Priority.Or(0)-1-(last-first))
			}
		}
	}
	return nil
}

// keepsOrder reports whether rungs can stay at a chosen priority: before what they have to
// be before, and where rungs belong if there are other rules.
func (p *priorities) keepsOrder(m *move, rungs []rule.Rule) bool {
	_, last := form.Span(rungs)
	return p.checkOrder(m, rungs) == nil && (!p.order.hasOther || last < p.start(networksBelowMain))
}

// takeLadder notes the rungs that an uplink will have. Others may share their priorities.
func (p *priorities) takeLadder(l *placement) {
	p.take(l.want)
	for _, r := range l.want {
		p.ladders[r.Priority.Or(0)] = l.move.Spec.Proto()
		p.order.raise(r)
	}
	_, last := form.Span(l.want)
	for _, r := range l.want {
		if r.Priority.Or(0) == last {
			p.order.wanted = append(p.order.wanted, r)
		}
	}
}

// isShared reports whether rungs of an uplink can share a priority with rungs of other
// uplinks. They can if these select other sources, because the order then makes no
// difference.
func (p *priorities) isShared(prio uint32, proto route.Protocol) bool {
	if !p.isBetween(prio) || p.ends[prio] || p.gates[prio] {
		return false
	}
	if p.taken[prio] {
		if by, ok := p.ladders[prio]; !ok || by != proto {
			return false
		}
	}
	at := p.rules.At(prio)
	for i := range at {
		if r := &at[i]; !form.IsRung(r) || r.Protocol != proto {
			return false
		}
	}
	for _, r := range p.rules.Gotos() {
		if r.Goto == prio {
			return false
		}
	}
	return true
}
