package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/plan"
)

// Findings about an uplink itself, and about the interface, addresses and gateway that it
// depends on.

// up returns the command that installs the uplink.
func (u *subject) up() string {
	if u.spec.Name == "" {
		return "uplinks up"
	}
	return "uplinks up " + iptext.Quote(u.spec.Name)
}

// checkInterface looks at the uplink's interface.
func (e *examiner) checkInterface(u *subject) []Finding {
	dev := u.spec.Interface
	f := Finding{Severity: Fault, Object: dev}
	flags := e.now.Links.Flags(u.index)
	switch {
	case u.index == 0:
		f.Code, f.Text = CodeInterfaceMissing, fmt.Sprintf("the interface %s does not exist", dev)
	case flags&uapi.IFF_UP == 0:
		f.Code, f.Text = CodeInterfaceDown, fmt.Sprintf("the interface %s is down", dev)
		f.Cure = "ip link set " + iptext.Quote(dev) + " up, and then " + u.up() + ": the kernel has deleted the IPv4 routes of the uplink"
	case flags&uapi.IFF_LOWER_UP == 0:
		f.Code, f.Severity, f.Text = CodeNoCarrier, Warning, fmt.Sprintf("the interface %s has no carrier", dev)
		f.Cure = "check the cable and the other end"
		if flags&uapi.IFF_POINTOPOINT != 0 {
			f.Cure = fmt.Sprintf("start the program that creates %s, or read its log", dev)
		}
	default:
		return nil
	}
	return []Finding{f}
}

// checkSources looks at the addresses whose packets take the uplink.
func (e *examiner) checkSources(u *subject) []Finding {
	dev := u.spec.Interface
	var found []Finding
	for _, a := range u.spec.Sources {
		if e.now.IsLocal(a) {
			continue
		}
		f := Finding{
			Code: CodeSourceAbsent, Severity: Note, Object: a.String(),
			Text: fmt.Sprintf("the source %s is not an address of this host now; another source is", a),
		}
		if u.spec.MissingSource(e.now, route.FamilyOf(a)) != "" { // and there is no other
			f.Code, f.Severity = CodeSourceGone, Fault
			f.Text = fmt.Sprintf("the source %s is not an address of this host", a)
			f.Cure = fmt.Sprintf("ip addr add %s dev %s, or remove the address from src in the uplink's line", a, iptext.Quote(dev))
		}
		found = append(found, f)
	}
	for _, dev := range u.spec.SourceInterfaces {
		if _, ok := e.now.Link(dev); !ok {
			found = append(found, Finding{
				Code: CodeSourceAbsent, Severity: Note, Object: dev,
				Text: fmt.Sprintf("the interface %s, whose networks take the uplink, does not exist", dev),
			})
		}
	}
	unbound := slices.ContainsFunc(u.families, func(f route.Family) bool { return u.spec.SourcesOf(e.now, u.index, f).Unbound })
	if u.index != 0 && u.spec.TakesAll() && len(u.sources) == 0 && !unbound {
		what := "address"
		if f := u.spec.OnlyFamily(); f != 0 {
			what = form.FamilyName(f) + " address"
		}
		found = append(found, Finding{
			Code: CodeSourceGone, Severity: Fault, Object: dev,
			Text: fmt.Sprintf("the interface %s has no global %s to send packets from", dev, what),
			Cure: "ip addr add ADDRESS/LENGTH dev " + iptext.Quote(dev),
		})
	}
	for _, a := range u.sources {
		if a.Tentative {
			found = append(found, Finding{
				Code: CodeSourceTentative, Severity: Fault, Object: a.Addr.String(),
				Text: fmt.Sprintf("the source %s cannot be used yet: duplicate address detection has not finished, "+
					"or has found another host with the address", a.Addr),
				Cure: "wait two seconds; if the finding stays, look for the other host (ip -6 addr show dadfailed)",
			})
		}
	}
	return found
}

// checkOrder looks for the uplink's rules before the rule for the table local, and after
// the rule for main.
func (e *examiner) checkOrder(u *subject) []Finding {
	var found []Finding
	for _, f := range u.families {
		order := e.order[f]
		if !order.hasLocal && len(e.now.Rules(f).All) > 0 {
			found = append(found, Finding{
				Code: CodeNoLocal, Severity: Fault, Object: "table local",
				Text: "no " + form.FamilyName(f) + " rule looks up the table local, so this host does not receive any packets",
				Cure: iptext.Command(f, "rule", "add", "from all lookup local pref 0"),
			})
		}
		for _, r := range u.installed.rules {
			prio, ok := r.Priority.Get()
			if !ok || r.Family != f || r.Action != rule.ActionLookup {
				continue
			}
			finding := Finding{Severity: Fault}
			switch {
			case order.hasLocal && prio < order.local && u.installed.looksUpLocal(r):
				continue
			case order.hasLocal && prio < order.local:
				finding.Code = CodeBeforeLocal
				finding.Text = fmt.Sprintf("the rule at %d comes before the rule for the table local at %d: "+
					"packets between this host's own addresses leave the host", prio, order.local)
			case order.hasMain && prio > order.main:
				finding.Code = CodeAfterMain
				finding.Text = fmt.Sprintf("the rule at %d comes after the rule for the table main at %d, "+
					"whose default route takes the uplink's packets", prio, order.main)
			default:
				continue
			}
			finding.Object = u.installed.text(r)
			finding.Cure = iptext.Command(f, "rule", "del", r.Args(nil)) + ", and " + u.up()
			if e.now.Rules(f).LocalFirst && slices.ContainsFunc(u.spec.Also, func(a rule.Rule) bool { return a.Priority == r.Priority }) {
				finding.Cure = fmt.Sprintf("remove pref %d from the uplink's line, and run %s: the rule then gets a lookup of the table local in front of it", prio, u.up())
			}
			found = append(found, finding)
		}
	}
	return found
}

