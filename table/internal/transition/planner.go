package transition

import (
	"maps"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// A Planner collects the steps that lead from a state of the host to another.
type Planner struct {
	begin *host.State
	now   *host.State // after the first of the steps
	steps []plan.Step
	// behind is how many of the steps are not yet in now.
	behind int
	free   func(taken map[rttables.ID]bool) (rttables.ID, error)
	taken  map[rttables.ID]bool // tables that no uplink can get
	prunes bool                 // uplinks that are not installed are to be removed next
	named  map[string]bool      // names that the plan adds
	// unnamed are the names that the plan takes from tables which get other names.
	unnamed map[tableName]bool
}

// New returns a planner that begins with a state of the host. The function free returns
// a table that nothing uses, and which is not among those that are taken.
func New(now *host.State, free func(taken map[rttables.ID]bool) (rttables.ID, error)) *Planner {
	return &Planner{begin: now, now: now, free: free, named: make(map[string]bool), unnamed: make(map[tableName]bool)}
}

// State returns the state of the host after the steps so far.
func (p *Planner) State() *host.State {
	if p.behind > 0 {
		p.now, p.behind = After(p.now, p.steps[len(p.steps)-p.behind:]), 0
	}
	return p.now
}

// Plan returns the steps so far.
func (p *Planner) Plan() plan.Plan {
	made := plan.Make(p.steps, p.now.Names.OfCommands, p.now.Names.Etc()).NamedIn(p.now.Names.File)
	return made.On(p.begin.Rules(route.IPv4).All, p.begin.Rules(route.IPv6).All)
}

// do adds steps to the plan. State computes their effect when it is called.
func (p *Planner) do(steps ...plan.Step) {
	p.behind += len(steps)
	if p.steps == nil {
		p.steps = steps
		return
	}
	p.steps = append(p.steps, steps...)
}

// A move is what a transaction does with one uplink.
type move struct {
	*uplink.Policy
	// claims says that the table is claimed: it is a new one.
	claims bool
	// temporary is the uplink in a temporary table, if one step is not enough for the
	// change. A second transaction moves the uplink back to its own table. Nil: there is
	// no temporary table.
	temporary *move
	// isTemporary says that this is such a temporary of another move.
	isTemporary bool
	// target is the priority that the owner of a temporary uplink asks for, and that the
	// temporary uplink has to leave free. Zero: the priority is chosen.
	target uint32

	// rungs and also are those that there are in the state of.
	of          *host.State
	rungs, also map[route.Family][]rule.Rule
	// networks are the groups of Also for networks behind this host, with their places, in
	// the family that is being planned.
	networks [][]rule.Rule
	// rightAfter says that the rules of Also come right after the rungs, those other than for
	// networks from next on.
	rightAfter bool
	next       uint32
}

// Install adds the steps that install uplinks, whose policies were joined. An uplink that
// needs a temporary table does not get one of those that are taken.
func (p *Planner) Install(all []*uplink.Policy, o uplink.Options) error {
	p.taken, p.prunes = o.Taken, o.Prune
	for _, w := range all {
		p.addName(w, all, o.Prune)
	}
	moves := make([]*move, len(all))
	for i, w := range all {
		moves[i] = &move{Policy: w, claims: w.New}
	}
	if err := p.transact(newTransaction(p.State()), moves); err != nil {
		return err
	}
	again := false
	for _, m := range moves {
		m.claims = false
		if m.temporary != nil {
			m.OldTables = append(m.OldTables, m.temporary.Table)
			again = true
		}
	}
	if again {
		if err := p.transact(newSecondTransaction(p.State()), moves); err != nil {
			return err
		}
	}
	p.deleteOldNames(all)
	return nil
}

// transact adds the steps of one transaction that installs uplinks.
func (p *Planner) transact(t *transaction, moves []*move) error {
	for _, f := range familiesOf(moves) {
		prios := newPriorities(p.State(), f)
		prios.findOrder(moves, p.prunes)
		placements, err := p.placeAll(t, prios, moves)
		if err != nil {
			return err
		}
		placed := make([]*move, len(placements))
		for i := range placements {
			placed[i] = placements[i].move
		}
		if err := prios.placeNetworks(placed); err != nil {
			return err
		}
		// The rules of Also get their priorities before END gets one: while there are
		// gates, a rule at the priority of END would be END.
		for i := range placements {
			l := &placements[i]
			t.routes(l.move, f)
			if l.move.KeepsRules(f) {
				continue
			}
			also, err := prios.also(l.move)
			if err != nil {
				return err
			}
			t.alsoRules(l, also)
		}
		if err := t.rungs(prios, placements); err != nil {
			return err
		}
	}
	for _, m := range moves {
		t.claims(m)
		if m.temporary != nil && !t.second {
			t.claims(m.temporary)
		}
	}
	p.do(t.steps()...)
	return nil
}

// placeAll finds the priorities of the rungs of all uplinks in one family. An uplink
// that cannot switch in one step gets a temporary table.
func (p *Planner) placeAll(t *transaction, prios *priorities, moves []*move) ([]placement, error) {
	f := prios.family
	var all []placement
	for _, m := range moves {
		if !m.InFamily(f) {
			continue
		}
		have := m.rungsIn(prios)
		if m.KeepsRules(f) {
			l := placement{move: m, family: f, have: have}
			l.setWant(have)
			prios.takeLadder(&l)
			all = append(all, l)
			continue
		}
		l, err := prios.placeLadder(m, have)
		if err != nil {
			var stale []rule.Rule
			if l, stale = prios.placeWithoutStale(m, have); len(stale) == 0 {
				return nil, err
			}
			t.gate = append(t.gate, deleteAlso(m, stale)...)
		}
		switch {
		case t.second && l.blocked:
			return nil, m.Spec.FieldError("Priority", "the rules cannot move from their present priorities to %d: remove the uplink first, or give another priority",
				m.Spec.Priority)
		case !t.second && (l.blocked || p.needsTemporary(&l)):
			if err := p.addTemporary(moves, m); err != nil {
				return nil, err
			}
			if l, err = prios.placeLadder(m.temporary, have); err != nil {
				return nil, err
			}
		}
		prios.takeLadder(&l)
		prios.keepEnd(&l.hide)
		all = append(all, l)
	}
	return all, nil
}

// needsTemporary reports whether the change of an installed uplink needs more than one
// step that affects packets: several routes, or routes and rules.
func (p *Planner) needsTemporary(l *placement) bool {
	m, f := l.move, l.family
	if !p.State().Rules(f).LeadTo(m.Table) || !hasWayOut(p.State(), m, f) {
		return false
	}
	adds, deletes := routeSteps(p.State(), m, f)
	n := len(deletes)
	for i := range adds {
		if !changesSourceAlone(&adds[i]) {
			n++
		}
	}
	return n > 1 || n == 1 && l.changes()
}

// changesSourceAlone reports whether a step replaces a route by one that differs only in
// its source address. Packets that already have a source take the same way.
func changesSourceAlone(s *plan.Step) bool {
	if s.Replaced == nil {
		return false
	}
	same := *s.Replaced
	same.PrefSrc = s.Route.PrefSrc
	return form.SameRoute(&same, &s.Route)
}

// addTemporary gives an uplink a table for the time of the transaction.
func (p *Planner) addTemporary(moves []*move, m *move) error {
	if m.temporary != nil {
		return nil // for the other family
	}
	taken := make(map[rttables.ID]bool)
	maps.Copy(taken, p.taken)
	for _, o := range moves {
		taken[o.Table] = true
		if o.temporary != nil {
			taken[o.temporary.Table] = true
		}
	}
	id, err := p.free(taken)
	if err != nil {
		return err
	}
	spec := *m.Spec
	spec.Priority = 0
	m.temporary = &move{Policy: m.Moved(id, &spec), claims: true, isTemporary: true, target: m.Spec.Priority}
	m.temporary.copyForeign(p.State().Routes(m.Table))
	return nil
}

// copyForeign adds copies of the routes that other programs have in the table of the
// temporary uplink's owner, so that packets that use them take the same way in the
// temporary table. Routes with a gateway come last.
func (m *move) copyForeign(routes []route.Route) {
	for _, gateway := range []bool{false, true} {
		for _, have := range routes {
			if have.Protocol != m.Spec.Proto() && m.InFamily(have.Family) && have.Gateway.IsValid() == gateway {
				have.Table, have.Protocol = m.Table, m.Spec.Proto()
				m.AddRoute(have)
			}
		}
	}
}

// familiesOf returns the families that uplinks have, IPv4 first.
func familiesOf(moves []*move) []route.Family {
	var families []route.Family
	for _, f := range form.Families {
		for _, m := range moves {
			if m.InFamily(f) {
				families = append(families, f)
				break
			}
		}
	}
	return families
}
