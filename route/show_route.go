package route

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// Show is what "ip route show" of iproute2 7.1 prints for r alone, and "ip
// route get" for one that [Lookup] returned, without the newline at its end:
// text, of one line and one more for each of several next hops, or JSON, an
// array of one object.
//
// Like ip(8), and unlike [Route.String], it does not say everything:
// attributes without a word are left out. Trailing blanks are ip(8)'s.
func (r Route) Show(s Style) string {
	return strings.TrimSuffix(ShowList([]Route{r}, s), "\n")
}

// ShowList is all that "ip route show" prints for routes. See [Route.Show].
func ShowList(routes []Route, s Style) string {
	o := iptext.NewOut(s.JSON, s.Pretty)
	o.StartArray("")
	for i := range routes {
		v := shown{Route: &routes[i], shower: s.shower()}
		o.StartObject("")
		for _, show := range members {
			show(o, &v)
		}
		o.EndObject()
		o.Newline()
	}
	o.EndArray()
	if s.JSON {
		o.Newline()
	}
	return o.String()
}

// A shower has what it takes to show a part of a route.
type shower struct {
	Style
	files *rttables.Names
	links *Links
}

func (s Style) shower() shower { return shower{s, s.Names.FileNames(), s.Names.links()} }

// A shown is a route on its way to [Route.Show].
type shown struct {
	*Route
	shower
}

// members are what a route is shown with, in ip(8)'s order. Each writes text
// and JSON.
var members = [...]func(*iptext.Out, *shown){
	func(o *iptext.Out, r *shown) {
		if r.Type != TypeUnicast || r.Details {
			put(o, "type", "", r.typeName())
		}
	},
	func(o *iptext.Out, r *shown) { put(o, "dst", "", r.destination()) },
	func(o *iptext.Out, r *shown) {
		if r.Src.IsValid() {
			put(o, "from", "from ", r.prefix(r.Src))
		}
	},
	func(o *iptext.Out, r *shown) {
		if r.NextHopID != 0 {
			putUint(o, "nhid", "nhid ", r.NextHopID)
		}
	},
	func(o *iptext.Out, r *shown) { showNewDst(o, r.Family, value(r.MPLS).NewDst, r.Unknown) },
	func(o *iptext.Out, r *shown) { showEncap(o, &r.shower, r.Encap) },
	func(o *iptext.Out, r *shown) {
		if r.TOS != 0 && r.Omit&OmitTOS == 0 {
			put(o, "tos", "tos ", r.dsField(r.TOS))
		}
	},
	func(o *iptext.Out, r *shown) {
		if !r.Family.Has(r.Gateway) || r.Omit&OmitVia == 0 {
			showGateway(o, r.Family, r.Gateway, r.Unknown)
		}
	},
	func(o *iptext.Out, r *shown) {
		if r.OIF != 0 && r.Omit&OmitDev == 0 {
			put(o, "dev", "dev ", r.links.Name(r.OIF))
		}
	},
	func(o *iptext.Out, r *shown) {
		if r.Table != 0 && (r.Table != rttables.Main || r.Details) && r.Omit&OmitTable == 0 {
			put(o, "table", "table ", r.tableName(r.Table))
		}
	},
	showOrigin,
	func(o *iptext.Out, r *shown) {
		if r.PrefSrc.IsValid() && r.Omit&OmitSrc == 0 {
			put(o, "prefsrc", "src ", iptext.AddrText(r.PrefSrc))
		}
	},
	func(o *iptext.Out, r *shown) {
		// Kernels report the metric of an IPv6 route in any case: those that
		// they make for addresses of the host have zero.
		if (r.Priority != 0 || r.Family == IPv6) && r.Omit&OmitMetric == 0 {
			putUint(o, "metric", "metric ", r.Priority)
		}
	},
	func(o *iptext.Out, r *shown) { showFlags(o, r.Flags) },
	showMark,
	func(o *iptext.Out, r *shown) {
		if r.Omit&OmitRealms == 0 {
			showRealms(o, &r.shower, r.Realms)
		}
	},
	func(o *iptext.Out, r *shown) {
		if uid, ok := value(r.Packet).UID.Get(); ok {
			putUint(o, "uid", "uid ", uid)
		}
	},
	showCache,
	func(o *iptext.Out, r *shown) { showMetrics(o, r.Metrics) },
	func(o *iptext.Out, r *shown) {
		if iif := value(r.Packet).IIF; iif != 0 && r.Omit&OmitIIF == 0 {
			put(o, "iif", "iif ", r.links.Name(iif))
		}
	},
	showPreference,
	showTTLPropagate,
	showObject,
	showNextHops,
}

