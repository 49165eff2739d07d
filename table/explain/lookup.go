package explain

import (
	"cmp"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// lookup asks the rules and their tables: fib_lookup of net/ip_fib.h, and
// fib6_rule_lookup of net/ipv6/fib6_rules.c.
func (f *FIB) lookup(h *half, fl *flow, t *trace) found {
	if h.merged >= 0 {
		return f.lookupMerged(h, fl, t)
	}
	f.updateVRF(fl)
	if h.index != nil && t == nil {
		return f.lookupIndexed(h, fl)
	}
	for i := int32(0); i < int32(len(h.rules)); i++ {
		next, res, decided := f.ask(h, i, fl, t)
		if decided {
			return res
		}
		i = next
	}
	return nothing(fl)
}

// nothing is the result if no rule decides.
func nothing(fl *flow) found {
	return found{rule: -1, hop: -1, errno: ENETUNREACH, depends: fl.depends}
}

// ask asks a rule. If it does not decide, at is the last rule that was asked, which is
// another one after goto.
func (f *FIB) ask(h *half, i int32, fl *flow, t *trace) (at int32, res found, decided bool) {
	for {
		r := &h.rules[i]
		if r.l3mdev {
			r.noteVRF(f, fl)
		}
		if !r.matches(h, fl) {
			t.noMatch(h, r, fl)
			return i, res, false
		}
		if r.action == rule.ActionGoto && r.target >= 0 {
			t.step(r, ResultGoto)
			i = r.target
			continue
		}
		res, decided = f.act(h, r, fl, t)
		res.rule = r.place
		res.depends |= fl.depends
		return i, res, decided
	}
}

// act does what a rule that matches does. decided is false if the next rule is asked.
func (f *FIB) act(h *half, r *ruleEntry, fl *flow, t *trace) (res found, decided bool) {
	switch r.action {
	case rule.ActionGoto, rule.ActionNop:
		t.step(r, ResultNop)
		return res, false
	case rule.ActionLookup:
		return f.actLookup(h, r, fl, t)
	}
	res = found{hop: -1, errno: EINVAL}
	switch r.action {
	case rule.ActionUnreachable:
		res.errno = ENETUNREACH
	case rule.ActionProhibit:
		res.errno = EACCES
	}
	t.step(r, ResultRefused)
	return res, true
}

func (f *FIB) actLookup(h *half, r *ruleEntry, fl *flow, t *trace) (res found, decided bool) {
	at, id := r.table, r.id
	if r.l3mdev {
		// "not l3mdev" matches packets without a VRF, for which the kernel asks main.
		id = cmp.Or(fl.vrfTable, rttables.Main)
		if at = -1; h.findTable(id) != nil {
			at = h.byID[id]
		}
	}
	t.ask(r, id, at >= 0)
	if at < 0 {
		t.result(ResultNoTable)
		return res, false
	}
	res = f.lookupTable(h, &h.tables[at], fl, t)
	t.found(&res)
	switch {
	case res.entry == nil:
		t.result(ResultNoRoute)
		return res, false
	case res.errno == eAgain:
		t.result(ResultThrow)
		return res, false
	case !h.v4 && !f.sourceFits(r, fl, &res):
		t.result(ResultSource)
		return res, false
	case res.errno == 0 && f.suppresses(r, fl, &res):
		t.result(ResultSuppressed)
		return res, false
	}
	t.result(ResultDecided)
	return res, true
}

// lookupTable finds the route of a table for a flow.
func (f *FIB) lookupTable(h *half, tb *table, fl *flow, t *trace) found {
	if h.v4 {
		return f.lookupTable4(tb, fl, t)
	}
	return f.lookupTable6(tb, fl, t)
}

// suppresses reports whether a rule does not accept a route that its table has:
// fib4_rule_suppress and fib6_rule_suppress.
func (f *FIB) suppresses(r *ruleEntry, fl *flow, res *found) bool {
	if int32(res.entry.bits) <= r.suppressBits {
		return true
	}
	if r.suppressGroup < 0 || res.hop < 0 {
		return false
	}
	// IPv4 looks at the first next hop, and IPv6 at the one that it has chosen.
	hop := &res.entry.hops[0]
	if !res.entry.v4 {
		hop = &res.entry.hops[res.hop]
	}
	suppresses := f.isInGroup(hop, r.suppressGroup)
	if res.choice != nil {
		for _, i := range res.choice.hops {
			if f.isInGroup(&res.entry.hops[i], r.suppressGroup) != suppresses {
				fl.depends |= DependsHash
			}
		}
	}
	return suppresses
}

// isInGroup reports whether a next hop leaves by an interface of a group.
func (f *FIB) isInGroup(n *hop, group int64) bool {
	d := f.device(n.oif)
	return d != nil && int64(d.Group) == group
}

// lookupMerged looks a packet up in a namespace that never had a rule of its own, where
// the tables local and main are one. Once there was another rule they are two, which
// cannot be seen, so the result can depend on that.
func (f *FIB) lookupMerged(h *half, fl *flow, t *trace) found {
	res := f.lookupTwo(h, fl, t)
	if h.mergeMatters {
		split := f.lookupSplit(h, fl)
		if split.entry != res.entry || split.hop != res.hop || split.errno != res.errno {
			res.depends |= DependsMerge
		}
	}
	return res
}

// lookupTwo asks local and main as one table, and then default.
func (f *FIB) lookupTwo(h *half, fl *flow, t *trace) found {
	t.askMerged(h)
	res := f.lookupTable4(&h.tables[h.merged], fl, t)
	t.found(&res)
	if res.entry != nil && res.errno != eAgain {
		t.result(ResultDecided)
		res.rule, res.table = h.ruleOf(rttables.Main), rttables.Main
		return res
	}
	t.result(resultOf(&res))
	at := h.ruleOf(rttables.Default)
	tb := h.findTable(rttables.Default)
	if tb == nil || at < 0 {
		return nothing(fl)
	}
	t.askTable(at, rttables.Default)
	res = f.lookupTable4(tb, fl, t)
	t.found(&res)
	if res.entry != nil && res.errno != eAgain {
		t.result(ResultDecided)
		res.rule = at
		return res
	}
	t.result(resultOf(&res))
	return nothing(fl)
}

// resultOf returns why a table did not decide.
func resultOf(res *found) Result {
	if res.entry == nil {
		return ResultNoRoute
	}
	return ResultThrow
}

// lookupSplit asks the tables of the rules one after the other.
func (f *FIB) lookupSplit(h *half, fl *flow) found {
	for i := range h.rules {
		if res, decided := f.act(h, &h.rules[i], fl, nil); decided {
			res.rule = h.rules[i].place
			return res
		}
	}
	return nothing(fl)
}

// ruleOf returns the place of the rule that asks a table, among default rules.
func (h *half) ruleOf(id rttables.ID) int32 {
	for i := range h.rules {
		if h.rules[i].id == id {
			return h.rules[i].place
		}
	}
	return -1
}
