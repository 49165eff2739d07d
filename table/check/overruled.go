package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/owner"
	"github.com/policyroute/policyroute/table/plan"
)

// Findings about rules and routes of other programs that take packets away from an uplink.

// A taking is the packets that one rule or route of another program takes from an uplink.
type taking struct {
	rule  *rule.Rule
	route *route.Route // in the uplink's table, if rule is nil
	who   []string
	// to are the destinations, if packets to other destinations are not taken.
	to  []netip.Addr
	out []string // the interfaces by which the packets leave; empty: they are refused
}

// takingsOf returns what is taken from an uplink, in the order of the claims.
func (e *examiner) takingsOf(u *subject) []*taking {
	var all []*taking
	type packets struct {
		family route.Family
		who    string
	}
	taken, asked := make(map[packets]int), make(map[packets]int)
	complete := func(t *taking, f route.Family) bool {
		return !slices.ContainsFunc(t.who, func(who string) bool { return taken[packets{f, who}] < asked[packets{f, who}] })
	}
	for i := range u.claims {
		c := &u.claims[i]
		key := packets{c.rule.Family, c.who}
		asked[key]++
		o := e.outcomeOf(c)
		if o.found && o.route.Table == c.rule.Table && (o.route.OIF == u.index || o.route.Protocol == u.spec.Proto()) {
			continue
		}
		t := e.takerOf(c, &o)
		if t == nil {
			continue
		}
		k := slices.IndexFunc(all, func(x *taking) bool { return x.isBy(t) })
		if k < 0 {
			k, all = len(all), append(all, t)
		}
		t = all[k]
		taken[key]++
		t.add(c, e.outOf(&o))
	}
	for _, t := range all {
		if complete(t, route.FamilyOf(t.to[0])) {
			t.to = nil
		}
	}
	return all
}

// outcomeOf returns what the kernel says about a claim.
func (e *examiner) outcomeOf(c *claim) outcome {
	r, ok := e.answers[c.packet.query]
	switch r.Type {
	case route.TypeUnreachable, route.TypeProhibit, route.TypeBlackhole:
		ok = false
	}
	return outcome{ok, r}
}

// takerOf returns the rule or route of another program that takes the packet of a claim, or
// nil.
func (e *examiner) takerOf(c *claim, o *outcome) *taking {
	if o.found && o.route.Table == c.rule.Table {
		return &taking{route: &o.route}
	}
	r := e.findTaker(&c.packet, o, e.now.Rules(c.rule.Family).All, c.place)
	if r == nil || slices.Contains(e.protocols, r.Protocol) || isForAll(r) {
		return nil // another finding reports a rule for main before the uplink's rules
	}
	return &taking{rule: r}
}

// outOf returns the interface by which a packet leaves.
func (e *examiner) outOf(o *outcome) string {
	switch {
	case !o.found:
		return ""
	case o.route.OIF == 0:
		return "several interfaces"
	}
	return e.now.Links.Name(o.route.OIF)
}

// isBy reports whether t and o have the same rule or route.
func (t *taking) isBy(o *taking) bool {
	return t.rule == o.rule && (t.rule != nil || form.KeyOf(t.route) == form.KeyOf(o.route))
}

// add adds the packet of a claim, and where it leaves.
func (t *taking) add(c *claim, out string) {
	if !slices.Contains(t.who, c.who) {
		t.who = append(t.who, c.who)
	}
	if dst := c.packet.query.Dst; !slices.Contains(t.to, dst) {
		t.to = append(t.to, dst)
	}
	if out != "" && !slices.Contains(t.out, out) {
		t.out = append(t.out, out)
	}
}

// checkOverruled finds rules and routes of other programs that take packets of the uplink.
func (e *examiner) checkOverruled(u *subject) []Finding {
	var found []Finding
	for _, t := range u.takings {
		f := Finding{Code: CodeOverruled, Severity: Fault}
		takes := "takes packets " + few(t.who)
		if len(t.to) > 0 {
			takes += " to " + few(texts(t.to))
		}
		if len(t.out) == 0 {
			takes += ", which are refused"
		} else {
			takes += ", which leave by " + strings.Join(t.out, " and ")
		}
		if t.rule == nil {
			f.Object = u.installed.routeText(t.route)
			f.Text = fmt.Sprintf("the %s (%s) is in the uplink's table and %s", f.Object, owner.OfProtocol(t.route.Protocol), takes)
			f.Cure = u.installed.deleteRoute(t.route)
		} else {
			f.Object = u.installed.text(*t.rule)
			f.Text = fmt.Sprintf("the rule at %d, %s (%s), comes before the uplink's rules and %s",
				t.rule.Priority.Or(0), u.installed.words(t.rule), owner.Whose(t.rule), takes)
			f.Cure = e.cureOfRule(u, t.rule)
		}
		found = append(found, f)
	}
	return found
}