// put writes a string, and a blank, which text has behind nearly everything.
func put(o *iptext.Out, name, before, value string) {
	o.Str(name, before, value)
	o.Text(" ")
}

func putUint[V iptext.Number](o *iptext.Out, name, before string, n V) {
	o.Uint(name, before, uint64(n))
	o.Text(" ")
}

// destination is the destination of r, in multicast routing always with a
// length.
func (r *shown) destination() string {
	switch label, ok := value(r.MPLS).Label.Get(); {
	case ok:
		return iptext.Decimal(label)
	case !r.Dst.IsValid():
		return iptext.PrefixString(r.Dst)
	}
	return r.prefix(r.Dst)
}

func (r *shown) prefix(p netip.Prefix) string {
	s := iptext.AddrText(p.Addr())
	if p.IsSingleIP() && r.Family != IPMR && r.Family != IP6MR {
		return s
	}
	return s + "/" + iptext.Decimal(uint8(p.Bits()))
}

// showOrigin writes who made the route, and its scope. What was looked up has
// them not.
func showOrigin(o *iptext.Out, r *shown) {
	if r.Flags&FlagCloned != 0 {
		return
	}
	if (r.Protocol != ProtoBoot || r.Details) && r.Omit&OmitProto == 0 {
		put(o, "protocol", "proto ", r.name(r.files.Protos(), uint32(r.Protocol)))
	}
	if (r.Scope != ScopeGlobal || r.Details) && r.Omit&OmitScope == 0 {
		put(o, "scope", "scope ", r.name(r.files.Scopes(), uint32(r.Scope)))
	}
}

// showNewDst writes the labels that an MPLS route puts in the place of its own,
// or what another family has for them.
func showNewDst(o *iptext.Out, f Family, l Labels, unknown Attributes) {
	if l != "" {
		put(o, "to", "as to ", l.String())
		return
	}
	for num, p := range unknown.All() {
		if a, ok := netip.AddrFromSlice(p); num == uint16(uapi.RTA_NEWDST) && ok && f.Has(a) {
			put(o, "to", "as to ", iptext.AddrText(a))
			return
		}
	}
}

// showGateway writes the next router. One of another family than the route's
// has that named.
func showGateway(o *iptext.Out, f Family, a netip.Addr, unknown Attributes) {
	switch {
	case f.Has(a):
		put(o, "gateway", "via ", iptext.AddrText(a))
	case a.IsValid():
		showVia(o, FamilyOf(a).String(), iptext.AddrText(a))
	default:
		for num, p := range unknown.All() {
			if num == uint16(uapi.RTA_VIA) && len(p) >= 2 {
				if binary.NativeEndian.Uint16(p) == uapi.AF_PACKET {
					showVia(o, "link", linkAddr(p[2:]))
				}
				return
			}
		}
	}
}

func showVia(o *iptext.Out, family, addr string) {
	o.StartObject("via")
	put(o, "family", "via ", family)
	put(o, "host", "", addr)
	o.EndObject()
}

// linkAddr is an address of the link.
func linkAddr(p []byte) string {
	s := make([]string, len(p))
	for i, b := range p {
		s[i] = fmt.Sprintf("%02x", b)
	}
	return strings.Join(s, ":")
}

