package show

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// Routes returns what "ip route show" of iproute2 7.1 prints for routes: a line
// for each route and one more for each of several next hops, or JSON.
//
// Like ip(8), and unlike [route.Route.String], Routes leaves out attributes that have
// no word. Lines can end with blanks, as those of ip(8) do.
func Routes(routes []route.Route, s Style) string {
	return s.list(len(routes), func(p *printer, i int) {
		r := newRoutePrinter(p, &routes[i])
		for _, part := range routeParts {
			part(r)
		}
	})
}

// Route returns what "ip route show" prints for r alone, and "ip route get" for
// a route that [route.Lookup] returned, without the newline at its end. JSON is
// an array of one object. See [Routes].
func Route(r route.Route, s Style) string { return one(Routes([]route.Route{r}, s)) }

// A routePrinter prints a route. What the route has behind pointers is in fields
// of its own.
type routePrinter struct {
	*printer
	r       *route.Route
	metrics route.Metrics
	mpls    route.MPLSRoute
	packet  route.Packet
}

func newRoutePrinter(p *printer, r *route.Route) *routePrinter {
	rp := &routePrinter{printer: p, r: r}
	if r.Metrics != nil {
		rp.metrics = *r.Metrics
	}
	if r.MPLS != nil {
		rp.mpls = *r.MPLS
	}
	if r.Packet != nil {
		rp.packet = *r.Packet
	}
	return rp
}

// routeParts are the parts of a route in ip(8)'s order.
var routeParts = [...]func(*routePrinter){
	func(p *routePrinter) {
		if p.r.Type != route.TypeUnicast || p.Details {
			p.put("type", "", p.typeName(p.r.Type))
		}
	},
	func(p *routePrinter) {
		c := plain
		if p.r.Dst.IsValid() {
			c = colorOf(p.r.Family)
		}
		p.putColored(c, "dst", "", p.destination())
	},
	func(p *routePrinter) {
		switch c := colorOf(p.r.Family); {
		case !p.r.Src.IsValid():
		case p.IsJSON():
			p.Str("from", "", p.prefix(p.r.Src))
		default: // the word has the color, too
			p.Text(p.colored(c, "from "+p.prefix(p.r.Src)+" "))
		}
	},
	func(p *routePrinter) { putNonZero(p.printer, "nhid", p.r.NextHopID) },
	func(p *routePrinter) { p.newDst(p.r.Family, p.mpls.NewDst, p.r.Unknown) },
	func(p *routePrinter) { p.encap(p.r.Encap) },
	func(p *routePrinter) {
		if p.r.TOS != 0 && !p.omits(OmitTOS) {
			p.put("tos", "tos ", p.dsField(p.r.TOS))
		}
	},
	func(p *routePrinter) {
		if !p.r.Family.Has(p.r.Gateway) || !p.omits(OmitVia) {
			p.gateway(p.r.Family, p.r.Gateway, p.r.Unknown)
		}
	},
	func(p *routePrinter) {
		if p.r.OIF != 0 && !p.omits(OmitDev) {
			p.putColored(cyan, "dev", "dev ", p.links.Name(p.r.OIF))
		}
	},
	func(p *routePrinter) {
		if p.r.Table != 0 && (p.r.Table != rttables.Main || p.Details) && !p.omits(OmitTable) {
			p.put("table", "table ", p.tableName(p.r.Table))
		}
	},
	(*routePrinter).origin,
	func(p *routePrinter) {
		if p.r.PrefSrc.IsValid() && !p.omits(OmitSrc) {
			p.putColored(colorOf(p.r.Family), "prefsrc", "src ", iptext.AddrText(p.r.PrefSrc))
		}
	},
	func(p *routePrinter) {
		// Kernels always report the metric of an IPv6 route. Those that they
		// make for addresses of the host have zero.
		if (p.r.Priority != 0 || p.r.Family == route.IPv6) && !p.omits(OmitMetric) {
			putUint(p.printer, "metric", "metric ", p.r.Priority)
		}
	},
	func(p *routePrinter) { p.flags(p.r.Flags) },
	(*routePrinter).mark,
	func(p *routePrinter) {
		if !p.omits(OmitRealms) {
			p.realms(p.r.Realms)
		}
	},
	func(p *routePrinter) {
		if uid, ok := p.packet.UID.Get(); ok {
			putUint(p.printer, "uid", "uid ", uid)
		}
	},
	(*routePrinter).cache,
	(*routePrinter).metricList,
	func(p *routePrinter) {
		if p.packet.IIF != 0 && !p.omits(OmitIIF) {
			p.put("iif", "iif ", p.links.Name(p.packet.IIF))
		}
	},
	(*routePrinter).preference,
	(*routePrinter).ttlPropagate,
	(*routePrinter).object,
	(*routePrinter).nextHops,
}

func (p *routePrinter) omits(part Omission) bool { return p.Omit&part != 0 }

// destination returns the destination of the route.
func (p *routePrinter) destination() string {
	switch label, ok := p.mpls.Label.Get(); {
	case ok:
		return iptext.Decimal(label)
	case !p.r.Dst.IsValid():
		return iptext.PrefixString(p.r.Dst)
	}
	return p.prefix(p.r.Dst)
}

