package capture

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Offsets of facts that a filter can load: SKF_* of linux/filter.h.
const (
	filterProtocol  = 0xfffff000 // SKF_AD_OFF + SKF_AD_PROTOCOL
	filterDirection = 0xfffff004 // SKF_AD_OFF + SKF_AD_PKTTYPE
	filterInterface = 0xfffff008 // SKF_AD_OFF + SKF_AD_IFINDEX
	filterLinkType  = 0xfffff01c // SKF_AD_OFF + SKF_AD_HATYPE
	filterVLAN      = 0xfffff030 // SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT
	filterSource4   = 0xfff0000c // SKF_NET_OFF + the source in the IPv4 header
	filterSource6   = 0xfff00008 // SKF_NET_OFF + the source in the IPv6 header
)

// Instructions of a filter.
const (
	filterLoad   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	filterAnd    = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	filterEquals = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	filterJump   = unix.BPF_JMP | unix.BPF_JA
	filterResult = unix.BPF_RET | unix.BPF_K
)

// filter returns the program that takes the IP packets that Select describes. A packet with a
// VLAN tag is one of another interface, which sees it without the tag.
func filter(interfaces []uint32, sources []netip.Prefix) []unix.SockFilter {
	take := unix.SockFilter{Code: filterResult, K: snapshotLength}
	p := []unix.SockFilter{
		{Code: filterLoad, K: filterProtocol},
		{Code: filterEquals, K: unix.ETH_P_IP, Jt: 2},
		{Code: filterEquals, K: unix.ETH_P_IPV6, Jt: 1},
		{Code: filterResult},
		{Code: filterLoad, K: filterVLAN},
		{Code: filterEquals, Jt: 1},
		{Code: filterResult},
		{Code: filterLoad, K: filterInterface},
	}
	if len(interfaces) > maxInterfaces {
		return append(p, take)
	}
	for _, index := range interfaces {
		p = append(p, unix.SockFilter{Code: filterEquals, K: index, Jf: 1}, take)
	}
	var ipv4, ipv6 []unix.SockFilter
	for _, s := range sources {
		if s.Addr().Is4() {
			ipv4 = append(ipv4, sourceFilter(s, filterSource4)...)
		} else {
			ipv6 = append(ipv6, sourceFilter(s, filterSource6)...)
		}
	}
	p = append(p,
		unix.SockFilter{Code: filterLoad, K: filterDirection},
		unix.SockFilter{Code: filterEquals, K: unix.PACKET_OUTGOING, Jt: 1},
		unix.SockFilter{Code: filterResult},
		unix.SockFilter{Code: filterLoad, K: filterLinkType},
		unix.SockFilter{Code: filterEquals, K: unix.ARPHRD_LOOPBACK, Jf: 1},
		unix.SockFilter{Code: filterResult},
	)
	if len(ipv4)+len(ipv6) > maxSources {
		return append(p, take)
	}
	refuse := unix.SockFilter{Code: filterResult}
	p = append(p,
		unix.SockFilter{Code: filterLoad, K: filterProtocol},
		unix.SockFilter{Code: filterEquals, K: unix.ETH_P_IP, Jt: 1},
		unix.SockFilter{Code: filterJump, K: uint32(len(ipv4) + 1)},
	)
	p = append(append(p, ipv4...), refuse)
	return append(append(p, ipv6...), refuse)
}

// sourceFilter returns the part of the program that takes the packets from a network, and
// leaves the others to what follows. The address of the packet is at an offset.
func sourceFilter(source netip.Prefix, offset uint32) []unix.SockFilter {
	b := source.Masked().Addr().AsSlice()
	var p []unix.SockFilter
	for bits := source.Bits(); bits > 0; bits -= 32 {
		p = append(p, unix.SockFilter{Code: filterLoad, K: offset})
		if bits < 32 {
			p = append(p, unix.SockFilter{Code: filterAnd, K: ^uint32(0) << (32 - bits)})
		}
		p = append(p, unix.SockFilter{Code: filterEquals, K: binary.BigEndian.Uint32(b)})
		b, offset = b[4:], offset+4
	}
	for i := range p {
		if p[i].Code == filterEquals {
			p[i].Jf = uint8(len(p) - i)
		}
	}
	return append(p, unix.SockFilter{Code: filterResult, K: snapshotLength})
}
