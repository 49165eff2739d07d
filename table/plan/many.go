package plan

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// manyRules is how many rules have to change before they are sent together, so that the
// time grows in proportion to their number.
const manyRules = 16

// anyOrder returns how many of the first steps can be done in any order. They all add, or
// all delete, gates and ENDs, or rungs that no packet meets before a later step or after an
// earlier one. Gates and rungs are not mixed, because the gates have to exist as long as
// the rungs that they hide. Main-first rules have to exist before the rules of Also that
// they belong to.
func anyOrder(steps []Step) int {
	n := 0
	for n < len(steps) && isUnnoticedRule(&steps[n]) && steps[n].Op == steps[0].Op &&
		isGateOrEnd(&steps[n]) == isGateOrEnd(&steps[0]) {
		n++
	}
	if n < manyRules || steps[0].Op == AddRule && !isGateOrEnd(&steps[0]) && !slices.ContainsFunc(steps[n:], isReadBack) {
		return min(n, 1)
	}
	return n
}

func isReadBack(s Step) bool { return s.ReadBack }

// isUnnoticedRule reports whether a step adds or deletes a gate, an END or a rung without
// an effect on any packet.
func isUnnoticedRule(s *Step) bool {
	return s.Op.IsRule() && !s.isNoticed() && s.Rule.Priority.IsSet() && (isGateOrEnd(s) || form.IsRung(&s.Rule))
}

func isGateOrEnd(s *Step) bool { return form.IsGate(&s.Rule) || form.IsEnd(&s.Rule) }

// rulesOf returns the rules of steps.
func rulesOf(steps []*Step) []rule.Rule {
	rules := make([]rule.Rule, len(steps))
	for i, s := range steps {
		rules[i] = s.Rule
	}
	return rules
}

// send adds or deletes the rules of steps that all have the same operation.
func (r *run) send(ctx context.Context, op Op, rules []rule.Rule) error {
	if op == AddRule {
		return r.rules.AddAll(ctx, r.c, rules)
	}
	return r.rules.DeleteAll(ctx, r.c, rules)
}

// changeRules adds many rules, or deletes them.
func (r *run) changeRules(ctx context.Context, all []Step) error {
	steps := make([]*Step, len(all))
	for i := range all {
		steps[i] = &all[i]
	}
	op, rules := steps[0].Op, rulesOf(steps)
	err := r.send(ctx, op, rules)
	var batch *route.BatchError
	if err != nil && !errors.As(err, &batch) {
		return &failure{steps[0], err}
	}
	refused := make(map[int]error)
	var first *failure
	var present form.Set
	if batch != nil {
		for _, x := range batch.Refused {
			refused[x.N] = x.Err
		}
		first = &failure{steps[0], batch.Err}
		present = r.listAfter(ctx)
	}
	for i, s := range steps {
		err := refused[i]
		switch {
		case present == nil:
			if batch != nil && err == nil {
				r.doubt(s) // the batch may have ended before it
			}
			r.note(s, err)
		case (err == nil || !rtnl.IsVerdict(err)) && present.Has(rules[i]) == (op == AddRule):
			r.done = append(r.done, s)
		}
		if err != nil && (first == nil || first.err == nil) {
			first = &failure{s, err}
		}
	}
	if first != nil {
		return first
	}
	return nil
}

// undoMany undoes the first of some steps, if these add or delete many rules that no packet
// meets. It returns how many steps it has tried, and which of them have to be undone one by
// one.
func (r *run) undoMany(ctx context.Context, order []*Step) (n int, left []*Step) {
	for n < len(order) && isUnnoticedRule(order[n]) && order[n].Op == order[0].Op && isGateOrEnd(order[n]) == isGateOrEnd(order[0]) {
		n++
	}
	if n < manyRules {
		return 1, order[:1]
	}
	steps := slices.Clone(order[:n])
	op := steps[0].inverse().Op
	if op == DeleteRule { // the first rule first, which is where the kernel begins to look
		slices.SortStableFunc(steps, func(a, b *Step) int {
			return cmp.Compare(a.Rule.Priority.Or(0), b.Rule.Priority.Or(0))
		})
	}
	var batch *route.BatchError
	switch err := r.send(ctx, op, rulesOf(steps)); {
	case err == nil:
		return n, nil
	case !errors.As(err, &batch) || batch.Rest > 0:
		return n, order[:n]
	}
	for _, x := range batch.Refused {
		left = append(left, steps[x.N])
	}
	return n, left
}
