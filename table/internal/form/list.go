package form

import (
	"net/netip"

	"github.com/policyroute/policyroute/rule"
)

// A Set is some rules, in the form in which they are compared.
type Set map[rule.Rule]struct{}

// MakeSet returns the set of some rules.
func MakeSet(rules ...rule.Rule) Set {
	s := make(Set, len(rules))
	for _, r := range rules {
		s[Bare(r)] = struct{}{}
	}
	return s
}

// Has reports whether a rule is in the set.
func (s Set) Has(r rule.Rule) bool {
	if len(s) == 0 {
		return false
	}
	_, ok := s[Bare(r)]
	return ok
}

// Without returns the rules that are not among others.
func Without(rules, others []rule.Rule) []rule.Rule {
	if len(rules) == 0 || len(others) == 0 {
		return rules
	}
	set := MakeSet(others...)
	var left []rule.Rule
	for _, r := range rules {
		if !set.Has(r) {
			left = append(left, r)
		}
	}
	return left
}

// BySource returns the rules of each source, and the sources in the order of their
// first rules.
func BySource(rules []rule.Rule) (map[netip.Addr][]rule.Rule, []netip.Addr) {
	by := make(map[netip.Addr][]rule.Rule)
	var sources []netip.Addr
	for _, r := range rules {
		a := r.From.Addr()
		if _, ok := by[a]; !ok {
			sources = append(sources, a)
		}
		by[a] = append(by[a], r)
	}
	return by, sources
}

// Span returns the lowest and the highest priority of rules.
func Span(rules []rule.Rule) (lowest, highest uint32) {
	for i := range rules {
		prio := rules[i].Priority.Or(0)
		if i == 0 || prio < lowest {
			lowest = prio
		}
		highest = max(highest, prio)
	}
	return lowest, highest
}

// Overlap reports whether the priorities of some rules are among those of others.
func Overlap(a, b []rule.Rule) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	aLow, aHigh := Span(a)
	bLow, bHigh := Span(b)
	return aLow <= bHigh && bLow <= aHigh
}
