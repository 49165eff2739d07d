package route

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/rttables"
)

// A line is a route that is being parsed or printed. None of its pointers is nil.
type line struct {
	Route
	names *Names
	// These are set if a word has set the destination, the type, the type in
	// front of the destination, the table or the scope.
	dst, typ, typeWord, table, scope bool
}

func newLine(r Route, n *Names) *line {
	metrics, mpls, packet := deref(r.Metrics), deref(r.MPLS), deref(r.Packet)
	r.Metrics, r.MPLS, r.Packet = &metrics, &mpls, &packet
	return &line{Route: r, names: n}
}

// String returns r in the words of ip-route(8), without names from files: the interface
// with the index 5 is if5. It leaves out the values that "ip route add" assumes.
// [Parse] returns the same route, with the defaults of Family, Type and Table filled
// in. Because "ip route add" assumes the protocol boot, a route without a Protocol has
// the words proto unspec.
func (r Route) String() string { return r.Text(nil) }

// Text returns what String does, with the names in n, which can be nil.
func (r Route) Text(n *Names) string {
	family := r.Family
	if family == 0 {
		family = r.family()
	}
	var p iptext.Printer
	// A label looks like an IPv4 address.
	if family != r.impliedFamily() || family != r.familyOfWords() || family == MPLS {
		p.Put(iptext.FamilyOption(family)...)
	}
	p.Put(r.Args(n))
	return p.String()
}

// Args returns r as the arguments of "ip -4 route add", "ip -6 route add" or, for
// another family, "ip -f FAMILY route add", with the names in n, which can be nil.
func (r Route) Args(n *Names) string {
	l := newLine(r, n)
	var p iptext.Printer
	if l.Family == 0 {
		l.Family = l.family()
	}
	if l.Type == 0 && l.Scope == ScopeGlobal {
		l.Scope = l.defaultScope()
	}
	if r.Type != 0 && r.Type != TypeUnicast && hasWord(r.Type) {
		p.Put(r.Type.String())
	}
	if label, ok := l.MPLS.Label.Get(); ok {
		p.Put(iptext.Decimal(label))
	} else {
		p.Put(iptext.PrefixString(r.Dst))
	}
	routeWords.Print(&p, l)
	return p.String()
}

// impliedFamily returns the family that the words have implied when a parser
// comes to a raw attribute, which it decodes by the family.
func (r *Route) impliedFamily() Family {
	raw := func(nh NextHop) bool { return nh.Unknown != "" }
	if r.Unknown == "" && !slices.ContainsFunc(r.Multipath, raw) {
		return r.family()
	}
	before := *r
	before.Multipath = nil
	return before.family()
}

// familyOfWords returns the family that ip(8) takes a route for, which is that of the
// first address among the words.
func (r *Route) familyOfWords() Family {
	addrs := []netip.Addr{r.Dst.Addr(), r.Src.Addr(), r.Gateway, r.PrefSrc}
	for _, nh := range r.Multipath {
		addrs = append(addrs, nh.Gateway)
	}
	for _, a := range addrs {
		if a.IsValid() {
			return FamilyOf(a)
		}
	}
	return IPv4
}

// MarshalText returns what String does.
func (r Route) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what String returns, as [Parse] does.
func (r *Route) UnmarshalText(text []byte) error {
	got, err := Parse(string(text), nil)
	if err == nil {
		*r = got
	}
	return err
}

// Parse reads a route in the words of ip-route(8) that follow "ip route add": a type
// and a destination, and attributes, in any order. The defaults are those of ip(8):
// type unicast, protocol boot, table main (local for the types local, broadcast,
// anycast and nat), and, for IPv4, the usual scope of the type. -4, -6 or -f FAMILY can
// come first. It is needed for an IPv6 route without an address, and for an IPv4 route
// that has an IPv6 gateway and no other address. Keywords can be abbreviated if ip(8)
// allows it.
//
// Parse looks up names in n, which can be nil. Without n.Links, an interface has to be
// written with its index, such as if5. An error has the word and its position.
func Parse(s string, n *Names) (Route, error) {
	w := iptext.Split("route", s)
	l := newLine(Route{Protocol: ProtoBoot}, n)
	if err := iptext.ParseFamilyOption(w, &l.Family); err != nil {
		return Route{}, err
	}
	if !w.More() {
		_, err := w.Arg("a route")
		return Route{}, err
	}
	for w.More() {
		if err := l.parseWord(w); err != nil {
			return Route{}, err
		}
	}
	if !l.dst {
		return Route{}, w.Errorf("no destination: want a prefix, or default")
	}
	if l.Family == 0 {
		l.Family = l.family()
	}
	if !l.typ {
		l.Type = TypeUnicast
	}
	if !l.table {
		l.Table = defaultTable(l.Type)
	}
	if !l.scope {
		l.Scope = l.defaultScope()
	}
	if err := l.joinEncap(); err != nil {
		return Route{}, w.Errorf("%v", err)
	}
	l.trim()
	return l.Route, nil
}

// parseWord takes an attribute, or the type or the destination, which have no
// keyword.
func (l *line) parseWord(w *iptext.Words) error {
	s := w.Peek()
	if _, ok := routeWords.Find(s); ok {
		return routeWords.Parse(w, l, "")
	}
	if t, ok := typeWord(s); ok && !l.typeWord {
		w.Take()
		l.Type, l.typ, l.typeWord = t, true, true
		if !w.More() {
			_, err := w.Arg("a destination")
			return err
		}
		return l.parseDst(w, "a destination")
	}
	return l.parseDst(w, "an attribute of a route")
}

