package table

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// Findings about the host around an uplink. Where packets go is asked of the
// kernel, which knows all rules; what to ask is worked out here.

// maxNearer is how many routes of main a check asks about. There may be those
// of the whole Internet, which are not meant.
const maxNearer = 64

// internet is an address of each family somewhere on the Internet. Nothing is
// sent there.
var internet = map[route.Family]netip.Addr{
	route.IPv4: netip.AddrFrom4([4]byte{1, 1, 1, 1}),
	route.IPv6: netip.AddrFrom16([16]byte{0x26, 0x06, 0x47, 0, 0x47, 0, 14: 0x11, 15: 0x11}),
}

// questions are all lookups whose answers the findings need.
func (s *survey) questions(v *surveyed) []route.Query {
	var all []route.Query
	for _, d := range s.nearer(v) {
		all = append(all, d.query)
	}
	for _, a := range s.incoming(v) {
		all = append(all, outward(a))
	}
	for _, x := range s.servers(v) {
		all = append(all, x.query)
	}
	return all
}

// outward asks for the way of a packet with a source to the Internet.
func outward(src netip.Addr) route.Query {
	return route.Query{Src: src, Dst: internet[route.FamilyOf(src)]}
}

// leaves reports whether the kernel sends packets by the uplink's interface.
func (s *survey) leaves(q route.Query, dev string) bool {
	r, ok := s.ways[q]
	return ok && r.OIF == s.links[dev].index
}

// A detour is a route of main to a destination near by, that some packets may
// not take: those from a source, or those that a rule of Also selects.
type detour struct {
	route  route.Route
	source netip.Addr
	also   *rule.Rule
	query  route.Query
}

// nearer are the routes of main by interfaces that lead to no provider, each
// with one of the sources, and with each rule of Also. Of all sources the first
// is enough: the others go the same way.
func (s *survey) nearer(v *surveyed) []detour {
	var all []detour
	for _, r := range s.near(v) {
		dst, ok := s.stranger(r.Dst)
		if !ok || !slices.Contains(uplinkFamilies(v.uplink), r.Family) {
			continue
		}
		for _, a := range s.sourcesOf(v) {
			if route.FamilyOf(a) == r.Family {
				all = append(all, detour{route: r, source: a, query: route.Query{Src: a, Dst: dst}})
				break
			}
		}
		for i := range v.uplink.Also {
			if q, ok := selected(&v.uplink.Also[i], dst); ok {
				all = append(all, detour{route: r, also: &v.uplink.Also[i], query: q})
			}
		}
	}
	return all
}

// near are the routes of main that are no way to the Internet.
func (s *survey) near(v *surveyed) []route.Route {
	outside := make(map[uint32]bool) // interfaces of uplinks, and that of main's default route
	for i := range s.uplinks {
		outside[s.links[s.uplinks[i].uplink.Interface].index] = true
	}
	for _, r := range s.snapshot.Routes {
		if r.Table == rttables.Main && !r.Dst.IsValid() {
			outside[r.OIF] = true
		}
	}
	var near []route.Route
	for _, r := range s.snapshot.Routes {
		if r.Table == rttables.Main && r.Type == route.TypeUnicast && r.Dst.IsValid() && r.OIF != 0 &&
			!outside[r.OIF] && !r.Dst.Addr().IsLinkLocalUnicast() && !r.Dst.Addr().IsMulticast() &&
			len(near) < maxNearer {
			near = append(near, r)
		}
	}
	return near
}

