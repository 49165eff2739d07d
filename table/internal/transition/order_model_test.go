package transition_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// wrong returns what is wrong with the order of our rules. It knows nothing of the planner:
// it goes through the rules in the order in which the kernel does.
func (o *orderWorld) wrong() []string {
	var all []string
	for _, f := range form.Families {
		all = append(all, wrongIn(slices.DeleteFunc(o.ours(f), func(r rule.Rule) bool {
			return r.Action == rule.ActionGoto || r.Action == rule.ActionNop
		}))...)
	}
	return all
}

// ours returns our rules of a family before main, but not those of Also with a priority of
// their own.
func (o *orderWorld) ours(f route.Family) []rule.Rule {
	all := slices.Clone(o.now.Rules(f).All)
	if i := slices.IndexFunc(all, func(r rule.Rule) bool { return form.LooksUpForAll(&r, rttables.Main) }); i >= 0 {
		all = all[:i]
	}
	return slices.DeleteFunc(all, func(r rule.Rule) bool {
		return r.Protocol != uplink.DefaultProtocol && r.Protocol != 211 || o.given[placeOf(&r)]
	})
}

// astray returns the packets of sources that leave by the table of another uplink, or by
// none, as far as our rules say.
func (o *orderWorld) astray() []string {
	var all []string
	for _, f := range form.Families {
		rules := o.ours(f)
		tables := make(map[netip.Prefix][]rttables.ID)
		for _, r := range rules {
			isSample := len(o.links) < 100 || r.Table%10 == 0 // some of many do
			if form.SelectsSource(&r) && r.Action == rule.ActionLookup && !form.IsSystemTable(r.Table) && isSample &&
				!r.SuppressPrefixLength.IsSet() { // else someone has deleted the rest
				tables[r.From] = nil
			}
		}
		for _, r := range rules {
			if _, ok := tables[r.From]; ok && r.Action == rule.ActionLookup && !form.IsSystemTable(r.Table) && form.SelectsSource(&r) {
				tables[r.From] = append(tables[r.From], r.Table)
			}
		}
		for i := range rules {
			// In the middle of a transaction gates hide rungs.
			if gate := &rules[i]; form.IsGate(gate) {
				maps.DeleteFunc(tables, func(from netip.Prefix, _ []rttables.ID) bool {
					return from == gate.From || !gate.From.IsValid() && slices.ContainsFunc(rules, func(r rule.Rule) bool {
						return r.From == from && r.Priority.Or(0) > gate.Priority.Or(0) && r.Priority.Or(0) < gate.Goto
					})
				})
			}
		}
		for from, own := range tables {
			x := flow{family: f, src: from.Addr()}
			if !from.IsSingleIP() {
				x.src = from.Addr().Next().Next().Next().Next().Next()
			}
			for _, x.mark = range []uint32{0, 7, 9} {
				for _, x.port = range []uint16{0, 25} {
					if id, ok := tableOf(rules, x); ok && !slices.Contains(own, id) {
						what := "from an address"
						if !from.IsSingleIP() {
							what = "from a network"
						}
						all = append(all, fmt.Sprintf("packets %s, %s with mark %d to port %d, go by table %d, and not by %v",
							what, x.src, x.mark, x.port, id, own))
					}
				}
			}
		}
	}
	return all
}

// packetsOf returns what a fault is about, without the way that the packets go.
func packetsOf(fault string) string {
	packets, _, _ := strings.Cut(fault, ", go by")
	return packets
}

// tableOf returns the table whose default route a flow takes, or zero if it is refused. The
// result ok is false if no rule decides.
func tableOf(rules []rule.Rule, x flow) (id rttables.ID, ok bool) {
	skipTo := uint32(0)
	for i := range rules {
		r := &rules[i]
		if r.Priority.Or(0) < skipTo || r.To.IsValid() || r.UIDRange.IsSet() {
			continue
		}
		selecting := *r
		selecting.SuppressPrefixLength = route.Opt[uint32]{}
		switch {
		case !x.isSelectedBy(&selecting):
		case r.Action == rule.ActionGoto && hasPriority(rules[i+1:], r.Goto):
			skipTo = r.Goto
		case r.Action == rule.ActionUnreachable:
			return 0, true
		case r.Action == rule.ActionLookup && !form.IsSystemTable(r.Table) && !r.SuppressPrefixLength.IsSet():
			return r.Table, true
		}
	}
	return 0, false
}

// placeOf returns what tells a rule of Also with a priority of its own.
func placeOf(r *rule.Rule) rule.Rule {
	return rule.Rule{Priority: r.Priority, FwMark: r.FwMark, DPort: r.DPort, UIDRange: r.UIDRange, To: r.To, From: r.From}
}

// wrongIn returns the pairs of rules in which the one that comes later should come first.
func wrongIn(ours []rule.Rule) []string {
	bySource := func(r *rule.Rule) bool {
		return r.From.IsValid() && r.FwMark == rule.Mark{} && r.DPort == rule.Ports{} && r.IPProto == 0 && !r.To.IsValid() &&
			!r.UIDRange.IsSet()
	}
	var any []*rule.Rule // those that take packets of any source
	var wide []*rule.Rule
	var all []string
	for i := range ours {
		r := &ours[i]
		if !bySource(r) {
			if r.Action != rule.ActionLookup || !form.IsSystemTable(r.Table) { // the others let packets pass
				any = append(any, r)
			}
			continue
		}
		for _, x := range any {
			all = append(all, fmt.Sprintf("%s comes before %s", x, r))
		}
		for _, w := range wide {
			if w.From.Bits() < r.From.Bits() && w.From.Contains(r.From.Addr()) {
				all = append(all, fmt.Sprintf("%s comes before %s", w, r))
			}
		}
		if !r.From.IsSingleIP() {
			wide = append(wide, r)
		}
	}
	return all
}

// isAllWanted reports whether all our rules are those of uplinks that are wanted: a look does
// not touch what is left of others.
func (o *orderWorld) isAllWanted() bool {
	for _, f := range form.Families {
		for _, r := range o.ours(f) {
			u, ok := o.wanted[int(r.Table)-1000]
			isOrphan := false
			if form.RoleOf(&r) == form.Closing && !form.IsRung(&r) {
				_, owned := o.now.Rules(f).Of(r.Protocol).OwnerOf(r)
				isOrphan = !owned // it may be left of any
			}
			if isOrphan || !form.IsSystemTable(r.Table) && (!ok || u.Proto() != r.Protocol) {
				return false
			}
		}
	}
	return true
}

// hasRoom reports whether each family has hundreds of priorities for uplinks.
func (o *orderWorld) hasRoom() bool {
	for _, f := range form.Families {
		if rs := o.now.Rules(f); rs.Before < rs.After+500 {
			return false
		}
	}
	return true
}
