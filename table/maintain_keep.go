package table

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/policyroute/policyroute/rttables"
)

// A prospect is what a group of uplinks needs at the moment.
type prospect struct {
	plan   Plan
	tables []rttables.ID
	// table is that of each uplink there is something to be done for.
	table map[*kept]rttables.ID
	// refused are the errors of uplinks that cannot be.
	refused map[*kept]error
}

// keep makes what there is of a group what it should be, and reports it.
func (m *maintainer) keep(ctx context.Context, group []*kept, causes cause, tables map[rttables.ID]bool) {
	// A plan is made without the lock, so that a look is no burden to others.
	p, err := m.plan(ctx, group, nil)
	for _, k := range group {
		tables[k.id()] = true
	}
	if err == nil && !p.plan.Empty() {
		if causes&causesOwn == 0 && !m.mayRepair(group, p.plan) {
			return
		}
		p, err = m.apply(ctx, group)
		if k := withhold(group, err); k != nil && ctx.Err() == nil {
			// Its rules are needed all the more, and others have to do with it
			// only by the name.
			why := err
			p, err = m.apply(ctx, group)
			k.withheld = nil
			if p.refused != nil {
				p.refused[k] = why
			}
		}
	}
	for _, id := range p.tables {
		tables[id] = true
	}
	if err != nil && ctx.Err() != nil {
		return // that is why; what was done is told
	}
	var step *StepError
	if err == nil || refusal(err) || isNameError(err) || errors.As(err, &step) || errors.Is(err, ErrLocked) {
		m.unread = 0
	} else {
		m.unread++
	}
	var name error
	if isNameError(err) {
		name, err = err, nil
	}
	for _, k := range group {
		k.report(m, p, causes, name, err)
	}
}

// apply plans what a group needs, and does it.
func (m *maintainer) apply(ctx context.Context, group []*kept) (p prospect, err error) {
	ctx, cancel := context.WithTimeout(ctx, lockWithin)
	defer cancel()
	err = locked(ctx, m.c, func() error {
		return untilClaimed(ctx, m.c, func(claimed []rttables.ID) (Plan, error) {
			p, err = m.plan(ctx, group, claimed)
			return p.plan, err
		})
	})
	// A name that could not be written is found missing each time.
	if (err == nil || isNameError(err)) && !onlyNames(p.plan) {
		m.config.Counters.Repairs.Add(1)
		m.config.Counters.Steps.Add(uint64(len(p.plan.Steps)))
	}
	return p, err
}

// withhold finds the uplink of which the kernel has refused a route, and keeps its
// routes of that family out of the next plan.
func withhold(group []*kept, err error) *kept {
	var step *StepError
	if !errors.As(err, &step) || len(step.Left) > 0 || step.Step.Op != AddRoute && step.Step.Op != ReplaceRoute {
		return nil
	}
	f := step.Step.Route.Family
	for _, k := range group {
		if !isClaim(step.Step.Route) && slices.Contains(k.forFamilies(), f) {
			k.withheld = append(k.withheld, f)
			return k
		}
	}
	return nil
}

func isNameError(err error) bool {
	var step *StepError
	var name *NameError
	return errors.As(err, &name) && !errors.As(err, &step)
}

// onlyNames reports whether a plan changes nothing but names of tables.
func onlyNames(p Plan) bool {
	return !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Op != AddName && s.Op != DeleteName })
}

// mayRepair reports whether there may be another repair now. Without, it is tried
// again later.
func (m *maintainer) mayRepair(group []*kept, p Plan) bool {
	name := group[0].String()
	b := m.budgets[name]
	if b == nil {
		b = newBudget(m.config.Rate, time.Now())
		m.budgets[name] = b
	}
	if onlyNames(p) || b.take(time.Now()) {
		return true
	}
	m.config.Counters.Postponed.Add(1)
	if !b.fighting {
		b.fighting = true
		m.config.Counters.Fights.Add(1)
		m.event(Event{
			Kind: EventFighting, Uplink: name, Reason: opponent(m.port), Steps: p.Net().Steps, Port: m.port,
		})
	}
	m.again(b.next())
	return false
}

