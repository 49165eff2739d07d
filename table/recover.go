package table

import (
	"context"
	"fmt"
	"net/netip"
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
	if thorough {
		r.nearer(protocols)
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

// leftOver is what the steps of a recovery have instead of an uplink's name.
const leftOver = "(left over)"

// A recovery is what a transaction has left.
type recovery struct {
	s           *state
	gates, ends []rule.Rule
	follow      []rule.Rule // rules of Also in the table that is in use
	rubbish     []rule.Rule // those that are not looked at
}

// find works out what is left of one owner's transactions.
func (r *recovery) find(proto route.Protocol) {
	rungs := make(map[netip.Prefix][]rule.Rule)
	var sources []netip.Prefix
	for _, o := range r.s.rules {
		switch {
		case o.Protocol != proto:
		case isEnd(o):
			r.ends = append(r.ends, o)
		case isGate(o):
			r.gates = append(r.gates, o)
		case isRung(o):
			if rungs[o.From] == nil {
				sources = append(sources, o.From)
			}
			rungs[o.From] = append(rungs[o.From], o)
		}
	}
	for _, from := range sources {
		r.generations(rungs[from])
	}
	r.twins(proto)
	slices.Reverse(r.rubbish)
}

// twins finds rules of Also that there are for another table as well, and that
// alone still lead to their own.
func (r *recovery) twins(proto route.Protocol) {
	used := func(f route.Family, id rttables.ID) bool {
		return slices.ContainsFunc(r.s.rules, func(o rule.Rule) bool {
			return o.Family == f && o.Protocol == proto && o.Table == id && isRung(o) && !contains(r.rubbish, o)
		})
	}
	for _, o := range r.s.rules {
		if o.Protocol != proto || reserved(o.Table) || isRung(o) || used(o.Family, o.Table) || contains(r.rubbish, o) {
			continue
		}
		if slices.ContainsFunc(r.s.rules, func(twin rule.Rule) bool {
			same := twin
			same.Priority, same.Table = o.Priority, o.Table
			return twin.Table != o.Table && bare(same) == bare(o) && used(o.Family, twin.Table)
		}) {
			r.rubbish = append(r.rubbish, o)
		}
	}
}

// nearer finds rules that came before one of Also, which is gone.
func (r *recovery) nearer(protocols []route.Protocol) {
	for _, o := range r.s.rules {
		if _, ok := behind(r.s.rules, o); isNearer(o) && !isRung(o) && !ok && slices.Contains(protocols, o.Protocol) {
			r.rubbish = append(r.rubbish, o)
		}
	}
}

// generations sorts out the rungs of a source. What closed gates hide is rubbish.
// Of two generations that are not hidden, the later one is.
func (r *recovery) generations(rungs []rule.Rule) {
	var used, hidden, later []rule.Rule
	for _, o := range rungs {
		switch last := o.Action == rule.ActionUnreachable; {
		case r.hidden(o):
			hidden = append(hidden, o)
		case complete(used) && (!last || len(later) > 0):
			later = append(later, o)
		default:
			used = append(used, o)
		}
	}
	rubbish := slices.Concat(hidden, later)
	r.rubbish = append(r.rubbish, rubbish...)
	for _, o := range rubbish {
		for _, u := range used {
			if !reserved(o.Table) && !reserved(u.Table) && o.Table != u.Table {
				r.move(o, u.Table)
			}
		}
	}
}

// complete reports whether rungs have the one that takes the uplink in any case.
// Only unreachable can come after that.
func complete(rungs []rule.Rule) bool {
	return slices.ContainsFunc(rungs, func(r rule.Rule) bool {
		return r.Action == rule.ActionLookup && !r.SuppressPrefixLength.IsSet()
	})
}

// hidden reports whether a rung is not looked at because of a gate: one that is
// closed and leads past it, or one that is open, which tells that the generation
// after the place of END is not, or no more, the one in use.
func (r *recovery) hidden(o rule.Rule) bool {
	prio := o.Priority.Or(0)
	return slices.ContainsFunc(r.gates, func(g rule.Rule) bool {
		if g.From != o.From || g.Protocol != o.Protocol || prio < g.Priority.Or(0) {
			return false
		}
		closed := slices.ContainsFunc(r.s.rules, func(end rule.Rule) bool {
			return end.Family == g.Family && end.Priority.Or(0) == g.Goto
		})
		return closed == (prio < g.Goto)
	})
}

// move has the rules of Also follow the rungs from the table of one of them to
// another.
func (r *recovery) move(rung rule.Rule, to rttables.ID) {
	for _, o := range r.s.rules {
		if o.Family != rung.Family || o.Protocol != rung.Protocol || o.Table != rung.Table || isRung(o) ||
			contains(r.rubbish, o) {
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
	step.Uplink, step.names = leftOver, r.s.names
	return step
}

// orphans are routes that nothing leads to: ours in tables that no rule looks up,
// and claims in any table. Those on the link come last.
func (s *state) orphans(ctx context.Context, c route.Conn, protocols []route.Protocol) ([]route.Route, error) {
	var all [2][]route.Route
	for _, proto := range protocols {
		for r, err := range route.All(ctx, c, route.Filter{Protocol: proto}) {
			if err != nil {
				return nil, fmt.Errorf("table: %w", err)
			}
			if reserved(r.Table) || r.Family != route.IPv4 && r.Family != route.IPv6 ||
				s.leadsTo(r.Family, r.Table) && !isClaim(r) {
				continue
			}
			i := 0
			if !r.Gateway.IsValid() {
				i = 1
			}
			all[i] = append(all[i], r)
			if err := s.readRoutes(ctx, c, r.Table); err != nil {
				return nil, err
			}
		}
	}
	return slices.Concat(all[0], all[1]), nil
}
