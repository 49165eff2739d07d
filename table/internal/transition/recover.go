package transition

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// LeftOver is the Uplink of steps of a recovery, in place of an uplink's name.
const LeftOver = "(left over)"

// Interrupted reports whether there are gates with one of the protocols, which means
// that a transaction was interrupted.
func Interrupted(now *host.State, protocols []route.Protocol) bool {
	for _, f := range form.Families {
		for _, proto := range protocols {
			if now.Rules(f).Of(proto).HasGates() {
				return true
			}
		}
	}
	return false
}

// Recover adds the steps that clean up what transactions have left: rungs that gates
// hide or that come behind others of the same source, main-first rules that belong to
// no rule, routes in tables that no rule leads to, claims, and gates. Own are the
// routes with one of the protocols, of all tables.
func (p *Planner) Recover(protocols []route.Protocol, own []route.Route) {
	r := p.newRecovery(protocols)
	p.deleteGarbage(r)
	p.do(deleteRules(leftOver, companionsAlone(p.State(), protocols)...)...)
	p.deleteRest(r, own)
}

// Finish is Recover of transactions that have left gates. It leaves main-first rules:
// what is planned next may use them.
func (p *Planner) Finish(protocols []route.Protocol, own []route.Route) {
	r := p.newRecovery(protocols)
	p.deleteGarbage(r)
	p.deleteRest(r, own)
}

// deleteGarbage adds the steps that delete rules that no packet reaches.
func (p *Planner) deleteGarbage(r *recovery) {
	p.do(addRules(leftOver, r.follow...)...)
	p.do(deleteRules(leftOver, r.garbage...)...)
}

// deleteRest adds the steps for what the garbage led to, and for the gates.
func (p *Planner) deleteRest(r *recovery, own []route.Route) {
	var orphans []plan.Step
	for _, o := range r.orphans(p.State(), own) {
		orphans = append(orphans, leftOver(rule.Rule{}).step(plan.Step{Op: plan.DeleteRoute, Route: o}))
	}
	p.do(orphans...)
	p.do(deleteRules(leftOver, r.gates...)...)
	p.do(deleteRules(leftOver, r.ends...)...)
}

// A recovery has the rules and routes that interrupted transactions have left.
type recovery struct {
	now         *host.State
	gates, ends []rule.Rule
	gatesFrom   map[netip.Prefix][]rule.Rule
	// forAll are the gates for all packets, and alone the ENDs that no gate leads to, of
	// the owner whose transactions are looked at.
	forAll, alone []rule.Rule
	follow        []rule.Rule // rules of Also that are added for the table in use
	hidden        []rule.Rule // rungs that no packet meets because of gates
	garbage       []rule.Rule // rules that no packet meets, or that another has replaced
	isGarbage     form.Set
	moved         map[tableOfOwner]bool // whose rules of Also follow
}

// A tableOfOwner is a table, as one family and protocol use it.
type tableOfOwner struct {
	family   route.Family
	protocol route.Protocol
	table    rttables.ID
}

func (p *Planner) newRecovery(protocols []route.Protocol) *recovery {
	r := &recovery{
		now: p.State(), gatesFrom: make(map[netip.Prefix][]rule.Rule),
		isGarbage: form.MakeSet(), moved: make(map[tableOfOwner]bool),
	}
	for _, proto := range protocols {
		for _, f := range form.Families {
			r.find(f, proto)
		}
	}
	return r
}

// own returns the rules of a family with a protocol.
func (r *recovery) own(f route.Family, proto route.Protocol) []rule.Rule {
	return r.now.Rules(f).Of(proto).All()
}

// discard notes rules that are to be deleted.
func (r *recovery) discard(to *[]rule.Rule, rules ...rule.Rule) {
	for _, o := range rules {
		*to = append(*to, o)
		r.isGarbage[form.Bare(o)] = struct{}{}
	}
}

