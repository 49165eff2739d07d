package host

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// Rules are the rules of one family in the order in which the kernel looks at them, with
// indexes to find some of them. The time to find rules does not grow with the number of
// other rules.
type Rules struct {
	All []rule.Rule
	// Local and Main are the priorities of the first rules that look up these tables for
	// every packet. Without such rules they are 0 and 32766, which are the kernel's initial
	// priorities.
	Local, Main uint32
	// After and Before are the bounds of the priorities of our rules. They are Local and
	// Main, if there is room between them.
	After, Before uint32
	// LocalFirst means that there is no room, as in the order of rules that the kernel's
	// documentation of VRFs describes. Our rules then come before the rule for local, and
	// after a rule l3mdev, and look up the table local first.
	LocalFirst bool

	// behindMain is the index of the first rule behind the rule for main. Without a rule
	// for main it is the number of rules, and hasMain is false.
	behindMain int
	hasMain    bool

	// What follows is made when it is needed.
	tables map[rttables.ID][]int // the rules that look up a table, by their indexes
	taken  map[uint32]bool       // priorities of rules, and where gotos lead
	gotos  []*rule.Rule
	owners map[route.Protocol]*OwnerRules
	signed []route.Protocol // see OurProtocols
}

// initialMain is the priority that the kernel gives to the rule for table main.
const initialMain = 32766

// leastRoom is how many priorities have to be between the rules for local and main to have
// room for our rules.
const leastRoom = 100

func newRules(all []rule.Rule) *Rules {
	rs := &Rules{All: all, Main: initialMain, behindMain: len(all)}
	foundLocal, foundMain := false, false
	for i := range all {
		switch r := &all[i]; {
		case !foundLocal && form.LooksUpForAll(r, rttables.Local):
			rs.Local, foundLocal = r.Priority.Or(0), true
		case !foundMain && form.LooksUpForAll(r, rttables.Main):
			rs.Main, rs.behindMain, foundMain = r.Priority.Or(0), i+1, true
		}
	}
	rs.hasMain = foundMain
	rs.bound()
	return rs
}

// bound finds the bounds of the priorities of our rules.
func (rs *Rules) bound() {
	rs.After, rs.Before = rs.Local, rs.Main
	if rs.Main > rs.Local+leastRoom {
		return
	}
	first, l3mdev := min(rs.Local, rs.Main), uint32(0)
	for i := range rs.All {
		if prio := rs.All[i].Priority.Or(0); rs.All[i].L3MDev && prio < first {
			l3mdev = prio
		}
	}
	if first > l3mdev+leastRoom {
		rs.After, rs.Before, rs.LocalFirst = l3mdev, first, true
	}
}

// Bounds returns the bounds of the priorities of our rules in words.
func (rs *Rules) Bounds() string {
	switch {
	case !rs.LocalFirst:
		return fmt.Sprintf("the rules for local, at %d, and for main, at %d", rs.Local, rs.Main)
	case rs.Before == rs.Local:
		return fmt.Sprintf("%s and the rule for local, at %d", rs.afterWords(), rs.Before)
	}
	return fmt.Sprintf("%s and the rule for main, at %d", rs.afterWords(), rs.Before)
}

func (rs *Rules) afterWords() string {
	if rs.After == 0 {
		return "0"
	}
	return fmt.Sprintf("the rule l3mdev, at %d,", rs.After)
}

// LeadTo reports whether a rule of any program leads to a table.
func (rs *Rules) LeadTo(table rttables.ID) bool { return len(rs.to(table)) > 0 }

// to returns the indexes of the rules that look up a table.
func (rs *Rules) to(table rttables.ID) []int {
	if rs.tables == nil {
		rs.tables = make(map[rttables.ID][]int)
		for i := range rs.All {
			id := rs.All[i].Table
			rs.tables[id] = append(rs.tables[id], i)
		}
	}
	return rs.tables[table]
}

// To yields the rules that look up a table, of all programs.
func (rs *Rules) To(table rttables.ID) iter.Seq[*rule.Rule] {
	return func(yield func(*rule.Rule) bool) {
		for _, i := range rs.to(table) {
			if !yield(&rs.All[i]) {
				return
			}
		}
	}
}

// LeadOthersTo reports whether a rule with another protocol leads to a table.
func (rs *Rules) LeadOthersTo(table rttables.ID, protocol route.Protocol) bool {
	for r := range rs.To(table) {
		if r.Protocol != protocol {
			return true
		}
	}
	return false
}

