package reply

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// The rules of all ways have the same four priorities, since packets with one mark meet none
// of the rules for another one:
//
//	first    fwmark M lookup local                          if ours come before the rule for local
//	first+1  fwmark M lookup main suppress_prefixlength 1   networks of this host stay local
//	first+2  fwmark M lookup T
//	first+3  fwmark M unreachable                           with Unreachable
const height = 4

// belowMain is where the first priority is chosen, counted down from the rule for main. It is
// behind the rules from sources of uplinks, and before those for networks behind this host
// and before those of Also.
const belowMain = 826

// sharePercent is the share of the room between local and main that comes before the first
// priority, where there is little room.
const sharePercent = 54

// wantedRules returns the rules of ways in a family. Protocols are those of the uplinks.
func wantedRules(now *host.State, ways []*way, mask uint32, f route.Family, protocols []route.Protocol) ([]ownedRule, error) {
	if !slices.ContainsFunc(ways, func(w *way) bool { return w.half(f) != nil }) {
		return nil, nil
	}
	first, err := firstPriority(now, f, protocols)
	if err != nil {
		return nil, err
	}
	var all []ownedRule
	for _, w := range ways {
		h := w.half(f)
		if h == nil {
			continue
		}
		to := rule.Rule{
			Family: f, FwMark: rule.FwMark(w.mark).Masked(mask), Action: rule.ActionLookup, Table: w.table, Protocol: Protocol,
		}
		ladder := []rule.Rule{
			form.Companion(to, form.LocalFirst), form.Companion(to, form.MainFirst), to, form.Companion(to, form.Closing),
		}
		for k := range ladder {
			ladder[k].Priority = rule.Priority(first + uint32(k))
			if (k == 0 && !now.Rules(f).LocalFirst) || (k == height-1 && !h.unreachable) {
				continue
			}
			all = append(all, ownedRule{ladder[k], w})
		}
	}
	return all, nil
}

// An ownedRule is a rule of a way.
type ownedRule struct {
	rule.Rule
	way *way
}

// firstPriority returns the priority of the first rules in a family: where they are, if that
// is still between the rules from sources and those for networks and of Also, or where they
// ought to be.
func firstPriority(now *host.State, f route.Family, protocols []route.Protocol) (uint32, error) {
	rules := now.Rules(f)
	low, high := uplinkBounds(now, f, protocols)
	fits := func(first uint32) bool {
		if first <= low || first+height > high {
			return false
		}
		for k := range uint32(height) {
			if isTaken(rules, first+k) {
				return false
			}
		}
		return true
	}
	if first, ok := presentFirst(rules); ok && fits(first) {
		return first, nil
	}
	begin := rules.After + 1
	if rules.Main > rules.After+2*belowMain {
		begin = rules.Main - belowMain
	} else if room := rules.Before - min(rules.Before, rules.After); room > 0 {
		begin = rules.After + 1 + room*sharePercent/100
	}
	for first := max(begin, low+1); first+height <= high; first++ {
		if fits(first) {
			return first, nil
		}
	}
	// They come between rules of uplinks, but behind all that are from sources.
	for high = rules.Before; low+height < high; low++ {
		if fits(low + 1) {
			return low + 1, nil
		}
	}
	return 0, &plan.FieldError{Field: "Forwarded", Reason: "there is no room for its rules between " + rules.Bounds() + ": move a rule"}
}

// presentFirst returns the first priority of the rules that there are.
func presentFirst(rules *host.Rules) (uint32, bool) {
	for _, r := range rules.Of(Protocol).All() {
		if k, ok := map[form.Role]uint32{form.LocalFirst: 0, form.MainFirst: 1, form.ToUplink: 2}[form.RoleOf(&r)]; ok && r.Priority.Or(0) > k {
			return r.Priority.Or(0) - k, true
		}
	}
	return 0, false
}

// uplinkBounds returns the priority that the rules have to be behind, and the one that they
// have to be before.
func uplinkBounds(now *host.State, f route.Family, protocols []route.Protocol) (low, high uint32) {
	rules := now.Rules(f)
	low, high = rules.After, rules.Before
	protocols = rules.OurProtocols(append([]route.Protocol{uplink.DefaultProtocol}, protocols...)...)
	for _, proto := range protocols {
		for _, i := range rules.Of(proto).FromSources() {
			if prio := rules.All[i].Priority.Or(0); prio < rules.Before && rules.All[i].From.IsSingleIP() {
				low = max(low, prio)
			}
		}
	}
	for _, proto := range protocols {
		own := rules.Of(proto)
		for _, i := range slices.Concat(own.FromNetworks(), own.FromAny()) {
			if prio := rules.All[i].Priority.Or(0); prio > low {
				high = min(high, prio)
			}
		}
	}
	return low, high
}

// isTaken reports whether a rule of another owner has a priority, or a goto leads to it.
func isTaken(rules *host.Rules, priority uint32) bool {
	if !rules.Taken(priority) {
		return false
	}
	at := rules.At(priority)
	for _, r := range rules.Gotos() {
		if r.Goto == priority {
			return true
		}
	}
	return slices.ContainsFunc(at, func(r rule.Rule) bool { return r.Protocol != Protocol })
}
