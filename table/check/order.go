package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// Findings about the order among the rules of uplinks: those from sources come first.

// checkRuleOrder finds rules of other uplinks that come before rules from this uplink's
// sources, and take packets from these sources.
func (e *examiner) checkRuleOrder(u *subject) []Finding {
	var found []Finding
	for _, f := range u.families {
		takers := e.takersOf(f)
		if len(takers) == 0 {
			continue
		}
		all := e.now.Rules(f).All
		places := e.installedPlaces(u.uplinkFacts, f)
		for _, i := range takers {
			taker := &all[i]
			k, isOwn := slices.BinarySearch(places, i)
			if isOwn {
				continue // its packets go the same way
			}
			var hurt []string
			var first *rule.Rule
			for _, place := range places[k:] {
				r := &all[place]
				if !form.TakesSource(r) || !takesFrom(taker, r) {
					continue
				}
				if first == nil {
					first = r
				}
				if from := iptext.PrefixString(r.From); !slices.Contains(hurt, from) {
					hurt = append(hurt, from)
				}
			}
			if first != nil {
				found = append(found, e.ruleOrderFinding(u, taker, first, hurt))
			}
		}
	}
	return found
}

// takersOf returns the indexes of the rules of uplinks in a family that come before some rule
// from a source and may take its packets: those of Also, and those from networks.
func (e *examiner) takersOf(f route.Family) []int {
	if found, ok := e.takers[f]; ok {
		return found
	}
	now := e.now.Rules(f)
	var all []int
	last := -1 // the last rule from a source
	for _, proto := range now.OurProtocols(append([]route.Protocol{uplink.DefaultProtocol}, e.protocols...)...) {
		own := now.Of(proto)
		sources := own.FromSources()
		for _, i := range sources {
			if r := &now.All[i]; !r.From.IsSingleIP() && decides(r) {
				all = append(all, i)
			}
		}
		for _, i := range own.FromAny() {
			if decides(&now.All[i]) {
				all = append(all, i)
			}
		}
		if n := len(sources); n > 0 {
			last = max(last, sources[n-1])
		}
	}
	all = slices.DeleteFunc(all, func(i int) bool { return i > last })
	slices.Sort(all)
	if e.takers == nil {
		e.takers = make(map[route.Family][]int)
	}
	e.takers[f] = all
	return all
}

// decides reports whether a rule takes all packets that it selects, and not only those that
// table main has a route for.
func decides(r *rule.Rule) bool {
	return r.Action != rule.ActionLookup || !form.IsSystemTable(r.Table)
}

// takesFrom reports whether a rule may take packets from the source of another one.
func takesFrom(taker, r *rule.Rule) bool {
	switch {
	case taker.Not || !taker.From.IsValid():
		return true
	case form.TakesSource(taker):
		return taker.From.Bits() < r.From.Bits() && taker.From.Contains(r.From.Addr())
	}
	return taker.From.Overlaps(r.From)
}

// ruleOrderFinding reports that a rule takes packets of rules from sources. First is the first
// of these rules.
func (e *examiner) ruleOrderFinding(u *subject, taker, first *rule.Rule, hurt []string) Finding {
	whose, by := "of an uplink that is not examined", e.ownerOf(taker)
	if by != nil {
		whose = "of uplink " + by.spec.String()
	}
	packets := strings.TrimSpace("packets " + describe(taker))
	found := Finding{
		Code: CodeRuleOrder, Severity: Fault, Object: u.installed.text(*taker),
		Text: fmt.Sprintf("the rule at %d, %s (%s), comes before the rule at %d, %s: %s from %s do not take this uplink",
			taker.Priority.Or(0), u.installed.words(taker), whose, first.Priority.Or(0), u.installed.words(first), packets, few(hurt)),
		Cure: "uplinks up, with all uplinks",
	}
	switch {
	case by == nil:
		found.Cure = u.installed.deleteRule(taker) + ", and " + u.up() + "; or install both uplinks with one command"
	case slices.ContainsFunc(by.spec.Also, func(a rule.Rule) bool { return a.Priority.IsSet() && a.Priority == taker.Priority }):
		found.Severity = Note
		found.Text += ", as the line of " + by.spec.String() + " says"
		found.Cure = fmt.Sprintf("nothing has to be done if that is intended; otherwise remove pref %d from that line, and run uplinks up", taker.Priority.Or(0))
	}
	return found
}

// ownerOf returns the uplink that has installed a rule, or nil.
func (e *examiner) ownerOf(r *rule.Rule) *uplinkFacts {
	for i := range e.facts.uplinks {
		if slices.Contains(e.facts.uplinks[i].installed.rules, *r) {
			return &e.facts.uplinks[i]
		}
	}
	return nil
}