// peace reports fights that are over.
func (m *maintainer) peace(now time.Time) {
	for name, b := range m.budgets {
		if b.calm(now) {
			m.event(Event{Kind: EventCalm, Uplink: name})
		}
		if b.fighting {
			m.again(b.next())
		} else if b.left >= b.most {
			delete(m.budgets, name) // it is as good as a new one
		}
	}
}

// plan works out what a group needs, but for those of it that are refused.
func (m *maintainer) plan(ctx context.Context, group []*kept, claimed []rttables.ID) (prospect, error) {
	refused := make(map[*kept]error)
	s, err := readState(ctx, m.c, group[0].Etc)
	if err != nil {
		return prospect{}, err
	}
	links, err := listLinkStates(ctx, m.c)
	if err != nil {
		return prospect{}, err
	}
	p := prospect{refused: refused, table: make(map[*kept]rttables.ID)}
	s.claimed = m.claimed(claimed)
	var uplinks []SourceRoutedUplink
	var whole []*wanted
	var planned []*kept
	for _, k := range group {
		if err := k.learn(ctx, m.c, s); err != nil {
			return p, err
		}
		u := k.uplink()
		w, err := k.want(ctx, m.c, s, links, &u)
		switch {
		case err != nil && !refusal(err):
			return p, err
		case err != nil:
			refused[k] = err
		case len(w.families) > 0: // there is something to be planned
			uplinks, whole, planned = append(uplinks, u), append(whole, w), append(planned, k)
		}
	}
	if len(uplinks) == 0 {
		return p, nil
	}
	for i := range uplinks {
		whole[i].uplink = &uplinks[i]
	}
	s.maintained = func(u *SourceRoutedUplink) (*wanted, error) {
		return whole[slices.IndexFunc(whole, func(w *wanted) bool { return w.uplink == u })], nil
	}
	if err := p.plan.recover(ctx, m.c, s, protocolsOf(uplinks), false); err != nil {
		return p, err
	}
	all, err := p.plan.installAll(ctx, m.c, s, uplinks)
	for i, w := range all {
		p.table[planned[i]] = w.table
		p.tables = append(append(p.tables, w.table), w.former...)
	}
	return p, err
}

// report tells what has become of an uplink.
func (k *kept) report(m *maintainer, p prospect, causes cause, name, err error) {
	if r := p.refused[k]; r != nil {
		err = r
	}
	e := Event{Uplink: k.String(), Family: k.family()}
	if err != nil {
		k.failed(m, e, err)
		return
	}
	k.failures = 0
	if id := p.table[k]; id != 0 {
		k.table, k.former = id, 0
	}
	for _, s := range p.plan.Net().Steps {
		if f := s.Family(); f == 0 && s.Op != 0 || slices.Contains(k.forFamilies(), f) {
			e.Steps = append(e.Steps, s)
		}
	}
	was := k.said
	switch {
	case k.waits != "":
		if len(e.Steps) > 0 && !onlyNames(Plan{e.Steps}) && was != 0 {
			r := e
			r.Kind, r.Reason = EventRepaired, causes.String()
			m.event(r)
		}
		e.Kind, e.Reason, e.Steps = EventPending, k.waits, nil
	case was == EventInstalled:
		if len(e.Steps) > 0 && (name == nil || !onlyNames(Plan{e.Steps})) {
			e.Kind, e.Reason = EventRepaired, causes.String()
			m.event(e)
		}
		return
	default:
		e.Kind, e.Err = EventInstalled, name
	}
	if k.said != e.Kind || k.saidReason != e.Reason {
		m.event(e)
	}
	k.said, k.saidReason = e.Kind, e.Reason
}

// failed notes a failure, which is reported if it is not just one of the moment.
func (k *kept) failed(m *maintainer, e Event, err error) {
	m.config.Counters.Failures.Add(1)
	k.failures++
	m.again(min(retryMost, retryFirst<<min(k.failures-1, 20)))
	now := refusal(err) && k.said != EventInstalled || errors.Is(err, ErrLocked)
	if k.failures < tellAfter && !now || k.said == EventFailed && k.saidReason == err.Error() {
		return
	}
	e.Kind, e.Err = EventFailed, err
	m.event(e)
	k.said, k.saidReason = EventFailed, err.Error()
}
