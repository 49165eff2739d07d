package picture

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/internal/owner"
)

// Limits of what is drawn, so that pictures of large tables stay small.
const (
	mostRows         = 24 // of a table
	mostDestinations = 6  // of a row
)

// Make returns the picture of the World of f. A nil config draws everything.
func Make(f *explain.FIB, config *Config) Picture {
	if config == nil {
		config = &Config{}
	}
	m := newMaker(f, config)
	var p Picture
	families := []route.Family{route.IPv4, route.IPv6}
	if config.Packet != nil {
		e := f.Explain(*config.Packet)
		m.setExplanation(&e)
		p.sentence = e.Sentence()
		families = families[:1]
		if config.Packet.To.Is6() {
			families[0] = route.IPv6
		}
	}
	for _, fam := range families {
		if x := m.family(fam); len(x.rules) > 0 || len(x.tables) > 0 {
			p.families = append(p.families, x)
		}
	}
	return p
}

// A maker makes a picture.
type maker struct {
	world       *explain.World
	names       *rttables.Names
	owners      []string // by rule
	links       map[uint32]*explain.Link
	hops        map[uint32][]route.NextHop // by the ID of a nexthop object
	explanation *explain.Explanation       // nil: there is no packet
	steps       map[int][]*explain.Step    // of the explanation, by the place of the rule
	merged      []*explain.Step            // those of the explanation for local and main as one
	tables      map[rttables.ID]int        // places in family.tables
}

func newMaker(f *explain.FIB, config *Config) *maker {
	w := f.World()
	m := &maker{
		world: w, names: config.Names, owners: owner.Names(w.Rules),
		links: make(map[uint32]*explain.Link), hops: make(map[uint32][]route.NextHop),
	}
	for i := range w.Links {
		m.links[w.Links[i].Index] = &w.Links[i]
	}
	for i := range w.NextHops {
		if o := &w.NextHops[i]; len(o.Group) == 0 && !o.Blackhole {
			m.hops[o.ID] = []route.NextHop{{Gateway: o.Gateway, OIF: o.OIF}}
		}
	}
	for i := range w.NextHops {
		for _, member := range w.NextHops[i].Group {
			for _, h := range m.hops[member.ID] {
				h.Weight = member.Weight
				m.hops[w.NextHops[i].ID] = append(m.hops[w.NextHops[i].ID], h)
			}
		}
	}
	return m
}

// setExplanation sets the explanation, and finds the steps of each rule.
func (m *maker) setExplanation(e *explain.Explanation) {
	m.explanation, m.steps = e, make(map[int][]*explain.Step)
	for i := range e.Steps {
		if s := &e.Steps[i]; s.Merged {
			m.merged = append(m.merged, s)
		} else {
			m.steps[s.Rule] = append(m.steps[s.Rule], s)
		}
	}
}

// family returns the part of the picture of one family.
func (m *maker) family(fam route.Family) family {
	x := family{family: fam}
	m.tables = make(map[rttables.ID]int)
	for i := range m.world.Rules {
		if r := m.world.Rules[i].Canonical(); r.Family == fam {
			x.rules = append(x.rules, m.rule(&x, &r, i))
		}
	}
	asked := len(x.tables)
	routes := make([][]int, asked)
	for i := range m.world.Routes {
		r := &m.world.Routes[i]
		if r.Family != fam && !(r.Family == 0 && fam == route.IPv4) {
			continue
		}
		at := m.table(&x, cmp.Or(r.Table, rttables.Main))
		if at == len(routes) {
			routes = append(routes, nil)
		}
		routes[at] = append(routes[at], i)
	}
	for i := range x.tables {
		x.tables[i].orphan = i >= asked
		m.addRows(&x.tables[i], routes[i])
	}
	return x
}

// table returns the place of a table, and adds it if it is new.
func (m *maker) table(x *family, id rttables.ID) int {
	at, ok := m.tables[id]
	if !ok {
		at = len(x.tables)
		m.tables[id] = at
		name := m.names.Name(id)
		if number := strconv.FormatUint(uint64(id), 10); name != number && id.String() == number {
			name = number + " " + name
		}
		x.tables = append(x.tables, tableNode{name: iptext.Printable(name)})
	}
	return at
}

