package table

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// Findings about an uplink itself and what it stands on.

// interfaces looks at the uplink's interface.
func (s *survey) interfaces(v *surveyed) []Finding {
	dev := v.uplink.Interface
	f := Finding{Severity: Fault, Object: dev}
	link, ok := s.links[dev]
	switch {
	case !ok:
		f.Code, f.Text = CodeInterfaceMissing, fmt.Sprintf("there is no interface %s", dev)
	case link.flags&uapi.IFF_UP == 0:
		f.Code, f.Text = CodeInterfaceDown, fmt.Sprintf("the interface %s is down", dev)
		f.Cure = "ip link set " + iptext.Quote(dev) + " up, and install the uplink again: its IPv4 routes went with the interface"
	case link.flags&uapi.IFF_LOWER_UP == 0:
		f.Code, f.Severity, f.Text = CodeNoCarrier, Warning, fmt.Sprintf("the interface %s has no carrier", dev)
		f.Cure = "look at the cable and at the other end"
	default:
		return nil
	}
	return []Finding{f}
}

// sources looks at the addresses whose packets take the uplink.
func (s *survey) sources(v *surveyed) []Finding {
	u := v.uplink
	var found []Finding
	for _, a := range u.Sources {
		if !slices.ContainsFunc(s.addrs, func(x address) bool { return x.addr == a }) {
			found = append(found, Finding{
				Code: CodeSourceGone, Severity: Fault, Object: a.String(),
				Text: fmt.Sprintf("the source %s is no address of this host", a),
				Cure: fmt.Sprintf("ip addr add %s dev %s, or take it out of Sources", a, iptext.Quote(u.Interface)),
			})
		}
	}
	if link, ok := s.links[u.Interface]; ok && len(u.Sources) == 0 && len(s.sourcesOf(v)) == 0 {
		what := "address"
		if f := route.FamilyOf(u.Gateway); f != 0 {
			what = ipVersion(f) + " address"
		}
		if !slices.ContainsFunc(s.addrs, func(a address) bool { return s.isSource(v, link.index, a) }) {
			found = append(found, Finding{
				Code: CodeSourceGone, Severity: Fault, Object: u.Interface,
				Text: fmt.Sprintf("the interface %s has no global %s that packets could come from", u.Interface, what),
				Cure: "ip addr add ADDRESS/LENGTH dev " + iptext.Quote(u.Interface),
			})
		}
	}
	for _, a := range s.addrs {
		if a.tentative && s.isSource(v, s.links[u.Interface].index, a) {
			found = append(found, Finding{
				Code: CodeSourceTentative, Severity: Fault, Object: a.addr.String(),
				Text: fmt.Sprintf("the source %s cannot be used yet: its duplicate address detection has not ended, "+
					"or has found another host with it", a.addr),
				Cure: "wait a second or two; if it stays, look for the other host (ip -6 addr show dadfailed)",
			})
		}
	}
	return found
}