// find finds what the interrupted transactions of one owner have left in a family.
func (r *recovery) find(f route.Family, proto route.Protocol) {
	rungs := make(map[netip.Prefix][]rule.Rule)
	var sources []netip.Prefix
	r.forAll, r.alone = nil, nil
	own, leadTo := r.own(f, proto), make(map[uint32]bool)
	for _, o := range own {
		switch {
		case form.IsEnd(&o):
			r.ends = append(r.ends, o)
			if !leadTo[o.Priority.Or(0)] { // by the gates, which come before
				r.alone = append(r.alone, o)
			}
		case form.IsGate(&o):
			r.gates, leadTo[o.Goto] = append(r.gates, o), true
			if !o.From.IsValid() {
				r.forAll = append(r.forAll, o)
				continue
			}
			r.gatesFrom[o.From] = append(r.gatesFrom[o.From], o)
		case form.IsRung(&o):
			if rungs[o.From] == nil {
				sources = append(sources, o.From)
			}
			rungs[o.From] = append(rungs[o.From], o)
		}
	}
	var found []rule.Rule
	for _, from := range sources {
		r.sortGenerations(&found, rungs[from])
	}
	r.findTwins(&found, f, proto)
	r.garbage = append(r.garbage, inOrder(r.hidden)...)
	r.hidden = nil
	slices.Reverse(found)
	r.garbage = append(r.garbage, found...)
}

// sortGenerations divides the rungs of a source into those in use and garbage. Rungs
// that gates hide are garbage. Of two generations that are not hidden, the later one is
// garbage.
func (r *recovery) sortGenerations(found *[]rule.Rule, rungs []rule.Rule) {
	var met, hidden []rule.Rule
	byAll := r.hiddenByAll(rungs)
	for _, o := range rungs {
		if r.isHidden(&o) || byAll(o.Priority.Or(0)) {
			hidden = append(hidden, o)
		} else {
			met = append(met, o)
		}
	}
	used, later := splitGenerations(met)
	r.discard(&r.hidden, hidden...)
	r.discard(found, later...)
	for _, o := range slices.Concat(hidden, later) {
		for _, u := range used {
			if !form.IsSystemTable(o.Table) && !form.IsSystemTable(u.Table) && o.Table != u.Table {
				r.moveAlso(found, &o, u.Table)
			}
		}
	}
}

// splitGenerations returns the rungs of a source in use, and those behind them that no packet
// meets.
func splitGenerations(rungs []rule.Rule) (used, later []rule.Rule) {
	for _, o := range rungs {
		if last := o.Action == rule.ActionUnreachable; isComplete(used) && (!last || len(later) > 0) {
			later = append(later, o)
		} else {
			used = append(used, o)
		}
	}
	return used, later
}

// isComplete reports whether rungs have the one that takes the uplink in any case. Only
// unreachable can come after that.
func isComplete(rungs []rule.Rule) bool {
	return slices.ContainsFunc(rungs, func(r rule.Rule) bool {
		return r.Action == rule.ActionLookup && !form.IsSystemTable(r.Table) && !r.SuppressPrefixLength.IsSet()
	})
}

// isHidden reports whether no packet reaches a rung because of a gate. There are two
// cases: END exists, and the gate skips the rung; or END does not exist, and the rung
// comes after the place of END, so it belongs to the generation that is not yet, or no
// longer, in use.
func (r *recovery) isHidden(o *rule.Rule) bool {
	prio := o.Priority.Or(0)
	return slices.ContainsFunc(r.gatesFrom[o.From], func(g rule.Rule) bool {
		if g.Protocol != o.Protocol || prio < g.Priority.Or(0) {
			return false
		}
		leads := len(r.now.Rules(g.Family).At(g.Goto)) > 0
		return leads == (prio < g.Goto)
	})
}

// hiddenByAll reports of which priorities no packet meets the rungs of a source, which
// are all that it has, because of a gate for all packets, or of an END that no gate leads
// to: such a gate is there no more, or not yet, and the rungs after END are not those in
// use. Where a source has rungs on one side of END only, its rungs are in use.
func (r *recovery) hiddenByAll(rungs []rule.Rule) func(prio uint32) bool {
	between := func(first, end uint32) []rule.Rule {
		return slices.DeleteFunc(slices.Clone(rungs), func(o rule.Rule) bool {
			return o.Priority.Or(0) < first || o.Priority.Or(0) >= end
		})
	}
	for _, g := range r.forAll {
		first, end := g.Priority.Or(0), g.Goto
		switch leads := len(r.now.Rules(g.Family).At(end)) > 0; {
		case len(between(first, end)) == 0:
		case leads:
			return func(prio uint32) bool { return prio >= first && prio < end }
		default:
			return func(prio uint32) bool { return prio >= end }
		}
	}
	if len(r.gatesFrom[rungs[0].From]) == 0 {
		for _, o := range r.alone {
			if end := o.Priority.Or(0); isComplete(between(0, end)) {
				return func(prio uint32) bool { return prio > end }
			}
		}
	}
	return func(uint32) bool { return false }
}

