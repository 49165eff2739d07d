// Package draft plans changes of uplinks on a host that was read. It combines the
// [host.State], the policies of uplinks and the planner of transitions, and reads the
// routes that these need.
package draft

import (
	"context"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/transition"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// Begin returns a planner. If a transaction of one of some protocols was interrupted,
// its plan begins with the end of that transaction.
func Begin(
	ctx context.Context, c route.Conn, now *host.State, protocols []route.Protocol,
) (*transition.Planner, error) {
	p := newPlanner(ctx, c, now)
	if transition.Interrupted(now, protocols) {
		own, err := now.OwnRoutes(ctx, c, protocols...)
		if err != nil {
			return nil, err
		}
		p.Finish(protocols, own)
	}
	return p, nil
}

func newPlanner(ctx context.Context, c route.Conn, now *host.State) *transition.Planner {
	return transition.New(now, func(taken map[rttables.ID]bool) (rttables.ID, error) {
		return now.FreeTable(ctx, c, taken)
	})
}

// Resolve works out the policies of some uplinks. It reads their interfaces and
// addresses, unless they are known.
func Resolve(ctx context.Context, c route.Conn, now *host.State, specs []uplink.Spec) ([]*uplink.Policy, error) {
	var families []route.Family
	for i := range specs {
		if err := specs[i].ReadLinks(ctx, c, now); err != nil {
			return nil, err
		}
		wanted := specs[i].Families()
		for _, gateway := range specs[i].Gateways() { // which may be one of our own addresses
			wanted = append(wanted, route.FamilyOf(gateway))
		}
		for _, f := range wanted {
			if !slices.Contains(families, f) {
				families = append(families, f)
			}
		}
	}
	if err := now.ReadAddresses(ctx, c, families...); err != nil {
		return nil, err
	}
	if err := now.ReadOnLink(ctx, c, families...); err != nil {
		return nil, err
	}
	all := make([]*uplink.Policy, 0, len(specs))
	for i := range specs {
		if err := specs[i].ReadGateways(ctx, c, now); err != nil {
			return nil, err
		}
		p, err := uplink.Resolve(now, &specs[i], i)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// AddInstall adds steps to p that install uplinks.
func AddInstall(
	ctx context.Context, c route.Conn, p *transition.Planner, all []*uplink.Policy, o uplink.Options,
) error {
	if err := uplink.Join(ctx, c, p.State(), all, o); err != nil {
		return err
	}
	return p.Install(all, o)
}

// Install plans to install uplinks.
func Install(
	ctx context.Context, c route.Conn, now *host.State, specs []uplink.Spec, o uplink.Options,
) (plan.Plan, error) {
	p, _, err := install(ctx, c, now, specs, uplink.Protocols(specs), o)
	if err != nil {
		return plan.Plan{}, err
	}
	return p.Plan(), nil
}

func install(
	ctx context.Context, c route.Conn, now *host.State, specs []uplink.Spec, protocols []route.Protocol, o uplink.Options,
) (*transition.Planner, []*uplink.Policy, error) {
	p, err := Begin(ctx, c, now, protocols)
	if err != nil {
		return nil, nil, err
	}
	all, err := Resolve(ctx, c, p.State(), specs)
	if err != nil {
		return nil, nil, err
	}
	return p, all, AddInstall(ctx, c, p, all, o)
}

// Adopt plans to take over what scripts have made for uplinks, and to install these.
func Adopt(
	ctx context.Context, c route.Conn, now *host.State, specs []uplink.Spec, o uplink.Options,
) (plan.Plan, error) {
	p, err := Begin(ctx, c, now, uplink.Protocols(specs))
	if err != nil {
		return plan.Plan{}, err
	}
	all, err := Resolve(ctx, c, p.State(), specs)
	if err != nil {
		return plan.Plan{}, err
	}
	adoptions, err := uplink.FindAdoptions(ctx, c, p.State(), all)
	if err != nil {
		return plan.Plan{}, err
	}
	if err := p.Adopt(adoptions); err != nil {
		return plan.Plan{}, err
	}
	if err := AddInstall(ctx, c, p, all, o); err != nil {
		return plan.Plan{}, err
	}
	return p.Plan(), nil
}

// Sync plans to install uplinks, and to remove all other uplinks that have one of some
// protocols.
func Sync(
	ctx context.Context, c route.Conn, now *host.State, specs []uplink.Spec, protocols []route.Protocol,
	taken map[rttables.ID]bool,
) (plan.Plan, error) {
	p, all, err := install(ctx, c, now, specs, protocols, uplink.Options{Taken: taken, Prune: true})
	if err != nil {
		return plan.Plan{}, err
	}
	var rest []*uplink.Policy
	for _, proto := range protocols {
		others, err := uplink.Others(ctx, c, p.State(), proto, all)
		if err != nil {
			return plan.Plan{}, err
		}
		rest = append(rest, others...)
	}
	if err := p.Remove(rest); err != nil {
		return plan.Plan{}, err
	}
	return p.Plan(), nil
}

// Remove plans to remove uplinks.
func Remove(ctx context.Context, c route.Conn, now *host.State, specs []uplink.Spec) (plan.Plan, error) {
	p, err := Begin(ctx, c, now, uplink.Protocols(specs))
	if err != nil {
		return plan.Plan{}, err
	}
	var all []*uplink.Policy
	for i := range specs {
		w, err := uplink.Owned(ctx, c, p.State(), &specs[i], i)
		if err != nil {
			return plan.Plan{}, err
		}
		if w.Table != 0 { // it is installed
			all = append(all, w)
		}
	}
	if err := p.Remove(all); err != nil {
		return plan.Plan{}, err
	}
	return p.Plan(), nil
}

// Recover plans to clean up what transactions of some protocols have left, even if
// there is no gate.
func Recover(ctx context.Context, c route.Conn, now *host.State, protocols []route.Protocol) (plan.Plan, error) {
	own, err := now.OwnRoutes(ctx, c, protocols...)
	if err != nil {
		return plan.Plan{}, err
	}
	p := newPlanner(ctx, c, now)
	p.Recover(protocols, own)
	return p.Plan(), nil
}
