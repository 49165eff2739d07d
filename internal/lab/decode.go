package lab

import "encoding/binary"

// decode decodes the headers of the packet b, which can be truncated anywhere. Fields that
// are missing in b stay zero.
func (r *record) decode(etherType uint16, b []byte) {
	r.etherType = etherType
	switch etherType {
	case etherIPv4:
		r.decodeIPv4(b)
	case etherIPv6:
		r.decodeIPv6(b)
	case etherARP:
		r.decodeARP(b)
	}
}

func (r *record) decodeIPv4(b []byte) {
	const (
		minimum    = 20
		offsetMask = 0x1fff // of the fragment, in units of 8 bytes
	)
	if len(b) < minimum || b[0]>>4 != 4 {
		return
	}
	r.hasAddrs = true
	copy(r.src[:4], b[12:16])
	copy(r.dst[:4], b[16:20])
	r.proto = b[9]
	header := int(b[0]&0x0f) * 4
	if header < minimum || len(b) < header || binary.BigEndian.Uint16(b[6:8])&offsetMask != 0 {
		return
	}
	r.decodeTransport(b[header:])
}

func (r *record) decodeIPv6(b []byte) {
	const minimum = 40
	if len(b) < minimum || b[0]>>4 != 6 {
		return
	}
	r.hasAddrs = true
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
			r.decodeTransport(b)
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

// decodeTransport decodes the header after the IP header.
func (r *record) decodeTransport(b []byte) {
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

// decodeARP decodes ARP for IPv4 over Ethernet.
func (r *record) decodeARP(b []byte) {
	const size = 28
	if len(b) < size || binary.BigEndian.Uint16(b[2:4]) != etherIPv4 || b[4] != 6 || b[5] != 4 {
		return
	}
	r.hasAddrs = true
	r.typ = b[7]
	copy(r.src[:4], b[14:18])
	copy(r.dst[:4], b[24:28])
}
