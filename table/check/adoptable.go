package check

import (
	"context"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// findAdoptable finds the rules and routes that scripts have made for each uplink that is
// not installed, and that Adopt would replace.
func (p *planner) findAdoptable(ctx context.Context, c route.Conn) error {
	for i := range p.uplinks {
		u := &p.uplinks[i]
		if u.installed.any || u.pending != "" {
			continue
		}
		adoption, err := draft.Adopt(ctx, c, p.state(u.spec), []uplink.Spec{*u.spec}, uplink.Options{})
		switch {
		case refusedUplink(err) != "":
			continue
		case err != nil:
			return err
		}
		net := adoption.Net()
		for k := range net.Steps {
			s := net.Steps[k]
			switch {
			case s.Op == plan.DeleteRule && s.Rule.Protocol != u.spec.Proto(),
				s.Op == plan.DeleteRoute && s.Route.Protocol != u.spec.Proto():
				u.adoptable = append(u.adoptable, net.Object(&s))
			case s.Op == plan.ReplaceRoute && s.Replaced != nil && s.Replaced.Protocol != u.spec.Proto():
				s.Route = *s.Replaced
				u.adoptable = append(u.adoptable, net.Object(&s))
			}
		}
	}
	return nil
}

// checkAdoptable reports the rules and routes that scripts have made for an uplink: those that
// are there instead of the uplink's, and the rules that are there as well.
func (e *examiner) checkAdoptable(u *subject) []Finding {
	cure := "uplinks adopt"
	if u.spec.Name != "" {
		cure += " " + u.spec.Name
	}
	if again := e.scriptRules(u); len(again) > 0 {
		return []Finding{{
			Code: CodeAdoptable, Severity: Note, Object: again[0],
			Text: "a script has made rules of this uplink again: " + few(again),
			Cure: cure + ", which deletes these rules; then remove the commands from the script",
		}}
	}
	if len(u.adoptable) == 0 {
		return nil
	}
	return []Finding{{
		Code: CodeAdoptable, Severity: Warning, Object: u.adoptable[0],
		Text: "scripts or other programs have installed this uplink: " + few(u.adoptable),
		Cure: cure + ", which replaces these rules and routes without losing a packet; then remove the commands from the script",
	}}
}

// scriptRules returns the rules of scripts that do the same as rules of the uplink.
func (e *examiner) scriptRules(u *subject) []string {
	var all []string
	for _, f := range u.families {
		rules := e.now.Rules(f).All
		for i := range rules {
			if e.isScriptRule(u, &rules[i]) {
				all = append(all, u.installed.text(rules[i]))
			}
		}
	}
	return all
}

// isScriptRule reports whether a rule is one of a script that does the same as a rule of the
// uplink. A script that runs again makes such rules.
func (e *examiner) isScriptRule(u *subject, r *rule.Rule) bool {
	if !form.IsScriptProtocol(r.Protocol) || slices.Contains(e.protocols, r.Protocol) || r.Table == 0 || r.Table != u.installed.table() {
		return false
	}
	own := *r
	own.Protocol = u.spec.Proto()
	own = form.Like(own)
	return slices.ContainsFunc(u.installed.rules, func(x rule.Rule) bool { return form.Like(x) == own })
}
