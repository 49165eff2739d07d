package main

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
)

// The reasons of the kernel why something does not grow in proportion.
const (
	samePriority = "to add a rule, the kernel passes all rules of its priority"
	gateWalk     = "while there is a rule goto, which hides all rules until the last one is gone, the kernel passes all rules for each that it deletes"
	passWalk     = "for each rule that is added or deleted, the kernel passes those of others"
)

// allSeries returns the series. For tests they are short.
func allSeries(o options) []series {
	sources, uplinks := []int{100, 500, 1000, 2000, 5000}, []int{1, 10, 100, 500}
	rules, routes := []int{0, 1000, 10_000, 50_000}, []int{0, 10_000, 100_000, 1_000_000}
	if o.n < 10_000 {
		sources, uplinks, rules, routes = []int{10, 20}, uplinks[:2], rules[:2], []int{0, 1000}
	}
	var all []series
	for _, x := range works {
		s := series{name: "one uplink, 4 rules a source: " + x.name, of: "sources", sizes: sources, most: 2, row: x.row((*world).sourcesOf)}
		switch x.name {
		case "up":
			s.total, s.note = time.Second, samePriority
		case "down":
			s.note = gateWalk
		}
		all = append(all, s)
	}
	for _, x := range works {
		all = append(all, series{name: "all uplinks: " + x.name, of: "uplinks", sizes: uplinks[1:], most: 2, row: x.row((*world).uplinksOf)})
		all = append(all, series{name: "all uplinks that share no END: " + x.name, of: "uplinks", sizes: uplinks[1:], most: 2, row: x.row((*world).apartOf)})
	}
	for _, x := range works {
		s := series{name: "20 uplinks beside rules of others: " + x.name, of: "rules", sizes: rules, row: x.row((*world).besideRules), limits: 2}
		switch {
		case x.changes:
			s.limits, s.note = 4, passWalk // a listing for the plan, and one to read back
		case x.name == "check":
			s.limits = 4 // each rule is held against what each uplink sends
		}
		all = append(all, s)
		s = series{name: "20 uplinks beside routes of others in main: " + x.name, of: "routes", sizes: routes, row: x.row((*world).besideRoutes), limits: 1.5, peak: 32}
		if x.name == "check" {
			s.limits = 2.5 // all routes are read, and those selected that matter
		}
		all = append(all, s)
	}
	return append(all, series{
		name: "20 uplinks without tables beside routes of others: up", of: "routes", sizes: routes, row: works[0].row((*world).besideRoutesClaiming),
		limits: 2.5, peak: 32, note: "which tables are in use takes a listing",
	})
}

// A scene is what a series works on: uplinks, on a host that is prepared for them.
type scene struct {
	up      []table.SourceRoutedUplink
	n       int    // of things that grow
	listing []byte // the request for a listing that is the raw limit of what changes nothing
	foreign int    // rules of others
	beside  bool   // what grows is beside the uplinks
}

// A work is what is done with the uplinks of a scene.
type work struct {
	name    string
	before  bool // they are installed before
	changes bool // it adds or deletes
	do      func(w *world, up []table.SourceRoutedUplink) error
}

var works = []work{
	{"up", false, true, func(w *world, up []table.SourceRoutedUplink) error { return table.Install(w.ctx, w.conn, up...) }},
	{"up again", true, false, func(w *world, up []table.SourceRoutedUplink) error { return table.Install(w.ctx, w.conn, up...) }},
	{"plan", true, false, func(w *world, up []table.SourceRoutedUplink) error {
		_, err := table.PlanInstall(w.ctx, w.conn, up...)
		return err
	}},
	{"check", true, false, func(w *world, up []table.SourceRoutedUplink) error {
		_, err := check.Run(w.ctx, w.conn, up...)
		return err
	}},
	{"Recover", true, false, func(w *world, _ []table.SourceRoutedUplink) error { return table.Recover(w.ctx, w.conn) }},
	{"down", true, true, func(w *world, up []table.SourceRoutedUplink) error { return table.Remove(w.ctx, w.conn, up...) }},
}

// row returns the function that makes the row of a size.
func (x work) row(prepare func(*world, int) (scene, error)) func(*world, int) (row, error) {
	return func(w *world, size int) (row, error) {
		s, err := prepare(w, size)
		if err != nil {
			return row{}, err
		}
		add, del, err := w.bareChanges(s.up)
		if err != nil {
			return row{}, err
		}
		install := func() error { return table.Install(w.ctx, w.conn, s.up...) }
		remove := func() error { return errors.Join(table.Remove(w.ctx, w.conn, s.up...), w.expectRules(s.foreign)) }
		r := row{n: s.n}
		bare := subject{who: limit, calls: w.rawCalls, run: func() (int, error) {
			_, err := w.raw.walk(s.listing)
			return s.n, err
		}}
		our := subject{who: ours, calls: w.connCalls, run: func() (int, error) { return s.n, x.do(w, s.up) }, after: remove}
		if x.before {
			our.before = install
		}
		switch {
		case s.beside: // what matters is a listing of the others
		case !x.changes:
			bare.before, bare.after = install, remove
		case x.before:
			bare.before = func() error { return w.raw.write(add) }
			bare.run = func() (int, error) { return s.n, w.raw.write(del) }
		default:
			bare.run = func() (int, error) { return s.n, w.raw.write(add) }
			bare.after = func() error { return w.raw.write(del) }
		}
		r.subjects = []subject{bare, our}
		return r, nil
	}
}

// few is how many uplinks there are beside rules and routes of others.
const few = 20

// have adds the addresses up to n to eth0.
func (w *world) have(n int) error {
	if w.addresses >= n {
		return nil
	}
	err := w.addAddresses(w.addresses, n)
	w.addresses = n
	return err
}

