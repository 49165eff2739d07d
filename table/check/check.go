package check

import (
	"context"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// An Uplink is an uplink with what [Examine] cannot see on the host.
type Uplink struct {
	table.SourceRoutedUplink

	// Pending says why the uplink cannot be installed yet although nothing is wrong with
	// what it says: there is no default route from which its gateway is to be learned. Its
	// Gateway may then be unspecified. What is installed of it is examined all the same.
	// Empty: it can be installed.
	Pending string

	// Targets are destinations that the uplink has to reach itself, such as those of
	// probes, besides the Internet. None: there are no others.
	Targets []netip.Addr

	// Withdrawn are rules of Also that the program which keeps the uplink has deleted for
	// the time being, because the probes of the uplink fail. They are not missing. None:
	// all rules are wanted.
	Withdrawn []rule.Rule
}

// IsWithdrawn reports whether a rule of the uplink, as Install would add it, is one of
// Withdrawn or belongs to one.
func (u *Uplink) IsWithdrawn(r rule.Rule) bool {
	return slices.ContainsFunc(u.Withdrawn, func(w rule.Rule) bool {
		w.Family, w.Protocol = r.Family, r.Protocol
		return form.Selector(w) == form.Selector(r)
	})
}

// A Config is what [Examine] cannot see on the host, other than uplinks. The zero Config
// knows nothing.
type Config struct {
	// Multihomed are the ports of UDP servers that listen on every address, and answer
	// from the one that was asked (IP_PKTINFO; the option multihome of OpenVPN). Nobody
	// can see from outside that a server does. None: each one is reported.
	Multihomed []uint16

	// Default is the default route that the uplinks share. Nil: there is none.
	Default *Default
}

// A Default is a default route that uplinks share, as package maintain keeps it.
type Default struct {
	Table    rttables.ID    // zero: main
	Metric   uint32         // of the route; zero: 50
	Protocol route.Protocol // of the route
}

// Run is [Examine] for uplinks of which the host says all.
func Run(ctx context.Context, c route.Conn, uplinks ...table.SourceRoutedUplink) ([]Finding, error) {
	all := make([]Uplink, len(uplinks))
	for i, u := range uplinks {
		all[i].SourceRoutedUplink = u
	}
	return Examine(ctx, c, nil, all...)
}

// Examine returns what is wrong with uplinks, and what else on the host will cause
// trouble for them. Without findings all is well. Findings are in the order of the
// uplinks; those about the host come last. Examine changes nothing and sends no packet.
// A nil Config stands for the zero one.
//
// Examine also reads /proc and the configuration of systemd-networkd. It looks at the
// sockets and settings of the network namespace of c, which takes CAP_SYS_ADMIN if
// that is not the caller's namespace. If something cannot be read, that is a finding
// as well. The error is not nil only if the kernel could not be asked at all.
func Examine(ctx context.Context, c route.Conn, config *Config, uplinks ...Uplink) ([]Finding, error) {
	f, err := readFacts(ctx, c, files.Dir("/"), config, uplinks)
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
// uplinks, or all to a part of the Internet, of [CodeOverruled], and about the order among the
// rules of uplinks, the faults of [CodeRuleOrder]. It reads only what that needs: neither all
// tables nor files. There is one list for each uplink.
func Overruled(ctx context.Context, c route.Conn, uplinks ...table.SourceRoutedUplink) ([][]Finding, error) {
	all := make([]Uplink, len(uplinks))
	for i, u := range uplinks {
		all[i].SourceRoutedUplink = u
	}
	now, err := host.Read(ctx, c, "")
	if err != nil {
		return nil, err
	}
	f := newFacts(now, all)
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
		found[i] = e.checkOverruled(u)
		for _, f := range e.checkRuleOrder(u) {
			if f.Severity == Fault {
				found[i] = append(found[i], f)
			}
		}
		found[i] = named(found[i], u)
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
