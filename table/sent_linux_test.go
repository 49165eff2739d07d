package table_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// sentence is a request that changes something, as an ip command.
func sentence(t *testing.T, m netlink.Message) string {
	t.Helper()
	var r route.Route
	var o rule.Rule
	step := table.Step{}
	switch m.Header.Type {
	case uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE:
		if err := r.UnmarshalBinary(m.Data); err != nil {
			t.Fatal(err)
		}
		step.Route, step.Op = r, table.AddRoute
		if m.Header.Type == uapi.RTM_DELROUTE {
			step.Op = table.DeleteRoute
		} else if m.Header.Flags&netlink.Replace != 0 {
			step.Op = table.ReplaceRoute
		}
	default:
		if err := o.UnmarshalBinary(m.Data); err != nil {
			t.Fatal(err)
		}
		step.Rule, step.Op = o.Canonical(), table.AddRule
		if m.Header.Type == uapi.RTM_DELRULE {
			step.Op = table.DeleteRule
		}
	}
	return commandOf(step)
}

// commandOf is a step as an ip command, without any names.
func commandOf(s table.Step) string {
	plain := table.Step{Op: s.Op, Route: s.Route.Canonical(), Rule: s.Rule.Canonical()}
	return plain.String()
}

// wantSent installs an uplink and fails unless what is sent is what the plan said.
func (n *network) wantSent(u ...table.SourceRoutedUplink) {
	n.t.Helper()
	p, err := table.PlanInstall(n.t.Context(), n.c, u...)
	if err != nil {
		n.t.Fatal(err)
	}
	n.sendsPlan(p, func(c route.Conn) error { return table.Install(n.t.Context(), c, u...) })
}

// sendsPlan fails unless what something sends is what a plan says.
func (n *network) sendsPlan(p table.Plan, do func(route.Conn) error) {
	n.t.Helper()
	var want, got []string
	for _, s := range p.Steps {
		if s.Family() != 0 {
			want = append(want, commandOf(s))
		}
	}
	rec := &recorder{c: n.c, sent: func(m netlink.Message) { got = append(got, sentence(n.t, m)) }}
	if err := do(rec); err != nil {
		n.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		n.t.Errorf("sent (-planned +sent):\n%s", diff)
	}
}

// What Install and Remove send is what their plans say, request by request.
func TestSentIsPlanned(t *testing.T) {
	forChanges(t, changes, func(t *testing.T, n *network, f family, x change) {
		from, to := x.from(n, f), x.to(n, f)
		n.narrow(f, from, to)
		n.install(from...)
		plan := table.PlanInstall
		uplinks := to
		if len(to) == 0 {
			plan, uplinks = table.PlanRemove, from
		}
		p, err := plan(t.Context(), n.c, uplinks...)
		if err != nil {
			t.Fatal(err)
		}
		n.sendsPlan(p, func(c route.Conn) error { return n.apply(t.Context(), c, from, to) })
		n.wantCommits(p)
	})
}

// wantCommits fails unless one step of a plan changes over, and packets notice it.
func (n *network) wantCommits(p table.Plan) {
	n.t.Helper()
	commits := 0
	for _, s := range p.Steps {
		if s.Commit {
			commits++
		}
	}
	if commits != 1 {
		n.t.Errorf("%d steps are marked as the one that changes over, want 1:\n%s", commits, p)
	}
}
