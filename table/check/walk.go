package check

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A packet has the properties that rules match.
type packet struct {
	query route.Query
	iif   string // the name of the interface with the index query.IIF; lo for packets of this host
}

// ownInterface is the incoming interface that rules see for packets that this host sends.
const ownInterface = "lo"

// isSelectedBy reports whether a rule selects the packet. The packet's socket is not bound
// to an interface, and the packet belongs to no VRF and did not come in by a tunnel.
func (p *packet) isSelectedBy(r *rule.Rule) bool {
	if r.L3MDev {
		return false
	}
	return p.hasSelectors(r) != r.Not
}

// hasSelectors reports whether the packet matches the selectors of a rule.
func (p *packet) hasSelectors(r *rule.Rule) bool {
	q := &p.query
	switch {
	case r.From.IsValid() && r.From.Bits() > 0 && !r.From.Masked().Contains(p.source()),
		r.To.IsValid() && !r.To.Masked().Contains(q.Dst),
		r.IIF != "" && r.IIF != p.iif,
		r.OIF != "", r.TunID.IsSet(),
		(q.Mark^r.FwMark.Value())&r.FwMark.Mask() != 0,
		r.TOS != 0 && (q.TOS^r.TOS)&tosMask(r.Family) != 0,
		r.DSCP.IsSet() && (q.TOS>>2^r.DSCP.Value())&r.DSCP.Mask() != 0,
		r.FlowLabel.IsSet() && r.FlowLabel.Value()&r.FlowLabel.Mask() != 0,
		r.IPProto != 0 && r.IPProto != p.protocol(),
		!selectsPort(r.SPort, q.SPort), !selectsPort(r.DPort, q.DPort):
		return false
	}
	uid := q.UID.Or(0)
	return !r.UIDRange.IsSet() || q.UID.IsSet() && uid >= r.UIDRange.First() && uid <= r.UIDRange.Last()
}

// tosMask returns the bits of the DS field that a rule's tos looks at. In IPv4 these are the
// three bits of the old TOS field.
func tosMask(f route.Family) uint8 {
	if f == route.IPv4 {
		return 0x1c
	}
	return 0xfc
}

// source returns the packet's source. Without a source it returns 0.0.0.0 for IPv4, and an
// invalid address, which is in no prefix, for IPv6.
func (p *packet) source() netip.Addr {
	if !p.query.Src.IsValid() && p.query.Dst.Is4() {
		return netip.IPv4Unspecified()
	}
	return p.query.Src
}

// protocol returns the packet's protocol. For an IPv4 lookup without a protocol the kernel
// takes UDP.
func (p *packet) protocol() route.IPProto {
	if p.query.IPProto == 0 && p.query.Dst.Is4() {
		return route.UDP
	}
	return p.query.IPProto
}

// selectsPort reports whether a selector matches a port. Lookups without a port have 0.
func selectsPort(p rule.Ports, port uint16) bool {
	switch {
	case !p.IsSet():
		return true
	case port == 0:
		return false
	case p.First() == p.Last():
		return (port^p.First())&p.Mask() == 0
	}
	return port >= p.First() && port <= p.Last()
}

// An outcome is the kernel's answer about a packet.
type outcome struct {
	found bool // the packet takes route; otherwise it is refused, or has no route
	route route.Route
}

// findTaker returns the rule that gives a packet its outcome, among the rules before a
// place. It returns nil if there is none. The state has the routes of all tables.
func (f *facts) findTaker(p *packet, o *outcome, rules []rule.Rule, place int) *rule.Rule {
	var jump *rule.Rule // the goto that led here
	for i := 0; i < place; i++ {
		r := &rules[i]
		if !p.isSelectedBy(r) {
			continue
		}
		if r.Action == rule.ActionGoto {
			to := slices.IndexFunc(rules, func(x rule.Rule) bool { return x.Priority.Or(0) == r.Goto })
			if to <= i {
				continue // the rule it leads to does not exist
			}
			if jump = r; to > place {
				return jump
			}
			i = to - 1
			continue
		}
		if f.decides(r, p, o) {
			return r
		}
	}
	return nil
}

// decides reports whether a rule that selects a packet gives it its outcome.
func (f *facts) decides(r *rule.Rule, p *packet, o *outcome) bool {
	switch r.Action {
	case rule.ActionLookup:
		if o.found {
			length := uint32(max(o.route.Dst.Bits(), 0))
			limit, suppresses := r.SuppressPrefixLength.Get()
			return r.Table == o.route.Table && !(suppresses && length <= limit)
		}
		return f.rejects(r.Table, p.query.Dst)
	case rule.ActionGoto, rule.ActionNop:
		return false
	}
	return !o.found // the kernel refuses the packet, also by an action that it does not know
}

// rejects reports whether a table refuses packets to an address.
func (f *facts) rejects(id rttables.ID, dst netip.Addr) bool {
	var best *route.Route
	routes := f.now.Routes(id)
	for i := range routes {
		r := &routes[i]
		if r.Family != route.FamilyOf(dst) || r.Dst.IsValid() && !r.Dst.Contains(dst) {
			continue
		}
		if best == nil || r.Dst.Bits() > best.Dst.Bits() || r.Dst.Bits() == best.Dst.Bits() && r.Priority < best.Priority {
			best = r
		}
	}
	if best == nil {
		return false
	}
	switch best.Type {
	case route.TypeUnreachable, route.TypeProhibit, route.TypeBlackhole:
		return true
	}
	return false
}

// isForAll reports whether a rule looks up main or local for every packet, as the kernel's
// own rules do, at any priority.
func isForAll(r *rule.Rule) bool {
	return form.LooksUpForAll(r, rttables.Main) || form.LooksUpForAll(r, rttables.Local)
}
