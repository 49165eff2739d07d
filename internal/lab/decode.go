package lab

import "encoding/binary"

// decode reads the headers of the packet b, which may be cut off anywhere;
// what is not there stays zero.
func (r *record) decode(etherType uint16, b []byte) {
	r.etherType = etherType
	switch etherType {
	case etherIPv4:
		r.ipv4(b)
	case etherIPv6:
		r.ipv6(b)
	case etherARP:
		r.arp(b)
	}
}

func (r *record) ipv4(b []byte) {
	const (
		minimum    = 20
		offsetMask = 0x1fff // of the fragment, in units of 8 bytes
	)
	if len(b) < minimum || b[0]>>4 != 4 {
		return
	}
	r.addrs = true
	copy(r.src[:4], b[12:16])
	copy(r.dst[:4], b[16:20])
	r.proto = b[9]
	header := int(b[0]&0x0f) * 4
	if header < minimum || len(b) < header || binary.BigEndian.Uint16(b[6:8])&offsetMask != 0 {
		return
	}
	r.transport(b[header:])
}

func (r *record) ipv6(b []byte) {
	const minimum = 40
	if len(b) < minimum || b[0]>>4 != 6 {
		return
	}
	r.addrs = true
	copy(r.src[:], b[8:24])
	copy(r.dst[:], b[24:40])
	r.proto = b[6]
	b = b[minimum:]
	for {
		var length int
		switch r.proto {
		case protoHopByHop, protoRouting, protoDstOpts:
			if len(b) < 2 {
				return
			}
			length = (int(b[1]) + 1) * 8
		case protoAuth:
			if len(b) < 2 {
				return
			}
			length = (int(b[1]) + 2) * 4
		case protoFragment:
			length = 8
		default:
			r.transport(b)
			return
		}
		if len(b) < length {
			return
		}
		fragmented := r.proto == protoFragment && binary.BigEndian.Uint16(b[2:4])>>3 != 0
		r.proto = b[0]
		if fragmented {
			return
		}
		b = b[length:]
	}
}

// transport reads what follows the IP header.
func (r *record) transport(b []byte) {
	switch r.proto {
	case protoTCP, protoUDP, protoSCTP:
		if len(b) < 4 {
			return
		}
		r.sport = binary.BigEndian.Uint16(b[0:2])
		r.dport = binary.BigEndian.Uint16(b[2:4])
		if r.proto == protoTCP && len(b) > 13 {
			r.tcpFlags = b[13]
		}
	case protoICMP, protoICMPv6:
		if len(b) >= 2 {
			r.typ, r.code = b[0], b[1]
		}
	}
}

// arp reads ARP for IPv4 over Ethernet.
func (r *record) arp(b []byte) {
	const size = 28
	if len(b) < size || binary.BigEndian.Uint16(b[2:4]) != etherIPv4 || b[4] != 6 || b[5] != 4 {
		return
	}
	r.addrs = true
	r.typ = b[7]
	copy(r.src[:4], b[14:18])
	copy(r.dst[:4], b[24:28])
}