// prefix formats a prefix. A single address has no length, except in multicast
// routing.
func (p *routePrinter) prefix(prefix netip.Prefix) string {
	s := iptext.AddrText(prefix.Addr())
	if prefix.IsSingleIP() && p.r.Family != route.IPMR && p.r.Family != route.IP6MR {
		return s
	}
	return s + "/" + iptext.Decimal(uint8(prefix.Bits()))
}

// origin prints the protocol and the scope, which a lookup does not report.
func (p *routePrinter) origin() {
	if p.r.Flags&route.FlagCloned != 0 {
		return
	}
	if (p.r.Protocol != route.ProtoBoot || p.Details) && !p.omits(OmitProto) {
		p.put("protocol", "proto ", p.name(p.files.Protos(), uint32(p.r.Protocol)))
	}
	if (p.r.Scope != route.ScopeGlobal || p.Details) && !p.omits(OmitScope) {
		p.put("scope", "scope ", p.name(p.files.Scopes(), uint32(p.r.Scope)))
	}
}

// newDst prints the labels that an MPLS route puts in the place of its own. For
// another family, RTA_NEWDST has an address.
func (p *printer) newDst(f route.Family, l route.Labels, unknown route.Attributes) {
	if l != "" {
		p.put("to", "as to ", l.String())
		return
	}
	for num, payload := range unknown.All() {
		if a, ok := netip.AddrFromSlice(payload); num == uint16(uapi.RTA_NEWDST) && ok && f.Has(a) {
			p.put("to", "as to ", iptext.AddrText(a))
			return
		}
	}
}

// gateway prints the next router, with its family if that is not the family of
// the route.
func (p *printer) gateway(f route.Family, a netip.Addr, unknown route.Attributes) {
	switch {
	case f.Has(a):
		p.putColored(colorOf(f), "gateway", "via ", iptext.AddrText(a))
	case a.IsValid():
		p.via(colorOfAddr(a), route.FamilyOf(a).String(), iptext.AddrText(a))
	default:
		for num, payload := range unknown.All() {
			if num == uint16(uapi.RTA_VIA) && len(payload) >= 2 {
				if binary.NativeEndian.Uint16(payload) == uapi.AF_PACKET {
					p.via(plain, "link", linkAddr(payload[2:]))
				}
				return
			}
		}
	}
}

func (p *printer) via(c color, family, addr string) {
	p.StartObject("via")
	p.put("family", "via ", family)
	p.putColored(c, "host", "", addr)
	p.EndObject()
}

// linkAddr formats a link-layer address.
func linkAddr(b []byte) string {
	s := make([]string, len(b))
	for i, v := range b {
		s[i] = fmt.Sprintf("%02x", v)
	}
	return strings.Join(s, ":")
}

// hiddenFlags are the flags that ip(8) does not print.
const hiddenFlags = route.FlagCloned | route.FlagPrefix

func (p *printer) flags(f route.Flags) {
	p.StartArray("flags")
	names, _ := iptext.RouteFlags.Names(uint32(f &^ hiddenFlags))
	for _, name := range names {
		p.put("", "", name)
	}
	p.EndArray()
}

// mark prints the mark of the packet: in text, a mark from 16 on is hexadecimal.
func (p *routePrinter) mark() {
	switch mark := p.packet.Mark; {
	case mark == 0:
	case p.IsJSON() || mark < 16:
		putUint(p.printer, "mark", "mark ", mark)
	default:
		p.put("mark", "mark ", iptext.Hex(mark))
	}
}

func (p *printer) realms(r route.Realms) {
	if r == (route.Realms{}) {
		return
	}
	p.StartObject("flow")
	before := "realm "
	if r.Src != 0 {
		p.Str("from", "realms ", p.name(p.files.Realms(), uint32(r.Src)))
		before = "/"
	}
	p.put("to", before, p.name(p.files.Realms(), uint32(r.Dst)))
	p.EndObject()
}

func (p *routePrinter) preference() {
	pref, ok := p.r.Preference.Get()
	switch name := nameOr(pref, ""); {
	case !ok:
	case name != "":
		p.Str("pref", "pref ", name)
	default:
		p.Uint("pref", "", uint64(pref))
	}
}

// ttlPropagate prints the word as ip(8) misspells it.
func (p *routePrinter) ttlPropagate() {
	const word = "ttl-propogate"
	on, ok := p.mpls.TTLPropagate.Get()
	if !ok {
		return
	}
	p.Bool(word, on)
	if on {
		p.Text(word, " enabled")
	} else {
		p.Text(word, " disabled")
	}
}

// nextHops prints several next hops, each on a line of its own.
func (p *routePrinter) nextHops() {
	if len(p.r.Multipath) == 0 {
		return
	}
	p.StartArray("nexthops")
	for i := range p.r.Multipath {
		nh := &p.r.Multipath[i]
		p.StartObject("")
		p.Text(p.lineEnd(), "\tnexthop ")
		p.encap(nh.Encap)
		p.newDst(p.r.Family, nh.NewDst, nh.Unknown)
		p.gateway(p.r.Family, nh.Gateway, nh.Unknown)
		p.realms(nh.Realms)
		p.put("dev", "dev ", p.links.Name(nh.OIF))
		if p.r.Family != route.MPLS {
			putUint(p.printer, "weight", "weight ", max(nh.Weight, 1))
		}
		p.flags(nh.Flags)
		p.EndObject()
	}
	p.EndArray()
}
