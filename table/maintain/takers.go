package maintain

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// Takers are the rules of other programs, in one family, that may take packets without a
// mark. The time to find those that take packets from an address does not grow with their
// number.
type takers struct {
	// all are the rules in their order, and the indexes below are into all.
	all []rule.Rule
	// byNetwork are rules by their source, and wide are those without a source.
	byNetwork map[netip.Prefix][]int
	wide      []int
	// lengths are those of the prefixes.
	lengths []int
}

// takersOf returns the rules of other programs in a family, except for the rule for table
// local.
func (r *reading) takersOf(f route.Family, ours []route.Protocol) *takers {
	t := r.takers[f]
	if t != nil {
		return t
	}
	t = &takers{byNetwork: make(map[netip.Prefix][]int)}
	r.takers[f] = t
	rules := r.now.Rules(f)
	for i := range rules.All {
		x := &rules.All[i]
		if slices.Contains(ours, x.Protocol) || !maySelectPlain(x) || form.LooksUpForAll(x, rttables.Local) || x.Action == rule.ActionNop {
			continue
		}
		k := len(t.all)
		t.all = append(t.all, *x)
		if x.Not || !x.From.IsValid() {
			t.wide = append(t.wide, k)
			continue
		}
		network := x.From.Masked()
		t.byNetwork[network] = append(t.byNetwork[network], k)
		if !slices.Contains(t.lengths, network.Bits()) {
			t.lengths = append(t.lengths, network.Bits())
		}
	}
	return t
}

// before returns the rules before a priority that may take packets from an address, and
// reports whether one of them has a source. Rules of other programs at the priority of a
// rung come behind it.
func (t *takers) before(a netip.Addr, prio uint32) (rules []rule.Rule, names bool) {
	found := slices.Clone(t.wide)
	for _, n := range t.lengths {
		if network, err := a.Prefix(n); err == nil {
			found = append(found, t.byNetwork[network]...)
		}
	}
	slices.Sort(found)
	for _, i := range found {
		if x := &t.all[i]; x.Priority.Or(0) < prio {
			rules = append(rules, *x)
			names = names || x.From.IsValid()
		}
	}
	return rules, names
}
