package route

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/rttables"
)

// A generator makes random routes that the kernel accepts in the namespace of
// the recorded cases. A seed makes the same ones again.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0))} }

// maybe reports true once in n times.
func (g generator) maybe(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// The interfaces, and the addresses of their subnets, by family.
const (
	eth0 = 3
	eth1 = 5
)

var (
	gateways = map[Family][2]netip.Addr{
		IPv4: {netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("192.168.2.1")},
		IPv6: {netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("2001:db8:2::1")},
	}
	sources = map[Family][2]netip.Addr{
		IPv4: {netip.MustParseAddr("192.168.1.6"), netip.MustParseAddr("192.168.2.2")},
		IPv6: {netip.MustParseAddr("2001:db8:1::6"), netip.MustParseAddr("2001:db8:2::2")},
	}
)

// route makes one.
func (g generator) route() Route {
	r := Route{
		Family:   pick(g, IPv4, IPv6),
		Table:    pick[rttables.ID](g, 0, 10, 20, 256, 4294967295),
		Protocol: pick(g, ProtoUnspec, ProtoStatic, ProtoBoot, 210),
		Priority: pick(g, 0, 1+g.Uint32N(5000)),
	}
	r.Dst = g.prefix(r.Family)
	if r.Family == IPv4 && g.maybe(6) {
		r.TOS = pick[uint8](g, 0x08, 0x10, 0x1c)
	}
	if r.Family == IPv6 && g.maybe(5) {
		r.Src = netip.MustParsePrefix("2001:db8:1::/64")
	}
	if g.maybe(5) {
		r.Type = pick(g, TypeBlackhole, TypeUnreachable, TypeProhibit, TypeThrow)
		return r
	}
	g.target(&r)
	return r
}

// target gives r a way to go.
func (g generator) target(r *Route) {
	if r.Family == IPv6 && g.maybe(4) {
		r.Preference = Some(pick(g, PrefLow, PrefMedium, PrefHigh))
	}
	if r.Family == IPv4 && g.maybe(5) {
		r.Realms = Realms{uint16(g.IntN(3)), uint16(g.IntN(300))}
	}
	if g.maybe(2) {
		metrics := g.metrics()
		r.Metrics = &metrics
	}
	link := g.IntN(2)
	if g.maybe(4) {
		r.PrefSrc = sources[r.Family][link]
	}
	// A route that has a subset of the source addresses takes one next hop.
	if g.maybe(4) && !r.Src.IsValid() && r.Realms == (Realms{}) {
		for i, index := range []uint32{eth0, eth1} {
			nh := NextHop{Gateway: gateways[r.Family][i], OIF: index, Weight: pick(g, 0, 1, 1+uint16(g.IntN(256)))}
			if g.maybe(4) {
				nh.Flags = FlagOnLink
			}
			if g.maybe(4) {
				nh.Encap = g.encap(r.Family)
			}
			r.Multipath = append(r.Multipath, nh)
		}
		return
	}
	r.OIF = []uint32{eth0, eth1}[link]
	if g.maybe(4) {
		r.Encap = g.encap(r.Family)
	}
	switch g.IntN(4) {
	case 0: // on the link
		if r.Family == IPv4 && g.maybe(3) {
			r.Type, r.Scope = TypeUnicast, pick(g, ScopeLink, ScopeSite, ScopeGlobal)
		}
	case 1:
		r.Flags = FlagOnLink
		r.Gateway = gateways[r.Family][link] // IPv6 takes no other link's address
	case 2:
		r.Gateway = netip.MustParseAddr("fe80::9") // RTA_VIA in an IPv4 route
	default:
		r.Gateway = gateways[r.Family][link]
	}
}

// prefix makes a destination, without host bits for IPv4, which the kernel
// refuses, and with some for IPv6.
func (g generator) prefix(f Family) netip.Prefix {
	var a [16]byte
	for i := range a {
		a[i] = byte(g.Uint32())
	}
	if f == IPv6 {
		a[0], a[1] = 0x20, 0x02
		p := netip.PrefixFrom(netip.AddrFrom16(a), 16+g.IntN(113))
		return pick(g, p, p, p, netip.Prefix{}, netip.PrefixFrom(netip.IPv6Unspecified(), 0))
	}
	a[0] = 10
	p := netip.PrefixFrom(netip.AddrFrom4([4]byte(a[:4])), 8+g.IntN(25)).Masked()
	return pick(g, p, p, p, netip.Prefix{}, netip.PrefixFrom(netip.IPv4Unspecified(), 0))
}

// parse reads a route that a test wrote.
func parse(t testing.TB, s string) Route {
	t.Helper()
	r, err := Parse(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