func ipVersion(f route.Family) string {
	if f == route.IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// isSource reports whether packets from an address take the uplink.
func (s *survey) isSource(v *surveyed, index uint32, a address) bool {
	u := v.uplink
	if len(u.Sources) > 0 {
		return slices.Contains(u.Sources, a.addr)
	}
	return a.index == index && index != 0 && a.global && slices.Contains(uplinkFamilies(u), route.FamilyOf(a.addr))
}

// sourcesOf are the addresses of this host whose packets take the uplink, and
// that can be used.
func (s *survey) sourcesOf(v *surveyed) []netip.Addr {
	var sources []netip.Addr
	for _, a := range s.addrs {
		if s.isSource(v, s.links[v.uplink.Interface].index, a) && !a.tentative {
			sources = append(sources, a.addr)
		}
	}
	return sources
}

// order looks at where the uplink's rules stand among those of others.
func (s *survey) order(v *surveyed) []Finding {
	var found []Finding
	for _, f := range uplinkFamilies(v.uplink) {
		local, hasLocal := s.everything(f, rttables.Local)
		main, hasMain := s.everything(f, rttables.Main)
		if !hasLocal && slices.ContainsFunc(s.snapshot.Rules, func(r rule.Rule) bool { return r.Family == f }) {
			found = append(found, Finding{
				Code: CodeNoLocal, Severity: Fault, Object: "table local",
				Text: "no " + ipVersion(f) + " rule looks up the table local, so that no packet arrives",
				Cure: iptext.Command(f, "rule", "add", "from all lookup local pref 0"),
			})
		}
		for _, step := range v.installed {
			r := step.Rule
			prio, ok := r.Priority.Get()
			if !ok || r.Family != f || r.Action != rule.ActionLookup {
				continue
			}
			words := iptext.Command(r.Family, "rule", "del", r.Args(nil))
			switch {
			case hasLocal && prio < local:
				found = append(found, Finding{
					Code: CodeBeforeLocal, Severity: Fault, Object: object(step),
					Text: fmt.Sprintf("the rule at %d comes before that for the table local, at %d: "+
						"packets between this host's own addresses leave it", prio, local),
					Cure: words + ", and install the uplink again",
				})
			case hasMain && prio > main:
				found = append(found, Finding{
					Code: CodeAfterMain, Severity: Fault, Object: object(step),
					Text: fmt.Sprintf("the rule at %d comes after that for the table main, at %d, "+
						"whose default route takes its packets", prio, main),
					Cure: words + ", and install the uplink again",
				})
			}
		}
	}
	return found
}

// everything is the priority of the first rule that looks up a table for every
// packet.
func (s *survey) everything(f route.Family, id rttables.ID) (uint32, bool) {
	for _, r := range s.snapshot.Rules {
		all := rule.Rule{
			Family: f, Priority: r.Priority, Action: rule.ActionLookup, Table: id, Protocol: r.Protocol,
		}
		if r == all {
			return r.Priority.Or(0), true
		}
	}
	return 0, false
}

// completeness compares what is installed with what should be.
func (s *survey) completeness(v *surveyed) []Finding {
	var found []Finding
	if v.refused != nil {
		found = append(found, Finding{
			Code: CodeRefused, Severity: Fault, Object: v.uplink.String(),
			Text: "it cannot be installed as it is: " + strings.TrimPrefix(v.refused.Error(), "table: uplink "+v.uplink.String()+": "),
		})
	}
	changes := slices.DeleteFunc(slices.Clone(v.todo), func(step Step) bool { return step.Family() == 0 })
	if len(v.installed) == 0 && (len(changes) > 0 || v.refused != nil) {
		return append(found, Finding{
			Code: CodeAbsent, Severity: Fault, Object: v.uplink.String(),
			Text: "nothing of it is installed", Cure: "install it",
		})
	}
	for _, step := range v.todo {
		f := Finding{Severity: Fault, Object: object(step), Cure: step.String()}
		switch step.Op {
		case AddRoute, AddRule:
			f.Code, f.Text = CodeMissing, f.Object+" is missing"
		case ReplaceRoute:
			f.Code, f.Text = CodeChanged, f.Object+" is wanted, and another is there"
		case DeleteRoute, DeleteRule:
			f.Code, f.Severity, f.Text = CodeExtra, Warning, f.Object+" is ours, and not wanted"
		case AddName:
			f.Code, f.Severity, f.Object = CodeUnnamed, Note, step.Name
			f.Text = fmt.Sprintf("rt_tables does not say that %s is the table %d", step.Name, uint32(step.Table))
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}

// transaction finds what a killed Install or Remove has left.
func (s *survey) transaction() []Finding {
	if len(s.left) == 0 {
		return nil
	}
	return []Finding{{
		Code: CodeUnfinished, Severity: Warning, Object: object(s.left[0]),
		Text: fmt.Sprintf("a change of uplinks is being made by another process, or was killed: "+
			"%d objects are left over, of which no packet takes notice", len(s.left)),
		Cure: "Recover, which the next Install or Remove begins with; it begins with: " + s.left[0].String(),
	}}
}

// gateway looks for the gateway among the neighbours.
func (s *survey) gateway(v *surveyed) []Finding {
	u := v.uplink
	link := s.links[u.Interface]
	if !u.Gateway.IsValid() || link.flags&uapi.IFF_LOWER_UP == 0 ||
		link.flags&(uapi.IFF_NOARP|uapi.IFF_LOOPBACK|uapi.IFF_POINTOPOINT) != 0 {
		return nil // nobody is asked there
	}
	f := Finding{Object: u.Gateway.String()}
	switch state := s.neighbours[neighbour{link.index, u.Gateway}]; {
	case state&uapi.NUD_FAILED != 0:
		f.Code, f.Severity = CodeGatewaySilent, Fault
		f.Text = fmt.Sprintf("the gateway %s does not answer on %s", u.Gateway, u.Interface)
		f.Cure = fmt.Sprintf("look at its address and at the router: ip neigh show %s dev %s", u.Gateway, iptext.Quote(u.Interface))
	case state == uapi.NUD_NONE || state == uapi.NUD_INCOMPLETE:
		f.Code, f.Severity = CodeGatewayUnknown, Note
		f.Text = fmt.Sprintf("the gateway %s has not been talked to on %s, so that nobody knows whether it answers",
			u.Gateway, u.Interface)
		f.Cure = fmt.Sprintf("ping -c 1 -I %s %s", iptext.Quote(u.Interface), u.Gateway)
	default:
		return nil
	}
	return []Finding{f}
}