func (w *world) sourcesOf(n int) (scene, error) {
	return scene{up: w.manyAddresses(n), n: 4 * n, listing: dumpRules()}, w.have(n)
}

func (w *world) uplinksOf(n int) (scene, error) {
	return scene{up: w.manyUplinks(n), n: n, listing: dumpRules()}, w.have(n)
}

// apartOf returns uplinks with rules of Also right behind their others.
func (w *world) apartOf(n int) (scene, error) {
	up := w.manyUplinks(n)
	for i := range up {
		up[i].MainFirst, up[i].Unreachable, up[i].Priority = true, true, uint32(10_000+20*i)
		up[i].Also = []rule.Rule{{FwMark: rule.FwMark(uint32(i + 1))}}
	}
	return scene{up: up, n: n, listing: dumpRules()}, w.have(n)
}

// besideRules returns uplinks beside n rules of others.
func (w *world) besideRules(n int) (scene, error) {
	s := scene{up: w.manyUplinks(few), n: max(n, 1), listing: dumpRules(), foreign: n, beside: true}
	return s, errors.Join(w.have(few), w.addForeignRules(n))
}

// addForeignRules adds rules of others up to n.
func (w *world) addForeignRules(n int) error {
	var rules []rule.Rule
	for i := w.foreignRules; i < n; i++ {
		rules = append(rules, rule.Rule{
			From:  netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(16 + i>>16), byte(i >> 8), byte(i)}), 32),
			Table: 99, Priority: rule.Priority(uint32(100 + i/4)), Protocol: route.ProtoStatic,
		})
	}
	w.foreignRules = max(n, w.foreignRules)
	return rule.AddAll(w.ctx, w.conn, rules)
}

// besideRoutes returns uplinks beside n routes of others in main.
func (w *world) besideRoutes(n int) (scene, error) {
	s := scene{up: w.manyUplinks(few), n: max(n, 1), listing: dump(rttables.Main), beside: true}
	err := errors.Join(w.have(few), w.fill(w.foreignRoutes, n, rttables.Main))
	w.foreignRoutes = n
	return s, err
}

func (w *world) besideRoutesClaiming(n int) (scene, error) {
	s, err := w.besideRoutes(n)
	for i := range s.up {
		s.up[i].Table = 0
	}
	return s, err
}

// bareChanges returns the requests that add the rules and routes of uplinks, and those that
// delete them. Rules are added from the highest priority number to the lowest, in the order of
// each priority, and deleted from the lowest to the highest, behind a rule goto that leads past
// them: that is what it takes to take effect in one step.
func (w *world) bareChanges(up []table.SourceRoutedUplink) (add, del [][]byte, err error) {
	p, err := table.PlanInstall(w.ctx, w.conn, up...)
	if err != nil {
		return nil, nil, err
	}
	var rules []rule.Rule
	var routes []route.Route
	net := p.Net()
	for k := range net.Steps {
		switch s := &net.Steps[k]; {
		case s.Op.IsRule():
			rules = append(rules, s.Rule)
		case s.Op.IsRoute():
			routes = append(routes, s.Route)
		}
	}
	slices.SortStableFunc(rules, func(a, b rule.Rule) int { return cmp.Compare(a.Priority.Or(0), b.Priority.Or(0)) })
	return bareChanges(rules, routes)
}

func bareChanges(rules []rule.Rule, routes []route.Route) (add, del [][]byte, err error) {
	var payloads [4][][]byte // added and deleted rules, added and deleted routes
	encode := func(to int, x interface{ AppendBinary([]byte) ([]byte, error) }) {
		b, e := x.AppendBinary(nil)
		payloads[to], err = append(payloads[to], b), errors.Join(err, e)
	}
	for _, r := range highestFirst(rules) {
		encode(0, r)
	}
	for _, r := range rules {
		encode(1, r)
	}
	for _, r := range routes {
		encode(2, r)
	}
	for _, r := range slices.Backward(routes) {
		encode(3, r)
	}
	add = append(prepare(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, perSend, payloads[2]),
		prepare(unix.RTM_NEWRULE, unix.NLM_F_CREATE, perSend, payloads[0])...)
	var addGate, deleteGate [][]byte
	if len(rules) > 1 {
		first, last := rules[0].Priority.Or(0), rules[len(rules)-1].Priority.Or(0)
		end := rule.Rule{Family: route.IPv4, Action: rule.ActionNop, Priority: rule.Priority(last + 1), Protocol: table.Protocol}
		gate := rule.Rule{
			Family: route.IPv4, Action: rule.ActionGoto, Goto: last + 1, Priority: rule.Priority(first - 1), Protocol: table.Protocol,
		}
		payloads[0] = nil
		encode(0, end)
		encode(0, gate)
		addGate = prepare(unix.RTM_NEWRULE, unix.NLM_F_CREATE, perSend, payloads[0])
		slices.Reverse(payloads[0])
		deleteGate = prepare(unix.RTM_DELRULE, 0, perSend, payloads[0])
	}
	del = slices.Concat(addGate, prepare(unix.RTM_DELRULE, 0, perSend, payloads[1]),
		prepare(unix.RTM_DELROUTE, 0, perSend, payloads[3]), deleteGate)
	return add, del, err
}

// highestFirst returns rules in the order in which the kernel adds them fastest: from the
// highest priority number to the lowest, and those of one priority in their order.
func highestFirst(rules []rule.Rule) []rule.Rule {
	rules = slices.Clone(rules)
	slices.SortStableFunc(rules, func(a, b rule.Rule) int { return cmp.Compare(b.Priority.Or(0), a.Priority.Or(0)) })
	return rules
}
