package check

import (
	"context"
	"os"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// Run returns what is wrong with uplinks, and what else on the host will cause
// trouble for them. Without findings all is well. Findings are in the order of the
// uplinks; those about the host come last. Run changes nothing and sends no packet.
//
// Run also reads /proc and the configuration of systemd-networkd. It looks at the
// sockets and settings of the network namespace of c, which takes CAP_SYS_ADMIN if
// that is not the caller's namespace. If something cannot be read, that is a finding
// as well. The error is not nil only if the kernel could not be asked at all.
//
// Nobody can see from outside whether a UDP server sets the source addresses of its
// answers itself (IP_PKTINFO). Run reports such a server as well.
func Run(ctx context.Context, c route.Conn, uplinks ...table.SourceRoutedUplink) ([]Finding, error) {
	specs := make([]uplink.Spec, len(uplinks))
	for i, u := range uplinks {
		specs[i] = uplink.Spec(u)
	}
	f, err := readFacts(ctx, c, os.DirFS("/"), specs)
	if err != nil {
		return nil, err
	}
	p := newPaths(f)
	if err := p.lookUp(ctx, c); err != nil {
		return nil, err
	}
	return newExaminer(f, p).findings(), nil
}

// Overruled returns what Run finds about rules and routes of others that take all packets of
// uplinks, or all to a part of the Internet, of [CodeOverruled]. It reads only what that needs:
// neither all tables nor files. There is one list for each uplink.
func Overruled(ctx context.Context, c route.Conn, uplinks ...table.SourceRoutedUplink) ([][]Finding, error) {
	specs := make([]uplink.Spec, len(uplinks))
	for i, u := range uplinks {
		specs[i] = uplink.Spec(u)
	}
	now, err := host.Read(ctx, c, "")
	if err != nil {
		return nil, err
	}
	f := newFacts(now, specs)
	planned := &planner{finished: now, named: make(map[string]*host.State), uplinks: f.uplinks}
	if err := planned.findInstalled(ctx, c); err != nil {
		return nil, err
	}
	p := &paths{uplinks: make([]uplinkPaths, len(f.uplinks)), answers: make(map[route.Query]route.Route)}
	for i := range f.uplinks {
		p.uplinks[i].claims = f.claimsOf(&f.uplinks[i])
	}
	if err := p.lookUp(ctx, c); err != nil {
		return nil, err
	}
	e := newExaminer(f, p)
	found := make([][]Finding, len(f.uplinks))
	for i := range f.uplinks {
		u := e.subject(i)
		if err := e.readRefusing(ctx, c, u); err != nil {
			return nil, err
		}
		u.takings = e.takingsOf(u)
		found[i] = named(e.checkOverruled(u), u)
	}
	return found, nil
}

// readRefusing reads the tables that may refuse packets which the kernel knows no way for.
func (e *examiner) readRefusing(ctx context.Context, c route.Conn, u *subject) error {
	for i := range u.claims {
		x := &u.claims[i]
		if e.outcomeOf(x).found {
			continue
		}
		for _, r := range e.now.Rules(x.rule.Family).All[:x.place] {
			if r.Action != rule.ActionLookup || isForAll(&r) || !x.packet.isSelectedBy(&r) {
				continue
			}
			if err := e.now.ReadRoutes(ctx, c, r.Table); err != nil {
				return err
			}
		}
	}
	return nil
}
