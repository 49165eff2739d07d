package check

import (
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
)

// An examiner turns facts into findings. It reads nothing itself.
type examiner struct {
	*facts
	*paths
	order map[route.Family]ruleOrder
	// takers are the rules of uplinks that may take packets from sources, see takersOf.
	takers map[route.Family][]int
}

// A subject is one of the uplinks that are examined.
type subject struct {
	*uplinkFacts
	*uplinkPaths
	takings []*taking
}

// A ruleOrder has the priorities of the first rules of one family that look up the
// tables local and main for every packet.
type ruleOrder struct {
	local, main       uint32
	hasLocal, hasMain bool
}

func newExaminer(f *facts, p *paths) *examiner {
	e := &examiner{facts: f, paths: p, order: make(map[route.Family]ruleOrder)}
	for _, family := range form.Families {
		var o ruleOrder
		o.local, o.hasLocal = e.firstForAll(family, rttables.Local)
		o.main, o.hasMain = e.firstForAll(family, rttables.Main)
		e.order[family] = o
	}
	return e
}

// firstForAll returns the priority of the first rule that looks up a table for every
// packet.
func (e *examiner) firstForAll(f route.Family, id rttables.ID) (priority uint32, ok bool) {
	for _, r := range e.now.Rules(f).All {
		if form.LooksUpForAll(&r, id) {
			return r.Priority.Or(0), true
		}
	}
	return 0, false
}

// findings returns all findings.
func (e *examiner) findings() []Finding {
	var all []Finding
	for i := range e.facts.uplinks {
		u := e.subject(i)
		u.takings = e.takingsOf(u)
		var found []Finding
		for _, check := range []func(*subject) []Finding{
			e.checkInterface, e.checkSources, e.checkPending, e.checkOrder, e.checkRuleOrder, e.checkInstalled, e.checkAdoptable,
			e.checkOverruled, e.checkPartlyOverruled, e.checkForeignRoutes, e.checkGateway,
			e.checkBypasses, e.checkReversePath, e.checkServers, e.checkContainers, e.checkPublished, e.checkValidMark,
		} {
			found = append(found, check(u)...)
		}
		all = append(all, withoutRefusal(named(found, u))...)
	}
	all = append(all, e.checkUnfinished()...)
	all = append(all, e.checkDefault()...)
	all = append(all, e.checkMultihomed()...)
	all = append(all, e.checkReplies()...)
	all = append(all, e.checkManagers()...)
	for _, text := range e.unread {
		all = append(all, Finding{Code: CodeNotRead, Severity: Note, Text: text})
	}
	return all
}

// subject returns one of the uplinks.
func (e *examiner) subject(i int) *subject {
	return &subject{uplinkFacts: &e.facts.uplinks[i], uplinkPaths: &e.paths.uplinks[i]}
}

// named puts the uplink's name into findings.
func named(found []Finding, u *subject) []Finding {
	for i := range found {
		found[i].Uplink = u.spec.String()
	}
	return found
}

// withoutRefusal leaves out the finding that an uplink would be refused, if another
// finding has the reason.
func withoutRefusal(found []Finding) []Finding {
	explained := false
	for _, f := range found {
		switch f.Code {
		case CodeInterfaceMissing, CodeSourceGone, CodeSourceTentative:
			explained = true
		}
	}
	if !explained {
		return found
	}
	kept := found[:0:0]
	for _, f := range found {
		if f.Code != CodeRefused {
			kept = append(kept, f)
		}
	}
	return kept
}