// rule returns the node of a rule in its canonical form.
func (m *maker) rule(x *family, r *rule.Rule, place int) ruleNode {
	n := ruleNode{priority: strconv.FormatUint(uint64(r.Priority.Or(0)), 10), owner: iptext.Printable(m.owners[place])}
	n.selector, n.suppress = ruleWords(r)
	switch {
	case r.L3MDev:
		n.selector += " l3mdev"
		for i := range m.world.Links {
			if id := m.world.Links[i].Table; id != 0 {
				if at := m.table(x, id); !slices.Contains(n.tables, at) {
					n.tables = append(n.tables, at)
				}
			}
		}
		if len(n.tables) == 0 {
			n.action = "no VRF"
		}
	case r.Action == rule.ActionLookup:
		n.tables = []int{m.table(x, r.Table)}
	case r.Action == rule.ActionGoto:
		n.action = "goto " + strconv.FormatUint(uint64(r.Goto), 10)
	case r.Action == rule.ActionNop:
		n.action = "next rule"
	default:
		n.action, n.refuses = iptext.Printable(r.Action.String()), true
	}
	m.markRule(&n, place)
	return n
}

// ruleWords returns the words of the selectors of a rule, and those behind its table.
func ruleWords(r *rule.Rule) (selector, behind string) {
	// All that is not a selector is left out, or is the same for all rules.
	s := rule.Rule{
		Family: r.Family, Priority: r.Priority, Not: r.Not, From: r.From, To: r.To, IIF: r.IIF, OIF: r.OIF, FwMark: r.FwMark,
		TOS: r.TOS, DSCP: r.DSCP, FlowLabel: r.FlowLabel, IPProto: r.IPProto, SPort: r.SPort, DPort: r.DPort,
		UIDRange: r.UIDRange, TunID: r.TunID, Action: rule.ActionLookup, Table: rttables.Main,
	}
	words := s.String()
	_, words, _ = strings.Cut(words, ":")
	selector = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(words), "lookup main"))
	if n, ok := r.SuppressPrefixLength.Get(); ok {
		behind += " suppress_prefixlength " + strconv.FormatUint(uint64(n), 10)
	}
	if n, ok := r.SuppressIfGroup.Get(); ok {
		behind += " suppress_ifgroup " + strconv.FormatUint(uint64(n), 10)
	}
	return iptext.Printable(selector), strings.TrimSpace(behind)
}

// markRule notes what the rule did with the packet.
func (m *maker) markRule(n *ruleNode, place int) {
	for _, s := range m.merged {
		m.markMerged(n, s, place)
	}
	for _, s := range m.steps[place] {
		switch s.Result {
		case explain.ResultNoMatch:
			n.mark = missed
			n.result = "not the " + s.Selector
			if s.Selector == "" || s.Selector == "detached" {
				n.result = "no match"
			}
		case explain.ResultDecided, explain.ResultRefused:
			n.mark = taken
		default:
			n.mark, n.result = tried, s.Result.String()
		}
	}
}

// markMerged notes what the packet has to do with a rule whose table the kernel asks together
// with the other of local and main, as it does if there never was another rule.
func (m *maker) markMerged(n *ruleNode, s *explain.Step, place int) {
	id := m.world.Rules[place].Table
	switch {
	case id != rttables.Local && id != rttables.Main:
	case s.Route >= 0 && cmp.Or(m.world.Routes[s.Route].Table, rttables.Main) == id && s.Result == explain.ResultDecided:
		n.mark = taken
	default:
		n.mark, n.result = tried, "local and main are asked as one"
	}
}

