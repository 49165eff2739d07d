package explain

import "github.com/policyroute/policyroute/rttables"

// A trace collects the steps of a lookup. A nil trace collects nothing.
type trace struct {
	steps   []Step // to the destination
	back    []Step // of the reverse path
	reverts bool   // steps are those of the reverse path
}

// now returns the steps that are added to.
func (t *trace) now() *[]Step {
	if t.reverts {
		return &t.back
	}
	return &t.steps
}

func (t *trace) add(s Step) {
	all := t.now()
	*all = append(*all, s)
}

func (t *trace) last() *Step {
	all := *t.now()
	return &all[len(all)-1]
}

func (t *trace) noMatch(h *half, r *ruleEntry, fl *flow) {
	if t != nil {
		s := Step{Rule: int(r.place), Result: ResultNoMatch, Route: -1}
		if !r.not {
			s.Selector = r.differs(h, fl)
			if r.never {
				s.Selector = "detached"
			}
		} else {
			s.Selector = "not"
		}
		t.add(s)
	}
}

func (t *trace) step(r *ruleEntry, result Result) {
	if t != nil {
		t.add(Step{Rule: int(r.place), Result: result, Route: -1})
	}
}

// ask adds a step of a rule that asks a table.
func (t *trace) ask(r *ruleEntry, id rttables.ID, exists bool) {
	if t != nil {
		t.add(Step{Rule: int(r.place), Table: id, Asked: exists, Route: -1})
	}
}

// askTable adds a step of a table that is asked by a rule, −1 for none.
func (t *trace) askTable(rule int32, id rttables.ID) {
	if t != nil {
		t.add(Step{Rule: int(rule), Table: id, Asked: true, Route: -1})
	}
}

// askMerged adds the step of local and main as one table.
func (t *trace) askMerged(h *half) {
	if t != nil {
		t.add(Step{Rule: int(h.ruleOf(rttables.Main)), Table: rttables.Main, Asked: len(h.tables[h.merged].entries) > 0, Merged: true, Route: -1})
	}
}

// result sets what came of the last step.
func (t *trace) result(result Result) {
	if t != nil {
		t.last().Result = result
	}
}

// found sets the route that a table has.
func (t *trace) found(res *found) {
	if t != nil && res.entry != nil {
		s := t.last()
		s.Route, s.Hop = int(res.entry.place), int(res.hop)
		if s.Merged {
			s.Table = res.table
		}
	}
}

// pass adds a route that is passed over.
func (t *trace) pass(e *entry, why Passed) {
	if t != nil && len(*t.now()) > 0 {
		s := t.last()
		s.Passed = append(s.Passed, PassedRoute{Route: int(e.place), Reason: why})
	}
}

func (t *trace) passAll(entries []entry, why Passed) {
	if t != nil {
		for i := range entries {
			t.pass(&entries[i], why)
		}
	}
}

// forget forgets the routes that were passed over, since the table is looked at again.
func (t *trace) forget() {
	if t != nil && len(*t.now()) > 0 {
		t.last().Passed = nil
	}
}

// reverse makes the next steps those of the reverse path.
func (t *trace) reverse() {
	if t != nil {
		t.reverts = true
	}
}

// forward ends what reverse began.
func (t *trace) forward() {
	if t != nil {
		t.reverts = false
	}
}