// Taken reports whether a rule has a priority, or a goto leads to it. A rule at that
// priority would give the goto an effect.
func (rs *Rules) Taken(priority uint32) bool {
	if rs.taken == nil {
		rs.taken = make(map[uint32]bool, len(rs.All))
		for i := range rs.All {
			rs.taken[rs.All[i].Priority.Or(0)] = true
			if to := rs.All[i].Goto; to != 0 {
				rs.taken[to] = true
			}
		}
	}
	return rs.taken[priority]
}

// Gotos returns the rules goto.
func (rs *Rules) Gotos() []*rule.Rule {
	if rs.gotos == nil {
		rs.gotos = make([]*rule.Rule, 0)
		for i := range rs.All {
			if r := &rs.All[i]; r.Action == rule.ActionGoto {
				rs.gotos = append(rs.gotos, r)
			}
		}
	}
	return rs.gotos
}

// At returns the rules with a priority.
func (rs *Rules) At(priority uint32) []rule.Rule { return rs.Between(priority, priority) }

// Between returns the rules whose priorities are from first to last.
func (rs *Rules) Between(first, last uint32) []rule.Rule {
	from := rs.search(first)
	to := len(rs.All)
	if last < 1<<32-1 {
		to = rs.search(last + 1)
	}
	return rs.All[from:max(from, to)]
}

// search returns the index of the first rule with that priority, or a higher one.
func (rs *Rules) search(priority uint32) int {
	i, _ := slices.BinarySearchFunc(rs.All, priority, func(r rule.Rule, prio uint32) int {
		if r.Priority.Or(0) < prio {
			return -1
		}
		return 1
	})
	return i
}

// Of returns the rules with a protocol.
func (rs *Rules) Of(protocol route.Protocol) *OwnerRules {
	o := rs.owners[protocol]
	if o == nil {
		o = newOwnerRules(rs.All, protocol)
		if rs.owners == nil {
			rs.owners = make(map[route.Protocol]*OwnerRules)
		}
		rs.owners[protocol] = o
	}
	return o
}

// OwnerRules are the rules of one family with one protocol. Results are in the
// order of the rules.
type OwnerRules struct {
	all      []rule.Rule // of the family
	own      []int       // indexes into all, in ascending order, as everywhere below
	gates    int         // how many of them are gates or END
	byTable  map[rttables.ID][]int
	bySource map[netip.Addr][]int
	alike    map[rule.Rule][]int // by [form.Like]
	// bySelector are rules that can be in a group of Also.
	bySelector map[rule.Rule][]int
	// fromSources are the rules from sources, fromNetworks those of them from networks, and
	// fromAny the rules that take packets of any source.
	fromSources, fromNetworks, fromAny []int
	sorted                             bool
}

func newOwnerRules(all []rule.Rule, protocol route.Protocol) *OwnerRules {
	o := &OwnerRules{
		all: all, byTable: make(map[rttables.ID][]int), bySource: make(map[netip.Addr][]int),
	}
	for i := range all {
		r := &all[i]
		if r.Protocol != protocol {
			continue
		}
		o.own = append(o.own, i)
		if form.IsGate(r) || form.IsEnd(r) {
			o.gates++
		}
		o.byTable[r.Table] = append(o.byTable[r.Table], i)
		if r.From.IsSingleIP() {
			o.bySource[r.From.Addr()] = append(o.bySource[r.From.Addr()], i)
		}
	}
	return o
}

func (o *OwnerRules) pick(indexes []int) []rule.Rule {
	if len(indexes) == 0 {
		return nil
	}
	rules := make([]rule.Rule, len(indexes))
	for k, i := range indexes {
		rules[k] = o.all[i]
	}
	return rules
}

// All returns all rules of the owner.
func (o *OwnerRules) All() []rule.Rule { return o.pick(o.own) }

// HasGates reports whether there are gates, or END, among them.
func (o *OwnerRules) HasGates() bool { return o.gates > 0 }

// Len returns the number of rules.
func (o *OwnerRules) Len() int { return len(o.own) }

// LeadElsewhere reports whether rules look up a table other than id and the system tables.
func (o *OwnerRules) LeadElsewhere(id rttables.ID) bool {
	n := len(o.byTable)
	for _, x := range [...]rttables.ID{id, rttables.Unspec, rttables.Compat, rttables.Default, rttables.Main, rttables.Local} {
		if _, ok := o.byTable[x]; ok && (x != id || !form.IsSystemTable(id)) {
			n--
		}
	}
	return n > 0
}