// looksUpLocal reports whether the packets that a rule selects have been looked up in the
// table local before, by the rule itself or by another rule of the uplink.
func (i *installation) looksUpLocal(r rule.Rule) bool {
	selector := form.Selector(r)
	return slices.ContainsFunc(i.rules, func(x rule.Rule) bool {
		return form.RoleOf(&x) == form.LocalFirst && x.Priority.Or(0) <= r.Priority.Or(0) && form.Selector(x) == selector
	})
}

// text returns the words of an installed rule, with the names of tables.
func (i *installation) text(r rule.Rule) string {
	step := plan.Step{Op: plan.DeleteRule, Rule: r}
	return plan.Make(nil, i.names.OfCommands, "").Object(&step)
}

// checkInstalled compares the installed objects with those that should be installed.
func (e *examiner) checkInstalled(u *subject) []Finding {
	label := u.spec.String()
	var found []Finding
	if u.refused != nil {
		found = append(found, Finding{
			Code: CodeRefused, Severity: Fault, Object: label,
			Text: "the uplink cannot be installed as it is declared: " + refusal(u.refused, label),
		})
	}
	if u.refused != nil || u.pending != "" {
		if !u.installed.any { // another finding has the reason
			found = append(found, Finding{Code: CodeAbsent, Severity: Fault, Object: label, Text: "no rule or route of the uplink is installed"})
		}
		return found
	}
	isChange := func(s *plan.Step) bool { return !s.Op.IsName() }
	if !u.installed.any && slices.ContainsFunc(u.todo.steps, isChange) {
		return append(found, Finding{
			Code: CodeAbsent, Severity: Fault, Object: label, Text: "no rule or route of the uplink is installed", Cure: u.up(),
		})
	}
	_, refused := u.todo.plan.CutNames()
	for _, s := range u.todo.steps {
		if s.Op == plan.AddRule && u.isWithdrawn(s.Rule) {
			continue
		}
		f := Finding{Severity: Fault, Object: u.todo.plan.Object(s), Cure: u.todo.plan.Command(s)}
		switch s.Op {
		case plan.AddRoute, plan.AddRule:
			f.Code, f.Text = CodeMissing, f.Object+" does not exist"
		case plan.ReplaceRoute:
			f.Code, f.Text = CodeChanged, f.Object+" is wanted, but a route with other properties exists"
		case plan.DeleteRoute, plan.DeleteRule:
			f.Code, f.Severity, f.Text = CodeExtra, Warning, f.Object+" has the uplink's protocol, but should not exist"
		case plan.AddName:
			f.Code, f.Severity, f.Object = CodeUnnamed, Note, s.Name
			f.Text = fmt.Sprintf("rt_tables does not have the name %s for the table %d", s.Name, uint32(s.Table))
			if e := refusalOf(refused, s); e != nil {
				f.Text += fmt.Sprintf(": %v", e.Err)
				f.Cure = fmt.Sprintf("delete the line of rt_tables that is in the way, or change the name or the table of %s", s.Name)
			}
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}

// refusalOf returns why the name of a step cannot be written, or nil.
func refusalOf(refused []*plan.NameError, s *plan.Step) *plan.NameError {
	i := slices.IndexFunc(refused, func(e *plan.NameError) bool { return e.Table == s.Table && e.Name == s.Name })
	if i < 0 {
		return nil
	}
	return refused[i]
}

// refusal returns why an uplink with a label cannot be installed.
func refusal(err error, label string) string {
	var field *plan.FieldError
	var conflict *plan.ConflictError
	switch {
	case errors.As(err, &field):
		return field.InWords()
	case errors.As(err, &conflict):
		return conflict.InWords()
	}
	return strings.TrimPrefix(err.Error(), "table: uplink "+label+": ")
}

// checkGateway looks for the gateways among the neighbours. It skips an uplink whose
// gateway is refused.
func (e *examiner) checkGateway(u *subject) []Finding {
	flags := e.now.Links.Flags(u.index)
	if u.spec.GatewayReason(e.now) != "" || flags&uapi.IFF_LOWER_UP == 0 ||
		flags&(uapi.IFF_NOARP|uapi.IFF_LOOPBACK|uapi.IFF_POINTOPOINT) != 0 {
		return nil // the kernel does not look for neighbours there
	}
	if len(u.spec.Gateways()) == 0 && u.pending == "" && u.index != 0 {
		return e.checkNoGateway(u)
	}
	dev := u.spec.Interface
	var found []Finding
	for _, gateway := range u.spec.Gateways() {
		f := Finding{Object: gateway.String()}
		switch state := e.neighbours[neighbour{u.index, gateway}]; {
		case state&uapi.NUD_FAILED != 0:
			f.Code, f.Severity = CodeGatewaySilent, Fault
			f.Text = fmt.Sprintf("the gateway %s does not answer on %s", gateway, dev)
			f.Cure = fmt.Sprintf("check the address of the gateway, the router and the cable: ip neigh show %s dev %s", gateway, iptext.Quote(dev))
		case state == uapi.NUD_NONE || state == uapi.NUD_INCOMPLETE:
			f.Code, f.Severity = CodeGatewayUnknown, Note
			f.Text = fmt.Sprintf("this host has not sent anything to the gateway %s on %s yet, so the kernel does not know whether the gateway is there",
				gateway, dev)
			f.Cure = fmt.Sprintf("ping -c 1 -I %s %s", iptext.Quote(dev), gateway)
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}