// moveAlso makes the rules of Also follow the rungs to another table.
func (r *recovery) moveAlso(found *[]rule.Rule, rung *rule.Rule, to rttables.ID) {
	from := tableOfOwner{rung.Family, rung.Protocol, rung.Table}
	if r.moved[from] {
		return
	}
	r.moved[from] = true
	own := r.now.Rules(rung.Family).Of(rung.Protocol)
	for _, o := range own.To(rung.Table) {
		if form.IsRung(&o) || r.isGarbage.Has(o) {
			continue
		}
		r.discard(found, o)
		o.Table = to
		if !own.Has(o) && !form.MakeSet(r.follow...).Has(o) {
			r.follow = append(r.follow, o)
		}
	}
}

// findTwins finds rules of Also that also exist for another table, if no rung looks up
// their own table any more.
func (r *recovery) findTwins(found *[]rule.Rule, f route.Family, proto route.Protocol) {
	own := r.own(f, proto)
	used := make(map[rttables.ID]bool) // by rungs
	for _, o := range own {
		if form.IsRung(&o) && !r.isGarbage.Has(o) {
			used[o.Table] = true
		}
	}
	inUse := make(map[rule.Rule]bool) // rules of Also to tables that rungs use, without the table
	var candidates []rule.Rule
	for _, o := range own {
		if form.IsSystemTable(o.Table) || form.IsRung(&o) {
			continue
		}
		if used[o.Table] {
			inUse[likeInAnyTable(o)] = true
		} else if !r.isGarbage.Has(o) {
			candidates = append(candidates, o)
		}
	}
	for _, o := range r.follow {
		if o.Family == f && o.Protocol == proto {
			inUse[likeInAnyTable(o)] = true
		}
	}
	for _, o := range candidates {
		if inUse[likeInAnyTable(o)] {
			r.discard(found, o)
			r.discard(found, r.closing(o)...)
		}
	}
}

// closing returns the rules that close the group of a rule of Also. They go before it:
// they would take what it selects.
func (r *recovery) closing(o rule.Rule) []rule.Rule {
	own := r.now.Rules(o.Family).Of(o.Protocol)
	return slices.DeleteFunc(own.Alike(form.Companion(o, form.Closing)), func(c rule.Rule) bool {
		owner, ok := own.OwnerOf(c)
		return !ok || owner != o
	})
}

func likeInAnyTable(r rule.Rule) rule.Rule {
	r = form.Like(r)
	r.Table = 0
	return r
}

// companionsAlone returns companions that belong to no rule, and change nothing: those
// before a rule that refuses let packets pass that it would take. The last comes first: one
// that looks up main must not be there without the one that looks up local.
func companionsAlone(now *host.State, protocols []route.Protocol) []rule.Rule {
	var found []rule.Rule
	for _, proto := range protocols {
		for _, f := range form.Families {
			own := now.Rules(f).Of(proto)
			for _, o := range slices.Backward(own.All()) {
				if role := form.RoleOf(&o); (role == form.MainFirst || role == form.LocalFirst) && !form.IsRung(&o) {
					if _, ok := own.OwnerOf(o); !ok && len(own.Alike(form.Companion(o, form.Closing))) == 0 {
						found = append(found, o)
					}
				}
			}
		}
	}
	return found
}

// orphans returns routes that are not used: those of own in tables that no rule looks
// up, and reservations in any table. Routes on the link come last.
func (r *recovery) orphans(now *host.State, own []route.Route) []route.Route {
	var withGateway, onLink []route.Route
	for _, o := range own {
		switch {
		case now.Rules(o.Family).LeadTo(o.Table) && !form.IsClaim(&o):
		case form.HasGateway(&o):
			withGateway = append(withGateway, o)
		default:
			onLink = append(onLink, o)
		}
	}
	return slices.Concat(withGateway, onLink)
}

// leftOver returns the owner of steps that belong to no uplink.
func leftOver(rule.Rule) *move { return nil }
