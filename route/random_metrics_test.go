package route

import (
	"net/netip"

	"github.com/policyroute/policyroute/rttables"
)

// metrics makes some, of which the kernel clamps a few.
func (g generator) metrics() (m Metrics) {
	for _, x := range metrics {
		if !g.maybe(4) {
			continue
		}
		*x.at(&m) = pick(g, 0, 1, 10, 1000, g.Uint32())
		if *x.at(&m) == 0 {
			m.Zeros |= 1 << x.num
		}
	}
	if m.Features != 0 {
		m.Features = pick(g, FeatureECN, FeatureTCPUsecTS, FeatureECN|FeatureTCPUsecTS)
	}
	if g.maybe(4) {
		m.CongCtl = pick(g, "reno", "cubic")
	}
	return m
}

// encap makes one of the kinds that the kernel has built in.
func (g generator) encap(f Family) Encap {
	switch pick(g, 0, 0, 1, 2, 3) {
	case 0:
		return EncapIP(g.tunnel(netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("0.0.0.0")))
	case 1:
		return EncapIP6(g.tunnel(netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("::")))
	case 2:
		if f == IPv6 {
			return EncapSeg6Local{Action: Seg6EndT, Table: Some[rttables.ID](10), Counters: pick(g, Opt[Seg6Counters]{}, Some(Seg6Counters{}))}
		}
	}
	e := EncapSeg6{Mode: Seg6Encap, SRH: SRH{Segs: g.segments()}}
	if f == IPv6 {
		e.Mode = pick(g, Seg6Inline, Seg6Encap, Seg6L2Encap)
	}
	return e
}

func (g generator) segments() Segments {
	var addrs []netip.Addr
	for range 1 + g.IntN(4) {
		addrs = append(addrs, netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 15: byte(g.IntN(256))}))
	}
	return MakeSegments(addrs...)
}

// tunnel has no options: parsing those of Geneve, Linux 6.18 built with
// FORTIFY_SOURCE stops in the middle of the request, with the lock of rtnetlink
// held, and answers no other request until it is restarted.
func (g generator) tunnel(dst, none netip.Addr) (e EncapIP) {
	e.ID = pick(g, Opt[uint64]{}, Some[uint64](0), Some(g.Uint64()))
	e.Dst = pick(g, dst, dst, none, netip.Addr{})
	e.Src = pick(g, dst, none, netip.Addr{})
	e.TTL = pick(g, Opt[uint8]{}, Some[uint8](0), Some(uint8(g.IntN(256))))
	e.TOS = pick(g, Opt[uint8]{}, Some[uint8](0), Some(uint8(g.IntN(64))<<2))
	e.Flags = pick(g, Opt[TunnelFlags]{}, Some[TunnelFlags](0), Some(TunnelKey), Some(TunnelCsum|TunnelSeq))
	return e
}
