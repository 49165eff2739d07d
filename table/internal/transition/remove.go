package transition

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// Remove adds the steps that remove uplinks: their rules of Also, their rungs in one
// step a family, their routes and the names of their tables.
func (p *Planner) Remove(all []*uplink.Policy) error {
	names := p.deletableNames(all)
	t := newTransaction(p.State())
	type inFamily struct {
		move   *move
		family route.Family
	}
	installed := make(map[inFamily][]rule.Rule)
	var also []plan.Step
	var left deleted
	moves := make([]*move, 0, len(all))
	for _, w := range slices.Backward(all) {
		m := &move{Policy: w}
		moves = append(moves, m)
		t.claims(m)
		for _, f := range m.Families {
			rungs := m.InstalledRungs(p.State(), f)
			installed[inFamily{m, f}] = rungs
			also = append(also, deleteAlso(m, left.addNew(m.InstalledAlso(p.State(), f, rungs)))...)
		}
	}
	p.do(also...)
	t.now = p.State()
	for _, f := range familiesOf(moves) {
		prios := newPriorities(p.State(), f)
		var ladders []placement
		for _, m := range moves {
			if !m.InFamily(f) {
				continue
			}
			l, err := prios.placeLadder(m, installed[inFamily{m, f}])
			if err != nil {
				return err
			}
			ladders = append(ladders, l)
			for _, id := range m.Tables() {
				t.drop = append(t.drop, deleteRoutes(p.State(), m, f, id, nil)...)
			}
		}
		if err := t.rungs(prios, ladders); err != nil {
			return err
		}
	}
	p.do(t.steps()...)
	p.do(names...)
	return nil
}
