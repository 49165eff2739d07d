package transition

import (
	"cmp"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// placeNetworks finds the priorities of the rules for networks behind this host. It is
// called before the other rules of Also are placed, because those come after these rules.
func (p *priorities) placeNetworks(moves []*move) error {
	isApart := false // networks of an uplink are not right after its rungs
	var after []*move
	for _, m := range moves {
		m.networks, m.rightAfter = nil, p.canBeRightAfter(m)
		if m.rightAfter {
			after = append(after, m)
		}
		isApart = isApart || !m.rightAfter && p.hasNetworks(m)
	}
	isApart = isApart || len(after) > 1 && slices.ContainsFunc(after, p.hasNetworks) // at the same priority
	type network struct {
		move  *move
		place int // among those of the move
		group []rule.Rule
	}
	var all []network
	for _, m := range moves {
		if m.rightAfter = m.rightAfter && !isApart; m.rightAfter {
			p.takeRightAfter(m)
			continue
		}
		for _, group := range p.groupsOf(m) {
			if isNetwork(group) {
				all = append(all, network{m, len(m.networks), group})
				m.networks = append(m.networks, group)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b network) int { return compareLength(a.group, b.group) })
	for _, x := range all {
		group, ok := p.placeNetwork(x.group)
		if !ok {
			return p.noRoomForNetwork(x.move, x.group[0])
		}
		p.takeNetwork(group)
		x.move.networks[x.place] = group
	}
	return nil
}

// takeNetwork records the rules of a network whose priorities are known.
func (p *priorities) takeNetwork(group []rule.Rule) {
	p.take(group)
	for _, r := range group {
		p.networks[r.Priority.Or(0)] = append(p.networks[r.Priority.Or(0)], r)
		p.order.raise(r)
	}
	p.order.wanted = append(p.order.wanted, group...)
}

// takeRightAfter places the rules for networks of an uplink right after its rungs, and keeps
// the priorities after these free for its other rules of Also.
func (p *priorities) takeRightAfter(m *move) {
	groups := p.groupsOf(m)
	m.networks, m.next = p.networksRightAfter(groups, m.Spec.Priority+m.Height(p.family))
	for _, group := range m.networks {
		p.takeNetwork(group)
	}
	n := uint32(0)
	for _, group := range groups {
		if !isNetwork(group) && !group[0].Priority.IsSet() {
			n += uint32(len(group))
		}
	}
	if n > 0 {
		p.takeRange(m.next, m.next+n-1)
	}
}

// compareLength compares the lengths of the sources of two groups, the longer one first: it is
// the one whose rules come first.
func compareLength(a, b []rule.Rule) int { return cmp.Compare(b[0].From.Bits(), a[0].From.Bits()) }

// noRoomForNetwork says why no place was found for the rules of a network behind this host.
func (p *priorities) noRoomForNetwork(m *move, r rule.Rule) error {
	r.Priority = route.Opt[uint32]{}
	field := "Also"
	if slices.Contains(m.Prefixes, r.From) {
		field = "SourcePrefixes"
	}
	after, limit := p.between(r.From, p.order.networkLimit(p.rules.Before))
	return m.Spec.OrderError(field,
		"there is no room for the rules from %s between %d and %d: rules from networks inside that network come before, "+
			"and rules from networks around it and rules of Also come after; %smove rules of other programs out of the way",
		r.From, after, limit, p.together())
}

// isNetwork reports whether a group of Also is for a network behind this host, and has no
// priority of its own.
func isNetwork(group []rule.Rule) bool {
	return !group[0].Priority.IsSet() && form.SelectsSource(&group[0])
}

func (p *priorities) hasNetworks(m *move) bool { return slices.ContainsFunc(p.groupsOf(m), isNetwork) }

// canBeRightAfter reports whether rules of Also without a priority of their own can come right
// after the rungs: these have a given priority, no other rule from a source comes later, and
// no rule of Also of another uplink comes before those of networks.
func (p *priorities) canBeRightAfter(m *move) bool {
	if m.Spec.Priority == 0 {
		return false
	}
	next := m.Spec.Priority + m.Height(p.family)
	if !isNone(&p.order.source) && p.order.source.Priority.Or(0) >= next {
		return false
	}
	also := &p.order.also
	return !p.hasNetworks(m) ||
		len(p.order.networks) == 0 && (isNone(also) || next+uint32(len(m.Also)) <= also.Priority.Or(0))
}

// groupsOf returns the groups of an uplink's rules of Also in the family of p, unless they stay
// as they are.
func (p *priorities) groupsOf(m *move) (groups [][]rule.Rule) {
	if m.KeepsRules(p.family) {
		return nil
	}
	for also := m.Also; len(also) > 0; {
		n := form.NextGroup(also)
		if also[0].Family == p.family {
			groups = append(groups, also[:n])
		}
		also = also[n:]
	}
	return groups
}

// also returns the rules of Also of an uplink, in their order, with their priorities: those
// that they have, if they are installed, and else free ones: where rules of Also usually are,
// or, if there is no room left, from the last rule from a source on.
func (p *priorities) also(m *move) ([]rule.Rule, error) {
	last := p.order.source.Priority.Or(0) + 1
	rules, err := p.alsoFrom(m, max(p.start(alsoBelowMain), last))
	if err == nil || m.rightAfter {
		return rules, err
	}
	if rules, again := p.alsoFrom(m, max(p.rules.After+1, last)); again == nil {
		return rules, nil
	}
	return nil, err
}

// alsoFrom is also for free priorities that are not below a given one.
func (p *priorities) alsoFrom(m *move, next uint32) (rules []rule.Rule, err error) {
	networks, right := m.networks, m.next
	var taken []rule.Rule
	for _, group := range p.groupsOf(m) {
		isPlaced := false
		switch {
		case group[0].Priority.IsSet():
		case len(networks) > 0 && isNetwork(group):
			group, networks, isPlaced = networks[0], networks[1:], true
		case m.rightAfter:
			group = slices.Clone(group)
			right = setPriorities(group, right)
		default:
			group = p.placeGroup(group, next)
		}
		for _, r := range group {
			if err = p.check(m, r); err != nil {
				p.giveBack(taken)
				return nil, p.alsoError(m, r, err)
			}
		}
		if rules = append(rules, group...); !isPlaced {
			taken = append(taken, group...)
			p.take(group)
		}
	}
	return rules, nil
}

// networksRightAfter returns the groups for networks, in their order, at priorities from next
// on, and the priority after them. Longer prefixes come first.
func (p *priorities) networksRightAfter(groups [][]rule.Rule, next uint32) ([][]rule.Rule, uint32) {
	var networks [][]rule.Rule
	for _, group := range groups {
		if isNetwork(group) {
			networks = append(networks, slices.Clone(group))
		}
	}
	sorted := slices.Clone(networks)
	slices.SortStableFunc(sorted, compareLength)
	for _, group := range sorted {
		next = setPriorities(group, next)
	}
	return networks, next
}

// setPriorities gives a group priorities from next on, and returns the one after them.
func setPriorities(group []rule.Rule, next uint32) uint32 {
	for k := range group {
		group[k].Priority = rule.Priority(next)
		next++
	}
	return next
}

// alsoError returns the error for a rule of Also that gets no priority because there is
// no room.
func (p *priorities) alsoError(m *move, r rule.Rule, err error) error {
	last := &p.order.source
	if r.Priority.Or(0) < p.rules.Before || isNone(last) {
		return err
	}
	for i := range m.Also {
		if m.Also[i] == r {
			return err // it has a priority of its own
		}
	}
	r.Priority = route.Opt[uint32]{}
	return m.Spec.OrderError("Also", "there is no room for %q between the last rule from a source, %q, and the rule at %d: %sgive the uplink of that source a lower priority",
		r, last, p.rules.Before, p.together())
}

// placeGroup returns the group of a rule of Also with priorities: those that they have,
// if they are installed and in their order; else free ones from begin on, together if
// there is room.
func (p *priorities) placeGroup(group []rule.Rule, begin uint32) []rule.Rule {
	group = slices.Clone(group)
	if p.placeInstalled(group, begin) {
		return group
	}
	// Together if there is room: the rules of two uplinks with the same selectors would be
	// taken for each other's if they were among each other.
	n := uint32(len(group))
	for at := p.firstFree(begin); at+n <= p.rules.Before; at = p.firstFree(at + 1) {
		if p.isFree(at, n) {
			setPriorities(group, at)
			return group
		}
	}
	at := begin
	for k := range group {
		at = p.firstFree(at)
		group[k].Priority = rule.Priority(at)
		at++
	}
	return group
}

// placeNetwork is placeGroup for the rules of a network behind this host, which come before
// all rules of Also, and after rules from its own addresses. Where free places are taken,
// they share those of other networks, or are before all of these. It reports whether there is
// room.
func (p *priorities) placeNetwork(group []rule.Rule) ([]rule.Rule, bool) {
	from, n := group[0].From, uint32(len(group))
	after, limit := p.between(from, p.order.networkLimit(p.rules.Before))
	least, begin := after+1, max(p.start(networksBelowMain), after+1)
	placed := slices.Clone(group)
	if p.placeInstalled(placed, least) {
		if _, last := form.Span(placed); last < limit {
			return placed, true
		}
	}
	placed = slices.Clone(group)
	end := min(max(p.start(alsoBelowMain), begin+n), limit)
	for at := p.firstFree(begin); at+n <= end; at++ {
		if p.isFree(at, n) {
			setPriorities(placed, at)
			return placed, true
		}
	}
	for at := begin; at+n <= limit; at++ {
		if p.isSharedByNetworks(at, n, &group[0]) {
			setPriorities(placed, at)
			return placed, true
		}
	}
	for at := min(begin, limit); at >= least+n; at-- {
		if p.isFree(at-n, n) || p.isSharedByNetworks(at-n, n, &group[0]) {
			setPriorities(placed, at-n)
			return placed, true
		}
	}
	return group, false
}

// isSharedByNetworks reports whether the rules of a network can share the n priorities from at
// on, because all rules at these priorities are from other networks.
func (p *priorities) isSharedByNetworks(at, n uint32, r *rule.Rule) bool {
	isOther := func(x *rule.Rule) bool {
		return form.TakesSource(x) && x.Protocol == r.Protocol && !x.From.Overlaps(r.From)
	}
	for prio := at; prio < at+n; prio++ {
		here, wanted := p.rules.At(prio), p.networks[prio]
		switch {
		case !p.isBetween(prio), p.taken[prio] && len(wanted) == 0, p.rules.Taken(prio) && len(here) == 0:
			return false
		}
		for _, list := range [][]rule.Rule{here, wanted} {
			for i := range list {
				if !isOther(&list[i]) {
					return false
				}
			}
		}
	}
	return true
}

// placeInstalled gives the installed rules of a group the priorities that they have, and
// gives missing rules priorities in between. It reports whether there are such
// priorities.
func (p *priorities) placeInstalled(group []rule.Rule, begin uint32) bool {
	main := slices.IndexFunc(group, func(r rule.Rule) bool { return !form.IsCompanion(&r) })
	have, installed := p.find(group[main])
	// One that stands among the rungs, where a priority that was given had put it, gets
	// another.
	if installed = installed && p.isBetween(have) && have >= begin; installed {
		group[main].Priority = rule.Priority(have)
	}
	of := group[main].Priority
	found := installed
	for k := range group {
		if k == main {
			continue
		}
		if at, ok := p.findCompanion(group[k], of); ok && at >= begin {
			group[k].Priority, found = rule.Priority(at), true
		}
	}
	return found && p.fillIn(group, begin)
}

// fillIn gives priorities to rules of a group that have none: right before the next one,
// if they come before all others, or else the next free ones. It reports whether all are
// in their order then.
func (p *priorities) fillIn(group []rule.Rule, begin uint32) bool {
	first := slices.IndexFunc(group, func(r rule.Rule) bool { return r.Priority.IsSet() })
	for k := first - 1; k >= 0; k-- {
		at := group[k+1].Priority.Or(0)
		if at <= begin || !p.isFree(at-1, 1) {
			return false
		}
		group[k].Priority = rule.Priority(at - 1)
	}
	for k := first + 1; k < len(group); k++ {
		last := group[k-1].Priority.Or(0)
		if have, ok := group[k].Priority.Get(); ok {
			if have <= last {
				return false
			}
			continue
		}
		at := last + 1
		if form.RoleOf(&group[k]) != form.Closing {
			at = p.firstFree(max(begin, at)) // someone has deleted it
		} else if !p.isFree(at, 1) {
			return false
		}
		group[k].Priority = rule.Priority(at)
	}
	return true
}

// find looks for a rule that is like r except for its priority.
func (p *priorities) find(r rule.Rule) (uint32, bool) {
	for _, have := range p.rules.Of(r.Protocol).Alike(r) {
		return have.Priority.Or(0), true
	}
	return 0, false
}

// findCompanion looks for an installed companion of the rule at a priority, the last of
// several; without a priority, for one that belongs to no rule.
func (p *priorities) findCompanion(c rule.Rule, of route.Opt[uint32]) (at uint32, found bool) {
	own := p.rules.Of(c.Protocol)
	for _, have := range own.Alike(c) {
		if !p.isBetween(have.Priority.Or(0)) {
			continue
		}
		owner, ok := own.OwnerOf(have)
		if of.IsSet() && ok && owner.Priority == of || !of.IsSet() && !ok {
			at, found = have.Priority.Or(0), true
		}
	}
	return at, found
}
