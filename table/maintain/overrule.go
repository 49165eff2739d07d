package maintain

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/owner"
)

// elsewhere are addresses of each family somewhere on the Internet: one in each half, because VPNs
// take halves without touching the default route. Nothing is sent there.
var elsewhere = map[route.Family][]netip.Addr{
	route.IPv4: {netip.AddrFrom4([4]byte{1, 1, 1, 1}), netip.AddrFrom4([4]byte{203, 0, 113, 1})},
	route.IPv6: {
		netip.AddrFrom16([16]byte{0x26, 0x06, 0x47, 0, 0x47, 0, 14: 0x11, 15: 0x11}), netip.AddrFrom16([16]byte{0x3f, 0xff, 15: 1}),
	},
}

// An overrule is a rule of another program that takes packets of an uplink before the uplink's own
// rules.
type overrule struct {
	rule   rule.Rule
	source netip.Addr
	way    string // where the packets go
}

// A suspicion is that rules of other programs take packets from a source of an uplink.
type suspicion struct {
	of     *maintainedUplink
	source netip.Addr
	before []rule.Rule // the first rung of the source
}

// reportOverrules reports rules of other programs that take packets of an uplink, when they appear
// and when they are gone. The kernel decides where packets go, and it is asked only if rules of
// other programs may match them.
func (m *maintainer) reportOverrules(ctx context.Context, a *agenda) {
	for i, g := range m.groups {
		if !a.looksAtOverrules(i) {
			continue
		}
		if m.ensureReading(ctx) != nil || m.reading == nil || ctx.Err() != nil {
			return // the next look may be able to tell
		}
		g.suspicions = nil
		for _, k := range g.uplinks {
			if !k.isComplete() {
				continue // its packets go elsewhere without others
			}
			for _, f := range k.families() {
				some := m.reading.suspect(k, f, m.protocols)
				g.suspicions = append(g.suspicions, some...)
				found, err := m.reading.askFirst(ctx, some)
				if err != nil {
					soonest(&g.again, confirmAfter)
					continue
				}
				m.reportOverrule(k, f, found)
			}
		}
	}
}

// askFirst returns the first of some suspicions that the kernel confirms, or nil.
func (r *reading) askFirst(ctx context.Context, some []suspicion) (*overrule, error) {
	for _, s := range some {
		for _, dst := range elsewhere[route.FamilyOf(s.source)] {
			if o, err := r.ask(ctx, s, dst); o != nil || err != nil {
				return o, err
			}
		}
	}
	return nil, nil
}

// tables returns the tables that the rules look up.
func (s *suspicion) tables() map[rttables.ID]bool {
	tables := make(map[rttables.ID]bool)
	for i := range s.before {
		if r := &s.before[i]; r.Action == rule.ActionLookup {
			tables[r.Table] = true
		}
	}
	return tables
}

// reportOverrule reports changes of the rules of other programs before those of an uplink.
func (m *maintainer) reportOverrule(k *maintainedUplink, f route.Family, found *overrule) {
	s := k.subject()
	s.family = f
	had, overruled := k.memory.overruled[f]
	switch {
	case found == nil && overruled:
		delete(k.memory.overruled, f)
		m.send(s.event(EventInForce))
	case found != nil && (!overruled || had != form.Bare(found.rule)):
		if k.memory.overruled == nil {
			k.memory.overruled = make(map[route.Family]rule.Rule)
		}
		k.memory.overruled[f] = form.Bare(found.rule)
		e := s.event(EventOverruled)
		e.Reason = found.String()
		m.send(e)
	}
}

// String returns the rule, its owner, and the packets that it takes.
func (o *overrule) String() string {
	return fmt.Sprintf("the rule %q (%s) comes before the uplink's rules and takes packets from %s to the Internet, or to half of it: %s",
		o.rule.String(), owner.Whose(&o.rule), o.source, o.way)
}

// suspect returns sources of an uplink whose packets rules of other programs may take: the first
// source, and those that such a rule names.
func (r *reading) suspect(k *maintainedUplink, f route.Family, ours []route.Protocol) []suspicion {
	var all []suspicion
	first := true
	for _, a := range k.status.usable {
		if route.FamilyOf(a) != f {
			continue
		}
		prio, ok := r.firstRung(k, a)
		if !ok {
			continue
		}
		before, names := r.takersOf(f, ours).before(a, prio)
		if len(before) > 0 && (first || names) {
			all = append(all, suspicion{k, a, before})
		}
		first = false
	}
	return all
}

// firstRung returns the priority of the first rung from a source.
func (r *reading) firstRung(k *maintainedUplink, a netip.Addr) (uint32, bool) {
	for _, have := range r.now.Rules(route.FamilyOf(a)).Of(k.protocol()).From(a) {
		if form.IsRung(&have) {
			return have.Priority.Or(0), true
		}
	}
	return 0, false
}

// ask asks the kernel where packets from a source to an address go. If they do not take the uplink,
// it finds out which rule of another program sends them there.
func (r *reading) ask(ctx context.Context, s suspicion, dst netip.Addr) (*overrule, error) {
	found, err := route.Lookup(ctx, r.conn, route.Query{Src: s.source, Dst: dst, FibMatch: true})
	var errno syscall.Errno
	o := &overrule{source: s.source}
	var takes func(*rule.Rule) bool
	switch {
	case err == nil && (found.Table == s.of.table() || found.Table == rttables.Main && s.of.MainFirst && !isDefaultOrPart(&found)):
		return nil, nil
	case err == nil:
		o.way = "they use table " + r.now.Names.Table(found.Table)
		if found.OIF != 0 {
			o.way = "they leave by " + r.now.Links.Name(found.OIF) + ", from table " + r.now.Names.Table(found.Table)
		}
		takes = func(x *rule.Rule) bool { return x.Action == rule.ActionLookup && (x.Table == found.Table || x.L3MDev) }
	case errors.As(err, &errno):
		o.way = fmt.Sprintf("they are refused with %q", errno.Error())
		takes = func(x *rule.Rule) bool { return x.Action != rule.ActionGoto && x.Action != rule.ActionNop }
	default:
		return nil, err
	}
	i := slices.IndexFunc(s.before, func(x rule.Rule) bool { return takes(&x) && selectsPlain(&x, s.source, dst) })
	if i < 0 {
		return nil, nil // a rule of ours sends them there
	}
	o.rule = s.before[i]
	return o, nil
}

// selectsPlain reports whether a rule selects packets of this host from src to dst that
// have no mark, as those of [route.Lookup].
func selectsPlain(r *rule.Rule, src, dst netip.Addr) bool {
	holds := func(p netip.Prefix, a netip.Addr) bool { return !p.IsValid() || p.Masked().Contains(a) }
	selected := holds(r.From, src) && holds(r.To, dst) && (r.IIF == "" || r.IIF == "lo") && r.OIF == "" &&
		r.FwMark.Value()&r.FwMark.Mask() == 0 && r.TOS == 0 && !r.DSCP.IsSet() && !r.FlowLabel.IsSet() &&
		(r.IPProto == 0 || r.IPProto == route.UDP) && r.SPort == (rule.Ports{}) && r.DPort == (rule.Ports{}) &&
		!r.TunID.IsSet()
	return selected != r.Not
}

// isDefaultOrPart reports whether a route is a default route, or a part of one that replaces it.
func isDefaultOrPart(r *route.Route) bool {
	return uint32(max(r.Canonical().Dst.Bits(), 0)) <= form.NoDefault(r.Family).Or(0)
}