// cureOfRule returns the cure for a rule before those of an uplink.
func (e *examiner) cureOfRule(u *subject, r *rule.Rule) string {
	var cures []string
	o := owner.Of(r)
	if o == nil || !o.Always {
		if n, ok := e.priorityBefore(u, r.Priority.Or(0)); ok {
			cures = append(cures, fmt.Sprintf("add pref %d to the uplink's line, which puts its rules before this one, and run uplinks up", n))
		}
	}
	switch {
	case o == nil:
		cures = append(cures, u.installed.deleteRule(r))
	case o.Cure != "":
		cures = append(cures, o.Cure)
	case len(cures) == 0:
		cures = append(cures, "give the rules of "+o.Name+" priorities after the uplink's, in its configuration")
	}
	return strings.Join(cures, "; or ")
}

// gap is the distance between rules of other programs and those of an uplink, and tries is how
// often a place is looked for.
const (
	gap   = 100
	tries = 50
)

// priorityBefore returns a priority at which the rules of an uplink come before a priority, and
// at which rules of uplinks are allowed.
func (e *examiner) priorityBefore(u *subject, prio uint32) (uint32, bool) {
	need := u.spec.Height() + 3*uint32(len(u.spec.Also))
	if slices.ContainsFunc(u.families, func(f route.Family) bool { return e.now.Rules(f).LocalFirst }) {
		need += 1 + uint32(len(u.spec.Also))
	}
	for k := range uint32(tries) {
		below := k*(need+1) + need
		if k == 0 && prio > 2*gap+need {
			below += gap
		}
		if prio <= below {
			return 0, false
		}
		n := prio - below
		free := true
		for _, f := range u.families {
			rules := e.now.Rules(f)
			free = free && n > rules.After && n+need <= rules.Before && len(rules.Between(n, n+need-1)) == 0
		}
		if free {
			return n, true
		}
	}
	return 0, false
}

// checkPartlyOverruled finds rules of other programs that come before the uplink's and take
// some of its packets, but none of those that the kernel was asked about.
func (e *examiner) checkPartlyOverruled(u *subject) []Finding {
	var found []Finding
	for _, f := range u.families {
		all := e.now.Rules(f).All
		var some []string
		var first *rule.Rule
		for i := range all[:e.lastRung(u, f)] {
			r := &all[i]
			if !e.mayTake(u, r) || !u.spec.MainFirst && e.isScriptRule(u, r) {
				continue // or another finding reports it
			}
			if first == nil {
				first = r
			}
			some = append(some, fmt.Sprintf("%d takes %s (%s)", r.Priority.Or(0), u.installed.share(r), owner.Whose(r)))
		}
		if first != nil {
			found = append(found, Finding{
				Code: CodeOverruledPartly, Severity: Note, Object: u.installed.text(*first),
				Text: form.FamilyName(f) + " rules of other programs come before the uplink's rules: " + few(some),
				Cure: "nothing has to be done if that is intended; otherwise add the word pref to the uplink's line, with a lower number",
			})
		}
	}
	return found
}

// lastRung returns the place of the last rule of the uplink in a family that looks up the
// uplink's table, or 0.
func (e *examiner) lastRung(u *subject, f route.Family) int {
	all := e.now.Rules(f).All
	for _, i := range slices.Backward(e.installedPlaces(u.uplinkFacts, f)) {
		if !form.IsSystemTable(all[i].Table) {
			return i
		}
	}
	return 0
}

// mayTake reports whether a rule of another program takes some packets of an uplink's sources.
// The rules of package reply take packets on purpose.
func (e *examiner) mayTake(u *subject, r *rule.Rule) bool {
	switch {
	case r.Protocol == form.ReplyProtocol, slices.Contains(e.protocols, r.Protocol), isForAll(r), r.L3MDev, r.OIF != "", r.TunID.IsSet(),
		r.IIF != "" && r.IIF != ownInterface, r.Action == rule.ActionNop, r.Action == rule.ActionGoto,
		u.spec.MainFirst && form.IsMainFirst(r),
		slices.ContainsFunc(u.takings, func(t *taking) bool { return t.rule == r }):
		return false
	}
	return slices.ContainsFunc(u.claims, func(c claim) bool {
		src := c.packet.query.Src
		return c.rule.Family == r.Family && (c.packet.iif == ownInterface || r.IIF == "") &&
			(r.Not || !r.From.IsValid() || src.IsValid() && r.From.Masked().Contains(src))
	})
}

