package randomhost

import (
	"math/rand/v2"
	"net/netip"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/explain"
)

// A Packets makes random packets that meet the rules, routes and addresses of a World.
type Packets struct {
	*rand.Rand
	world *explain.World
	// What packets can have, by family: 0 is IPv4.
	targets, sources, own [2][]netip.Addr
	marks, labels         []uint32
	tos                   []uint8
	uids                  []uint32
	ports                 []uint16
	devs, inputs          []string
}

// NewPackets returns packets for a World, the same for the same seed.
func NewPackets(w *explain.World, seed uint64) *Packets {
	p := &Packets{Rand: rand.New(rand.NewPCG(seed, 0x51ab)), world: w}
	p.addRoutes()
	p.addRules()
	for _, a := range w.Addresses {
		i := familyOf(a.Addr)
		p.own[i] = append(p.own[i], a.Addr)
		p.targets[i] = append(p.targets[i], a.Addr, p.within(netip.PrefixFrom(a.Addr, int(a.Bits))))
		p.sources[i] = append(p.sources[i], a.Addr, p.within(netip.PrefixFrom(a.Addr, int(a.Bits))))
		if a.Peer.IsValid() {
			p.targets[i] = append(p.targets[i], a.Peer)
		}
	}
	for _, s := range []string{
		"224.0.0.1", "239.1.2.3", "255.255.255.255", "0.0.0.0", "127.0.0.1", "0.0.0.9", "240.0.0.1", "8.8.8.8", "169.254.1.1",
		"ff02::1", "ff02::1:ff00:9", "ff0e::5", "ff01::1", "::", "::1", "fe80::1", "fe80::10", "fe80::9", "2001:4860::8888", "::ffff:10.1.0.1", "fec0::1",
	} {
		a := netip.MustParseAddr(s)
		i := familyOf(a)
		p.targets[i] = append(p.targets[i], a)
		p.sources[i] = append(p.sources[i], a)
	}
	for _, l := range w.Links {
		p.devs = append(p.devs, l.Name)
		p.inputs = append(p.inputs, l.Name, l.Name)
		if l.Index != 1 && l.Flags&explain.FlagUp != 0 {
			p.inputs = append(p.inputs, l.Name, l.Name, l.Name)
		}
	}
	p.inputs = append(p.inputs, "gone")
	p.marks = append(p.marks, 0x1, 0x10, 0x20, 0xf0, 0x3)
	p.tos = append(p.tos, 0x10, 0x18, 0x38, 0xb8, 0x04)
	p.uids = append(p.uids, 0, 1000, 65534)
	p.ports = append(p.ports, 53, 80, 443, 1024, 40000)
	p.labels = append(p.labels, 1, 0x12345)
	return p
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// within returns an address of a prefix: the first, the last, or any.
func (p *Packets) within(x netip.Prefix) netip.Addr {
	b := x.Masked().Addr().AsSlice()
	how := p.IntN(4)
	for i := x.Bits(); i < len(b)*8; i++ {
		if how == 1 || how > 1 && p.IntN(2) == 0 {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (p *Packets) addRoutes() {
	for i := range p.world.Routes {
		r := &p.world.Routes[i]
		dst := r.Dst
		if !dst.IsValid() {
			continue
		}
		at := familyOf(dst.Addr())
		p.targets[at] = append(p.targets[at], p.within(dst), p.within(dst))
		p.sources[at] = append(p.sources[at], p.within(dst))
		if r.Src.IsValid() {
			p.sources[at] = append(p.sources[at], p.within(r.Src), p.within(r.Src))
		}
		if r.Gateway.IsValid() {
			at := familyOf(r.Gateway)
			p.targets[at] = append(p.targets[at], r.Gateway)
		}
		if r.TOS != 0 {
			p.tos = append(p.tos, r.TOS, r.TOS|0x20)
		}
	}
}

func (p *Packets) addRules() {
	for _, r := range p.world.Rules {
		if r.From.IsValid() {
			at := familyOf(r.From.Addr())
			p.sources[at] = append(p.sources[at], p.within(r.From), p.within(r.From), r.From.Addr())
		}
		if r.To.IsValid() {
			at := familyOf(r.To.Addr())
			p.targets[at] = append(p.targets[at], p.within(r.To), r.To.Addr())
		}
		if r.FwMark.IsSet() {
			p.marks = append(p.marks, r.FwMark.Value(), r.FwMark.Value()|^r.FwMark.Mask())
		}
		if r.TOS != 0 {
			p.tos = append(p.tos, r.TOS)
		}
		if r.DSCP.IsSet() {
			p.tos = append(p.tos, r.DSCP.Value()<<2)
		}
		if r.UIDRange.IsSet() {
			p.uids = append(p.uids, r.UIDRange.First())
		}
		for _, ports := range []interface {
			IsSet() bool
			First() uint16
			Last() uint16
		}{r.SPort, r.DPort} {
			if ports.IsSet() {
				p.ports = append(p.ports, ports.First(), ports.Last(), ports.Last()+1)
			}
		}
		if r.IIF != "" {
			p.devs = append(p.devs, r.IIF)
		}
		if r.OIF != "" {
			p.devs = append(p.devs, r.OIF)
		}
	}
}

func pick[T any](p *Packets, from []T) T { return from[p.IntN(len(from))] }

// maybe returns one of some values one time in n, else zero.
func maybe[T any](p *Packets, n int, from []T) (v T) {
	if p.IntN(n) == 0 {
		return pick(p, from)
	}
	return v
}

// Packet returns a packet of IPv4 or IPv6, that this host sends or receives.
func (p *Packets) Packet(six, input bool) explain.Packet {
	at := family(six)
	q := explain.Packet{To: pick(p, p.targets[at]), Mark: maybe(p, 3, p.marks), TOS: maybe(p, 3, p.tos)}
	switch {
	case input:
		q.From = pick(p, p.sources[at])
		q.IIF = pick(p, p.inputs)
	default:
		switch n := p.IntN(10); {
		case n < 4 && len(p.own[at]) > 0:
			q.From = pick(p, p.own[at])
		case n < 6:
			q.From = pick(p, p.sources[at])
		}
		q.OIF = maybe(p, 5, p.devs)
		q.UID = maybe(p, 4, p.uids)
	}
	if p.IntN(2) == 0 {
		q.IPProto = pick(p, []route.IPProto{uapi.IPPROTO_TCP, uapi.IPPROTO_UDP, uapi.IPPROTO_UDP, uapi.IPPROTO_ICMP})
		if six && q.IPProto == uapi.IPPROTO_ICMP {
			q.IPProto = uapi.IPPROTO_ICMPV6
		}
		if q.IPProto != uapi.IPPROTO_ICMP && q.IPProto != uapi.IPPROTO_ICMPV6 {
			q.SPort, q.DPort = maybe(p, 2, p.ports), maybe(p, 2, p.ports)
		}
	}
	if six {
		q.FlowLabel = maybe(p, 8, p.labels)
	}
	return q
}
