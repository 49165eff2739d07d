package host

import (
	"strconv"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// OurProtocols returns the protocols with which uplinks have rules: the known ones, and those
// without a name that have a rule of a form that only uplinks with MainFirst, with Unreachable
// or before the rule for local have.
func (rs *Rules) OurProtocols(known ...route.Protocol) []route.Protocol {
	if rs.signed == nil {
		rs.signed = make([]route.Protocol, 0)
		seen := map[route.Protocol]bool{form.ReplyProtocol: true} // whose rules have such forms
		for i := range rs.All {
			r := &rs.All[i]
			if seen[r.Protocol] || !form.IsMainFirst(r) && (!form.IsRung(r) || !form.IsCompanion(r)) {
				continue
			}
			seen[r.Protocol] = true
			if _, err := strconv.Atoi(r.Protocol.String()); err == nil && r.Protocol > route.ProtoStatic {
				rs.signed = append(rs.signed, r.Protocol)
			}
		}
	}
	var all []route.Protocol
	seen := make(map[route.Protocol]bool)
	for _, list := range [][]route.Protocol{known, rs.signed} {
		for _, p := range list {
			if !seen[p] {
				seen[p] = true
				all = append(all, p)
			}
		}
	}
	return all
}

// IsBehindMain reports whether a rule, by its index among all, comes after the rule that looks
// up main for every packet. Rules behind main decide about few packets or none.
func (rs *Rules) IsBehindMain(i int) bool { return i >= rs.behindMain }

// AreBehindMain reports whether rules with a priority come after the one that looks up main.
func (rs *Rules) AreBehindMain(priority uint32) bool { return rs.hasMain && priority > rs.Main }

// FromSources returns the indexes, among all rules of the family, of those from sources, see
// [form.TakesSource].
func (o *OwnerRules) FromSources() []int {
	o.sort()
	return o.fromSources
}

// FromAny returns the indexes, among all rules of the family, of those that take packets of
// any source, see [form.TakesAnySource].
func (o *OwnerRules) FromAny() []int {
	o.sort()
	return o.fromAny
}

// FromNetworks returns those of FromSources whose source is more than a single address.
func (o *OwnerRules) FromNetworks() []int {
	o.sort()
	return o.fromNetworks
}

func (o *OwnerRules) sort() {
	if o.sorted {
		return
	}
	o.sorted = true
	for _, i := range o.own {
		switch r := &o.all[i]; {
		case form.TakesSource(r):
			o.fromSources = append(o.fromSources, i)
			if !r.From.IsSingleIP() {
				o.fromNetworks = append(o.fromNetworks, i)
			}
		case form.TakesAnySource(r):
			o.fromAny = append(o.fromAny, i)
		}
	}
}

// IsGiven reports whether a rule that takes packets of any source comes before begin because
// its owner's file gives it that place: it is alone, and not right behind rungs that lead to
// its table. A rule of Also with a priority of its own takes all packets that it selects.
func (o *OwnerRules) IsGiven(i int, begin uint32) bool {
	r := &o.all[i]
	if r.Priority.Or(0) >= begin {
		return false
	}
	if form.IsCompanion(r) {
		return o.ownerOf(i) < 0 && form.RoleOf(r) != form.Closing // it belongs to no rule, and takes nothing by itself
	}
	for _, k := range o.withSelector(*r) {
		if form.IsCompanion(&o.all[k]) && o.ownerOf(k) == i {
			return false
		}
	}
	return !o.followsRungs(i)
}

// followsRungs reports whether rules of the same owner have all priorities between a rule and
// rungs to the same table.
func (o *OwnerRules) followsRungs(i int) bool {
	next := o.all[i].Priority.Or(0)
	for k := i - 1; k >= 0; k-- {
		r := &o.all[k]
		if r.Protocol != o.all[i].Protocol {
			continue
		}
		prio := r.Priority.Or(0)
		if prio+1 < next {
			return false
		}
		if form.TakesSource(r) {
			return o.leadTo(k, prio, o.all[i])
		}
		next = prio
	}
	return false
}

// leadTo reports whether the rung at k, or one right before it, leads to the table of a rule.
func (o *OwnerRules) leadTo(k int, next uint32, to rule.Rule) bool {
	for ; k >= 0; k-- {
		r := &o.all[k]
		if r.Protocol != to.Protocol {
			continue
		}
		prio := r.Priority.Or(0)
		if prio+1 < next || !form.TakesSource(r) {
			return false
		}
		if r.Table == to.Table {
			return true
		}
		next = prio
	}
	return false
}