// parseDst takes a destination without a keyword. what describes, for the error about
// another word, what is expected.
func (l *line) parseDst(w *iptext.Words, what string) error {
	if !l.dst && l.acceptLabel(w) {
		return nil
	}
	p, ok := iptext.Prefix(w.Peek())
	if !ok || l.dst {
		s := w.Take()
		return w.Errorf("not %s%s", what, routeWords.Suggest(s))
	}
	w.Take()
	l.Dst, l.dst = normalizeDefault(p), true
	return checkFamily(w, &l.Family, p.Addr())
}

// acceptLabel takes the destination of an MPLS route, if the next word is one.
func (l *line) acceptLabel(w *iptext.Words) bool {
	label, ok := iptext.Uint[uint32](w.Peek(), 32)
	if l.Family != MPLS || !ok || label > maxLabel {
		return false
	}
	w.Take()
	l.MPLS.Label.Set(label)
	l.dst = true
	return true
}

// hasWord reports whether t can come before the destination.
func hasWord(t Type) bool {
	_, ok := typeWord(t.String())
	return ok
}

// typeWord returns the type with the name s. A number is not a type, since it can be
// an address.
func typeWord(s string) (Type, bool) {
	if s == "" || s[0] >= '0' && s[0] <= '9' || s == "none" {
		return 0, false
	}
	if s == "brd" {
		return TypeBroadcast, true
	}
	if _, ok := iptext.Prefix(s); ok {
		return 0, false // any, which also abbreviates anycast
	}
	n, ok := types.Number(s)
	if !ok {
		if s, ok = iptext.Expand(s, shortTypes); ok {
			n, ok = types.Number(s)
		}
	}
	return Type(n), ok
}

// shortTypes are the types that can be abbreviated, in the order in which ip(8)
// compares them.
var shortTypes = []string{
	"broadcast", "anycast", "multicast", "prohibit", "unreachable", "blackhole", "xresolve", "unicast",
}

// defaultTable returns the table in which ip(8) puts a route without one.
func defaultTable(t Type) rttables.ID {
	switch t {
	case TypeLocal, TypeBroadcast, TypeAnycast, TypeNAT:
		return rttables.Local
	}
	return rttables.Main
}

// defaultScope returns the scope that ip(8) sends for a route without one.
func (r *Route) defaultScope() Scope {
	if r.Family != IPv4 {
		return ScopeGlobal
	}
	switch r.Type {
	case TypeLocal, TypeNAT:
		return ScopeHost
	case TypeBroadcast, TypeMulticast, TypeAnycast:
		return ScopeLink
	case TypeUnicast, 0:
		if !r.Gateway.IsValid() && len(r.Multipath) == 0 && r.NextHopID == 0 {
			return ScopeLink
		}
	}
	return ScopeGlobal
}

// Arguments of words.

// argPrefix takes a prefix of the route's family.
func argPrefix(w *iptext.Words, f *Family, p *netip.Prefix) error {
	if err := iptext.ArgPrefix(w, p); err != nil {
		return err
	}
	return checkFamily(w, f, p.Addr())
}

// argAddr takes an address of the route's family.
func argAddr(w *iptext.Words, f *Family, a *netip.Addr) error {
	if err := iptext.ArgAddr(w, a); err != nil {
		return err
	}
	return checkFamily(w, f, *a)
}

// argGateway takes an address of the route's family, or the name of another family
// and an address.
func argGateway(w *iptext.Words, f *Family, a *netip.Addr) error {
	own := *f
	switch {
	case w.Accept(IPv4.String()):
		own = IPv4
	case w.Accept(IPv6.String()):
		own = IPv6
	default:
		return argAddr(w, f, a)
	}
	return argAddr(w, &own, a)
}

// checkFamily refuses the last word, a, unless it is an address of family f. It sets
// an f that is unset.
func checkFamily(w *iptext.Words, f *Family, a netip.Addr) error {
	switch {
	case !a.IsValid():
	case *f == 0:
		*f = FamilyOf(a)
	case !f.Has(a):
		return w.Errorf("not an address of family %s", *f)
	}
	return nil
}

// argAttribute takes an attribute in its raw form, even if it has a word.
func (l *line) argAttribute(w *iptext.Words) error {
	a, err := iptext.ArgAttribute(w)
	if err != nil {
		return err
	}
	if l.Family == 0 {
		l.Family = l.family()
	}
	m := codec.Borrow()
	defer codec.Return(m)
	m.Route = l.Route
	err = codec.Decode([]byte(a), m)
	if err == nil {
		err = m.finish(&m.Encap, &m.Unknown)
	}
	if err != nil {
		return w.Errorf("%v", err)
	}
	*l = line{newLine(m.Route, nil).Route, l.names, l.dst, l.typ, l.typeWord, l.table || m.Table != 0, l.scope}
	return nil
}

// argAttribute does the same for a next hop.
func (h *nextHopLine) argAttribute(w *iptext.Words) error {
	a, err := iptext.ArgAttribute(w)
	if err != nil {
		return err
	}
	if *h.family == 0 {
		*h.family = IPv4
		if h.Gateway.IsValid() {
			*h.family = FamilyOf(h.Gateway)
		}
	}
	m := nextHopCodec.Borrow()
	defer nextHopCodec.Return(m)
	m.NextHop, m.family = h.NextHop, *h.family
	err = nextHopCodec.Decode([]byte(a), m)
	if err == nil {
		err = m.finish(&m.Encap, &m.Unknown)
	}
	if err != nil {
		return w.Errorf("%v", err)
	}
	h.NextHop = m.NextHop
	return nil
}
