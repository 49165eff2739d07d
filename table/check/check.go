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
	"github.com/policyroute/policyroute/table/reply"
)

// An Uplink is an uplink with facts that [Examine] cannot read from the host.
type Uplink struct {
	table.SourceRoutedUplink

	// Pending is the reason why the uplink cannot be installed yet although its values are
	// valid, because there is no default route from which to learn its gateway. Gateway may
	// then be unset. Examine still examines the parts of the uplink that are installed. Empty:
	// the uplink can be installed.
	Pending string

	// Targets are destinations that the uplink has to reach besides the Internet, such as
	// those of probes.
	Targets []netip.Addr

	// Withdrawn are rules of Also that the program that maintains the uplink has deleted
	// until the probes of the uplink succeed again. Examine does not report them as missing.
	Withdrawn []rule.Rule

	// Masquerade is that of a [reply.Uplink].
	Masquerade bool
}

// IsWithdrawn reports whether r, a rule as Install would add it, is a rule of Withdrawn,
// or one of the rules with the same selector that Install adds before and after it.
func (u *Uplink) IsWithdrawn(r rule.Rule) bool {
	return slices.ContainsFunc(u.Withdrawn, func(w rule.Rule) bool {
		w.Family, w.Protocol = r.Family, r.Protocol
		return form.Selector(w) == form.Selector(r)
	})
}

// A Config has facts about the host as a whole that Examine cannot read. The zero Config has
// no such facts.
type Config struct {
	// Multihomed are the ports of UDP servers that listen on all addresses and reply from the
	// address that the request was sent to (IP_PKTINFO; the option multihome of OpenVPN).
	// Examine cannot find out whether a server does that. Examine reports every other UDP
	// server that listens on all addresses.
	Multihomed []uint16

	// Reply is the policy for answers. Nil: there is none, unless an uplink has Masquerade.
	Reply *reply.Policy
	// ReplyUplinks are other installed uplinks that the policy is about and that are not
	// examined.
	ReplyUplinks []reply.Uplink

	// Default is the default route that the uplinks share. Nil: there is none.
	Default *Default
}

// A Default is a default route that uplinks share, as package maintain keeps it.
type Default struct {
	Table    rttables.ID    // zero: main
	Metric   uint32         // of the route; zero: 50
	Protocol route.Protocol // of the route
}

// Run is [Examine] without facts that an administrator knows: without a Config, and with
// uplinks whose other fields are unset.
func Run(ctx context.Context, c route.Conn, uplinks ...table.SourceRoutedUplink) ([]Finding, error) {
	all := make([]Uplink, len(uplinks))
	for i, u := range uplinks {
		all[i].SourceRoutedUplink = u
	}
	return Examine(ctx, c, nil, all...)
}

// Examine returns problems of uplinks, and problems of the host that affect uplinks. If there
// are no problems, there are no findings. Findings are in the order of the uplinks, and those
// about the host come last. Examine changes nothing and sends no packet. A nil Config means
// the zero Config.
//
// Examine also reads /proc and the configuration of systemd-networkd. It reads the sockets and
// settings of the network namespace of c, which needs CAP_SYS_ADMIN if that is not the
// caller's namespace. If something cannot be read, Examine returns a finding that says so. It
// returns an error only if it could not read anything from the kernel.
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

// Overruled returns the findings of Run about rules and routes of other programs that take all
// packets of uplinks, or all packets to a part of the Internet ([CodeOverruled]), and about
// the order of the rules of uplinks (the faults of [CodeRuleOrder]). It reads only what these
// findings need, so it reads neither all tables nor files. There is one list for each uplink.
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
	p := &paths{uplinks: make([]uplinkPaths, len(f.uplinks)), answers: make(map[route.Query]route.Route), facts: f}
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

// readRefusing reads the tables that may refuse packets for which the kernel has found no
// route.
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
