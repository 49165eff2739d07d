package check

import (
	"context"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/draft"
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

// checkAdoptable reports the rules and routes that others have made for an uplink that is
// not installed.
func (e *examiner) checkAdoptable(u *subject) []Finding {
	if len(u.adoptable) == 0 {
		return nil
	}
	cure := "uplinks adopt"
	if u.spec.Name != "" {
		cure += " " + u.spec.Name
	}
	return []Finding{{
		Code: CodeAdoptable, Severity: Warning, Object: u.adoptable[0],
		Text: "scripts or other programs have installed this uplink: " + few(u.adoptable),
		Cure: cure + ", which replaces these rules and routes without losing a packet; then remove the commands from the script",
	}}
}
