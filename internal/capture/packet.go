// Package capture reads the IP packets that pass interfaces of this host, with an AF_PACKET
// socket. It reads the headers and nothing else.
//
// On systems other than Linux, Open fails with [errors.ErrUnsupported].
package capture

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// A Packet is an IP packet that passed an interface.
type Packet struct {
	Time    time.Time // when it was read
	IfIndex uint32    // of the interface
	Out     bool      // the packet left this host
	Mark    uint32    // the firewall mark. Zero: none, or the kernel is older than 5.19
	// Src and Dst are the addresses, with ports if the packet has them. A fragment other than
	// the first has none.
	Src, Dst  netip.AddrPort
	Proto     uint8  // the protocol above IP, behind the extensions of IPv6
	TOS       uint8  // the DS field
	FlowLabel uint32 // IPv6 only
	Length    int    // in bytes, with the IP header
}

// Protocols and extensions.
const (
	protoHopByHop = 0
	protoTCP      = 6
	protoUDP      = 17
	protoDCCP     = 33
	protoRouting  = 43
	protoFragment = 44
	protoAuth     = 51
	protoDstOpts  = 60
	protoSCTP     = 132
	protoUDPLite  = 136
)

// decode reads the headers of a packet, which can be cut anywhere. It returns false for one
// that is not an IP packet.
func (p *Packet) decode(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	switch b[0] >> 4 {
	case 4:
		return p.decode4(b)
	case 6:
		return p.decode6(b)
	}
	return false
}

func (p *Packet) decode4(b []byte) bool {
	const minimum = 20
	if len(b) < minimum {
		return false
	}
	p.TOS, p.Proto = b[1], b[9]
	p.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), 0)
	p.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), 0)
	header := int(b[0]&0xf) * 4
	const offset = 0x1fff
	if header >= minimum && header <= len(b) && binary.BigEndian.Uint16(b[6:8])&offset == 0 {
		p.decodePorts(b[header:])
	}
	return true
}

func (p *Packet) decode6(b []byte) bool {
	const minimum = 40
	if len(b) < minimum {
		return false
	}
	first := binary.BigEndian.Uint32(b)
	p.TOS, p.FlowLabel, p.Proto = uint8(first>>20), first&0xfffff, b[6]
	p.Src = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), 0)
	p.Dst = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[24:40])), 0)
	b = b[minimum:]
	for {
		length := 8
		switch p.Proto {
		case protoHopByHop, protoRouting, protoDstOpts:
			if len(b) > 1 {
				length = (int(b[1]) + 1) * 8
			}
		case protoAuth:
			if len(b) > 1 {
				length = (int(b[1]) + 2) * 4
			}
		case protoFragment:
		default:
			p.decodePorts(b)
			return true
		}
		if len(b) < length {
			return true
		}
		later := p.Proto == protoFragment && binary.BigEndian.Uint16(b[2:4])>>3 != 0
		p.Proto = b[0]
		if later {
			return true
		}
		b = b[length:]
	}
}

// decodePorts reads the ports of the protocols that begin with them.
func (p *Packet) decodePorts(b []byte) {
	switch p.Proto {
	case protoTCP, protoUDP, protoDCCP, protoSCTP, protoUDPLite:
		if len(b) >= 4 {
			p.Src = netip.AddrPortFrom(p.Src.Addr(), binary.BigEndian.Uint16(b))
			p.Dst = netip.AddrPortFrom(p.Dst.Addr(), binary.BigEndian.Uint16(b[2:]))
		}
	}
}