// selected asks for the way of a packet without a source that a rule selects.
// Not every rule selects one that can be asked about.
func selected(r *rule.Rule, dst netip.Addr) (route.Query, bool) {
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

// stranger is an address of a subnet that is not one of this host's.
func (s *survey) stranger(p netip.Prefix) (netip.Addr, bool) {
	a := p.Addr()
	if p.Bits() < a.BitLen()-1 {
		a = a.Next() // the first is the subnet's own
	}
	for range len(s.addrs) + 1 {
		if !p.Contains(a) {
			break
		}
		if !slices.ContainsFunc(s.addrs, func(x address) bool { return x.addr == a }) {
			return a, true
		}
		a = a.Next()
	}
	return netip.Addr{}, false
}

// detours finds destinations near by that packets from the uplink's addresses,
// or those that Also selects, reach by the gateway instead. Of a rule of Also
// one is enough, which cures them all.
func (s *survey) detours(v *surveyed) []Finding {
	by := "by " + v.uplink.Interface
	if v.uplink.Gateway.IsValid() {
		by = "to the gateway " + v.uplink.Gateway.String()
	}
	var found []Finding
	told := make(map[*rule.Rule]bool)
	for _, d := range s.nearer(v) {
		if !s.leaves(d.query, v.uplink.Interface) || told[d.also] {
			continue
		}
		f := Finding{Code: CodeDetour, Severity: Warning}
		whose := "from " + d.source.String()
		f.Object = "route " + d.route.Text(&route.Names{Links: s.snapshot.Links})
		f.Cure = "set MainFirst, with which the routes of main other than its default come first, and install the uplink again"
		if v.uplink.MainFirst {
			f.Cure = "install the uplink again: MainFirst is set, but the rule for it is not there"
		}
		if d.also != nil {
			told[d.also] = true
			words := selectors(*d.also)
			whose = "that the rule " + words + " selects"
			f.Object = "rule " + words
			f.Cure = "install the uplink again: the rule that looks in main first is not there"
			if standsAlone(*d.also) {
				f.Cure = iptext.Command(d.route.Family, "rule", "add", fmt.Sprintf(
					"%s lookup main suppress_prefixlength 0 pref %d", words, v.beforeAlso(d.route.Family)))
			}
		}
		f.Text = fmt.Sprintf("packets %s to %s, to which main knows a way by %s, go %s",
			whose, d.route.Dst, s.snapshot.Links.Name(d.route.OIF), by)
		found = append(found, f)
	}
	return found
}

// beforeAlso is the priority before those of the installed rules of Also.
func (v *surveyed) beforeAlso(f route.Family) uint32 {
	first := uint32(math.MaxUint32)
	for _, step := range v.installed {
		if step.Rule.Family == f && slices.ContainsFunc(v.uplink.Also, func(r rule.Rule) bool {
			return selectors(r) == selectors(step.Rule)
		}) {
			first = min(first, step.Rule.Priority.Or(0))
		}
	}
	return max(first, 1) - 1
}

// selectors are the words of a rule of Also without those that the uplink fills
// in.
func selectors(r rule.Rule) string {
	r.Priority, r.Protocol, r.Table, r.Action = route.Opt[uint32]{}, 0, 0, rule.ActionLookup
	return strings.TrimSuffix(r.Args(nil), " lookup 0")
}

// incoming are the IPv4 addresses that are reached by the uplink's interface,
// which alone is what reverse path filtering looks at.
func (s *survey) incoming(v *surveyed) []netip.Addr {
	var all []netip.Addr
	for _, a := range s.addrs {
		if a.addr.Is4() && a.global && a.index == s.links[v.uplink.Interface].index &&
			slices.Contains(uplinkFamilies(v.uplink), route.IPv4) {
			all = append(all, a.addr)
		}
	}
	return all
}

// strictFilter is the value of rp_filter that asks for the way back to be that
// by which a packet came.
const strictFilter = 1

// reversePath finds what strict reverse path filtering drops: what comes in by
// the uplink and would not be answered by it. With a rule by source it is. So
// it is with one by incoming interface, which the kernel has for the answer as
// well; but what comes in has no mark, and if it had, the filter would look at
// it only with src_valid_mark.
func (s *survey) reversePath(v *surveyed) []Finding {
	dev := v.uplink.Interface
	conf := s.host.conf[dev]
	if max(conf.reversePath, s.host.conf["all"].reversePath) != strictFilter ||
		!slices.Contains(uplinkFamilies(v.uplink), route.IPv4) {
		return nil
	}
	loose := "sysctl -w net/ipv4/conf/" + iptext.Quote(dev) + "/rp_filter=2"
	var found []Finding
	for _, a := range s.incoming(v) {
		if !s.leaves(outward(a), dev) {
			found = append(found, Finding{
				Code: CodeReversePath, Severity: Warning, Object: a.String(),
				Text: fmt.Sprintf("rp_filter of %s is strict, and packets from %s leave by another way: "+
					"what comes in by %s for it is dropped", dev, a, dev),
				Cure: "make it one of the uplink's sources, or " + loose,
			})
		}
	}
	marks := max(conf.sourceMark, s.host.conf["all"].sourceMark) != 0
	for _, r := range v.uplink.Also {
		if r.FwMark.IsSet() && !marks {
			found = append(found, Finding{
				Code: CodeReversePath, Severity: Warning,
				Object: "rule " + selectors(r),
				Text: fmt.Sprintf("rp_filter of %s is strict, and does not see marks: answers that come in by %s "+
					"to what the rule sends there, from other addresses than the uplink's, are dropped", dev, dev),
				Cure: "sysctl -w net.ipv4.conf.all.src_valid_mark=1, and mark what comes in by " + dev + " as well; or " + loose,
			})
		}
	}
	return found
}

// A server is a UDP socket that answers from whatever address its route has.
type server struct {
	socket udpSocket
	query  route.Query
}

// linkOnly are ports of protocols that stay on the link: DHCP, mDNS, LLMNR.
var linkOnly = []uint16{67, 68, 546, 547, 5353, 5355}

// servers are the sockets that listen on every address, in the uplink's
// families. Those on ports that nobody asked for are no servers.
func (s *survey) servers(v *surveyed) []server {
	var all []server
	for _, x := range s.host.udp {
		port := x.addr.Port()
		if !x.addr.Addr().IsUnspecified() || x.bound != 0 || x.kernel || slices.Contains(linkOnly, port) ||
			port >= s.host.ephemeral[0] && port <= s.host.ephemeral[1] {
			continue
		}
		for _, f := range uplinkFamilies(v.uplink) {
			if route.FamilyOf(x.addr.Addr()) != f && (f != route.IPv4 || x.only6) {
				continue
			}
			q := route.Query{Dst: internet[f], IPProto: uapi.IPPROTO_UDP, SPort: port}
			if !slices.ContainsFunc(all, func(o server) bool { return o.query == q }) {
				all = append(all, server{x, q})
			}
		}
	}
	return all
}

// wildcards finds UDP servers that are reached by the uplink and answer by
// another way: the source of an answer is chosen by its route, before any rule
// can go by it.
func (s *survey) wildcards(v *surveyed) []Finding {
	var found []Finding
	for _, x := range s.servers(v) {
		sources := slices.DeleteFunc(s.sourcesOf(v), func(a netip.Addr) bool {
			return route.FamilyOf(a) != route.FamilyOf(x.query.Dst)
		})
		if len(sources) == 0 || s.leaves(x.query, v.uplink.Interface) {
			continue
		}
		port := x.query.SPort
		found = append(found, Finding{
			Code: CodeWildcardUDP, Severity: Warning, Object: fmt.Sprintf("udp %s", x.socket.addr),
			Text: fmt.Sprintf("the UDP server on port %d listens on every address: unless it uses IP_PKTINFO, "+
				"it answers what comes in for %s by another way", port, sources[0]),
			Cure: fmt.Sprintf("bind it to the address, or add the rule ipproto udp sport %d to Also; "+
				"who it is: ss -ulnp sport = %d", port, port),
		})
	}
	return found
}

// managers finds programs that delete what they do not know.
func (s *survey) managers() []Finding {
	var found []Finding
	for _, x := range []struct {
		deletes       bool
		code          Code
		what, setting string
	}{
		{s.host.networkd.rules, CodeForeignRules, "rules", "ManageForeignRoutingPolicyRules"},
		{s.host.networkd.routes, CodeForeignRoutes, "routes", "ManageForeignRoutes"},
	} {
		if s.host.networkd.running && x.deletes && len(s.uplinks) > 0 {
			found = append(found, Finding{
				Code: x.code, Severity: Warning, Object: "systemd-networkd",
				Text: "systemd-networkd runs, and deletes " + x.what + " of others whenever it starts or configures an interface",
				Cure: `mkdir -p /etc/systemd/networkd.conf.d && printf '[Network]\n` + x.setting + `=no\n' >/etc/systemd/networkd.conf.d/` + x.what + `.conf`,
			})
		}
	}
	return found
}