// ToOrFrom returns the rules that look up one of some tables, or have one of some
// addresses, and nothing wider, as their source.
func (o *OwnerRules) ToOrFrom(tables []rttables.ID, sources []netip.Addr) []rule.Rule {
	var found []int
	for _, id := range tables {
		found = append(found, o.byTable[id]...)
	}
	for _, a := range sources {
		found = append(found, o.bySource[a]...)
	}
	return o.pick(inOrder(found))
}

// To returns the rules that look up one of some tables.
func (o *OwnerRules) To(tables ...rttables.ID) []rule.Rule { return o.ToOrFrom(tables, nil) }

// From returns the rules whose source is one of some addresses, and nothing wider.
func (o *OwnerRules) From(sources ...netip.Addr) []rule.Rule { return o.ToOrFrom(nil, sources) }

// Also returns the rules that look up one of some tables, except for rungs, and the
// companions that belong to them. A companion that belongs to no rule is among them if it
// is like one of some.
func (o *OwnerRules) Also(tables []rttables.ID, rungs form.Set, companions []rule.Rule) []rule.Rule {
	var found []int
	add := func(like rule.Rule, wanted func(owner int) bool) {
		for _, i := range o.withSelector(like) {
			if form.IsCompanion(&o.all[i]) && !rungs.Has(o.all[i]) && wanted(o.ownerOf(i)) {
				found = append(found, i)
			}
		}
	}
	for _, id := range tables {
		for _, i := range o.byTable[id] {
			if rungs.Has(o.all[i]) {
				continue
			}
			found = append(found, i)
			if form.RoleOf(&o.all[i]) == form.ToUplink {
				add(o.all[i], func(owner int) bool { return owner == i })
			}
		}
	}
	for _, c := range companions {
		role := form.RoleOf(&c)
		for _, i := range o.withSelector(c) {
			if form.RoleOf(&o.all[i]) == role && !rungs.Has(o.all[i]) && o.ownerOf(i) < 0 {
				found = append(found, i)
			}
		}
	}
	return o.pick(inOrder(found))
}

// OwnerOf returns the rule of Also that a companion belongs to: of those with its
// selector the next, or, for one that closes a group, the last before it.
func (o *OwnerRules) OwnerOf(companion rule.Rule) (rule.Rule, bool) {
	for _, i := range o.alikeAt(companion) {
		if o.all[i].Priority == companion.Priority {
			if k := o.ownerOf(i); k >= 0 {
				return o.all[k], true
			}
			break
		}
	}
	return rule.Rule{}, false
}

// ownerOf is the index of the rule that the companion at i belongs to, or −1.
func (o *OwnerRules) ownerOf(i int) int {
	owner := -1
	closes := form.RoleOf(&o.all[i]) == form.Closing
	at := o.all[i].Priority.Or(0)
	for _, k := range o.withSelector(o.all[i]) {
		prio := o.all[k].Priority.Or(0)
		switch {
		case form.RoleOf(&o.all[k]) != form.ToUplink:
		case closes && prio < at:
			owner = k
		case !closes && prio > at:
			return k
		}
	}
	return owner
}

// withSelector returns the indexes of the rules that have the selector of r.
func (o *OwnerRules) withSelector(r rule.Rule) []int {
	if o.bySelector == nil {
		o.bySelector = make(map[rule.Rule][]int, len(o.own))
		for _, i := range o.own {
			if form.RoleOf(&o.all[i]) != form.NoRole {
				selector := form.Selector(o.all[i])
				o.bySelector[selector] = append(o.bySelector[selector], i)
			}
		}
	}
	return o.bySelector[form.Selector(r)]
}

// inOrder sorts indexes, and leaves each out that is there twice.
func inOrder(indexes []int) []int {
	slices.Sort(indexes)
	return slices.Compact(indexes)
}

// Alike returns the rules that differ from r in nothing but their priority.
func (o *OwnerRules) Alike(r rule.Rule) []rule.Rule { return o.pick(o.alikeAt(r)) }

func (o *OwnerRules) alikeAt(r rule.Rule) []int {
	if o.alike == nil {
		o.alike = make(map[rule.Rule][]int, len(o.own))
		for _, i := range o.own {
			like := form.Like(o.all[i])
			o.alike[like] = append(o.alike[like], i)
		}
	}
	return o.alike[form.Like(r)]
}

// Has reports whether r is there, at its priority.
func (o *OwnerRules) Has(r rule.Rule) bool {
	for _, i := range o.alikeAt(r) {
		if o.all[i].Priority == r.Priority {
			return true
		}
	}
	return false
}
