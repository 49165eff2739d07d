package maintain

import (
	"slices"
	"time"

	"github.com/policyroute/policyroute/table/plan"
)

// A budget limits repairs to a rate: an average per second, and more at once after a
// quiet time. If a program uses it up by undoing what was repaired, that is a fight. The
// fight ends when half of the budget has come back.
type budget struct {
	rate, most, left float64
	last             time.Time
	fighting         bool
}

// budgetSeconds is the time for which repairs may be saved up, in seconds.
const budgetSeconds = 10

func newBudget(rate float64, now time.Time) *budget {
	most := max(1, rate*budgetSeconds)
	return &budget{rate: rate, most: most, left: most, last: now}
}

func (b *budget) refill(now time.Time) {
	b.left = min(b.most, b.left+b.rate*max(0, now.Sub(b.last).Seconds()))
	b.last = now
}

// spend takes one repair from the budget, if there is one left.
func (b *budget) spend(now time.Time) (ok bool) {
	if b.refill(now); b.left < 1 {
		return false
	}
	b.left--
	return true
}

// endFight ends a fight whose time has come, and returns whether there was one.
func (b *budget) endFight(now time.Time) (ended bool) {
	b.refill(now)
	if b.fighting && b.left >= b.most/2 {
		b.fighting = false
		return true
	}
	return false
}

// next returns how long it takes until a repair may be made, or a fight may be over.
func (b *budget) next() time.Duration {
	need := 1 - b.left
	if need <= 0 {
		need = b.most/2 - b.left
	}
	return time.Duration(max(need, 0.01) / b.rate * float64(time.Second))
}

// A limiter has the budgets of uplinks, by their labels.
type limiter struct {
	rate    float64
	budgets map[string]*budget
	// opponent is the program that was found last.
	opponent opponent
}

// of returns the budget of the uplinks with a label.
func (l *limiter) of(label string, now time.Time) *budget {
	b := l.budgets[label]
	if b == nil {
		b = newBudget(l.rate, now)
		l.budgets[label] = b
	}
	return b
}

// endFights ends the fights whose time has come, and returns the labels of the uplinks.
// At is when to call it again, or zero if no fight is left.
func (l *limiter) endFights(now time.Time) (ended []string, again time.Duration) {
	for label, b := range l.budgets {
		if b.endFight(now) {
			ended = append(ended, label)
		}
		switch {
		case b.fighting && (again == 0 || b.next() < again):
			again = b.next()
		case !b.fighting && b.left >= b.most:
			delete(l.budgets, label) // the budget is full, like a new one
		}
	}
	slices.Sort(ended)
	return ended, again
}

// admitRepair takes a repair from the budget of some uplinks. If the budget is empty, it
// reports the fight, sets when to look again, and returns false. A repair that only
// changes names is free.
func (m *maintainer) admitRepair(about subject, p plan.Plan, again *time.Time) bool {
	return m.admitRepairOf(about, p, again, func() string { return m.opponent(m.port) })
}

// admitRepairOf is admitRepair with a function that describes the program that makes the
// repair necessary.
func (m *maintainer) admitRepairOf(about subject, p plan.Plan, again *time.Time, opponent func() string) bool {
	b := m.limiter.of(about.label, time.Now())
	if hasOnlyNames(p) || b.spend(time.Now()) {
		return true
	}
	m.counters.Postponed.Add(1)
	if !b.fighting {
		b.fighting = true
		m.counters.Fights.Add(1)
		e := about.event(EventFighting)
		e.Reason, e.Plan, e.Port = opponent(), p.Net(), m.port
		m.send(e)
	}
	soonest(again, b.next())
	return false
}

// endFights reports fights that are over.
func (m *maintainer) endFights() {
	ended, again := m.limiter.endFights(time.Now())
	for _, label := range ended {
		about := subject{label: label, owner: plan.NoOwner}
		for _, g := range m.groups {
			if g.uplinks[0].String() == label {
				about = groupSubject(g)
			}
		}
		m.send(about.event(EventCalm))
	}
	if again > 0 {
		m.lookIn(again)
	}
}

// groupSubject returns the subject of events about a group of uplinks. It has an owner if
// the group has one uplink.
func groupSubject(g *group) subject {
	s := subject{label: g.uplinks[0].String(), owner: plan.NoOwner}
	if len(g.uplinks) == 1 {
		s.owner = g.uplinks[0].owner
	}
	return s
}