// share returns a description of the packets that a rule takes.
func (i *installation) share(r *rule.Rule) string {
	words := strings.TrimSpace("packets " + describe(r))
	if r.Action != rule.ActionLookup {
		return words
	}
	text := words + " to destinations that table " + i.names.Table(r.Table) + " has a route for"
	switch n, ok := r.SuppressPrefixLength.Get(); {
	case ok && n == 0:
		text += " other than the default"
	case ok:
		text += fmt.Sprintf(" whose prefix is longer than %d", n)
	}
	return text
}

// checkForeignRoutes finds routes of other programs in the uplink's table. Routes that take all
// packets are other findings.
func (e *examiner) checkForeignRoutes(u *subject) []Finding {
	var some []string
	var first *route.Route
	id := u.installed.table()
	routes := e.now.Routes(id)
	for i := range routes {
		r := &routes[i]
		if slices.Contains(e.protocols, r.Protocol) || !u.inFamily(r.Family) || form.IsDefault(r) {
			continue
		}
		if first == nil {
			first = r
		}
		way := "leave by " + e.now.Links.Name(r.OIF)
		if r.Type != route.TypeUnicast {
			way = "are refused: " + r.Type.String()
		}
		some = append(some, fmt.Sprintf("packets to %s %s (%s)", iptext.PrefixString(r.Dst), way, owner.OfProtocol(r.Protocol)))
	}
	more := 0
	for _, f := range u.families {
		more += e.left[listing{id, f}]
	}
	if first == nil {
		return nil
	}
	return []Finding{{
		Code: CodeForeignRoute, Severity: Note, Object: u.installed.routeText(first),
		Text: fmt.Sprintf("the uplink's table has %s of other programs: %s", plural(len(some)+more, "route"), fewOf(some, len(some)+more)),
		Cure: "nothing has to be done if that is intended; otherwise remove the routes, and use these words in the uplink's line: " +
			"to, for destinations behind the gateway, or main-first, for networks of this host that main has routes to",
	}}
}

// table returns the table in which the uplink is installed, or zero.
func (i *installation) table() rttables.ID {
	for _, r := range i.rules {
		if !form.IsSystemTable(r.Table) {
			return r.Table
		}
	}
	return 0
}

// words returns the words of a rule without its priority.
func (i *installation) words(r *rule.Rule) string {
	bare := *r
	bare.Priority, bare.Protocol = route.Opt[uint32]{}, 0
	return bare.Args(i.names.All())
}

func (i *installation) routeText(r *route.Route) string {
	step := plan.Step{Op: plan.DeleteRoute, Route: *r}
	return plan.Make(nil, i.names.All, "").Object(&step)
}

func (i *installation) deleteRoute(r *route.Route) string {
	step := plan.Step{Op: plan.DeleteRoute, Route: *r}
	return plan.Make(nil, i.names.All, "").Command(&step)
}

func (i *installation) deleteRule(r *rule.Rule) string {
	step := plan.Step{Op: plan.DeleteRule, Rule: *r}
	return plan.Make(nil, i.names.All, "").Command(&step)
}

// describe returns which packets a rule selects, such as "from 192.0.2.1", "with fwmark 0x1" or
// "without fwmark 0x1". It returns an empty string if the rule selects all packets.
func describe(r *rule.Rule) string {
	bare := *r
	bare.SuppressPrefixLength, bare.SuppressIfGroup = route.Opt[uint32]{}, route.Opt[uint32]{}
	bare.Realms, bare.Goto = route.Realms{}, 0
	bare.Not = false
	words := strings.TrimSpace(strings.TrimPrefix(selectors(bare), "from all"))
	isAddress := strings.HasPrefix(words, "from ") || strings.HasPrefix(words, "to ")
	switch {
	case words == "" || isAddress && !r.Not:
		return words
	case isAddress:
		return "not " + words
	case r.Not:
		return "without " + words
	}
	return "with " + words
}

// few joins the first few texts.
func few(all []string) string { return fewOf(all, len(all)) }

// fewOf joins the first few of n texts. Some holds those that are known.
func fewOf(some []string, n int) string {
	const most = 4
	first := some[:min(most, len(some))]
	if n > len(first) {
		return strings.Join(first, ", ") + fmt.Sprintf(" and %d more", n-len(first))
	}
	return strings.Join(first, ", ")
}

func texts(addrs []netip.Addr) []string {
	var all []string
	for _, a := range addrs {
		all = append(all, a.String())
	}
	return all
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
