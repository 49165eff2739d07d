package lab

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// A Packet describes a packet that a Tap recorded. Packets are comparable.
type Packet struct {
	// Time is when the kernel handed the packet to the tap.
	Time time.Time

	// Out is true for a packet that left by the interface, false for one
	// that arrived.
	Out bool

	// EtherType is 0x0800 for IPv4, 0x86dd for IPv6, 0x0806 for ARP.
	EtherType uint16

	// Src and Dst are the addresses in the IP header with the ports of TCP, UDP and
	// SCTP. The port is 0 for other protocols, and for fragments other than the
	// first. In ARP they are the sender and the target.
	Src, Dst netip.AddrPort

	// Proto is the protocol after the IP header and its extensions: 6 is
	// TCP, 17 UDP, 1 and 58 ICMP.
	Proto uint8

	// TCPFlags is the flag byte of a TCP header: FIN 1, SYN 2, RST 4, PSH 8,
	// ACK 16.
	TCPFlags uint8

	// Type and Code are the type and the code of ICMP. In ARP, Type is the operation.
	Type, Code uint8

	// Len is the length in bytes without the header of the link layer. A TCP packet
	// can be longer than the MTU, because it may not yet be split into segments.
	Len int
}

// Protocols above the link layer, and above IP.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd

	protoHopByHop = 0
	protoICMP     = 1
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoAuth     = 51
	protoICMPv6   = 58
	protoDstOpts  = 60
	protoSCTP     = 132
)

// protoNames has the names of protocols in String.
var protoNames = map[uint8]string{
	protoICMP: "icmp", protoTCP: "tcp", protoUDP: "udp", protoICMPv6: "icmp6", protoSCTP: "sctp",
}

// String returns the packet in one line, in the style of tcpdump(8).
func (p Packet) String() string {
	var b strings.Builder
	b.WriteString("in  ")
	if p.Out {
		b.Reset()
		b.WriteString("out ")
	}
	switch {
	case !p.Src.IsValid():
		fmt.Fprintf(&b, "ethertype %#04x length %d", p.EtherType, p.Len)
		return b.String()
	case p.EtherType == etherARP:
		fmt.Fprintf(&b, "arp %d %s > %s", p.Type, p.Src.Addr(), p.Dst.Addr())
		return b.String()
	case p.Src.Port() == 0 && p.Dst.Port() == 0:
		fmt.Fprintf(&b, "%s > %s ", p.Src.Addr(), p.Dst.Addr())
	default:
		fmt.Fprintf(&b, "%s > %s ", p.Src, p.Dst)
	}
	if name, ok := protoNames[p.Proto]; ok {
		b.WriteString(name)
	} else {
		fmt.Fprintf(&b, "proto %d", p.Proto)
	}
	switch p.Proto {
	case protoTCP:
		b.WriteString(" " + tcpFlags(p.TCPFlags))
	case protoICMP, protoICMPv6:
		fmt.Fprintf(&b, " %d/%d", p.Type, p.Code)
	}
	fmt.Fprintf(&b, " length %d", p.Len)
	return b.String()
}

func tcpFlags(flags uint8) string {
	const letters = "FSRP.UEW"
	b := []byte{'['}
	for i := range letters {
		if flags&(1<<i) != 0 {
			b = append(b, letters[i])
		}
	}
	return string(append(b, ']'))
}

// A record is a Packet without pointers. A tap holds hundreds of thousands of records, and
// the garbage collector does not have to look into them.
type record struct {
	nanos         int64
	src, dst      [16]byte // IPv4 in the first four bytes
	length        uint32
	sport, dport  uint16
	etherType     uint16
	out, hasAddrs bool // hasAddrs: src and dst are set
	proto         uint8
	tcpFlags      uint8
	typ, code     uint8
}

func (r *record) packet() Packet {
	p := Packet{
		Time: time.Unix(0, r.nanos), Out: r.out, EtherType: r.etherType, Len: int(r.length),
		Proto: r.proto, TCPFlags: r.tcpFlags, Type: r.typ, Code: r.code,
	}
	switch {
	case !r.hasAddrs:
	case r.etherType == etherIPv6:
		p.Src = netip.AddrPortFrom(netip.AddrFrom16(r.src), r.sport)
		p.Dst = netip.AddrPortFrom(netip.AddrFrom16(r.dst), r.dport)
	default:
		p.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(r.src[:4])), r.sport)
		p.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(r.dst[:4])), r.dport)
	}
	return p
}