// addRows adds the routes of a table, which are places in World.Routes.
func (m *maker) addRows(t *tableNode, routes []int) {
	type group struct {
		row  row
		dsts []destination
	}
	var groups []*group
	byPlace := make(map[string]*group)
	several := m.severalOf(routes)
	for _, i := range routes {
		r := &m.world.Routes[i]
		taken := m.explanation != nil && m.explanation.Decision.Route == i
		if isAutomatic(r) && !taken {
			continue
		}
		way, key := m.way(r, taken)
		g := byPlace[key]
		if g == nil {
			g = &group{row: way}
			byPlace[key] = g
			groups = append(groups, g)
		}
		if taken {
			g.row.taken, g.row.hops = true, way.hops
			t.taken = true
		}
		g.dsts = append(g.dsts, destination{r.Dst, r.Priority, destinationText(r, several[prefixOf(r)] > 1), taken})
	}
	for _, g := range groups {
		slices.SortStableFunc(g.dsts, destination.compare)
		for i, d := range g.dsts {
			if i == mostDestinations-1 && len(g.dsts) > mostDestinations {
				g.row.more = len(g.dsts) - i
				break
			}
			g.row.destinations = append(g.row.destinations, d.text)
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return a.dsts[len(a.dsts)-1].order(b.dsts[len(b.dsts)-1]) })
	for _, g := range groups {
		if len(t.rows) >= mostRows && !g.row.taken {
			t.more++
			continue
		}
		t.rows = append(t.rows, g.row)
	}
}

// way returns where a route leads to, and a key that is the same for routes that lead to the
// same place.
func (m *maker) way(r *route.Route, taken bool) (row, string) {
	switch r.Type {
	case 0, route.TypeUnicast, route.TypeBroadcast, route.TypeMulticast, route.TypeAnycast:
	case route.TypeLocal:
		return row{end: "this host"}, "local"
	case route.TypeThrow:
		return row{end: "throw: next rule"}, "throw"
	default:
		s := iptext.Printable(r.Type.String())
		return row{end: s, refuses: true}, s
	}
	next := r.Multipath
	switch {
	case r.NextHopID != 0 && len(m.hops[r.NextHopID]) > 0:
		next = m.hops[r.NextHopID]
	case r.NextHopID != 0 && len(next) == 0 && r.OIF == 0:
		return row{end: "blackhole", refuses: true}, "blackhole"
	case len(next) == 0:
		next = []route.NextHop{{Gateway: r.Gateway, OIF: r.OIF}}
	}
	var w row
	var key strings.Builder
	even := !slices.ContainsFunc(next, func(h route.NextHop) bool { return max(h.Weight, 1) != max(next[0].Weight, 1) })
	for _, n := range next {
		h := hop{dev: m.dev(n.OIF), state: m.state(n.OIF), taken: taken && m.takes(&n)}
		if n.Gateway.IsValid() {
			h.gateway = n.Gateway.String()
		}
		if !even {
			h.weight = strconv.Itoa(int(max(n.Weight, 1)))
		}
		w.hops = append(w.hops, h)
		key.WriteString(h.label() + "\x00" + h.dev + "\x00")
	}
	return w, key.String()
}

// takes reports whether the packet can leave by a next hop of its route.
func (m *maker) takes(n *route.NextHop) bool {
	d := &m.explanation.Decision
	if len(d.Candidates) == 0 {
		return d.OIF == n.OIF && (d.Via == n.Gateway || !n.Gateway.IsValid()) || d.OIF == 0 && d.Error == 0
	}
	return slices.ContainsFunc(d.Candidates, func(c explain.Candidate) bool { return c.OIF == n.OIF && c.Via == n.Gateway })
}

// dev returns the name of an interface.
func (m *maker) dev(index uint32) string {
	if l := m.links[index]; l != nil {
		return iptext.Printable(l.Name)
	}
	return "interface " + strconv.FormatUint(uint64(index), 10)
}

// state returns why no packet leaves by an interface, or the VRF that has it.
func (m *maker) state(index uint32) string {
	l := m.links[index]
	switch {
	case l == nil:
		return "not there"
	case l.Flags&explain.FlagUp == 0:
		return "down"
	case l.Flags&explain.FlagCarrier == 0:
		return "no carrier"
	}
	if vrf := m.links[l.Master]; vrf != nil && vrf.Table != 0 {
		return "vrf " + iptext.Printable(vrf.Name)
	}
	return ""
}