// shownFlags are all that ip(8) has a word for: not what a cache and router
// advertisements leave in a route.
const shownFlags = ^(FlagCloned | FlagPrefix)

func showFlags(o *iptext.Out, f Flags) {
	o.StartArray("flags")
	names, _ := (f & shownFlags).words()
	for _, name := range names {
		put(o, "", "", name)
	}
	o.EndArray()
}

// showMark writes a mark, as text in hexadecimal from 16 on.
func showMark(o *iptext.Out, r *shown) {
	switch mark := value(r.Packet).Mark; {
	case mark == 0:
	case o.IsJSON() || mark < 16:
		putUint(o, "mark", "mark ", mark)
	default:
		put(o, "mark", "mark ", iptext.Hex(mark))
	}
}

func showRealms(o *iptext.Out, s *shower, r Realms) {
	if r == (Realms{}) {
		return
	}
	o.StartObject("flow")
	before := "realm "
	if r.Src != 0 {
		o.Str("from", "realms ", s.name(s.files.Realms(), uint32(r.Src)))
		before = "/"
	}
	put(o, "to", before, s.name(s.files.Realms(), uint32(r.Dst)))
	o.EndObject()
}

func showPreference(o *iptext.Out, r *shown) {
	p, ok := r.Preference.Get()
	switch name := enumName(preferences, uint64(p), ""); {
	case !ok:
	case name != "":
		o.Str("pref", "pref ", name)
	default:
		o.Uint("pref", "", uint64(p))
	}
}

// showTTLPropagate writes the word as ip(8) misspells it.
func showTTLPropagate(o *iptext.Out, r *shown) {
	const word = "ttl-propogate"
	if on, ok := value(r.MPLS).TTLPropagate.Get(); ok {
		o.Bool(word, on)
		o.Text(word, " ", switchWord(on))
	}
}

// showNextHops writes several next hops, each on a line of its own.
func showNextHops(o *iptext.Out, r *shown) {
	if len(r.Multipath) == 0 {
		return
	}
	o.StartArray("nexthops")
	for i := range r.Multipath {
		nh := &r.Multipath[i]
		o.StartObject("")
		o.Text(r.lineEnd(), "\tnexthop ")
		showEncap(o, &r.shower, nh.Encap)
		showNewDst(o, r.Family, nh.NewDst, nh.Unknown)
		showGateway(o, r.Family, nh.Gateway, nh.Unknown)
		showRealms(o, &r.shower, nh.Realms)
		put(o, "dev", "dev ", r.links.Name(nh.OIF))
		if r.Family != MPLS {
			putUint(o, "weight", "weight ", max(nh.Weight, 1))
		}
		showFlags(o, nh.Flags)
		o.EndObject()
	}
	o.EndArray()
}

// Names of numbers.

// name is the name of a number, or, with -N, the number.
func (s *shower) name(db rttables.DB, n uint32) string {
	if s.Numeric {
		return iptext.Decimal(n)
	}
	return db.Name(n)
}

func (s *shower) tableName(id rttables.ID) string {
	if s.Numeric {
		return iptext.Decimal(id)
	}
	return s.files.Name(id)
}

func (r *shown) typeName() string {
	if r.Numeric {
		return iptext.Decimal(r.Type)
	}
	return r.Type.String()
}

// dsField is the name of a value of the DS field, which is else in hexadecimal
// with two digits.
func (s *shower) dsField(n uint8) string {
	if s.Numeric {
		return fmt.Sprintf("0x%02x", n)
	}
	return s.files.DSFields().Name(uint32(n))
}

// lineEnd ends a line within a route.
func (s *shower) lineEnd() string {
	if s.OneLine {
		return `\`
	}
	return "\n"
}

// general is n as printf(3) has it for %g.
func general(n float64) string { return strconv.FormatFloat(n, 'g', 6, 64) }
