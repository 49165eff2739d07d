package main

import (
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A routeFilter selects routes. A field that is not set selects any route.
type routeFilter struct {
	p         *program
	table     rttables.ID // zero means all
	cloned    bool        // routes of the cache instead of routes of tables
	types     uint64      // one bit for each type; zero means any
	protocol  route.Opt[route.Protocol]
	scope     route.Opt[route.Scope]
	tos       route.Opt[uint8]
	mark      route.Opt[uint32]
	metric    route.Opt[uint32]
	oif, iif  route.Opt[uint32]
	oifName   string
	iifName   string
	realms    route.Realms
	srcRealm  bool // compare the source realm
	dstRealm  bool // compare the destination realm
	via, src  prefix
	dst, from prefixRange // of the destination, and of the source that a route is for
}

// A prefixRange is the prefixes that lie in root and contain match, which are words of
// ip(8). The word exact sets both.
type prefixRange struct{ root, match prefix }

// routeSelectors are the selectors of "ip route list", flush and save. Any other word is the
// destination.
var routeSelectors = []keyword[routeFilter]{
	{short: []string{"table"}, read: (*routeFilter).readTable},
	{short: []string{"vrf"}, read: (*routeFilter).readVRF},
	{short: []string{"cached", "cloned"}, read: func(f *routeFilter, _ *words) error { f.cloned = true; return nil }},
	{names: []string{"tos"}, short: []string{"dsfield"}, read: func(f *routeFilter, w *words) error {
		return readName(w, "TOS value is invalid", f.p.names.Files.DSFields().Parse, &f.tos)
	}},
	{short: []string{"protocol"}, read: func(f *routeFilter, w *words) error {
		return readNameOrAll(w, `invalid "protocol"`, f.p.names.Files.Protos().Parse, &f.protocol)
	}},
	{short: []string{"scope"}, read: func(f *routeFilter, w *words) error {
		return readNameOrAll(w, `invalid "scope"`, f.p.names.Files.Scopes().Parse, &f.scope)
	}},
	{short: []string{"type"}, read: (*routeFilter).readType},
	{names: []string{"dev", "oif"}, read: func(f *routeFilter, w *words) (err error) {
		f.oifName, err = w.arg()
		return err
	}},
	{names: []string{"iif"}, read: func(f *routeFilter, w *words) (err error) {
		f.iifName, err = w.arg()
		return err
	}},
	{names: []string{"mark"}, read: func(f *routeFilter, w *words) error {
		return readNumber(w, "invalid mark value", &f.mark)
	}},
	{names: []string{"preference"}, short: []string{"metric", "priority"}, read: func(f *routeFilter, w *words) error {
		return readNumber(w, `"metric" value is invalid`, &f.metric)
	}},
	{names: []string{"via"}, read: func(f *routeFilter, w *words) (err error) {
		family := f.p.family
		if w.more() {
			if named, ok := parseFamily(w.args[w.next]); ok {
				family = named
				w.take()
			}
		}
		f.via, err = readPrefix(w, family)
		return err
	}},
	{names: []string{"src"}, read: func(f *routeFilter, w *words) (err error) {
		f.src, err = readPrefix(w, f.p.family)
		return err
	}},
	{short: []string{"realms"}, read: (*routeFilter).readRealms},
	{short: []string{"from"}, read: func(f *routeFilter, w *words) error { return f.readRange(w, &f.from) }},
}

func (p *program) readRouteFilter(w *words) (*routeFilter, error) {
	p.loadNames()
	f := &routeFilter{p: p, table: rttables.Main}
	for w.more() {
		var err error
		if k := find(routeSelectors, w.args[w.next]); k != nil {
			w.take()
			err = k.read(f, w)
		} else {
			w.accept("to")
			err = f.readRange(w, &f.dst)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, x := range []struct {
		name  string
		index *route.Opt[uint32]
	}{{f.iifName, &f.iif}, {f.oifName, &f.oif}} {
		if x.name == "" {
			continue
		}
		index, err := p.device(x.name)
		if err != nil {
			return nil, err
		}
		x.index.Set(index)
	}
	return f, nil
}

func (f *routeFilter) readTable(w *words) error {
	s, err := w.arg()
	if err != nil {
		return err
	}
	id, err := f.p.names.Files.Parse(s)
	switch {
	case err == nil:
		f.table = id
	case s == "all":
		f.table = 0
	case s == "cache":
		f.cloned = true
	case s == "help":
		return usageFailure(helpRoute)
	default:
		return wrongArg(s, "table id value is invalid")
	}
	return nil
}

func (f *routeFilter) readVRF(w *words) error {
	s, err := w.arg()
	if err != nil {
		return err
	}
	f.table, err = f.p.vrfTable(s)
	f.types = ^uint64(1<<route.TypeLocal | 1<<route.TypeBroadcast)
	return err
}

func (f *routeFilter) readType(w *words) error {
	s, err := w.arg()
	if err != nil {
		return err
	}
	t, ok := parseType(s)
	if !ok || t > 63 {
		return wrongArg(s, "node type value is invalid")
	}
	f.types = 1 << t
	return nil
}

// parseType parses the name of a route type or its number.
func parseType(s string) (route.Type, bool) {
	if n, ok := iptext.Uint[uint8](s, 8); ok {
		return route.Type(n), true
	}
	dst := netip.MustParsePrefix("192.0.2.0/24")
	r, err := route.Parse(newParserInput(route.IPv4, nil, []string{s, dst.String()}).String(), nil)
	return r.Type, err == nil && r.Dst == dst && r.Flags == 0 && s != "to"
}

func (f *routeFilter) readRealms(w *words) error {
	s, err := w.arg()
	if err != nil {
		return err
	}
	if f.realms, err = route.ParseRealms(strings.TrimSuffix(s, "/"), f.p.names); err != nil {
		return wrongArg(s, "invalid realms")
	}
	if strings.HasSuffix(s, "/") { // only the source
		f.realms = route.Realms{Src: f.realms.Dst}
	}
	f.dstRealm = f.realms.Dst != 0 || !strings.HasSuffix(s, "/")
	f.srcRealm = f.realms.Src != 0 || strings.Contains(s, "/") && s[0] != '/'
	return nil
}

// readRange takes root, match or exact, and a prefix. A prefix without a word is exact.
func (f *routeFilter) readRange(w *words, a *prefixRange) error {
	read := []*prefix{&a.root, &a.match}
	switch {
	case w.accept("root"):
		read = read[:1]
	case w.accept("match"):
		read = read[1:]
	default:
		w.accept("exact")
	}
	n, err := readPrefix(w, f.p.family)
	for _, at := range read {
		*at = n
	}
	return err
}
