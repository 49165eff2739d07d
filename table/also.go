package table

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// A rule of Also takes packets to the uplink that main may know a nearer way for:
// a mail server in the LAN, the subnet of another uplink. So it comes in a pair:
//
//	SELECTOR lookup main suppress_prefixlength 0
//	SELECTOR lookup T
//
// The first of them, here called nearer, changes nothing by itself.

// pair is a rule of Also with what it leaves unset filled in, and the one that
// comes before it, unless it stands alone.
func (w *wanted) pair(r rule.Rule) []rule.Rule {
	alone := standsAlone(r)
	r.Action = rule.ActionLookup
	if r.Table == 0 {
		r.Table = w.table
	}
	r.Protocol = w.uplink.protocol()
	if alone {
		return []rule.Rule{r}
	}
	return []rule.Rule{nearerOf(r), r}
}

// standsAlone reports whether a rule of Also, as its owner wrote it, is taken as it
// is.
func standsAlone(r rule.Rule) bool {
	return r.Table != 0 || r.Priority.IsSet() || r.SuppressPrefixLength.IsSet() || r.To.IsValid() || r.L3MDev
}

// nearerOf is the rule that comes before one of Also.
func nearerOf(r rule.Rule) rule.Rule {
	r.Table, r.SuppressPrefixLength = rttables.Main, noDefault
	return r
}

// isNearer reports whether a rule has the form of one that comes before a rule
// of Also.
func isNearer(r rule.Rule) bool {
	return r.Action == rule.ActionLookup && r.Table == rttables.Main && r.SuppressPrefixLength == noDefault
}

// behind finds the rule of Also that a nearer one comes before: of those with the
// same selector, the next.
func behind(rules []rule.Rule, nearer rule.Rule) (rule.Rule, bool) {
	i := slices.IndexFunc(rules, func(r rule.Rule) bool {
		return r.Family == nearer.Family && r.Priority.Or(0) > nearer.Priority.Or(0) && isPair(nearer, r)
	})
	if i < 0 {
		return rule.Rule{}, false
	}
	return rules[i], true
}

// isPair reports whether two rules are a pair but for their priorities.
func isPair(nearer, r rule.Rule) bool {
	if reserved(r.Table) || r.SuppressPrefixLength.IsSet() {
		return false
	}
	r.Priority = nearer.Priority
	return bare(nearerOf(r)) == bare(nearer)
}

// alsoOf are the rules to an uplink's tables that are not from sources, and those
// that come before them.
func (s *state) alsoOf(w *wanted, f route.Family) []rule.Rule {
	rungs := s.installed(w, f)
	var rules []rule.Rule
	for _, r := range s.rules {
		if !contains(rungs, r) && w.ownsAlso(f, r, s.rules) {
			rules = append(rules, r)
		}
	}
	return rules
}

// ownsAlso reports whether a rule that is no rung leads to a table of the uplink's,
// or comes before one that does. One that comes before none is the uplink's if its
// Also says so.
func (w *wanted) ownsAlso(f route.Family, r rule.Rule, rules []rule.Rule) bool {
	if r.Family != f || r.Protocol != w.uplink.protocol() || !isNearer(r) {
		return w.ownsRule(f, r)
	}
	next, ok := behind(rules, r)
	return ok && w.ownsRule(f, next) || !ok && w.saysNearer(r)
}

// saysNearer reports whether a rule comes before one of Also, also for Remove,
// which works out no more of them.
func (w *wanted) saysNearer(nearer rule.Rule) bool {
	return slices.ContainsFunc(w.uplink.Also, func(r rule.Rule) bool {
		if standsAlone(r) {
			return false
		}
		if r.Family == 0 {
			r.Family = nearer.Family
		}
		first := w.pair(r)[0]
		first.Priority = nearer.Priority
		return bare(first) == bare(nearer)
	})
}

// also gives the rules of Also their priorities, in their order: those that they
// have, if they are installed, and else free ones.
func (p *prioritizer) also(w *wanted, f route.Family) ([]rule.Rule, error) {
	var rules []rule.Rule
	next := p.first(alsoBelowMain)
	if w.uplink.Priority != 0 {
		next = w.uplink.Priority + w.uplink.height()
	}
	for i := 0; i < len(w.also); i++ {
		pair := w.also[i : i+1]
		if isNearer(pair[0]) {
			pair = w.also[i : i+2]
			i++
		}
		if pair[0].Family != f {
			continue
		}
		pair = slices.Clone(pair)
		switch {
		case pair[0].Priority.IsSet():
		case w.uplink.Priority != 0:
			for k := range pair {
				pair[k].Priority = rule.Priority(next)
				next++
			}
		default:
			p.place(pair, next)
		}
		for _, r := range pair {
			if err := p.claim(w, r); err != nil {
				return nil, err
			}
		}
		rules = append(rules, pair...)
		p.take(pair)
	}
	return rules, nil
}

// place finds priorities for a rule of Also and the one before it, if there is
// one: from begin on, unless they are installed.
func (p *prioritizer) place(pair []rule.Rule, begin uint32) {
	unused := func(from uint32) uint32 {
		for p.taken[from] {
			from++
		}
		return from
	}
	r := &pair[len(pair)-1]
	have, installed := p.find(*r)
	// One that stands among the rules from sources, where a given priority had put
	// it, makes way.
	if installed = installed && p.between(have) && have >= begin; installed {
		r.Priority = rule.Priority(have)
	}
	if len(pair) == 1 {
		if !installed {
			r.Priority = rule.Priority(unused(begin))
		}
		return
	}
	nearer := &pair[0]
	if at, ok := p.findNearer(*nearer, r.Priority); ok && at >= begin {
		nearer.Priority = rule.Priority(at)
		if !installed { // someone has deleted it
			r.Priority = rule.Priority(unused(max(begin, at+1)))
		}
		return
	}
	if installed && have > begin && p.free(have-1, 1) {
		nearer.Priority = rule.Priority(have - 1)
		return
	}
	at := unused(begin)
	nearer.Priority, r.Priority = rule.Priority(at), rule.Priority(unused(at+1))
}

// findNearer looks for an installed rule that comes before the one at a given
// priority, the nearest; without a priority, for one that comes before none.
func (p *prioritizer) findNearer(nearer rule.Rule, before route.Opt[uint32]) (at uint32, found bool) {
	for _, have := range p.rules {
		nearer.Priority = have.Priority
		if bare(have) != bare(nearer) || !p.between(have.Priority.Or(0)) {
			continue
		}
		next, ok := behind(p.rules, have)
		if before.IsSet() && ok && next.Priority == before || !before.IsSet() && !ok {
			at, found = have.Priority.Or(0), true
		}
	}
	return at, found
}
