package main

import (
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A routeFilter selects routes. What is unset selects any.
type routeFilter struct {
	p        *program
	table    rttables.ID // zero: all
	cloned   bool        // those of the cache instead of those of tables
	types    uint64      // one bit a type; zero: any
	protocol route.Opt[route.Protocol]
	scope    route.Opt[route.Scope]
	tos      route.Opt[uint8]
	mark     route.Opt[uint32]
	metric   route.Opt[uint32]
	nhid     uint32
	oif, iif route.Opt[uint32]
	oifName  string
	iifName  string
	realms   route.Realms
	srcRealm bool // whether it counts
	dstRealm bool
	via, src prefix
	// The destination, and the source that a route is for, lie in root and
	// contain match.
	dst, from area
}

// An area is what ip(8) says by root, match and exact.
type area struct{ root, match prefix }

// routeSelectors are what "ip route list", flush and save take. The rest is the
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
			if named, ok := namedFamily(w.args[w.next]); ok {
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
	{names: []string{"nhid"}, read: func(f *routeFilter, w *words) error {
		var id route.Opt[uint32]
		err := readNumber(w, `"id" value is invalid`, &id)
		f.nhid = id.Or(0)
		return err
	}},
	{short: []string{"realms"}, read: (*routeFilter).readRealms},
	{short: []string{"from"}, read: func(f *routeFilter, w *words) error { return f.readArea(w, &f.from) }},
}

func (p *program) readRouteFilter(w *words) (*routeFilter, error) {
	p.load()
	f := &routeFilter{p: p, table: rttables.Main}
	for w.more() {
		var err error
		if k := find(routeSelectors, w.args[w.next]); k != nil {
			w.take()
			err = k.read(f, w)
		} else {
			w.accept("to")
			err = f.readArea(w, &f.dst)
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
		return usage(helpRoute)
	default:
		return wrong(s, "table id value is invalid")
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
		return wrong(s, "node type value is invalid")
	}
	f.types = 1 << t
	return nil
}

// parseType reads a type as it stands before a destination, or its number.
func parseType(s string) (route.Type, bool) {
	if n, ok := iptext.Uint[uint8](s, 8); ok {
		return route.Type(n), true
	}
	r, err := route.Parse(newSentence(route.IPv4, nil, []string{s, "default"}).String(), nil)
	return r.Type, err == nil
}

func (f *routeFilter) readRealms(w *words) error {
	s, err := w.arg()
	if err != nil {
		return err
	}
	if f.realms, err = route.ParseRealms(strings.TrimSuffix(s, "/"), f.p.names.Files); err != nil {
		return wrong(s, "invalid realms")
	}
	if strings.HasSuffix(s, "/") { // the source alone
		f.realms = route.Realms{Src: f.realms.Dst}
	}
	f.dstRealm = f.realms.Dst != 0 || !strings.HasSuffix(s, "/")
	f.srcRealm = f.realms.Src != 0 || strings.Contains(s, "/") && s[0] != '/'
	return nil
}

// readArea takes root, match or exact and a prefix, or a prefix that is exact.
func (f *routeFilter) readArea(w *words, a *area) error {
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

// readNumber takes a number of 32 bits.
func readNumber(w *words, why string, o *route.Opt[uint32]) error {
	s, err := w.arg()
	if err != nil {
		return err
	}
	n, ok := iptext.Uint[uint32](s, 32)
	if !ok {
		return wrong(s, why)
	}
	o.Set(n)
	return nil
}

// readName takes a name, or the number that it stands for.
func readName[V iptext.Number](w *words, why string, parse func(string) (uint32, error), o *route.Opt[V]) error {
	s, err := w.arg()
	if err != nil {
		return err
	}
	n, err := parse(s)
	if err != nil || uint32(V(n)) != n {
		return wrong(s, why)
	}
	o.Set(V(n))
	return nil
}

// readNameOrAll also takes all, which selects any.
func readNameOrAll[V iptext.Number](w *words, why string, parse func(string) (uint32, error), o *route.Opt[V]) error {
	if w.more() && w.args[w.next] == "all" {
		w.take()
		*o = route.Opt[V]{}
		return nil
	}
	return readName(w, why, parse, o)
}

// dumpFamily is the family of the listing: of one table, IPv4's if none was
// said.
func (f *routeFilter) dumpFamily() route.Family {
	if f.p.family == 0 && f.table != 0 {
		return route.IPv4
	}
	return f.p.family
}

// match reports whether r is selected.
func (f *routeFilter) match(r *route.Route) bool {
	types := f.types == 0 || r.Type < 64 && f.types&(1<<r.Type) != 0
	return (f.p.family == 0 || f.p.family == r.Family) &&
		f.cloned == (r.Flags&route.FlagCloned != 0) && types &&
		zeroOr(f.table, r.Table) && zeroOr(f.nhid, r.NextHopID) &&
		unsetOr(f.protocol, r.Protocol) && unsetOr(f.scope, r.Scope) && unsetOr(f.tos, r.TOS) &&
		unsetOr(f.mark, r.Mark) && unsetOr(f.metric, r.Priority) &&
		unsetOr(f.oif, r.OIF) && unsetOr(f.iif, r.IIF) &&
		(!f.dstRealm || f.realms.Dst == r.Realms.Dst) && (!f.srcRealm || f.realms.Src == r.Realms.Src) &&
		f.via.hasAddr(r.Family, r.Gateway) && f.src.hasAddr(r.Family, r.PrefSrc) &&
		f.dst.contains(r, r.Dst) && f.from.contains(r, r.Src)
}

func unsetOr[T comparable](wanted route.Opt[T], value T) bool {
	w, ok := wanted.Get()
	return !ok || w == value
}

// hasAddr reports whether an address of a route is in the prefix, if there is
// one. ip(8) takes an address that is missing for that of zeros.
func (n prefix) hasAddr(f route.Family, a netip.Addr) bool {
	if a.IsValid() {
		f = route.FamilyOf(a)
	}
	switch {
	case n.family == 0:
		return true
	case n.family != f:
		return false
	case !a.IsValid():
		a = zeros(f)
	}
	return sameBits(n.addr, a, n.bits)
}

// contains reports whether p, the destination or the source of r, is in the area.
func (a area) contains(r *route.Route, p netip.Prefix) bool {
	bits, addr := max(p.Bits(), 0), p.Addr()
	if label, ok := r.Label.Get(); ok {
		return (a.root.family == 0 || a.root.label == label) && (a.match.family == 0 || a.match.label == label)
	}
	return (a.root.any() ||
		zeroOr(a.root.family, r.Family) && a.root.bits <= bits && sameBits(a.root.addr, addr, a.root.bits)) &&
		(a.match.any() ||
			zeroOr(a.match.family, r.Family) && a.match.bits >= bits && sameBits(a.match.addr, addr, bits))
}

// any reports whether the prefix selects any route.
func (n prefix) any() bool { return n.family == 0 && !n.length }

func zeros(f route.Family) netip.Addr {
	if f == route.IPv6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// sameBits reports whether the first bits of two addresses are the same. A zero
// Addr has zeros.
func sameBits(a, b netip.Addr, bits int) bool {
	switch {
	case bits == 0:
		return true
	case !a.IsValid() && !b.IsValid():
		return true
	case !a.IsValid():
		a = zeros(route.FamilyOf(b))
	case !b.IsValid():
		b = zeros(route.FamilyOf(a))
	}
	p, err := a.Prefix(bits)
	return err == nil && p.Contains(b)
}

// omit is what ip(8) does not show because all that is selected has it alike.
func (f *routeFilter) omit() (o route.Omission) {
	for _, x := range []struct {
		fixed bool
		part  route.Omission
	}{
		{f.table != 0, route.OmitTable},
		{f.tos.IsSet(), route.OmitTOS},
		{f.via.host(), route.OmitVia},
		{f.oif.IsSet(), route.OmitDev},
		{f.protocol.IsSet(), route.OmitProto},
		{f.scope.IsSet(), route.OmitScope},
		{f.src.host(), route.OmitSrc},
		{f.metric.IsSet(), route.OmitMetric},
		{f.srcRealm && f.dstRealm, route.OmitRealms},
		{f.iif.IsSet(), route.OmitIIF},
	} {
		if x.fixed {
			o |= x.part
		}
	}
	return o
}

// host reports whether the prefix is one address.
func (n prefix) host() bool { return n.addr.IsValid() && n.bits == n.addr.BitLen() }
