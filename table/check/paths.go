package check

import (
	"context"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// Paths are the packets that findings about the rest of the host depend on, and where
// the kernel sends them. This package chooses the packets, and the kernel, which knows
// all rules, gives the answers.
type paths struct {
	uplinks []uplinkPaths // in the order of the uplinks
	servers []server
	// containers are networks of containers, and defaults are packets without a source.
	containers []containerNet
	defaults   []route.Query
	// answers are the routes that packets take. Packets without an entry have none.
	answers map[route.Query]route.Route
	facts   *facts
}

// UplinkPaths are the packets of one uplink.
type uplinkPaths struct {
	bypasses []bypass
	// incoming are the IPv4 addresses that other hosts reach by the uplink's interface, if
	// that has strict reverse path filtering. IPv6 has none.
	incoming []netip.Addr
	claims   []claim
}

// internetAddrs has an address of each family somewhere on the Internet. Nothing is sent
// there.
var internetAddrs = map[route.Family]netip.Addr{
	route.IPv4: netip.AddrFrom4([4]byte{1, 1, 1, 1}),
	route.IPv6: netip.AddrFrom16([16]byte{0x26, 0x06, 0x47, 0, 0x47, 0, 14: 0x11, 15: 0x11}),
}

// newPaths chooses the packets to ask the kernel about.
func newPaths(f *facts) *paths {
	p := &paths{
		uplinks: make([]uplinkPaths, len(f.uplinks)), servers: serversOf(&f.system),
		answers: make(map[route.Query]route.Route), containers: f.containerNets(), facts: f,
	}
	for _, family := range form.Families {
		p.defaults = append(p.defaults, f.defaultQueries(family)...)
	}
	lans := f.lanRoutes()
	for i := range f.uplinks {
		u := &f.uplinks[i]
		p.uplinks[i].bypasses = bypassesOf(u, lans)
		p.uplinks[i].claims = f.claimsOf(u)
		if !u.inFamily(route.IPv4) || !f.system.isStrict(u.spec.Interface) {
			continue
		}
		for _, a := range f.now.AddressesOf(u.index) {
			if a.Addr.Is4() && a.Global {
				p.uplinks[i].incoming = append(p.uplinks[i].incoming, a.Addr)
			}
		}
	}
	return p
}

// queries returns the lookups that the findings need, each once.
func (p *paths) queries() []route.Query {
	var all []route.Query
	for i := range p.uplinks {
		for _, b := range p.uplinks[i].bypasses {
			all = append(all, b.query)
		}
		for _, c := range p.uplinks[i].claims {
			all = append(all, c.packet.query)
		}
		for _, a := range p.uplinks[i].incoming {
			all = append(all, inTable(toInternet(a)))
		}
	}
	for i := range p.servers {
		all = append(all, p.servers[i].query)
	}
	for i := range p.containers {
		all = append(all, p.containers[i].answer())
	}
	for _, f := range form.Families {
		all = append(all, defaultAnswer(f))
	}
	return unique(append(all, p.defaults...))
}

// unique returns each of some queries once.
func unique(all []route.Query) []route.Query {
	known := make(map[route.Query]bool, len(all))
	return slices.DeleteFunc(all, func(q route.Query) bool {
		was := known[q]
		known[q] = true
		return was
	})
}

// inTable returns the query for the route as it is in its table.
func inTable(q route.Query) route.Query {
	q.FibMatch = true
	return q
}

// lookUp asks the kernel where the packets go.
func (p *paths) lookUp(ctx context.Context, c route.Conn) error {
	queries := p.queries()
	places := p.facts.representatives(queries)
	var asked []route.Query
	for i, q := range queries {
		if places[i] == i {
			asked = append(asked, q)
		}
	}
	if err := p.ask(ctx, c, asked); err != nil {
		return err
	}
	for i, q := range queries {
		if r, ok := p.answers[queries[places[i]]]; ok {
			p.answers[q] = r
		}
	}
	return p.lookUpIncoming(ctx, c)
}

// lookUpIncoming asks the kernel where answers to packets that come in go, if the route in its
// table does not tell: it has several next hops.
func (p *paths) lookUpIncoming(ctx context.Context, c route.Conn) error {
	var asked []route.Query
	for i := range p.uplinks {
		for _, a := range p.uplinks[i].incoming {
			q := toInternet(a)
			if r, ok := p.answers[inTable(q)]; ok && r.OIF == 0 {
				asked = append(asked, q)
			} else if ok {
				p.answers[q] = r
			}
		}
	}
	return p.ask(ctx, c, unique(asked))
}

// ask asks the kernel about some packets.
func (p *paths) ask(ctx context.Context, c route.Conn, queries []route.Query) error {
	n := 0
	var last error
	for r, err := range route.LookupAll(ctx, c, queries) {
		if last = err; err == nil {
			p.answers[queries[n]] = r
		}
		n++
	}
	if n < len(queries) || ctx.Err() != nil {
		return last
	}
	return nil
}

// leaves reports whether the kernel sends packets out by the interface with an index.
func (p *paths) leaves(q route.Query, index uint32) bool {
	r, ok := p.answers[q]
	return ok && r.OIF == index
}

// toInternet returns the lookup of a packet from src to the Internet.
func toInternet(src netip.Addr) route.Query {
	return route.Query{Src: src, Dst: internetAddrs[route.FamilyOf(src)]}
}

// A lanRoute is a route of main by an interface that does not lead to the Internet.
type lanRoute struct {
	route route.Route
	dst   netip.Addr // a destination of the route that is not one of this host's addresses
}

// maxLANRoutes is how many routes of main are examined. If main has the routes of the
// whole Internet, they are not routes to LANs.
const maxLANRoutes = 64

// lanRoutes returns the first routes of main that do not lead to the Internet.
func (f *facts) lanRoutes() []lanRoute {
	outside := make(map[uint32]bool) // interfaces of uplinks, and of main's default routes
	for i := range f.uplinks {
		outside[f.uplinks[i].index] = true
	}
	routes := f.now.Routes(rttables.Main)
	for i := range routes {
		if !routes[i].Dst.IsValid() {
			outside[routes[i].OIF] = true
		}
	}
	var lans []lanRoute
	n := 0
	for i := range routes {
		r := &routes[i]
		if r.Type != route.TypeUnicast || !r.Dst.IsValid() || r.OIF == 0 || outside[r.OIF] ||
			r.Dst.Addr().IsLinkLocalUnicast() || r.Dst.Addr().IsMulticast() {
			continue
		}
		if n++; n > maxLANRoutes {
			break
		}
		if dst, ok := f.foreignAddress(r.Dst); ok {
			lans = append(lans, lanRoute{*r, dst})
		}
	}
	return lans
}

// foreignAddress returns an address of a subnet that is not one of this host's.
func (f *facts) foreignAddress(p netip.Prefix) (netip.Addr, bool) {
	a := p.Addr()
	if p.Bits() < a.BitLen()-1 {
		a = a.Next() // the first one is the subnet's own
	}
	for p.Contains(a) {
		if !f.now.IsLocal(a) {
			return a, true
		}
		a = a.Next()
	}
	return netip.Addr{}, false
}

// A bypass is packets that may take the uplink although main has a lanRoute to their
// destination: packets from a source, or packets that a rule of Also selects.
type bypass struct {
	lan    *lanRoute
	source netip.Addr
	also   *rule.Rule
	query  route.Query
}

// bypassesOf returns each route to a LAN with one of the uplink's sources, and with each
// rule of Also. The first source is enough, because the other sources go the same way.
func bypassesOf(u *uplinkFacts, lans []lanRoute) []bypass {
	var all []bypass
	for i := range lans {
		lan := &lans[i]
		if !u.inFamily(lan.route.Family) {
			continue
		}
		if a, ok := u.firstSource(lan.route.Family); ok {
			all = append(all, bypass{lan: lan, source: a, query: route.Query{Src: a, Dst: lan.dst}})
		}
		for k := range u.spec.Also {
			if q, ok := selectedPacket(&u.spec.Also[k], lan.dst); ok {
				all = append(all, bypass{lan: lan, also: &u.spec.Also[k], query: q})
			}
		}
	}
	return all
}

// selectedPacket returns the lookup of a packet without a source that a rule selects.
// For some rules there is no packet that the kernel can be asked about.
func selectedPacket(r *rule.Rule, dst netip.Addr) (route.Query, bool) {
	q := route.Query{
		Dst: dst, TOS: r.TOS, Mark: r.FwMark.Value(), IPProto: r.IPProto,
		SPort: r.SPort.First(), DPort: r.DPort.First(),
	}
	if q.IPProto == 0 && q.SPort|q.DPort != 0 {
		q.IPProto = route.TCP
	}
	if r.UIDRange.IsSet() {
		q.UID = route.Some(r.UIDRange.First())
	}
	asked := rule.Rule{
		Family: r.Family, Priority: r.Priority, Action: r.Action, Table: r.Table, Protocol: r.Protocol,
		FwMark: r.FwMark, TOS: r.TOS, IPProto: r.IPProto, SPort: r.SPort, DPort: r.DPort, UIDRange: r.UIDRange,
	}
	return q, *r == asked && (r.Family == 0 || r.Family == route.FamilyOf(dst))
}

// A server is a UDP socket whose answers, in one family, get their source address from
// their route.
type server struct {
	family route.Family
	socket udpSocket
	query  route.Query // an answer
}

// linkOnlyPorts are ports of protocols that stay on the link: DHCP, mDNS, LLMNR.
var linkOnlyPorts = []uint16{67, 68, 546, 547, 5353, 5355}

// serversOf returns the sockets that listen on all addresses. Sockets on ephemeral ports
// are not servers, because their port was not asked for.
func serversOf(s *systemFacts) []server {
	var all []server
	known := make(map[route.Query]bool)
	for _, x := range s.udp {
		port := x.addr.Port()
		if !x.addr.Addr().IsUnspecified() || x.bound != 0 || x.kernel || slices.Contains(linkOnlyPorts, port) ||
			port >= s.ephemeral[0] && port <= s.ephemeral[1] {
			continue
		}
		for _, f := range form.Families {
			if route.FamilyOf(x.addr.Addr()) != f && (f != route.IPv4 || x.only6) {
				continue
			}
			q := route.Query{Dst: internetAddrs[f], IPProto: uapi.IPPROTO_UDP, SPort: port}
			if !known[q] {
				known[q] = true
				all = append(all, server{f, x, q})
			}
		}
	}
	return all
}
