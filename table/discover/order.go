package discover

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// The usual priorities of uplinks are counted down from the rule for main: rules from
// addresses, and rules of Also behind them.
const (
	rungsBelowMain = 1766
	alsoBelowMain  = 766
)

// keepOrder gives priorities to uplinks whose rules would otherwise change places with
// other rules, compared with the rules of the scripts. In the usual order, rules from
// addresses of all uplinks come first, and then those of Also.
func (x *search) keepOrder(h *Host) {
	for _, f := range form.Families {
		needed := x.changesOrder(f)
		for i := range h.Uplinks {
			u := &h.Uplinks[i]
			switch w := u.way; {
			case w.family != f:
			case w.table == 0:
				x.placeBehind(w, u)
			case needed:
				x.setPriorities(w, u)
			}
		}
	}
}

// firstRungs returns the rule of each source of the way that decides.
func (w *way) firstRungs() []rule.Rule {
	by, sources := form.BySource(w.rungs)
	var firsts []rule.Rule
	for _, a := range sources {
		firsts = append(firsts, by[a][0])
	}
	return firsts
}

// allAlso returns the rules of Also of all ways in a family, in the order of the uplinks.
func (x *search) allAlso(f route.Family) []rule.Rule {
	var all []rule.Rule
	for _, w := range x.ways {
		if w.family == f {
			all = append(all, w.also...)
		}
	}
	return all
}

// staying returns the rules of a family that no uplink replaces, and that may decide about
// packets before main does.
func (x *search) staying(f route.Family) []rule.Rule {
	rules := x.now.Rules(f)
	return slices.DeleteFunc(slices.Clone(rules.All), func(r rule.Rule) bool {
		return x.taken.Has(r) || isSystemRule(&r) || r.Priority.Or(0) > rules.Main || r.Action == rule.ActionNop
	})
}

// changesOrder reports whether rules of the uplinks in a family would come before or after
// other rules than now, if all had their usual priorities.
func (x *search) changesOrder(f route.Family) bool {
	main := x.now.Rules(f).Main
	also, staying := x.allAlso(f), x.staying(f)
	for _, w := range x.ways {
		if w.family != f {
			continue
		}
		for _, r := range w.firstRungs() {
			a := r.From.Addr()
			if slices.ContainsFunc(also, func(o rule.Rule) bool { return before(&o, &r) && form.MayMatchSource(&o, a) }) ||
				slices.ContainsFunc(staying, func(o rule.Rule) bool {
					return isBetween(&o, r.Priority.Or(0), main-rungsBelowMain) && form.MayMatchSource(&o, a)
				}) {
				return true
			}
		}
	}
	for _, w := range x.ways {
		// The rules of an uplink that has no rules yet come behind those of Also.
		if w.family == f && w.table == 0 && slices.ContainsFunc(x.newSources(w), func(a netip.Addr) bool {
			return slices.ContainsFunc(also, func(o rule.Rule) bool { return form.MayMatchSource(&o, a) })
		}) {
			return true
		}
	}
	for i, r := range also {
		if i > 0 && before(&r, &also[i-1]) && r.Table != also[i-1].Table ||
			slices.ContainsFunc(staying, func(o rule.Rule) bool { return isBetween(&o, r.Priority.Or(0), main-alsoBelowMain) }) {
			return true
		}
	}
	return false
}

func before(a, b *rule.Rule) bool { return a.Priority.Or(0) < b.Priority.Or(0) }

// isBetween reports whether a rule is between two priorities.
func isBetween(r *rule.Rule, a, b uint32) bool {
	prio := r.Priority.Or(0)
	return prio >= min(a, b) && prio <= max(a, b)
}

// setPriorities gives an uplink, and its rules of Also, the priorities of the script's
// rules.
func (x *search) setPriorities(w *way, u *Uplink) {
	u.reason("the priorities are those of the existing rules, because other rules come in between")
	if firsts := w.firstRungs(); len(firsts) > 0 {
		lowest := firsts[0]
		for _, r := range firsts {
			if before(&r, &lowest) {
				lowest = r
			}
		}
		u.Priority = lowest.Priority.Or(0)
		if u.MainFirst {
			u.Priority -= 2 // the rules that look up main come first
		}
	}
	for i := range u.Also {
		u.Also[i].Priority = w.also[i].Priority
		// A rule with a priority stands alone. So the main-first rule of the script stays.
		if first, ok := x.mainFirst[form.Bare(w.also[i])]; ok {
			delete(x.taken, form.Bare(first))
		}
	}
}

// placeBehind gives an uplink without rules so far a priority behind those that may match
// its packets, which also come before main. If there is no room, the uplink is needless:
// its packets already take table main.
func (x *search) placeBehind(w *way, u *Uplink) {
	rules := x.now.Rules(w.family)
	last := uint32(0)
	sources := x.newSources(w)
	for _, r := range slices.Concat(x.allAlso(w.family), x.staying(w.family)) {
		if slices.ContainsFunc(sources, func(a netip.Addr) bool { return form.MayMatchSource(&r, a) }) {
			last = max(last, r.Priority.Or(0))
		}
	}
	if last < rules.Main-rungsBelowMain {
		return
	}
	// Three priorities are for the rules of main-first. One before and one behind them are
	// for the temporary rules of a transaction.
	for first := last + 1; first+5 <= rules.Main; first++ {
		if !slices.ContainsFunc([]uint32{0, 1, 2, 3, 4}, func(k uint32) bool { return rules.Taken(first + k) }) {
			u.Priority = first + 1
			u.reason("the priority is after the rules that may match the same packets")
			return
		}
	}
	u.Needless = true
	u.reason("no uplink is needed: packets already take this way because of main, and rules that may match the same packets leave no free priority before main")
}
