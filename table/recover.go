package table

import (
	"context"
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// Recover cleans up after an Install or Remove that was killed, or whose undo
// failed. It changes nothing that a packet notices: a transaction that had
// changed over is finished, another is undone. Without protocols it looks for what
// carries [Protocol]; uplinks with one of their own need it named.
//
// It deletes rungs that gates hide, or that come behind others of the same
// source, then routes in tables that no rule leads to, claims of tables, and the
// gates; all of the protocols named and nothing else. A second Recover does
// nothing. Install and Remove begin with it when they find a gate.
//
// Names in rt_tables stay until the uplink is removed. Errors are those of
// [Install].
func Recover(ctx context.Context, c route.Conn, protocols ...route.Protocol) error {
	return locked(ctx, c, func() error {
		p, err := PlanRecover(ctx, c, protocols...)
		if err != nil {
			return err
		}
		return p.apply(ctx, c)
	})
}

// PlanRecover returns what [Recover] would do now. It changes nothing. While
// another process is in the middle of Install, it takes that for killed; Recover
// itself waits.
func PlanRecover(ctx context.Context, c route.Conn, protocols ...route.Protocol) (Plan, error) {
	s, err := readState(ctx, c, "")
	if err != nil {
		return Plan{}, err
	}
	if len(protocols) == 0 {
		protocols = []route.Protocol{Protocol}
	}
	var p Plan
	err = p.recover(ctx, c, s, protocols, true)
	return p, err
}

// protocolsOf are the owners of uplinks.
func protocolsOf(uplinks []SourceRoutedUplink) []route.Protocol {
	var protocols []route.Protocol
	for i := range uplinks {
		if p := uplinks[i].protocol(); !slices.Contains(protocols, p) {
			protocols = append(protocols, p)
		}
	}
	return protocols
}

// recover adds the steps that clean up what there are gates of. If it is to be
// thorough, it looks for routes without rules also where there is no gate.
func (p *Plan) recover(
	ctx context.Context, c route.Conn, s *state, protocols []route.Protocol, thorough bool,
) error {
	r := recovery{s: s}
	for _, proto := range protocols {
		r.find(proto)
	}
	if !thorough && len(r.gates)+len(r.ends) == 0 {
		return nil
	}
	p.append(s, r.steps(AddRule, r.follow)...)
	p.append(s, r.steps(DeleteRule, r.rubbish)...)
	orphans, err := s.orphans(ctx, c, protocols)
	if err != nil {
		return err
	}
	for _, o := range orphans {
		p.append(s, r.step(Step{Op: DeleteRoute, Route: o}))
	}
	p.append(s, r.steps(DeleteRule, r.gates)...)
	p.append(s, r.steps(DeleteRule, r.ends)...)
	return nil
}

// A recovery is what a transaction has left.
type recovery struct {
	s           *state
	gates, ends []rule.Rule
	follow      []rule.Rule // rules of Also in the table that is in use
	rubbish     []rule.Rule // those that are not looked at
}

// find works out what is left of one owner's transactions. What closed gates hide
// is rubbish. Of two generations of rungs with open gates, which do nothing, the
// later one is. Where END is, or would be, tells the one from the other: the
// generation that the gates are for is before it.
func (r *recovery) find(proto route.Protocol) {
	for _, g := range r.s.rules {
		switch {
		case g.Protocol != proto:
		case isEnd(g):
			r.ends = append(r.ends, g)
		case isGate(g):
			r.gates = append(r.gates, g)
			r.behind(g)
		}
	}
	slices.Reverse(r.rubbish)
}

// behind finds the rungs of a gate's source that are not looked at.
func (r *recovery) behind(g rule.Rule) {
	closed := slices.ContainsFunc(r.s.rules, func(o rule.Rule) bool {
		return o.Family == g.Family && o.Priority.Or(0) == g.Goto
	})
	var used rttables.ID
	var rubbish []rule.Rule
	for _, o := range r.s.rules {
		if o.Family != g.Family || o.Protocol != g.Protocol || o.From != g.From || !isRung(o) {
			continue
		}
		prio := o.Priority.Or(0)
		hidden := prio > g.Priority.Or(0) && prio < g.Goto
		switch {
		case closed && hidden, !closed && prio > g.Goto:
			rubbish = append(rubbish, o)
		case !reserved(o.Table):
			used = o.Table
		}
	}
	r.rubbish = append(r.rubbish, rubbish...)
	for _, o := range rubbish {
		if used != 0 && !reserved(o.Table) && o.Table != used {
			r.move(g, o.Table, used)
		}
	}
}

// move has the rules of Also follow the rungs from a table to another.
func (r *recovery) move(g rule.Rule, from, to rttables.ID) {
	for _, o := range r.s.rules {
		if o.Family != g.Family || o.Protocol != g.Protocol || o.Table != from || isRung(o) || contains(r.rubbish, o) {
			continue
		}
		r.rubbish = append(r.rubbish, o)
		o.Table = to
		if !contains(r.s.rules, o) && !contains(r.follow, o) {
			r.follow = append(r.follow, o)
		}
	}
}

func (r *recovery) steps(op Op, rules []rule.Rule) []Step {
	var steps []Step
	for _, o := range rules {
		steps = append(steps, r.step(Step{Op: op, Rule: o}))
	}
	return steps
}

func (r *recovery) step(step Step) Step {
	step.Uplink, step.names = "that was left", r.s.names
	return step
}

// orphans are routes that nothing leads to: ours in tables that no rule looks up,
// and claims in any table. Those on the link come last.
func (s *state) orphans(ctx context.Context, c route.Conn, protocols []route.Protocol) ([]route.Route, error) {
	var all [2][]route.Route
	for r, err := range route.All(ctx, c, route.Filter{}) {
		if err != nil {
			return nil, fmt.Errorf("table: %w", err)
		}
		if !slices.Contains(protocols, r.Protocol) || reserved(r.Table) ||
			r.Family != route.IPv4 && r.Family != route.IPv6 || s.leadsTo(r.Family, r.Table) && !isClaim(r) {
			continue
		}
		i := 0
		if !r.Gateway.IsValid() {
			i = 1
		}
		all[i] = append(all[i], r)
		if _, ok := s.routes[r.Table]; !ok {
			if err := s.readRoutes(ctx, c, r.Table); err != nil {
				return nil, err
			}
		}
	}
	return slices.Concat(all[0], all[1]), nil
}
