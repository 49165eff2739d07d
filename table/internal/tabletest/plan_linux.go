package tabletest

import (
	"strings"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/plan"
)

// WantNothingToDo fails the test if Install would still do something.
func (n *Network) WantNothingToDo(u ...table.SourceRoutedUplink) {
	n.T.Helper()
	p, err := table.PlanInstall(n.T.Context(), n.Conn, u...)
	if err != nil || !p.Empty() {
		n.T.Errorf("Install would still do, error %v:\n%s", err, p)
	}
}

// WantSent installs uplinks, and fails the test unless the requests that are sent are
// those of the plan.
func (n *Network) WantSent(u ...table.SourceRoutedUplink) {
	n.T.Helper()
	p, err := table.PlanInstall(n.T.Context(), n.Conn, u...)
	if err != nil {
		n.T.Fatal(err)
	}
	n.WantRequests(p, func(c route.Conn) error { return table.Install(n.T.Context(), c, u...) })
}

// WantRequests fails the test unless a function sends the requests of a plan.
func (n *Network) WantRequests(p plan.Plan, do func(route.Conn) error) {
	n.T.Helper()
	var want, got []string
	for _, s := range p.Steps {
		if s.Family() != 0 {
			want = append(want, commandOf(s))
		}
	}
	rec := &Recorder{Conn: n.Conn, Sent: func(m netlink.Message) { got = append(got, command(n.T, m)) }}
	if err := do(rec); err != nil {
		n.T.Fatal(err)
	}
	WantText(n.T, "the requests are not as planned", strings.Join(want, "\n"), strings.Join(got, "\n"))
}

// WantPlan fails the test unless the plan to install an uplink is as
// [Network.WantPlanText] wants it.
func (n *Network) WantPlan(what, want string, u table.SourceRoutedUplink) {
	n.T.Helper()
	p, err := u.Plan(n.T.Context(), n.Conn)
	if err != nil {
		n.T.Fatalf("%s: %v", what, err)
	}
	n.WantPlanText(what, want, p)
}

// WantPlanText fails the test unless the text of a plan is want, where that has a
// newline before it and ETC for the directory Etc.
func (n *Network) WantPlanText(what, want string, p plan.Plan) {
	n.T.Helper()
	got := "\n" + strings.ReplaceAll(p.String(), n.Etc, "ETC")
	WantText(n.T, what+": the plan", want, got)
}

// command returns a request that changes something as an ip command.
func command(t *testing.T, m netlink.Message) string {
	t.Helper()
	var r route.Route
	var o rule.Rule
	step := plan.Step{}
	switch m.Header.Type {
	case uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE:
		if err := r.UnmarshalBinary(m.Data); err != nil {
			t.Fatal(err)
		}
		step.Route, step.Op = r, plan.AddRoute
		if m.Header.Type == uapi.RTM_DELROUTE {
			step.Op = plan.DeleteRoute
		} else if m.Header.Flags&netlink.Replace != 0 {
			step.Op = plan.ReplaceRoute
		}
	default:
		if err := o.UnmarshalBinary(m.Data); err != nil {
			t.Fatal(err)
		}
		step.Rule, step.Op = o.Canonical(), plan.AddRule
		if m.Header.Type == uapi.RTM_DELRULE {
			step.Op = plan.DeleteRule
		}
	}
	return commandOf(step)
}

// commandOf returns a step as an ip command, without any names.
func commandOf(s plan.Step) string {
	plain := plan.Step{Op: s.Op, Route: s.Route.Canonical(), Rule: s.Rule.Canonical()}
	return plain.String()
}
