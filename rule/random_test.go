package rule

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A generator makes random rules that the kernel accepts. A seed makes the same
// ones again.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0))} }

// maybe reports true once in n times.
func (g generator) maybe(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// rule makes one. Each selector is set once in some times, so that rules of one
// selector come up as well as rules of many.
func (g generator) rule() Rule {
	r := Rule{
		Family:   pick(g, route.IPv4, route.IPv6),
		Priority: Priority(1 + g.Uint32N(30000)),
		Not:      g.maybe(5),
		Protocol: pick[route.Protocol](g, 0, 0, route.ProtoStatic, 210),
	}
	g.selectors(&r)
	g.values(&r)
	g.action(&r)
	return r
}

func (g generator) selectors(r *Rule) {
	if g.maybe(3) {
		r.From = g.prefix(r.Family)
	}
	if g.maybe(4) {
		r.To = g.prefix(r.Family)
	}
	if g.maybe(6) {
		r.IIF = pick(g, "lo", "eth0", "gone0", "a-name-of-15-by")
	}
	if g.maybe(6) {
		r.OIF = pick(g, "eth0", "gone1")
	}
	if g.maybe(6) {
		r.IPProto = pick(g, route.TCP, route.UDP, route.ICMP, 200)
	}
	if g.maybe(6) {
		r.SPort = g.ports()
	}
	if g.maybe(6) {
		r.DPort = g.ports()
	}
}

func (g generator) values(r *Rule) {
	if g.maybe(5) {
		mask := g.Uint32()
		r.FwMark = pick(g, FwMark(g.Uint32()), FwMark(g.Uint32()).Masked(mask),
			FwMark(0).Masked(0xff), FwMark(0).Masked(1<<32-1), FwMark(7).Masked(1<<32-1), FwMark(0))
	}
	switch {
	case g.maybe(6):
		r.TOS = pick[uint8](g, 0x10, 0x1c, 0x08)
	case g.maybe(6):
		r.DSCP = pick(g, DSCP(uint8(g.IntN(64))), DSCP(0), DSCP(10).Masked(0x3e),
			DSCP(10).Masked(0x3f), DSCP(0).Masked(0))
	}
	if r.Family == route.IPv6 && g.maybe(4) {
		r.FlowLabel = pick(g, FlowLabel(g.Uint32N(1<<20)), FlowLabel(0x12300).Masked(0xfff00), FlowLabel(0), FlowLabel(0).Masked(0))
	}
	if g.maybe(6) {
		first := g.Uint32N(70000)
		r.UIDRange = pick(g, UIDRange(first, first+g.Uint32N(1000)), UID(0), UID(1<<32-2))
	}
	if g.maybe(6) {
		r.TunID = pick(g, TunID(g.Uint64()), TunID(0))
	}
	if g.maybe(6) {
		r.Realms = route.Realms{Src: uint16(g.IntN(3)), Dst: uint16(g.IntN(300))}
	}
}

func (g generator) action(r *Rule) {
	switch g.IntN(8) {
	case 0:
		prio, _ := r.Priority.Get()
		r.Action, r.Goto = ActionGoto, prio+1+g.Uint32N(100)
		return
	case 1:
		r.Action = pick(g, ActionNop, ActionBlackhole, ActionUnreachable, ActionProhibit, ActionNone)
		r.Table = pick[rttables.ID](g, 0, 0, 0, 10, 256)
		return
	case 2:
		r.L3MDev = true
	default:
		r.Table = pick[rttables.ID](g, 10, 255, 256, 1000, 4294967295)
	}
	r.Action = ActionLookup
	if g.maybe(3) {
		r.SuppressPrefixLength = pick(g, SuppressPrefixLength(0), SuppressPrefixLength(16), SuppressPrefixLength(unsetU32))
	}
	if g.maybe(4) {
		r.SuppressIfGroup = pick(g, SuppressIfGroup(0), SuppressIfGroup(7))
	}
}

func (g generator) prefix(f route.Family) netip.Prefix {
	var a [16]byte
	for i := range a {
		a[i] = byte(g.Uint32())
	}
	if f == route.IPv6 {
		a[0], a[1] = 0x20, 0x01
		p := netip.PrefixFrom(netip.AddrFrom16(a), 16+g.IntN(113))
		return pick(g, p, p.Masked(), netip.PrefixFrom(netip.IPv6Unspecified(), 0))
	}
	p := netip.PrefixFrom(netip.AddrFrom4([4]byte(a[:4])), 1+g.IntN(32))
	return pick(g, p, p.Masked(), netip.PrefixFrom(netip.IPv4Unspecified(), 0))
}

func (g generator) ports() Ports {
	first := uint16(1 + g.IntN(60000))
	return pick(g, Port(first), PortRange(first, first+uint16(g.IntN(5000))),
		Port(first&0xfff0|0x10).Masked(0xfff0), Port(first).Masked(0xffff))
}

// unknown makes attributes of a kernel from the future.
func (g generator) unknown() route.Attributes {
	var b []byte
	for range 1 + g.IntN(3) {
		b = attr.Append(b, uint16(40+g.IntN(1000)), binary.NativeEndian.AppendUint64(nil, g.Uint64())[:g.IntN(9)])
	}
	return route.Attributes(b)
}

// noteAttributes notes the attributes of a rule's message.
func noteAttributes(seen map[uapi.FRA]bool, b []byte) {
	for num := range attr.All(string(b[uapi.SizeofFibRuleHdr:])) {
		seen[uapi.FRA(num)] = true
	}
}

// wantRows fails for each attribute that has a row, and that the kernel has,
// but no random rule had.
func wantRows(t *testing.T, seen map[uapi.FRA]bool, has func(uapi.FRA) bool) {
	t.Helper()
	for num := range uapi.FRA(256) {
		if codec.Name(uint16(num)) != "" && num != uapi.FRA_PAD && !seen[num] && has(num) {
			t.Errorf("no random rule had %s", num)
		}
	}
}

// parse reads a rule that a test wrote.
func parse(t testing.TB, s string) Rule {
	t.Helper()
	r, err := Parse(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
